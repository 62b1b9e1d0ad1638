package tuner

import (
	"errors"
	"testing"

	"github.com/tuned-hpo/tuned/algorithms/builtin"
	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/store"
)

// checked is a control call, and what makes it one that says something.
type checked struct {
	name string
	call func(r *rig) error
}

func resubmit(parallel, budget int32) func(r *rig) error {
	return func(r *rig) error {
		_, err := r.Submit(r.t.Context(), wanted(parallel, budget))
		return err
	}
}

func extend(b Budget) func(r *rig) error {
	return func(r *rig) error { return r.Extend(r.t.Context(), r.key, b) }
}

// controls are made one after the other on an experiment of which two trials have ended and two run.
var controls = []checked{
	{"lower both counts by an edit", resubmit(1, 5)},
	{"raise them", resubmit(3, 9)},
	{"lower the budget to what has ended", extend(Budget{MaxTrials: new(int32(2)), Parallel: new(int32(1))})},
	{"lower it further", extend(Budget{MaxTrials: new(int32(1))})},
	{"extend it", extend(Budget{MaxTrials: new(int32(12)), Parallel: new(int32(4))})},
	{"pause", func(r *rig) error { return r.Pause(r.t.Context(), r.key) }},
	{"lower the parallel trials of a paused one", extend(Budget{Parallel: new(int32(1))})},
	{"resume from a pause", func(r *rig) error { return r.Resume(r.t.Context(), r.key) }},
	{"annotate", func(r *rig) error { return r.Annotate(r.t.Context(), r.key, "1", Note{Text: new("mine")}) }},
	{"enqueue", func(r *rig) error {
		_, err := r.Enqueue(r.t.Context(), r.key, []experiment.Pair{{Name: "x", Value: "0.25"}}, "look", "")
		return err
	}},
	{"stop a trial", func(r *rig) error { _, err := r.StopTrial(r.t.Context(), r.key, "3"); return err }},
	{"stop, draining", func(r *rig) error { return r.Stop(r.t.Context(), r.key, true) }},
	{"resume from a stop", func(r *rig) error { return r.Resume(r.t.Context(), r.key) }},
	{"lower the failures", extend(Budget{MaxFailed: new(int32(0))})},
	{"stop at once", func(r *rig) error { return r.Stop(r.t.Context(), r.key, false) }},
	{"import", func(r *rig) error {
		e, trials, measured := imported(3)
		return r.Import(r.t.Context(), History{Experiment: e, Trials: trials, Measured: measured})
	}},
	{"delete", func(r *rig) error { return r.Delete(r.t.Context(), r.key, "") }},
}

// TestControlsBreakNoInvariant: what a person may do is never reported as damage, by tuned fsck, at any later moment.
func TestControlsBreakNoInvariant(t *testing.T) {
	r := newRig(t, builtin.Registry())
	r.submit(wanted(2, 6))
	for range 2 {
		r.runner.end(<-r.runner.started, completed, 0.5)
	}
	r.until("two ended", func(s Snapshot) bool { return len(s.Trials) == 4 && s.Trials[1].State.Final() })
	for _, c := range controls {
		if err := c.call(r); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		r.sound(c.name)
	}
}

// sound checks all invariants between two steps of the driver, the first of which carries out what was asked for.
func (r *rig) sound(after string) {
	r.t.Helper()
	nothing := func(*driver) error { return nil }
	check := func(*driver) error {
		workloads, err := r.runner.List(r.t.Context(), r.key)
		if err != nil {
			return err
		}
		names := []string{}
		for _, w := range workloads {
			names = append(names, w.Trial)
		}
		found, err := store.Check(r.t.Context(), r.store, store.Workloads{r.key: names})
		if len(found) > 0 {
			r.t.Errorf("after %s: %v", after, found)
		}
		return err
	}
	err := r.with(r.t.Context(), r.key, nothing)
	if err == nil {
		err = r.with(r.t.Context(), r.key, check)
	}
	if errors.Is(err, ErrNotFound) { // it is deleted
		err = check(nil)
	}
	r.must(err)
}
