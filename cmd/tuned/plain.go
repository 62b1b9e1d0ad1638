package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/tuned-hpo/tuned/pkg/experiment"
)

// view shows the progress of one experiment. Its methods are not called concurrently.
type view interface {
	// begin shows where a run starts, later ones what changed.
	begin(p progress)
	// change shows progress made since the last call.
	change(p progress)
	// end takes the view away; the result is printed after it.
	end()
}

// silent shows nothing.
type silent struct{}

func (silent) begin(progress)  {}
func (silent) change(progress) {}
func (silent) end()            {}

// plain prints lines without escape codes: one per finished trial, one per change.
type plain struct {
	out  io.Writer
	seen int    // finished trials already printed
	last string // last line of progress, without its time
	// troubled is set from the line that says that a step is put off to the one that says it went on.
	troubled bool
}

func (v *plain) begin(p progress) {
	v.seen = p.Done
	if p.State == experiment.Succeeded || p.State == experiment.Failed {
		fmt.Fprintf(v.out, "%s ended before\n", p.Key.Name)
		return
	}
	if p.Done > 0 {
		fmt.Fprintf(v.out, "%s goes on: %d done before\n", p.Key.Name, p.Done)
	}
	v.change(p)
}

func (v *plain) change(p progress) {
	for i := v.seen; i < p.Done; i++ {
		fmt.Fprintf(v.out, "[%4s] %s\n", clock(p.Elapsed), trialLine(&p, i))
	}
	v.seen = p.Done
	v.trouble(&p)
	line := progressLine(&p)
	if line == v.last {
		return
	}
	v.last = line
	if draining := drainLine(&p); draining != "" {
		line += " | " + draining
	}
	eta := ""
	if left := etaText(p.ETAKnown, p.ETA); left != "" {
		eta = " | ETA " + left
	}
	fmt.Fprintf(v.out, "[%4s] %s%s\n", clock(p.Elapsed), line, eta)
}

// trouble says once that a step is put off, and once that it is over.
func (v *plain) trouble(p *progress) {
	if v.troubled == (p.Trouble != "") {
		return
	}
	v.troubled = p.Trouble != ""
	line := "goes on"
	if v.troubled {
		line = troubleLine(p)
	}
	fmt.Fprintf(v.out, "[%4s] %s\n", clock(p.Elapsed), line)
}

// troubleLine says why nothing goes on.
func troubleLine(p *progress) string { return "waits and tries again: " + firstLine(p.Trouble) }

// drainLine says, once the experiment has ended, which trials it waits for; "" when there are none.
func drainLine(p *progress) string {
	switch {
	case p.Running == 0:
		return ""
	case p.State == experiment.Succeeded:
		return fmt.Sprintf("ended: waits for %s still running, which Ctrl-C stops", plural(p.Running, "trial"))
	case p.State == experiment.Failed:
		return fmt.Sprintf("failed: stops %s still running", plural(p.Running, "trial"))
	}
	return ""
}

func (v *plain) end() {}

// progressLine is the state in one line, without what changes with time alone.
func progressLine(p *progress) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d", p.Done)
	if p.Budget > 0 {
		fmt.Fprintf(&b, "/%d", p.Budget)
	}
	fmt.Fprintf(&b, " done, %d running, %d failed", p.Running, p.Failed)
	if p.Front > 0 {
		fmt.Fprintf(&b, " | front of %d", p.Front)
	}
	switch {
	case p.Best != nil:
		fmt.Fprintf(&b, " | best %s=%s (%s)", visible(p.Objective.ObjectiveMetricName), short(p.BestValue), p.Best.Name)
	case p.Infeasible > 0:
		fmt.Fprint(&b, " | "+noneFeasible(p.Infeasible))
	}
	return b.String()
}

// trialLine is a finished trial in one line: name, how it ended, its value, its parameters.
func trialLine(p *progress, i int) string {
	t := &p.Finished[i]
	line := fmt.Sprintf("%s %s", t.Name, t.State)
	switch {
	case failed(t.State):
		line += " (" + firstLine(t.Message) + ")"
	case t.State == experiment.TrialSucceeded || t.State == experiment.TrialEarlyStopped:
		for _, o := range p.Spec.Objectives() {
			line += fmt.Sprintf(" %s=%s", visible(o.MetricName), short(metricOf(t, o.MetricName, p.Objective)))
		}
		if broken := brokenBy(p.Spec, t); diverged(t) {
			line += " (" + firstLine(t.Message) + ")"
		} else if len(broken) > 0 {
			line += " (infeasible: " + strings.Join(broken, ", ") + ")"
		}
	}
	if d, ok := duration(t); ok {
		line += " in " + clock(d)
	}
	return line + " " + visible(flags(t.Assignment))
}

// firstLine cuts a message for one line of a view.
func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	line = visible(line)
	const most = 160
	if r := []rune(line); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return line
}
