package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	tunedv1 "github.com/tuned-hpo/tuned/api/tuned/v1"
	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/tuner"
)

// trialsFlags are the flags of the trials command.
type trialsFlags struct {
	place
	filter string
	watch  bool
	format string
}

func (a *app) trialsCommand() *cobra.Command {
	var f trialsFlags
	c := &cobra.Command{
		Use:   "trials NAME",
		Short: "List the trials of an experiment",
		Long: `List the trials of an experiment with their parameters and metrics; of those that run, what they
measured last. --filter takes terms of the API, joined by AND, about state, tag, reason, number,
value, param.NAME and metric.NAME.`,
		Example: `  tuned trials mnist --filter 'tag=good AND param.lr<0.01'
  tuned trials mnist --watch`,
		Args:              words(1, 1, "NAME"),
		ValidArgsFunction: f.completeNames,
		RunE: func(c *cobra.Command, args []string) error {
			return doing("list trials", a.trials(c.Context(), &f, args[0]))
		},
	}
	f.flags(c, a.getenv)
	c.Flags().StringVar(&f.filter, "filter", "", filterUsage)
	c.Flags().BoolVarP(&f.watch, "watch", "w", false, "go on and print what changes, until the experiment has ended")
	formatFlag(c, &f.format, printing(shapeOf[[]trialRecord]()), "table", "json", "yaml", "csv", "name", jsonPath)
	return c
}

// filterFault is the error about a filter, in the flag's words.
func filterFault(err error) error {
	if status.Code(err) != codes.InvalidArgument {
		return err
	}
	return usage("--%w", err)
}

const filterUsage = "`TERMS` that must hold, joined by AND, such as tag=good"

func (a *app) trials(ctx context.Context, f *trialsFlags, name string) error {
	if f.watch {
		return a.watchTrials(ctx, f, f.key(name))
	}
	var l trialList
	err := f.reading(ctx, func(c *client) (err error) {
		l, err = c.trialList(ctx, f.key(name), f.filter)
		return err
	})
	if err != nil {
		return err
	}
	return a.printTrials(&l, f.format)
}

// trialList is an experiment with those of its trials that were asked for.
type trialList struct {
	whole
	records []trialRecord
}

// trialList returns the trials of an experiment that a filter takes. Where trials are on the front is found among
// all of them.
func (c *client) trialList(ctx context.Context, key experiment.Key, filter string) (l trialList, err error) {
	w, err := c.whole(ctx, key)
	if err != nil {
		return l, err
	}
	latest, err := c.latest(ctx, key, w.trials)
	if err != nil {
		return l, err
	}
	l = newTrialList(w, latest)
	if filter == "" {
		return l, nil
	}
	found, err := c.findTrials(ctx, key, filter)
	if err != nil {
		return l, filterFault(err)
	}
	l.records = slices.DeleteFunc(l.records, func(r trialRecord) bool {
		return !slices.ContainsFunc(found, func(t *tunedv1.Trial) bool { return t.GetNumber() == r.Number })
	})
	return l, err
}

// newTrialList returns all trials of an experiment. latest has what those that run measured last, by number.
func newTrialList(w whole, latest map[uint64]map[string]number) trialList {
	l := trialList{whole: w}
	for i := range l.trials {
		r := newTrialRecord(l.Key(), &l.trials[i], &l.Spec)
		r.Latest = latest[r.Number]
		l.records = append(l.records, r)
	}
	if several(&l.Spec) {
		tally := experiment.NewTally(&l.Spec, l.trials)
		markFront(l.records, tally.Front())
	}
	return l
}

func (a *app) printTrials(l *trialList, format string) error {
	switch format {
	case "table", "csv":
		t := l.table(format)
		if last := len(t.header) - 1; format == "table" && !slices.ContainsFunc(t.rows, func(row []string) bool { return row[last] != "" }) {
			t.drop(last) // no trial has a message
		}
		return a.printTable(t, format)
	case "name":
		for i := range l.records {
			fmt.Fprintln(a.stdout, visible(l.records[i].Trial))
		}
		return nil
	}
	return printAs(a.stdout, format, append([]trialRecord{}, l.records...))
}

// table has a row per trial. Columns of what no trial has are left out.
func (l *trialList) table(format string) *table {
	s, metrics := &l.Spec, metricNames(l.Spec.Objective)
	t := &table{header: append([]string{"number", "trial", "state"}, metrics...)}
	for _, p := range s.Parameters {
		t.header = append(t.header, p.Name)
		t.spare = append(t.spare, p.Name)
	}
	slices.Reverse(t.spare)
	tagged := format == "csv" || slices.ContainsFunc(l.trials, func(t experiment.Trial) bool { return len(t.Note.Tags) > 0 })
	family := format == "csv" || l.family()
	for _, column := range []struct {
		name string
		has  bool
	}{{"parent", family}, {"feasible", len(s.Constraints()) > 0}, {"front", several(s)}, {"tags", tagged}, {"duration", true}, {"message", true}} {
		if column.has {
			t.header = append(t.header, column.name)
		}
	}
	for i := range l.records {
		r := &l.records[i]
		cells := []string{fmt.Sprint(r.Number), r.Trial, string(r.State)}
		for _, m := range metrics {
			cells = append(cells, metricCell(r, m, format))
		}
		for _, p := range s.Parameters {
			cells = append(cells, r.Parameters[p.Name])
		}
		t.add(append(cells, l.lastCells(r, family, tagged, format)...)...)
	}
	return t
}

// family tells whether any trial goes on from another.
func (l *trialList) family() bool {
	return slices.ContainsFunc(l.trials, func(t experiment.Trial) bool { return t.Parent > 0 })
}

// lastCells are the cells after the parameters.
func (l *trialList) lastCells(r *trialRecord, family, tagged bool, format string) (cells []string) {
	if family {
		cells = append(cells, strings.TrimPrefix(fmt.Sprint(r.Parent), "0"))
	}
	if len(l.Spec.Constraints()) > 0 {
		cells = append(cells, yesNo(r.Feasible))
	}
	if several(&l.Spec) {
		cells = append(cells, yesNo(r.Front))
	}
	if tagged {
		cells = append(cells, strings.Join(r.Tags, ", "))
	}
	took, message := "", r.Message
	if finite(float64(r.Seconds)) {
		took = clock(time.Duration(float64(r.Seconds) * float64(time.Second)))
	}
	switch {
	case format == "csv":
		took = strings.TrimPrefix(exact(float64(r.Seconds)), "NaN")
	case !failed(r.State) && r.Reason != tuner.ReasonDiverged && r.State != experiment.TrialEarlyStopped:
		message = ""
	default:
		message = firstLine(message)
	}
	return append(cells, took, message)
}

// metricCell is a metric's value, NaN only for a trial that came to its end with it. A table has the latest value
// of a trial that runs.
func metricCell(r *trialRecord, metric, format string) string {
	v := float64(r.Metrics[metric])
	if latest, ok := r.Latest[metric]; ok && format == "table" {
		v = float64(latest)
	} else if v != v && r.State != experiment.TrialSucceeded {
		return ""
	}
	return exact(v)
}
