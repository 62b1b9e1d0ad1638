package tuner

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/rs/zerolog"

	"github.com/tuned-hpo/tuned/algorithms"
	"github.com/tuned-hpo/tuned/algorithms/builtin"
	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/searchspace"
	"github.com/tuned-hpo/tuned/pkg/store"
)

// keep stores an experiment under a name, with trials that have ended.
func (r *rig) keep(e *experiment.Experiment, name string, trials ...experiment.Trial) {
	r.t.Helper()
	e.Metadata.Name, e.Metadata.UID = name, "uid of "+name
	e.Status = experiment.NewStatus(time.Unix(1, 0))
	if err := r.store.Create(r.t.Context(), e); err != nil {
		r.t.Fatal(err)
	}
	for i := range trials {
		trials[i].Number, trials[i].Attempt, trials[i].Name = uint64(i+1), 1, fmt.Sprint(name, i+1)
	}
	if _, err := r.store.Commit(r.t.Context(), e.Key(), store.Change{Revision: 1, Create: trials}); err != nil {
		r.t.Fatal(err)
	}
}

// endedTrial is a trial that ended as the finishNo-th of its experiment; "" for a loss means none.
func endedTrial(state experiment.TrialState, finishNo uint64, x, loss string) experiment.Trial {
	t := experiment.Trial{State: state, FinishNo: finishNo, Assignment: []experiment.Pair{{Name: "x", Value: x}}}
	if loss != "" {
		t.Observation.Metrics = []experiment.Metric{{Name: "loss", Min: loss, Max: loss, Latest: loss}}
	}
	return t
}

// learning is an experiment that learns from others.
func learning(from ...string) *experiment.Experiment {
	e := wanted(1, 3)
	e.Spec.Tuned = &experiment.Extension{WarmStart: from}
	return e
}

// given makes a registry whose algorithm shows the problem that it is made for.
func given(t *testing.T, problem *algorithms.Problem) *algorithms.Registry {
	t.Helper()
	registry, err := algorithms.NewRegistry(algorithms.Definition{
		Name: "random", Summary: "for a test", Priors: true,
		New: func(p algorithms.Problem, v algorithms.Values) (algorithms.Suggester, error) {
			*problem = p
			random, err := builtin.Registry().Lookup("random")
			if err != nil {
				return nil, err
			}
			return random.New(p, v)
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return registry
}

func TestWarmStartLearnsWhatFits(t *testing.T) {
	const ok = experiment.TrialSucceeded
	var got algorithms.Problem
	r := newRig(t, given(t, &got))
	r.keep(
		wanted(1, 9), "earlier",
		endedTrial(ok, 3, "0.25", "0.5"),
		endedTrial(ok, 1, "1", "+Inf"),
		endedTrial(experiment.TrialEarlyStopped, 2, "0.5", "0.1"),
		endedTrial(ok, 4, "1.5", "0"),                       // outside of the new space
		endedTrial(ok, 5, "0.5", "nan"),                     // diverged
		endedTrial(experiment.TrialFailed, 6, "0.5", "0.1"), // no result
		endedTrial(experiment.TrialRunning, 0, "0.5", ""),   // not ended
		endedTrial(experiment.TrialMetricsUnavailable, 7, "0", ""),
	)
	other := wanted(1, 9)
	other.Metadata.Namespace = "team"
	other.Spec.Parameters[0].ParameterType = "int" // of another kind
	r.keep(other, "other", endedTrial(ok, 1, "1", "0.1"))
	r.submit(learning("earlier", "team/other"))
	<-r.runner.started
	want := []algorithms.Prior{
		{Name: "default/earlier", Trials: []algorithms.Trial{
			{ID: 3, Point: searchspace.Point{0.5}, State: algorithms.Succeeded, Losses: []float64{0.1}},
			{ID: 1, Point: searchspace.Point{0.25}, State: algorithms.Succeeded, Losses: []float64{0.5}},
		}},
		{Name: "team/other"},
	}
	if diff := cmp.Diff(got.Priors, want); diff != "" {
		t.Errorf("priors: got (-), want (+):\n%s", diff)
	}
	s, err := r.Snapshot(r.key)
	if err != nil {
		t.Fatal(err)
	}
	if p := s.Experiment.Priors; p[0].Finished != 5 || p[0].UID != "uid of earlier" || p[1].Finished != 1 {
		t.Errorf("recorded: got %+v", p)
	}
}

func TestWarmStartOfSeveralObjectives(t *testing.T) {
	var got algorithms.Problem
	r := newRig(t, given(t, &got))
	trial := endedTrial(experiment.TrialSucceeded, 1, "0.5", "0.25")
	trial.Observation.Metrics = append(trial.Observation.Metrics, experiment.Metric{Name: "size", Min: "3", Max: "7", Latest: "5"})
	r.keep(wanted(1, 9), "earlier", trial)
	e := learning("earlier")
	e.Spec.Tuned.Objectives = []experiment.FurtherObjective{{MetricName: "speed", Type: "maximize"}, {MetricName: "size", Type: "maximize"}}
	e.Spec.Tuned.Constraints = []experiment.Constraint{{MetricName: "size", Max: new(6.0)}}
	e.Spec.Objective.MetricStrategies = append(e.Spec.Objective.MetricStrategies, experiment.MetricStrategy{Name: "size", Value: "max"})
	r.submit(e)
	<-r.runner.started
	if got.Objectives != 3 || got.Constraints != 1 {
		t.Errorf("got %d objectives, %d constraints; want 3, 1", got.Objectives, got.Constraints)
	}
	want := []algorithms.Trial{{
		ID: 1, Point: searchspace.Point{0.5}, State: algorithms.Succeeded,
		Losses: []float64{0.25, math.NaN(), -7}, Constraints: []float64{1},
	}}
	if diff := cmp.Diff(got.Priors[0].Trials, want, cmpopts.EquateNaNs()); diff != "" {
		t.Errorf("got (-), want (+):\n%s", diff)
	}
}

func TestWarmStartOfConditionalParameters(t *testing.T) {
	var got algorithms.Problem
	r := newRig(t, given(t, &got))
	conditional := func(e *experiment.Experiment, when string) *experiment.Experiment {
		e.Spec.Parameters = append(e.Spec.Parameters, experiment.ParameterSpec{
			Name: "opt", ParameterType: "categorical", FeasibleSpace: experiment.FeasibleSpace{List: []string{"adam", "sgd"}},
		})
		beta := experiment.ParameterSpec{Name: "beta", ParameterType: "double", FeasibleSpace: experiment.FeasibleSpace{Min: "0", Max: "1"}}
		if when != "" {
			beta.ActiveWhen = &experiment.ActiveWhen{Parameter: "opt", Values: []string{when}}
		}
		e.Spec.Parameters = append(e.Spec.Parameters, beta)
		e.Local.Command = append(e.Local.Command, "${trialParameters.opt}", "${trialParameters.beta}")
		return e
	}
	adam := endedTrial(experiment.TrialSucceeded, 1, "0.5", "1")
	adam.Assignment = append(adam.Assignment, experiment.Pair{Name: "opt", Value: "adam"}, experiment.Pair{Name: "beta", Value: "0.75"})
	sgd := endedTrial(experiment.TrialSucceeded, 2, "0.5", "2")
	sgd.Assignment = append(sgd.Assignment, experiment.Pair{Name: "opt", Value: "sgd"}, experiment.Pair{Name: "beta", Value: "0.25"})
	r.keep(conditional(wanted(1, 9), ""), "earlier", adam, sgd)
	r.submit(conditional(learning("earlier"), "adam"))
	<-r.runner.started
	want := []searchspace.Point{{0.5, 0, 0.75}, {0.5, 1, math.NaN()}}
	for i, trial := range got.Priors[0].Trials {
		if diff := cmp.Diff(trial.Point, want[i], cmpopts.EquateNaNs()); diff != "" {
			t.Errorf("trial %d: got (-), want (+):\n%s", trial.ID, diff)
		}
	}
}

func TestWarmStartNamesWhatExists(t *testing.T) {
	r := newRig(t, builtin.Registry())
	r.keep(wanted(1, 9), "earlier")
	_, err := r.Submit(t.Context(), learning("earlier", "erlier"))
	if !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), "spec.tuned.warmStart[1]: there is no experiment default/erlier to learn from; did you mean default/earlier?") {
		t.Errorf("got %v", err)
	}
	if _, err := r.store.Get(t.Context(), r.key); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the experiment was stored all the same: %v", err)
	}
}

// TestWarmStartIsWhatItWas: neither later trials of the earlier experiment nor its end change what is
// suggested after a restart.
func TestWarmStartIsWhatItWas(t *testing.T) {
	var first, second algorithms.Problem
	r := newRig(t, given(t, &first))
	r.keep(wanted(1, 9), "earlier", endedTrial(experiment.TrialSucceeded, 1, "0.5", "0.25"))
	r.submit(learning("earlier"))
	<-r.runner.started
	earlier := experiment.Key{Namespace: "default", Name: "earlier"}
	late := endedTrial(experiment.TrialSucceeded, 2, "0.75", "0.125")
	late.Number, late.Attempt, late.Name = 2, 1, "late"
	if _, err := r.store.Commit(t.Context(), earlier, store.Change{Revision: 2, Create: []experiment.Trial{late}}); err != nil {
		t.Fatal(err)
	}
	if err := r.store.Delete(t.Context(), earlier); err != nil {
		t.Fatal(err)
	}
	again, err := New(Config{Store: r.store, Runner: r.runner, Algorithms: given(t, &second), Now: time.Now, Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	d := again.newDriver(r.key)
	if err := d.load(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := d.think(t.Context(), 1, nil); err != nil {
		t.Fatal(err)
	}
	<-d.thinking.done
	if diff := cmp.Diff(second.Priors, first.Priors); diff != "" || len(first.Priors[0].Trials) != 1 {
		t.Errorf("after a restart: got (-), want (+):\n%s", diff)
	}
	if _, err := again.Submit(t.Context(), learning("earlier")); err != nil {
		t.Errorf("the same again, while what it learned from is gone: %v", err)
	}
}

func TestBoundedKeepsTheBest(t *testing.T) {
	e := learning("earlier")
	var all []experiment.PriorTrial
	for i, loss := range []string{"5", "1", "NaN", "4", "2", "3"} {
		all = append(all, experiment.PriorTrial{Number: uint64(i + 1), Values: []*string{new("0.5")}, Metrics: []string{loss}})
	}
	all = append(all[:2], all[3:]...) // what has no loss was left out before
	size := stored(&all[0])
	for _, tt := range []struct {
		most, bytes int
		want        []uint64
	}{
		{9, 9 * size, []uint64{1, 2, 4, 5, 6}},
		{3, 9 * size, []uint64{2, 5, 6}},
		{9, 2 * size, []uint64{2, 5}},
		{9, size - 1, nil},
	} {
		var got []uint64
		for _, trial := range bounded(all, &e.Spec, tt.most, tt.bytes) {
			got = append(got, trial.Number)
		}
		if !cmp.Equal(got, tt.want) {
			t.Errorf("at most %d trials, %d bytes: got %v, want %v", tt.most, tt.bytes, got, tt.want)
		}
	}
}

// TestManyPriorsCanBeStored: the bound on bytes keeps an experiment's record small enough.
func TestManyPriorsCanBeStored(t *testing.T) {
	r := newRig(t, builtin.Registry())
	e := wanted(1, 9)
	for k := range 100 {
		p := e.Spec.Parameters[0]
		p.Name = fmt.Sprint("x", k)
		e.Spec.Parameters = append(e.Spec.Parameters, p)
		e.Local.Command = append(e.Local.Command, "${trialParameters."+p.Name+"}")
	}
	var trials []experiment.Trial
	for i := range 2000 {
		trial := endedTrial(experiment.TrialSucceeded, uint64(i+1), "0.5", fmt.Sprint(i))
		for k := range 100 {
			trial.Assignment = append(trial.Assignment, experiment.Pair{Name: fmt.Sprint("x", k), Value: fmt.Sprint(1 / float64(i+k+3))})
		}
		trials = append(trials, trial)
	}
	next := *e
	next.Spec.Tuned = &experiment.Extension{WarmStart: []string{"earlier"}}
	r.keep(e, "earlier", trials...)
	submitted, err := r.Submit(t.Context(), &next)
	if err != nil {
		t.Fatal(err)
	}
	p := submitted.Priors[0]
	text, err := json.Marshal(p)
	if err != nil || p.Finished != 2000 || len(p.Trials) == 0 || len(text) > maxPriorBytes {
		t.Errorf("got %d of %d trials in %d bytes, %v", len(p.Trials), p.Finished, len(text), err)
	}
}
