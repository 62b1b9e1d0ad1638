package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
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
	watch  bool
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
			return doing("describe", a.describe(c.Context(), &f, args))
		},
	}
	f.flags(c, a.getenv)
	c.Flags().BoolVarP(&f.watch, "watch", "w", false, "go on and say it again when it changes, until the experiment, or the trial, has ended")
	formatFlag(c, &f.format, describedShape, "table", "json", "yaml", jsonPath)
	return c
}

// description is what describe says of an experiment, or of one of its trials.
type description interface {
	ended() bool
	print(a *app, f *describeFlags) error
	tree(f *describeFlags) (map[string]any, error) // as programs get it
}

func (a *app) describe(ctx context.Context, f *describeFlags, args []string) error {
	look := func(c *client) (description, error) { return c.describeExperiment(ctx, f.key(args[0])) }
	if len(args) == 2 {
		look = func(c *client) (description, error) { return c.describeTrial(ctx, f.key(args[0]), args[1]) }
	}
	if f.watch {
		return a.watchDescription(ctx, f, f.key(args[0]), look)
	}
	var d description
	err := f.reading(ctx, func(c *client) (err error) {
		d, err = look(c)
		return err
	})
	if err != nil {
		return err
	}
	return a.printDescription(f, d)
}

func (a *app) printDescription(f *describeFlags, d description) error {
	if f.format == "table" {
		return d.print(a, f)
	}
	tree, err := d.tree(f)
	if err != nil {
		return err
	}
	return printAs(a.stdout, f.format, tree)
}

// experimentDescription is all about an experiment.
type experimentDescription struct {
	whole
	events []*tunedv1.Event
	latest map[uint64]map[string]number // what those that run measured last, by number
	dir    string                       // data directory; "" when it is elsewhere
}

func (c *client) describeExperiment(ctx context.Context, key experiment.Key) (d *experimentDescription, err error) {
	d = &experimentDescription{dir: c.dataDir}
	if d.whole, err = c.whole(ctx, key); err != nil {
		return nil, err
	}
	if d.latest, err = c.latest(ctx, key, d.trials); err != nil {
		return nil, err
	}
	d.events, err = c.events(ctx, key)
	return d, err
}

func (d *experimentDescription) ended() bool { return d.message.GetSettled() }

func (d *experimentDescription) tree(f *describeFlags) (map[string]any, error) {
	return describedTree("experiment", d.message, d.events, map[string]any{"advice": adviceFor(&f.place, &d.whole)})
}

func (d *experimentDescription) print(a *app, f *describeFlags) error {
	out := a.text()
	describeState(out, &d.whole, time.Now())
	describeBudget(out, d.message)
	explainObjective(out, &d.Spec)
	if err := explainSpace(out, &d.Spec, a.columns()); err != nil {
		return err
	}
	a.describeFound(out, &d.whole, d.dir, d.latest, time.Now())
	a.printEvents(out, d.events)
	if advice := adviceFor(&f.place, &d.whole); len(advice) > 0 {
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

// describedTree is what describe found, for programs.
func describedTree(what string, m proto.Message, events []*tunedv1.Event, more map[string]any) (map[string]any, error) {
	tree, err := treeOf(m)
	if err != nil {
		return nil, err
	}
	list := make([]any, len(events))
	for i, e := range events {
		if list[i], err = treeOf(e); err != nil {
			return nil, err
		}
	}
	more[what], more["events"] = tree, list
	return more, nil
}

// describedShape is the shape of what describedTree returns of an experiment, or of one of its trials.
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
	t := eventTable(events, a.columns())
	t.indentWithin(out, a.columns())
}

// eventTable has a row per event. Where a terminal of so many columns, 0 for none, is too narrow for whole names and times,
// both are short.
func eventTable(events []*tunedv1.Event, columns int) *table {
	layout, about := time.RFC3339, (*tunedv1.Event).GetTrial
	if columns > 0 && columns < wideEvents {
		layout, about = "Jan _2 15:04:05", func(e *tunedv1.Event) string {
			return e.GetTrial()[1+strings.LastIndex(e.GetTrial(), "-"):] // which tells trials of an experiment apart
		}
	}
	t := &table{header: []string{"time", "about", "reason", "message"}, spare: []string{"time", "about"}, soft: []string{"reason"}}
	for _, e := range events {
		reason := e.GetReason()
		if e.GetWarning() {
			reason += " (warning)"
		}
		t.add(instant(e.GetTime()).Local().Format(layout), about(e), reason, firstLine(e.GetMessage()))
	}
	return t
}

// wideEvents are the columns of a terminal from which on names and times of events are whole.
const wideEvents = 110
