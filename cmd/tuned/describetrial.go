package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	tunedv1 "github.com/tuned-hpo/tuned/api/tuned/v1"
	"github.com/tuned-hpo/tuned/pkg/experiment"
)

// trialDescription is all about a trial.
type trialDescription struct {
	message *tunedv1.Trial
	trial   experiment.Trial
	events  []*tunedv1.Event  // of the trial
	latest  map[string]number // what it measured last, while it runs
	log     string            // file; "" when it is elsewhere
}

func (c *client) describeTrial(ctx context.Context, key experiment.Key, trial string) (*trialDescription, error) {
	m, err := c.get(ctx, key)
	if err != nil {
		return nil, err
	}
	e, err := experimentOf(m)
	if err != nil {
		return nil, fmt.Errorf("read the daemon's answer: %w", err)
	}
	d := &trialDescription{}
	if d.message, err = c.trial(ctx, key, trial); err != nil {
		return nil, err
	}
	d.trial = trialOf(d.message)
	d.log = logsOf(e, c.dataDir).file(&d.trial)
	latest, err := c.latest(ctx, key, []experiment.Trial{d.trial})
	if err != nil {
		return nil, err
	}
	d.latest = latest[d.trial.Number]
	d.events, err = c.events(ctx, key)
	d.events = slices.DeleteFunc(d.events, func(e *tunedv1.Event) bool { return e.GetTrial() != d.trial.Name })
	return d, err
}

func (d *trialDescription) ended() bool { return d.trial.State.Final() }

func (d *trialDescription) tree(*describeFlags) (map[string]any, error) {
	return describedTree("trial", d.message, d.events, map[string]any{"log": d.log, "latest": orEmpty(d.latest)})
}

func (d *trialDescription) print(a *app, _ *describeFlags) error {
	a.printTrial(d.message, &d.trial, d.log)
	printMetrics(a.text(), d.message, d.latest)
	a.printEvents(a.text(), d.events)
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
