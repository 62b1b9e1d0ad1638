package tuner

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/tuned-hpo/tuned/algorithms"
	"github.com/tuned-hpo/tuned/algorithms/builtin"
	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/searchspace"
	"github.com/tuned-hpo/tuned/pkg/trialrunner"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestBudgetThenRestartWithALargerOne(t *testing.T) {
	r := newRig(t, builtin.Registry())
	r.submit(wanted(1, 2))
	r.runner.end(<-r.runner.started, completed, 0.3)
	r.runner.end(<-r.runner.started, completed, 0.2)
	s := r.until("budget used", settled)
	if s.Best == nil || s.Best.Number != 2 {
		t.Errorf("best: got %+v, want trial 2", s.Best)
	}
	r.submit(wanted(1, 2)) // the same again: nothing to do
	r.submit(wanted(1, 3))
	r.runner.end(<-r.runner.started, completed, 0.1)
	s = r.until("larger budget used", func(s Snapshot) bool { return s.Settled && len(s.Trials) == 3 })
	if s.Best == nil || s.Best.Number != 3 {
		t.Errorf("best after restart: got %+v, want trial 3", s.Best)
	}
}

func TestSubmitRefusesAnotherExperiment(t *testing.T) {
	r := newRig(t, builtin.Registry())
	r.submit(wanted(1, 2))
	<-r.runner.started
	tests := []struct {
		name   string
		change func(e *experiment.Experiment)
		says   string // "": accepted
	}{
		{
			"another search space", func(e *experiment.Experiment) { e.Spec.Parameters[0].FeasibleSpace.Max = "2" },
			`spec.parameters[0].feasibleSpace.max was "1", now "2"`,
		},
		{
			"one more parameter", func(e *experiment.Experiment) { e.Spec.Parameters = append(e.Spec.Parameters, e.Spec.Parameters[0]) },
			"spec.parameters[1] was absent, now",
		},
		{"another seed", func(e *experiment.Experiment) { e.Spec.Tuned = &experiment.Extension{CPUs: 2} }, "spec.tuned was absent, now"},
		{"another command", func(e *experiment.Experiment) { e.Local.Command = []string{"other"} }, `local.command[0] was "train", now "other"`},
		{"another folder", func(e *experiment.Experiment) { e.Local.Dir = "/elsewhere" }, ""},
		{"more at a time", func(e *experiment.Experiment) { *e.Spec.ParallelTrialCount = 2 }, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			other := wanted(1, 2)
			tt.change(other)
			_, err := r.Submit(t.Context(), other)
			if refused := errors.Is(err, ErrConflict); refused != (tt.says != "") || refused && !strings.Contains(err.Error(), tt.says) {
				t.Errorf("got %v, want ...%s...", err, tt.says)
			}
		})
	}
}

func TestSubmitTakesEmptyForAbsent(t *testing.T) {
	r := newRig(t, builtin.Registry())
	e := wanted(1, 2)
	e.Local.Command = []string{} // as a command line without a command gives it
	r.submit(e)
	if trials, _, err := r.Ask(t.Context(), r.key, 1, ""); err != nil || len(trials) != 1 {
		t.Fatalf("ask: got %v, %v", trials, err)
	}
	r.submit(e)
}

func TestInterruptLeavesTrialsPending(t *testing.T) {
	r := newRig(t, builtin.Registry())
	r.submit(wanted(2, 4))
	<-r.runner.started
	<-r.runner.started
	if err := r.Interrupt(t.Context(), r.key); err != nil {
		t.Fatal(err)
	}
	s, err := r.Snapshot(r.key)
	if err != nil {
		t.Fatal(err)
	}
	for _, trial := range s.Trials {
		if trial.State != experiment.TrialPending || trial.Attempt != 2 {
			t.Errorf("%s: got %s at attempt %d, want Pending at 2", trial.Name, trial.State, trial.Attempt)
		}
	}
	if len(s.Trials) != 2 {
		t.Errorf("got %d trials, want the 2 that were interrupted", len(s.Trials))
	}
}

func TestEndsOfTrials(t *testing.T) {
	tests := []struct {
		name   string
		exit   trialrunner.Exit
		values []float64
		state  experiment.TrialState
		reason string
		says   string
	}{
		{"succeeds", completed, []float64{0.5, 0.4}, experiment.TrialSucceeded, "TrialSucceeded", ""},
		{"diverges", completed, []float64{math.NaN()}, experiment.TrialSucceeded, "Diverged", "loss is NaN"},
		{"overflows", completed, []float64{math.Inf(1)}, experiment.TrialSucceeded, "Diverged", "loss is +Inf"},
		{"underflows", completed, []float64{math.Inf(-1)}, experiment.TrialSucceeded, "Diverged", "can never be the best"},
		{"prints nothing", completed, nil, experiment.TrialMetricsUnavailable, "MetricsUnavailable", "loss=0.123"},
		{"prints something close", trialrunner.Exit{Reason: "Completed", Near: "line 3 looks close"}, nil, experiment.TrialMetricsUnavailable, "MetricsUnavailable", "line 3 looks close"},
		{"exits with an error", trialrunner.Exit{Code: 3, Reason: "ExitCode", Message: "exit code 3"}, []float64{0.1}, experiment.TrialFailed, "ExitCode", "exit code 3"},
		{"is killed", trialrunner.Exit{Code: -1, Signal: "killed", Reason: "Signal", Message: "killed"}, nil, experiment.TrialFailed, "Signal", "killed"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, builtin.Registry())
			r.submit(wanted(1, 1))
			r.runner.end(<-r.runner.started, tt.exit, tt.values...)
			got := r.until("ended", settled).Trials[0]
			if got.State != tt.state || got.Reason != tt.reason || !strings.Contains(got.Message, tt.says) {
				t.Errorf("got %s, %s, %q; want %s, %s, ...%q...", got.State, got.Reason, got.Message, tt.state, tt.reason, tt.says)
			}
		})
	}
}

func TestEndsOfTrialsBySeveralMetrics(t *testing.T) {
	tests := []struct {
		name   string
		values map[string]string
		state  experiment.TrialState
		reason string
		says   string
	}{
		{"all of them", map[string]string{"loss": "1", "size": "2", "speed": "3"}, experiment.TrialSucceeded, "TrialSucceeded", ""},
		{"infeasible", map[string]string{"loss": "1", "size": "99", "speed": "3"}, experiment.TrialSucceeded, "TrialSucceeded", ""},
		{"a second objective is NaN", map[string]string{"loss": "1", "size": "2", "speed": "nan"}, experiment.TrialSucceeded, "Diverged", "speed is NaN"},
		{"a second objective is infinite", map[string]string{"loss": "1", "size": "2", "speed": "Infinity"}, experiment.TrialSucceeded, "Diverged", "speed is +Inf"},
		{"a constraint's metric is infinite", map[string]string{"loss": "1", "size": "-inf", "speed": "3"}, experiment.TrialSucceeded, "Diverged", "size is -Inf"},
		{"a second objective is missing", map[string]string{"loss": "1", "size": "2"}, experiment.TrialMetricsUnavailable, "MetricsUnavailable", `"speed", which spec.tuned needs, never appeared`},
		{"two are missing", map[string]string{"loss": "1"}, experiment.TrialMetricsUnavailable, "MetricsUnavailable", `"speed" and "size", which`},
		{"the objective is missing", map[string]string{"size": "2", "speed": "3"}, experiment.TrialMetricsUnavailable, "MetricsUnavailable", `the objective "loss" never appeared`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e := severalGoals(wanted(1, 1))
			var ms []experiment.Measurement
			for metric, text := range tt.values {
				ms = append(ms, experiment.Measurement{Metric: metric, Text: text})
			}
			obs := experiment.Observe(e.Spec.Objective, ms)
			got := judge(&experiment.Trial{}, trialrunner.Workload{Phase: trialrunner.Exited}, obs, 0, &e.Spec)
			if got.state != tt.state || got.reason != tt.reason || !strings.Contains(got.message, tt.says) {
				t.Errorf("got %s, %s, %q; want %s, %s, ...%q...", got.state, got.reason, got.message, tt.state, tt.reason, tt.says)
			}
		})
	}
}

// TestPushWithoutReports: what is printed is no remedy where nobody reads it.
func TestPushWithoutReports(t *testing.T) {
	e := wanted(1, 1)
	e.Spec.MetricsCollectorSpec = &experiment.MetricsCollectorSpec{Collector: &experiment.Collector{Kind: experiment.Push}}
	got := judge(&experiment.Trial{}, trialrunner.Workload{Phase: trialrunner.Exited}, experiment.Observation{}, 0, &e.Spec)
	if got.state != experiment.TrialMetricsUnavailable || !strings.Contains(got.message, `"loss" was not reported; call tuned.report({"loss": 0.123})`) {
		t.Errorf("got %+v, want the call that reports", got)
	}
}

// severalGoals lets an experiment maximise speed too, where size is at most 10.
func severalGoals(e *experiment.Experiment) *experiment.Experiment {
	e.Spec.Tuned = &experiment.Extension{
		Objectives:  []experiment.FurtherObjective{{MetricName: "speed", Type: "maximize"}},
		Constraints: []experiment.Constraint{{MetricName: "size", Max: new(10.0)}},
	}
	experiment.SetDefaults(e)
	return e
}

// TestTellSeveralMetrics: a client tells all metrics at once, and its algorithm hears of all.
func TestTellSeveralMetrics(t *testing.T) {
	l := listening{told: make(chan algorithms.Trial, 10)}
	r := newRig(t, only(t, l, false))
	e := severalGoals(wanted(1, 3))
	e.Local.Command = nil
	r.submit(e)
	tell := func(values map[string]string) error {
		asked, _, err := r.Ask(t.Context(), r.key, 1, "")
		if err != nil || len(asked) != 1 {
			t.Fatalf("ask: got %v, %v", asked, err)
		}
		out := Result{Trial: asked[0].Name}
		for _, metric := range []string{"loss", "speed", "size"} {
			if text, ok := values[metric]; ok {
				out.Measurements = append(out.Measurements, experiment.Measurement{
					Seq: uint64(len(out.Measurements) + 1), Metric: metric, Text: text, Value: experiment.ParseValue(text),
				})
			}
		}
		_, err = r.Tell(t.Context(), r.key, out)
		if err != nil {
			_, failed := r.Tell(t.Context(), r.key, Result{Trial: out.Trial, Failed: true})
			err = errors.Join(err, failed)
		}
		return err
	}
	if err := tell(map[string]string{"loss": "1", "size": "2"}); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), `no value of "speed" given`) {
		t.Errorf("without speed: got %v", err)
	}
	for _, values := range []map[string]string{{"loss": "1", "speed": "3", "size": "12"}, {"loss": "2", "speed": "1", "size": "8"}} {
		if err := tell(values); err != nil {
			t.Fatal(err)
		}
	}
	s := r.until("budget used", settled)
	if s.Best == nil || s.Best.Number != 3 || len(s.Front) != 1 || s.Infeasible != 1 {
		t.Errorf("got best %+v, front %v, %d infeasible; want trial 3 alone, 1 infeasible", s.Best, s.Front, s.Infeasible)
	}
	failed, infeasible := <-l.told, <-l.told
	if failed.State != algorithms.Failed || len(failed.Losses) != 2 || !math.IsNaN(failed.Losses[1]) || !math.IsNaN(failed.Constraints[0]) {
		t.Errorf("told %+v of the failed trial", failed)
	}
	if infeasible.Losses[0] != 1 || infeasible.Losses[1] != -3 || infeasible.Constraints[0] != 2 {
		t.Errorf("told %+v, want losses 1 and -3, 2 above the bound", infeasible)
	}
}

func TestWhatCanNeverStartFailsTheExperiment(t *testing.T) {
	r := newRig(t, builtin.Registry())
	r.runner.startOf = func(trialrunner.Spec) error { return trialrunner.ErrUnsupported }
	r.submit(wanted(2, 4))
	s := r.until("failed", settled)
	last := s.Experiment.Status.Conditions[len(s.Experiment.Status.Conditions)-1]
	if last.Type != experiment.Failed || last.Reason != "TrialCannotStart" {
		t.Errorf("got %s, %s; want Failed, TrialCannotStart", last.Type, last.Reason)
	}
}

func TestARunnerThatRefusesForEverFailsTheExperiment(t *testing.T) {
	r := newRig(t, builtin.Registry())
	r.runner.startOf = func(trialrunner.Spec) error { return errors.New("no such luck") }
	r.submit(wanted(1, 2))
	r.until("in trouble", func(s Snapshot) bool { return strings.Contains(s.Trouble, "no such luck") })
	s := r.until("failed", settled)
	last := s.Experiment.Status.Conditions[len(s.Experiment.Status.Conditions)-1]
	if last.Type != experiment.Failed || !strings.Contains(last.Message, "no such luck") {
		t.Errorf("got %s, %q; want Failed because of the runner", last.Type, last.Message)
	}
}

func TestMeasurementsThatCannotBeReadFailTheTrial(t *testing.T) {
	r := newRig(t, builtin.Registry())
	r.submit(wanted(1, 1))
	trial := <-r.runner.started
	r.runner.mu.Lock()
	r.runner.world.workloads[Target{trial, 1}].LastSeq = 5
	r.runner.world.damaged = true
	r.runner.mu.Unlock()
	r.runner.end(trial, completed, 0.3, 0.2)
	got := r.until("ended", settled).Trials[0]
	if got.State != experiment.TrialFailed || got.Reason != "MeasurementsLost" || !strings.Contains(got.Message, "3 of the 5") {
		t.Errorf("got %s, %s, %q; want Failed, MeasurementsLost, 3 of 5", got.State, got.Reason, got.Message)
	}
}

func TestALostWorkloadLeavesWhatItMeasured(t *testing.T) {
	r := newRig(t, builtin.Registry())
	r.submit(wanted(1, 1))
	trial := <-r.runner.started
	r.runner.mu.Lock()
	target := Target{trial, 1}
	r.runner.world.measured[target] = []experiment.Measurement{{Seq: 1, Metric: "loss", Value: 1, Text: "1"}}
	r.runner.world.workloads[target].Phase = trialrunner.Lost // and nobody knows how far it came
	r.runner.mu.Unlock()
	r.runner.changed <- r.key
	<-r.runner.started
	ms, err := r.store.Measurements(t.Context(), experiment.Stream{Experiment: r.key, Number: 1, Attempt: 1, Source: "agent"}, 0, 0)
	if err != nil || len(ms) != 1 {
		t.Errorf("got %v, %v; want the measurement of the lost attempt", ms, err)
	}
}

// TestAFailedAttemptIsFollowedByAnother wants what the failed one measured to be kept, and not to count.
func TestAFailedAttemptIsFollowedByAnother(t *testing.T) {
	r := newRig(t, builtin.Registry())
	r.submit(wanted(1, 1))
	trial := <-r.runner.started
	r.runner.mu.Lock()
	r.runner.world.workloads[Target{trial, 1}].Retries = 1
	r.runner.mu.Unlock()
	failed := trialrunner.Exit{Code: 3, Reason: "ExitCode", Message: "the command ended with exit code 3"}
	r.runner.end(trial, failed, 0.1)
	<-r.runner.started
	second := Target{trial, 2}
	r.runner.mu.Lock()
	r.runner.world.measured[second] = []experiment.Measurement{{Seq: 1, Metric: "loss", Value: 0.5, Text: "0.5"}}
	w := r.runner.world.workloads[second]
	w.Phase, w.Exit, w.LastSeq, w.Retries = trialrunner.Exited, completed, 1, 1
	r.runner.mu.Unlock()
	r.runner.changed <- r.key
	got := r.until("ended", settled).Trials[0]
	if v, _ := got.Observation.Value("loss", wanted(1, 1).Spec.Objective); got.State != experiment.TrialSucceeded || got.Attempt != 2 || got.Crashed != 1 || v != 0.5 {
		t.Errorf("got %s at attempt %d after %d failed ones, with %v; want Succeeded at 2 after 1, with 0.5", got.State, got.Attempt, got.Crashed, v)
	}
	for attempt, want := range []string{"0.5", "0.1", "0.5"} { // 0 is the current one
		ms, _, err := r.Measurements(t.Context(), r.key, trial, Mark{Attempt: attempt}, 10)
		if err != nil || len(ms) != 1 || ms[0].Text != want {
			t.Errorf("attempt %d: got %v, %v; want %s measured", attempt, ms, err, want)
		}
	}
	events, err := r.Events(t.Context(), r.key, 0)
	retried := func(e experiment.Event) bool {
		return e.Reason == "TrialRetried" && strings.Contains(e.Message, "attempt 1 failed") && strings.Contains(e.Message, failed.Message)
	}
	if err != nil || !slices.ContainsFunc(events, retried) {
		t.Errorf("got events %v, %v; want one of the other attempt", events, err)
	}
}

func TestATrialThatIsNeverToldExpires(t *testing.T) {
	r := newRig(t, builtin.Registry())
	e := wanted(1, 2)
	e.Local.Command = nil
	e.Spec.Tuned = &experiment.Extension{TrialTimeout: new(experiment.Duration(50 * time.Millisecond))}
	r.submit(e)
	if trials, _, err := r.Ask(t.Context(), r.key, 1, ""); err != nil || len(trials) != 1 {
		t.Fatalf("ask: got %v, %v", trials, err)
	}
	s := r.until("expired", func(s Snapshot) bool { return s.Trials[0].State.Final() })
	if got := s.Trials[0]; got.State != experiment.TrialFailed || got.Reason != "TimedOut" {
		t.Errorf("got %s, %s; want Failed, TimedOut", got.State, got.Reason)
	}
}

func TestARunnerThatRefusesForAWhile(t *testing.T) {
	r := newRig(t, builtin.Registry())
	refusals := 2
	r.runner.startOf = func(trialrunner.Spec) error {
		if refusals--; refusals >= 0 {
			return errors.New("try again")
		}
		return nil
	}
	r.submit(wanted(1, 1))
	r.runner.end(<-r.runner.started, completed, 0.5)
	if s := r.until("ended", settled); s.Best == nil {
		t.Error("the trial did not succeed")
	}
}

// pairs suggests two trials, and the next two once both have been told.
type pairs struct{ told *int }

func (p pairs) Tell(ts []algorithms.Trial) { *p.told += len(ts) }

func (p pairs) Ask(ids []uint64, _ []algorithms.Trial) (out []algorithms.Suggestion, err error) {
	for _, id := range ids {
		if (id-1)/2*2 > uint64(*p.told) {
			return out, algorithms.ErrWait
		}
		out = append(out, algorithms.Suggestion{ID: id, Point: searchspace.Point{1 / float64(id)}})
	}
	return out, nil
}

func TestAWaitingAlgorithmIsAskedAgain(t *testing.T) {
	r := newRig(t, only(t, pairs{new(int)}, false))
	r.submit(wanted(3, 4))
	first, second := <-r.runner.started, <-r.runner.started
	r.runner.end(first, completed, 0.5)
	s := r.until("one has ended", func(s Snapshot) bool { return s.Trials[0].State.Final() })
	if len(s.Trials) != 2 {
		t.Errorf("while one is pending: got %d trials, want 2", len(s.Trials))
	}
	r.runner.end(second, completed, 0.5)
	r.runner.end(<-r.runner.started, completed, 0.5)
	r.runner.end(<-r.runner.started, completed, 0.5)
	r.until("budget used", settled)
}

// misbehaving is an algorithm that does what none may.
type misbehaving func(ids []uint64) []algorithms.Suggestion

func (misbehaving) Tell([]algorithms.Trial) {}
func (m misbehaving) Ask(ids []uint64, _ []algorithms.Trial) ([]algorithms.Suggestion, error) {
	return m(ids), nil
}

func TestAMisbehavingAlgorithmFailsTheExperiment(t *testing.T) {
	tests := []struct {
		name string
		ask  misbehaving
		says string
	}{
		{"panics", func([]uint64) []algorithms.Suggestion { panic("division by zero") }, "panicked: division by zero"},
		{"leaves the space", func(ids []uint64) []algorithms.Suggestion {
			return []algorithms.Suggestion{{ID: ids[0], Point: searchspace.Point{7}}}
		}, "infeasible"},
		{"answers another trial", func([]uint64) []algorithms.Suggestion {
			return []algorithms.Suggestion{{ID: 9, Point: searchspace.Point{0.5}}}
		}, "a suggestion for 9"},
		{"goes on from a later trial", func(ids []uint64) []algorithms.Suggestion {
			return []algorithms.Suggestion{{ID: ids[0], Point: searchspace.Point{0.5}, Parent: ids[0]}}
		}, "go on from trial 1, which is no earlier one"},
		{"answers too little", func([]uint64) []algorithms.Suggestion { return nil }, "answered 0 suggestions to 1 asked"},
		{"answers too much", func(ids []uint64) []algorithms.Suggestion { return make([]algorithms.Suggestion, len(ids)+1) }, "answered 2"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, only(t, tt.ask, false))
			r.submit(wanted(1, 2))
			s := r.until("failed", settled)
			last := s.Experiment.Status.Conditions[len(s.Experiment.Status.Conditions)-1]
			if last.Type != experiment.Failed || last.Reason != "SuggestionFailed" || !strings.Contains(last.Message, tt.says) {
				t.Errorf("got %s, %s, %q; want Failed, SuggestionFailed, ...%q...", last.Type, last.Reason, last.Message, tt.says)
			}
		})
	}
}

// only returns a registry with one algorithm under the name "random".
func only(t *testing.T, s algorithms.Suggester, curves bool) *algorithms.Registry {
	t.Helper()
	registry, err := algorithms.NewRegistry(algorithms.Definition{
		Name: "random", Summary: "for a test", Curves: curves,
		New: func(algorithms.Problem, algorithms.Values) (algorithms.Suggester, error) { return s, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	return registry
}

// listening remembers what it is told.
type listening struct {
	algorithms.Suggester
	told chan algorithms.Trial
}

func (l listening) Tell(ts []algorithms.Trial) {
	for _, t := range ts {
		l.told <- t
	}
}

func (l listening) Ask(ids []uint64, _ []algorithms.Trial) (out []algorithms.Suggestion, err error) {
	for _, id := range ids {
		out = append(out, algorithms.Suggestion{ID: id, Point: searchspace.Point{1 / float64(id)}, Memo: []byte{byte(id)}})
	}
	return out, nil
}

func TestTellCarriesLossCurveAndMemo(t *testing.T) {
	l := listening{told: make(chan algorithms.Trial, 10)}
	r := newRig(t, only(t, l, true))
	e := wanted(1, 2)
	e.Spec.Objective.Type = "maximize"
	e.Spec.Objective.MetricStrategies[0].Value = "max"
	r.submit(e)
	r.runner.end(<-r.runner.started, completed, 0.2, 0.4, 0.3)
	<-r.runner.started // the second suggestion was asked after the first was told
	got := <-l.told
	if got.ID != 1 || got.State != algorithms.Succeeded || got.Losses[0] != -0.4 || string(got.Memo) != "\x01" || got.Point[0] != 1 {
		t.Errorf("told %+v, want trial 1 at x=1 with loss -0.4 and its memo", got)
	}
	want := []algorithms.Measurement{{Step: 1, Loss: -0.2}, {Step: 2, Loss: -0.4}, {Step: 3, Loss: -0.3}}
	for i := range want {
		if i >= len(got.Curve) || got.Curve[i] != want[i] {
			t.Fatalf("curve: got %v, want %v", got.Curve, want)
		}
	}
}
