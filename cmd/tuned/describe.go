package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/proto"

	tunedv1 "github.com/tuned-hpo/tuned/api/tuned/v1"
	"github.com/tuned-hpo/tuned/pkg/experiment"
)

// shownEvents is how many of the last events are printed.
const shownEvents = 20

// describeFlags are the flags of the describe command.
type describeFlags struct {
	place
	format string
}

func (a *app) describeCommand() *cobra.Command {
	var f describeFlags
	c := &cobra.Command{
		Use:        "describe NAME [TRIAL]",
		SuggestFor: []string{"status", "show", "info", "inspect"},
		Short:      "Say all about an experiment, or about one of its trials",
		Long: `Say all about an experiment: state and reason, budget, what was found, failures, events and what
to do; or all about one of its trials, by name or number. json, yaml and jsonpath have
{"experiment", "events", "advice"} or {"trial", "events", "log"}.`,
		Args:              words(1, 2, "NAME [TRIAL]"),
		ValidArgsFunction: f.completeTrials,
		RunE: func(c *cobra.Command, args []string) error {
			var err error
			if len(args) == 2 {
				err = a.describeTrial(c.Context(), &f, args[0], args[1])
			} else {
				err = a.describeExperiment(c.Context(), &f, args[0])
			}
			return doing("describe", err)
		},
	}
	f.flags(c, a.getenv)
	formatFlag(c, &f.format, describedShape, "text", "json", "yaml", jsonPath)
	return c
}

func (a *app) describeExperiment(ctx context.Context, f *describeFlags, name string) error {
	var w whole
	var events []*tunedv1.Event
	var dir string
	var latest map[uint64]map[string]number
	err := f.reading(ctx, func(c *client) (err error) {
		dir = c.dataDir
		if w, err = c.whole(ctx, f.key(name)); err != nil {
			return err
		}
		if latest, err = c.latest(ctx, f.key(name), w.trials); err != nil {
			return err
		}
		events, err = c.events(ctx, f.key(name))
		return err
	})
	if err != nil {
		return err
	}
	advice := adviceFor(&f.place, &w)
	if f.format != "text" {
		return printDescribed(a.stdout, f.format, "experiment", w.message, events, map[string]any{"advice": advice})
	}
	out := a.text()
	describeState(out, &w, time.Now())
	describeBudget(out, w.message)
	explainObjective(out, &w.Spec)
	if err := explainSpace(out, &w.Spec, a.columns()); err != nil {
		return err
	}
	a.describeFound(out, &w, dir, latest, time.Now())
	a.printEvents(out, events)
	if len(advice) > 0 {
		heading(out, "What to do")
		for _, line := range advice {
			fmt.Fprintf(out, "  - %s\n", visible(line))
		}
	}
	return nil
}

// describeFound writes what has come of an experiment so far. dir is the data directory, "" when it is elsewhere.
func (a *app) describeFound(out io.Writer, w *whole, dir string, latest map[uint64]map[string]number, now time.Time) {
	heading(out, "Found")
	r := newResult(w.Experiment, w.trials, logsOf(w.Experiment, dir), now)
	switch {
	case r.Best == nil && w.message.GetCompleted():
		fmt.Fprintf(out, "  nothing: %s\n", fruitless(w.message))
	case r.Best == nil:
		fmt.Fprintln(out, "  nothing yet")
	}
	r.columns = max(0, a.columns()-gap)
	r.chosen.print(indented{out})
	fmt.Fprintf(out, "  Trials:      %s\n", r.trialText())
	a.printRunning(out, w, latest, now)
	printFailures(indented{out}, r.Failures)
}

// shownRunning is how many of the trials that run are printed.
const shownRunning = 20

// printRunning writes what the trials that run have measured.
func (a *app) printRunning(out io.Writer, w *whole, latest map[uint64]map[string]number, now time.Time) {
	metrics := metricNames(w.Spec.Objective)
	t := table{header: append(append([]string{"running", "for"}, metrics...), "parameters")}
	for i := range w.trials {
		trial := &w.trials[i]
		values, runs := latest[trial.Number]
		if !runs || len(t.rows) == shownRunning {
			continue
		}
		cells := []string{trial.Name, clock(now.Sub(trial.Started))}
		for _, m := range metrics {
			cells = append(cells, latestCell(values, m))
		}
		t.add(append(cells, flags(trial.Assignment))...)
	}
	if len(t.rows) > 0 {
		fmt.Fprintln(out)
		t.indentWithin(out, a.columns())
	}
}

// latestCell is the latest value of a metric; "" when there is none yet.
func latestCell(values map[string]number, metric string) string {
	v, ok := values[metric]
	if !ok {
		return ""
	}
	return exact(float64(v))
}

// printDescribed writes what describe found, for programs.
func printDescribed(out io.Writer, format, what string, m proto.Message, events []*tunedv1.Event, more map[string]any) error {
	tree, err := treeOf(m)
	if err != nil {
		return err
	}
	list := make([]any, len(events))
	for i, e := range events {
		if list[i], err = treeOf(e); err != nil {
			return err
		}
	}
	more[what], more["events"] = tree, list
	return printAs(out, format, more)
}

// describedShape is the shape of what printDescribed writes of an experiment, or of one of its trials.
func describedShape(args []string) *shape {
	out := map[string]*shape{"events": {items: messageShape(&tunedv1.Event{})}}
	if len(args) == 2 {
		out["trial"], out["log"], out["latest"] = messageShape(&tunedv1.Trial{}), &shape{}, shapeOf[map[string]number]()
	} else {
		out["experiment"], out["advice"] = messageShape(&tunedv1.Experiment{}), shapeOf[[]string]()
	}
	return &shape{keys: out}
}

// describeState writes what an experiment is and how it stands.
func describeState(out io.Writer, w *whole, now time.Time) {
	m := w.message
	rows := [][2]string{
		{"Name", m.GetName()},
		{"Namespace", m.GetNamespace()},
		{"UID", m.GetUid()},
		{"State", stateText(m, w.driven)},
		{"Reason", m.GetReason()},
		{"Message", messageText(m)},
		{"Trouble", m.GetTrouble()},
		{"Algorithm", algorithmText(&w.Spec)},
		{"Chosen", choiceText(&w.Spec, finishedIn(w.trials))},
		{"Created", when(instant(m.GetCreated()), now)},
		{"Finished", when(instant(m.GetFinished()), now)},
		{"Tags", strings.Join(m.GetTags(), ", ")},
		{"Note", m.GetNote()},
		{"Command", commandText(w.Experiment)},
		{"Warm start", warmStartText(m)},
	}
	printRows(out, rows)
}

// printRows writes names and values in two columns; those without a value are left out.
func printRows(out io.Writer, rows [][2]string) {
	for _, row := range rows {
		if row[1] != "" {
			fmt.Fprintf(out, "%-12s %s\n", row[0]+":", strings.ReplaceAll(visibleLines(row[1]), "\n", "\n             "))
		}
	}
}

// warmStartText says what an experiment learned from earlier ones; "" for nothing.
func warmStartText(m *tunedv1.Experiment) string {
	var words []string
	for _, l := range learnedIn(m) {
		words = append(words, l.String())
	}
	return strings.Join(words, "\n")
}

// commandText says what runs for a trial.
func commandText(e *experiment.Experiment) string {
	switch {
	case e.External():
		return "none: clients evaluate the trials, by tuned ask and tuned tell"
	case len(e.Local.Command) > 0:
		return quoteWords(e.Local.Command)
	}
	return "that of the trial template"
}

func algorithmText(s *experiment.Spec) string {
	if s.Algorithm == nil {
		return ""
	}
	text := s.Algorithm.AlgorithmName
	for _, setting := range s.Algorithm.AlgorithmSettings {
		text += fmt.Sprintf(" %s=%s", setting.Name, setting.Value)
	}
	return text
}

// when is a time and how long ago it was, or when it will be; "" for none.
func when(t, now time.Time) string {
	if t.IsZero() {
		return ""
	}
	if ahead := t.Sub(now); ahead > time.Minute { // more than clocks differ
		return fmt.Sprintf("%s (in %s)", t.Local().Format(time.RFC3339), clock(ahead))
	}
	return fmt.Sprintf("%s (%s ago)", t.Local().Format(time.RFC3339), clock(now.Sub(t)))
}

// describeBudget writes what an experiment may use and has used.
func describeBudget(out io.Writer, m *tunedv1.Experiment) {
	b, n := cmp.Or(m.GetBudget(), &tunedv1.Budget{}), m.GetCounts()
	most := func(limit *int32) string {
		if limit == nil {
			return "unlimited"
		}
		return fmt.Sprint(*limit)
	}
	heading(out, "Budget")
	ended := n.GetTrials() - n.GetPending() - n.GetRunning()
	fmt.Fprintf(out, "  trials    %d ended, %d running, %d pending of %s\n", ended, n.GetRunning(), n.GetPending(), most(b.MaxTrials))
	fmt.Fprintf(out, "  failed    %d of %s\n", n.GetFailed()+n.GetMetricsUnavailable(), most(b.MaxFailedTrials))
	fmt.Fprintf(out, "  parallel  %s\n", most(b.ParallelTrials))
	if d := b.GetMaxDuration(); d != nil {
		fmt.Fprintf(out, "  time      %s of %s\n", clock(b.GetDuration().AsDuration()), clock(d.AsDuration()))
	}
	if b.MaxCost != nil {
		fmt.Fprintf(out, "  cost      %s of %s\n", short(b.GetCost()), short(b.GetMaxCost()))
	}
}

// printEvents writes the last events.
func (a *app) printEvents(out io.Writer, events []*tunedv1.Event) {
	heading(out, "Events")
	if len(events) == 0 {
		fmt.Fprintln(out, "  none")
		return
	}
	if hidden := len(events) - shownEvents; hidden > 0 {
		fmt.Fprintf(out, "  the last %d of %d\n", shownEvents, len(events))
		events = events[hidden:]
	}
	t := table{header: []string{"time", "about", "reason", "message"}}
	for _, e := range events {
		reason := e.GetReason()
		if e.GetWarning() {
			reason += " (warning)"
		}
		t.add(instant(e.GetTime()).Local().Format(time.RFC3339), e.GetTrial(), reason, firstLine(e.GetMessage()))
	}
	t.indentWithin(out, a.columns())
}

func (a *app) describeTrial(ctx context.Context, f *describeFlags, name, trial string) error {
	var t *tunedv1.Trial
	var e *tunedv1.Experiment
	var events []*tunedv1.Event
	var dir string
	var latest map[uint64]map[string]number
	err := f.reading(ctx, func(c *client) (err error) {
		key := f.key(name)
		dir = c.dataDir
		if e, err = c.get(ctx, key); err != nil {
			return err
		}
		if t, err = c.trial(ctx, key, trial); err != nil {
			return err
		}
		if latest, err = c.latest(ctx, key, []experiment.Trial{trialOf(t)}); err != nil {
			return err
		}
		events, err = c.events(ctx, key)
		return err
	})
	if err != nil {
		return err
	}
	events = slices.DeleteFunc(events, func(e *tunedv1.Event) bool { return e.GetTrial() != t.GetName() })
	whole, err := experimentOf(e)
	if err != nil {
		return fmt.Errorf("read the daemon's answer: %w", err)
	}
	known := trialOf(t)
	log := logsOf(whole, dir).file(&known)
	if f.format != "text" {
		return printDescribed(a.stdout, f.format, "trial", t, events, map[string]any{"log": log, "latest": orEmpty(latest[t.GetNumber()])})
	}
	a.printTrial(t, &known, log)
	printMetrics(a.text(), t, latest[t.GetNumber()])
	a.printEvents(a.text(), events)
	return nil
}

func (a *app) printTrial(t *tunedv1.Trial, known *experiment.Trial, log string) {
	took := ""
	if d, ok := duration(known); ok {
		took = clock(d)
	}
	value := ""
	if t.Value != nil {
		value = exact(t.GetValue())
	}
	now := time.Now()
	printRows(a.text(), [][2]string{
		{"Trial", t.GetName()},
		{"Number", fmt.Sprint(t.GetNumber())},
		{"Experiment", t.GetNamespace() + "/" + t.GetExperiment()},
		{"State", t.GetState()},
		{"Reason", t.GetReason()},
		{"Message", t.GetMessage()},
		{"Value", value},
		{"Attempt", fmt.Sprint(t.GetAttempt())},
		{"Algorithm", t.GetAlgorithm()},
		{"Goes on from", parentOf(t)},
		{"Created", when(known.Created, now)},
		{"Started", when(known.Started, now)},
		{"Finished", when(known.Finished, now)},
		{"Ran", took},
		{"Parameters", flags(known.Assignment)},
		{"Tags", strings.Join(t.GetTags(), ", ")},
		{"Note", t.GetNote()},
		{"Log", log},
	})
}

// parentOf is the trial whose checkpoint a trial goes on from, "" for none.
func parentOf(t *tunedv1.Trial) string {
	if t.GetParent() == 0 {
		return ""
	}
	return fmt.Sprint("trial ", t.GetParent())
}

// printMetrics writes what a trial measured: of one that runs, latest, the last value of each metric.
func printMetrics(out io.Writer, t *tunedv1.Trial, latest map[string]number) {
	heading(out, "Metrics")
	switch metrics := (table{header: []string{"metric", "value", "min", "max", "latest"}}); {
	case len(t.GetMetrics()) > 0:
		for _, m := range t.GetMetrics() {
			metrics.add(m.GetName(), exact(m.GetValue()), m.GetMin(), m.GetMax(), m.GetLatest())
		}
		metrics.indent(out)
	case len(latest) > 0:
		metrics = table{header: []string{"metric", "latest"}}
		for _, name := range slices.Sorted(maps.Keys(latest)) {
			metrics.add(name, exact(float64(latest[name])))
		}
		metrics.indent(out)
	default:
		fmt.Fprintln(out, "  none")
	}
}

// orEmpty is a map that is not nil, {} in JSON.
func orEmpty(m map[string]number) map[string]number {
	if m == nil {
		return map[string]number{}
	}
	return m
}
