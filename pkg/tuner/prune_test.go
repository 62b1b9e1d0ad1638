package tuner

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tuned-hpo/tuned/algorithms"
	"github.com/tuned-hpo/tuned/algorithms/builtin"
	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/store"
	"github.com/tuned-hpo/tuned/pkg/store/storetest"
)

// pruned is an experiment with a median rule that looks from the second step on, once two trials have succeeded.
func pruned(parallel, budget int32) *experiment.Experiment {
	e := wanted(parallel, budget)
	e.Spec.EarlyStopping = &experiment.Algorithm{AlgorithmName: "medianstop", AlgorithmSettings: []experiment.Setting{
		{Name: "min_trials_required", Value: "2"}, {Name: "start_step", Value: "2"},
	}}
	return e
}

// report sends values of a trial's loss, the first of which has the sequence number seq.
func (r *rig) report(number uint64, attempt int, seq uint64, losses ...string) {
	r.t.Helper()
	s := experiment.Stream{Experiment: r.key, Number: number, Attempt: attempt, Source: "agent"}
	var ms []experiment.Measurement
	for i, text := range losses {
		ms = append(ms, experiment.Measurement{Seq: seq + uint64(i), Metric: "loss", Text: text, Value: experiment.ParseValue(text)})
	}
	_, err := r.Append(r.t.Context(), s, ms)
	r.must(err)
}

// nextTrial waits for a trial to start.
func (r *rig) nextTrial() (name string, number uint64) {
	r.t.Helper()
	name = <-r.runner.started
	e, err := r.Snapshot(r.key)
	r.must(err)
	number, ok := e.Experiment.TrialNumber(name)
	if !ok {
		r.t.Fatalf("trial %s has no number", name)
	}
	return name, number
}

// complete lets trials succeed that report losses.
func (r *rig) complete(losses ...[]string) {
	r.t.Helper()
	for _, of := range losses {
		name, number := r.nextTrial()
		r.report(number, 1, 1, of...)
		r.runner.end(name, completed)
		r.until("succeeded", func(s Snapshot) bool { return s.Trials[number-1].State == experiment.TrialSucceeded })
	}
}

const medianReason = "medianstop: step 2: best value so far 0.9 is above 0.35, the median of 2 trials"

func TestATrialIsStoppedEarly(t *testing.T) {
	r := newRig(t, builtin.Registry())
	r.submit(pruned(1, 4))
	r.complete([]string{"0.5", "0.4", "0.3"}, []string{"0.6", "0.3", "0.2"})
	_, number := r.nextTrial()
	r.report(number, 1, 1, "0.9")
	if d, err := r.ShouldStop(t.Context(), r.key, "3"); err != nil || d.Stop {
		t.Fatalf("after one step: got %+v, %v", d, err)
	}
	r.report(number, 1, 2, "0.95")
	d, err := r.ShouldStop(t.Context(), r.key, "3")
	r.must(err)
	s := r.until("stopped", func(s Snapshot) bool { return s.Trials[2].State.Final() })
	if want := "the trial was stopped early by " + medianReason; d.Reason != want {
		t.Errorf("got %+v, want %q", d, want)
	}
	got := s.Trials[2]
	if got.State != experiment.TrialEarlyStopped || got.Reason != "TrialEarlyStopped" || got.Message != "stopped early by "+medianReason {
		t.Errorf("got %s, %s, %q", got.State, got.Reason, got.Message)
	}
	if v, ok := got.Observation.Value("loss", s.Experiment.Spec.Objective); !ok || v != 0.9 {
		t.Errorf("its value is %v, %t; want what it measured", v, ok)
	}
	r.complete([]string{"0.1", "0.1"})
	if s := r.until("settled", settled); s.Experiment.Status.TrialsEarlyStopped != 1 || s.Experiment.Status.TrialsSucceeded != 3 {
		t.Errorf("got %+v", s.Experiment.Status)
	}
}

// TestAClientIsToldWithItsReport: the answer to a report says whether to go on after it.
func TestAClientIsToldWithItsReport(t *testing.T) {
	r := newRig(t, builtin.Registry())
	e := pruned(1, 5)
	e.Local.Command, e.Spec.TrialTemplate = nil, nil
	r.submit(e)
	send := func(seq uint64, texts ...string) (Decision, string) {
		trials, _, err := r.Ask(t.Context(), r.key, 1, "")
		r.must(err)
		var d Decision
		for i, text := range texts {
			m := experiment.Measurement{Seq: seq + uint64(i), Metric: "loss", Step: int64(i), Text: text, Value: experiment.ParseValue(text)}
			_, d, err = r.ReportTrial(t.Context(), r.key, trials[0].Name, []experiment.Measurement{m})
			r.must(err)
		}
		return d, trials[0].Name
	}
	for range 2 {
		d, name := send(1, "0.5", "0.4", "0.3")
		if d.Stop {
			t.Fatalf("got %+v", d)
		}
		_, err := r.Tell(t.Context(), r.key, Result{Trial: name, Measurements: []experiment.Measurement{{Seq: 1, Metric: "loss", Text: "0.3", Value: 0.3}}})
		r.must(err)
	}
	d, name := send(1, "0.5", "0.6", "0.7")
	if !d.Stop || !strings.Contains(d.Reason, "medianstop: step 2: best value so far 0.5 is above 0.3, the median of 2 trials") {
		t.Errorf("got %+v", d)
	}
	s := r.until("over", func(s Snapshot) bool { return s.Trials[2].State.Final() })
	if s.Trials[2].Name != name || s.Trials[2].State != experiment.TrialEarlyStopped {
		t.Errorf("got %+v", s.Trials[2])
	}
}

// TestResentMeasurementsCountOnce: an agent that reconnects sends again what it has no answer about.
func TestResentMeasurementsCountOnce(t *testing.T) {
	r := newRig(t, builtin.Registry())
	r.submit(pruned(1, 3))
	r.complete([]string{"0.5", "0.4"}, []string{"0.6", "0.3"})
	_, number := r.nextTrial()
	r.report(number, 1, 1, "0.9")
	r.report(number, 1, 1, "0.9")
	if d, err := r.ShouldStop(t.Context(), r.key, "3"); err != nil || d.Stop {
		t.Errorf("one step was sent twice: got %+v, %v", d, err)
	}
	r.report(number, 1, 1, "0.9", "0.9")
	r.until("stopped", settled)
}

// TestCurvesSurviveARestart: what the rules look at is read from the store, and the last value of a running trial
// is judged when the trial reports again.
func TestCurvesSurviveARestart(t *testing.T) {
	memory := storetest.NewMemory()
	r, stop, ended := startRig(t, memory, builtin.Registry())
	r.submit(pruned(1, 3))
	r.complete([]string{"0.5", "0.4"}, []string{"0.6", "0.3"})
	r.nextTrial()
	// The daemon dies between the measurement and the decision.
	s := experiment.Stream{Experiment: r.key, Number: 3, Attempt: 1, Source: "agent"}
	_, err := memory.Append(t.Context(), s, []experiment.Measurement{
		{Seq: 1, Metric: "loss", Text: "0.9", Value: 0.9}, {Seq: 2, Metric: "loss", Text: "0.9", Value: 0.9},
	})
	r.must(err)
	stop()
	r.must(<-ended)
	again, stop, ended := startRigOn(t, memory, r.runner, builtin.Registry())
	r.must(again.Start(t.Context()))
	again.report(3, 1, 3, "0.1") // on its own a reason to go on
	got := again.until("stopped", settled)
	if got.Trials[2].Message != "stopped early by "+medianReason {
		t.Errorf("got %q", got.Trials[2].Message)
	}
	stop()
	r.must(<-ended)
}

// cramped is a store with space for measurements alone, at times.
type cramped struct {
	store.Store
	full atomic.Bool
}

func (c *cramped) Commit(ctx context.Context, k experiment.Key, change store.Change) (uint64, error) {
	if c.full.Load() {
		return 0, store.ErrFull
	}
	return c.Store.Commit(ctx, k, change)
}

// TestAStopThatCannotBeStoredIsNotForgotten: who reports the same again, or more, is stopped then.
func TestAStopThatCannotBeStoredIsNotForgotten(t *testing.T) {
	for name, next := range map[string]string{"the same again": "", "more": "0.1"} {
		t.Run(name, func(t *testing.T) {
			s := &cramped{Store: storetest.NewMemory()}
			r, stop, ended := startRig(t, s, builtin.Registry())
			r.submit(pruned(1, 3))
			r.complete([]string{"0.5", "0.4"}, []string{"0.6", "0.3"})
			_, number := r.nextTrial()
			r.until("running", func(s Snapshot) bool { return s.Trials[2].State == experiment.TrialRunning })
			of := experiment.Stream{Experiment: r.key, Number: number, Attempt: 1, Source: "agent"}
			ms := []experiment.Measurement{{Seq: 1, Metric: "loss", Text: "0.9", Value: 0.9}, {Seq: 2, Metric: "loss", Text: "0.9", Value: 0.9}}
			s.full.Store(true)
			if _, err := r.Append(t.Context(), of, ms); !errors.Is(err, store.ErrFull) {
				t.Fatalf("got %v", err)
			}
			s.full.Store(false)
			if next == "" {
				r.report(number, 1, 1, "0.9", "0.9")
			} else {
				r.report(number, 1, 3, next) // on its own a reason to go on
			}
			if marked, err := r.Trial(t.Context(), r.key, "3"); err != nil || marked.Pruned != medianReason {
				t.Fatalf("got %q, %v", marked.Pruned, err)
			}
			got := r.until("stopped", settled).Trials[2]
			if got.State != experiment.TrialEarlyStopped || got.Message != "stopped early by "+medianReason {
				t.Errorf("got %s, %q", got.State, got.Message)
			}
			stop()
			r.must(<-ended)
		})
	}
}

func TestOneRuleOfSeveralIsEnough(t *testing.T) {
	r := newRig(t, builtin.Registry())
	e := pruned(1, 1)
	e.Spec.Tuned = &experiment.Extension{EarlyStopping: []experiment.Algorithm{
		{AlgorithmName: "patience"},
		{AlgorithmName: "threshold", AlgorithmSettings: []experiment.Setting{{Name: "upper", Value: "5"}}},
	}}
	r.submit(e)
	_, number := r.nextTrial()
	r.report(number, 1, 1, "1", "7")
	s := r.until("settled", settled)
	if want := "stopped early by threshold: step 2: value 7 is above 5"; s.Trials[0].Message != want {
		t.Errorf("got %q, want %q", s.Trials[0].Message, want)
	}
}

func TestAnUnknownRuleFailsTheExperiment(t *testing.T) {
	r := newRig(t, builtin.Registry())
	e := pruned(1, 1)
	e.Spec.EarlyStopping.AlgorithmName = "medianstopp"
	r.submit(e)
	s := r.until("settled", settled)
	c := s.Experiment.Status.Conditions[len(s.Experiment.Status.Conditions)-1]
	if c.Type != experiment.Failed || c.Reason != "EarlyStoppingInvalid" || !strings.Contains(c.Message, `did you mean "medianstop"?`) {
		t.Errorf("got %+v", c)
	}
}

// faulty is a rule that panics.
type faulty struct{}

func (faulty) Prune(algorithms.Trial, []algorithms.Trial) algorithms.Decision {
	panic("index out of range")
}

func TestAFaultyRuleFailsTheExperiment(t *testing.T) {
	r := newRig(t, builtin.Registry())
	rules, err := algorithms.NewPruners(algorithms.PrunerDefinition{
		Name: "medianstop", Settings: builtin.Pruners().Definitions()[0].Settings,
		New: func(algorithms.Problem, algorithms.Values) (algorithms.Pruner, error) { return faulty{}, nil },
	})
	r.must(err)
	r.Pruners = rules
	r.submit(pruned(1, 1))
	_, number := r.nextTrial()
	r.report(number, 1, 1, "1")
	s := r.until("failed", func(s Snapshot) bool { return s.Experiment.Status.Completed() })
	c := s.Experiment.Status.Conditions[len(s.Experiment.Status.Conditions)-1]
	if c.Reason != "EarlyStoppingFailed" || c.Message != "trial 1: an early-stopping rule panicked: index out of range" {
		t.Errorf("got %+v", c)
	}
}

func TestCurves(t *testing.T) {
	type m = experiment.Measurement
	tests := []struct {
		name string
		in   []m
		want []algorithms.Measurement
	}{
		{"no steps", []m{{Value: 3}, {Value: 2}}, []algorithms.Measurement{{Step: 1, Loss: 3}, {Step: 2, Loss: 2}}},
		{"from 1", []m{{Step: 1, Value: 3}, {Step: 2, Value: 2}}, []algorithms.Measurement{{Step: 1, Loss: 3}, {Step: 2, Loss: 2}}},
		{"from 0", []m{{Value: 3}, {Step: 1, Value: 2}, {Step: 2, Value: 1}}, []algorithms.Measurement{{Loss: 3}, {Step: 1, Loss: 2}, {Step: 2, Loss: 1}}},
		{"a step again", []m{{Step: 5, Value: 3}, {Step: 7, Value: 2}, {Step: 5, Value: 4}}, []algorithms.Measurement{{Step: 5, Loss: 4}, {Step: 7, Loss: 2}}},
		{"late", []m{{Step: 5, Value: 3}, {Step: 7, Value: 2}, {Step: 6, Value: 4}}, []algorithms.Measurement{{Step: 5, Loss: 3}, {Step: 6, Loss: 4}, {Step: 7, Loss: 2}}},
		{"another metric", []m{{Step: 5, Value: 3, Metric: "accuracy"}}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			in := slices.Clone(tt.in)
			for i := range in {
				if in[i].Metric == "" {
					in[i].Metric = "loss"
				}
			}
			got := curveOf(in, &experiment.Objective{Type: "minimize", ObjectiveMetricName: "loss"})
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
