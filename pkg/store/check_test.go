package store_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/store"
	"github.com/tuned-hpo/tuned/pkg/store/storetest"
)

var key = experiment.Key{Namespace: "default", Name: "x"}

// sound returns an experiment with one finished and one running trial, all as it should be.
func sound() (*experiment.Experiment, []experiment.Trial) {
	e := &experiment.Experiment{
		Metadata: experiment.Metadata{Namespace: key.Namespace, Name: key.Name},
		Spec: experiment.Spec{
			MaxTrialCount: new(int32(5)), ParallelTrialCount: new(int32(2)),
			Objective: &experiment.Objective{Type: "minimize", ObjectiveMetricName: "loss"},
			Parameters: []experiment.ParameterSpec{{
				Name: "lr", ParameterType: "double",
				FeasibleSpace: experiment.FeasibleSpace{Min: "0", Max: "1"},
			}},
		},
	}
	trial := func(n uint64, state experiment.TrialState) experiment.Trial {
		return experiment.Trial{Number: n, Name: string(rune('a' + n)), Attempt: 1, State: state, Assignment: []experiment.Pair{{Name: "lr", Value: "0.5"}}}
	}
	trials := []experiment.Trial{trial(1, experiment.TrialSucceeded), trial(2, experiment.TrialRunning)}
	trials[0].FinishNo = 1
	trials[0].Observation = experiment.Observation{Metrics: []experiment.Metric{{Name: "loss", Min: "1", Max: "1", Latest: "1"}}}
	e.Status = experiment.NewStatus(time.Unix(1, 0))
	e.Status = experiment.NextStatus(e, trials, false, time.Unix(2, 0))
	return e, trials
}

// harmed is a sound experiment with one thing changed, and the invariants that this breaks.
type harmed struct {
	name      string
	harm      func(e *experiment.Experiment, trials []experiment.Trial)
	workloads []string
	want      []string
}

var later = time.Unix(3, 0)

var allHarmed = []harmed{
	{"sound", func(*experiment.Experiment, []experiment.Trial) {}, []string{"c"}, nil},
	{"too many trials", func(e *experiment.Experiment, _ []experiment.Trial) { e.Spec.MaxTrialCount = new(int32(1)) }, nil, []string{"I1"}},
	{"too many run", func(e *experiment.Experiment, _ []experiment.Trial) { e.Spec.ParallelTrialCount = new(int32(0)) }, nil, []string{"I2"}},
	{"budget lowered", func(e *experiment.Experiment, _ []experiment.Trial) {
		e.Spec.MaxTrialCount, e.Spec.ParallelTrialCount = new(int32(1)), new(int32(0))
		e.Control.TrialsThen, e.Control.ActiveThen = 2, 1
	}, nil, nil},
	{"budget lowered, and more trials since", func(e *experiment.Experiment, _ []experiment.Trial) {
		e.Spec.MaxTrialCount, e.Spec.ParallelTrialCount = new(int32(1)), new(int32(0))
		e.Control.TrialsThen = 1
	}, nil, []string{"I1", "I2"}},
	{"final without number", func(_ *experiment.Experiment, trials []experiment.Trial) { trials[0].FinishNo = 0 }, nil, []string{"I4"}},
	{"number without end", func(_ *experiment.Experiment, trials []experiment.Trial) { trials[1].FinishNo = 2 }, nil, []string{"I4"}},
	{"one number twice", func(e *experiment.Experiment, trials []experiment.Trial) {
		trials[1].State, trials[1].FinishNo = experiment.TrialFailed, 1
		e.Status = experiment.NextStatus(e, trials, false, later)
	}, nil, []string{"I4"}},
	{"wrong counts", func(_ *experiment.Experiment, trials []experiment.Trial) { trials[1].State = experiment.TrialPending }, nil, []string{"I5", "I5"}},
	{"wrong best", func(e *experiment.Experiment, _ []experiment.Trial) { e.Status.CurrentOptimalTrial.BestTrialName = "c" }, nil, []string{"I6"}},
	{"no best", func(e *experiment.Experiment, _ []experiment.Trial) { e.Status.CurrentOptimalTrial = nil }, nil, []string{"I6"}},
	{"wrong counts of the best", func(e *experiment.Experiment, trials []experiment.Trial) {
		e.Spec.Tuned = &experiment.Extension{Constraints: []experiment.Constraint{{MetricName: "loss", Max: new(0.5)}}}
		e.Status = experiment.NextStatus(e, trials, false, later)
		e.Status.Tuned.TrialsInfeasible = 0
	}, nil, []string{"I6"}},
	{"the best breaks a constraint", func(e *experiment.Experiment, _ []experiment.Trial) {
		e.Spec.Tuned = &experiment.Extension{Constraints: []experiment.Constraint{{MetricName: "loss", Max: new(0.5)}}}
	}, nil, []string{"I6"}},
	{"foreign workload", func(*experiment.Experiment, []experiment.Trial) {}, []string{"c", "z"}, []string{"I7"}},
	{"workload of a finished trial", func(*experiment.Experiment, []experiment.Trial) {}, []string{"b"}, []string{"I7"}},
	{"out of range", func(_ *experiment.Experiment, trials []experiment.Trial) { trials[1].Assignment[0].Value = "1.5" }, nil, []string{"I9"}},
	{"no number", func(_ *experiment.Experiment, trials []experiment.Trial) { trials[1].Assignment[0].Value = "x" }, nil, []string{"I9"}},
	{"workload of a completed experiment", func(e *experiment.Experiment, _ []experiment.Trial) {
		e.Status = experiment.MarkFailed(e.Status, "R", "m", later)
	}, []string{"c"}, []string{"I10"}},
	{"draining", func(e *experiment.Experiment, trials []experiment.Trial) { reachGoal(e, trials, "") }, []string{"c"}, nil},
	{"draining, and a finished trial", func(e *experiment.Experiment, trials []experiment.Trial) { reachGoal(e, trials, experiment.Drain) }, []string{"b", "c"}, []string{"I7", "I10"}},
	{"not draining", func(e *experiment.Experiment, trials []experiment.Trial) { reachGoal(e, trials, experiment.Kill) }, []string{"c"}, []string{"I10"}},
	{"clock set back", func(e *experiment.Experiment, trials []experiment.Trial) {
		e.Status.Conditions[0].LastTransitionTime = later
		e.Status = experiment.NextStatus(e, trials, false, time.Unix(2, 0))
	}, nil, nil},
	{"completed and running", func(e *experiment.Experiment, _ []experiment.Trial) {
		e.Status = experiment.MarkFailed(e.Status, "R", "m", later)
		for i := range e.Status.Conditions {
			if e.Status.Conditions[i].Type == experiment.Running {
				e.Status.Conditions[i].Status = "True"
			}
		}
	}, nil, []string{"I12"}},
	{"condition twice", func(e *experiment.Experiment, _ []experiment.Trial) {
		e.Status.Conditions = append(e.Status.Conditions, e.Status.Conditions[0])
	}, nil, []string{"I12"}},
	{"succeeded and failed", func(e *experiment.Experiment, _ []experiment.Trial) {
		e.Status = experiment.MarkFailed(e.Status, "R", "m", later)
		e.Status.Conditions = append(e.Status.Conditions, experiment.Condition{Type: experiment.Succeeded, Status: "True", LastTransitionTime: later})
	}, nil, []string{"I12"}},
	{"completed without time", func(e *experiment.Experiment, _ []experiment.Trial) {
		e.Status = experiment.MarkFailed(e.Status, "R", "m", later)
		e.Status.CompletionTime = nil
	}, nil, []string{"I12"}},
}

// reachGoal lets the experiment succeed while one trial runs.
func reachGoal(e *experiment.Experiment, trials []experiment.Trial, then experiment.OnCompletion) {
	e.Spec.Objective.Goal = new(2.0)
	if then != "" {
		e.Spec.Tuned = &experiment.Extension{OnCompletion: then}
	}
	e.Status = experiment.NextStatus(e, trials, false, later)
}

func TestCheck(t *testing.T) {
	for _, test := range allHarmed {
		t.Run(test.name, func(t *testing.T) {
			e, trials := sound()
			test.harm(e, trials)
			s := storetest.NewMemory()
			ctx := t.Context()
			if err := s.Create(ctx, e); err != nil {
				t.Fatal(err)
			}
			if _, err := s.Commit(ctx, key, store.Change{Revision: 1, Create: trials, Control: &e.Control}); err != nil {
				t.Fatal(err)
			}
			found, err := store.Check(ctx, s, store.Workloads{key: test.workloads})
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, f := range found {
				got = append(got, f.Invariant)
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("got %v, want %v", found, test.want)
			}
		})
	}
}

func TestCheckFindsWorkloadsOfNobody(t *testing.T) {
	gone := experiment.Key{Namespace: "default", Name: "gone"}
	found, err := store.Check(t.Context(), storetest.NewMemory(), store.Workloads{gone: {"gone-bbbbbbbb"}, key: nil})
	if err != nil {
		t.Fatal(err)
	}
	if len(found) != 1 || found[0].Invariant != "I7" || found[0].Trial != "gone-bbbbbbbb" {
		t.Errorf("got %v, want one I7 about gone-bbbbbbbb", found)
	}
}

// lossy is a store that returns measurements as they should not be.
type lossy struct {
	store.Store
	ms []experiment.Measurement
}

func (l lossy) Measurements(context.Context, experiment.Stream, uint64, int) ([]experiment.Measurement, error) {
	return l.ms, nil
}

func TestCheckStreams(t *testing.T) {
	e, trials := sound()
	trials = trials[1:]
	trials[0].Number = 1
	e.Status = experiment.NextStatus(e, trials, false, time.Unix(3, 0))
	m := storetest.NewMemory()
	ctx := t.Context()
	stored := []experiment.Measurement{{Seq: 1, Text: "1", Value: 1}, {Seq: 2, Text: "2", Value: 2}}
	if err := m.Create(ctx, e); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Commit(ctx, key, store.Change{Revision: 1, Create: trials}); err != nil {
		t.Fatal(err)
	}
	for _, source := range experiment.Sources {
		if _, err := m.Append(ctx, experiment.Stream{Experiment: key, Number: 1, Attempt: 1, Source: source}, stored); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct {
		name string
		ms   []experiment.Measurement
		want string // of each source; "" is nothing
	}{
		{"as stored", stored, ""},
		{"one lost", stored[:1], "I8"},
		{"not dense", []experiment.Measurement{stored[0], {Seq: 3, Text: "3", Value: 3}}, "I8"},
		{"another value", []experiment.Measurement{stored[0], {Seq: 2, Text: "2", Value: 2.5}}, "I3"},
	} {
		found, err := store.Check(ctx, lossy{m, test.ms}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if want := map[bool]int{true: 0, false: len(experiment.Sources)}[test.want == ""]; len(found) != want || want > 0 && found[0].Invariant != test.want {
			t.Errorf("%s: got %v, want %d of %q", test.name, found, want, test.want)
		}
	}
}
