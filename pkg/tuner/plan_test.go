package tuner

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/trialrunner"
)

// running returns an experiment that is under way.
func running(parallel, budget int32) *experiment.Experiment {
	return &experiment.Experiment{
		Spec: experiment.Spec{
			ParallelTrialCount: &parallel, MaxTrialCount: &budget,
			Objective: &experiment.Objective{Type: "minimize", ObjectiveMetricName: "loss"},
		},
		Status: experiment.Status{Conditions: []experiment.Condition{{Type: experiment.Running, Status: "True"}}},
	}
}

// ended returns an experiment that has ended.
func ended(as experiment.ConditionType) *experiment.Experiment {
	e := running(2, 4)
	e.Status.Conditions = []experiment.Condition{
		{Type: experiment.Running, Status: "False"}, {Type: as, Status: "True"},
	}
	return e
}

func paused(e *experiment.Experiment) *experiment.Experiment {
	e.Control.Paused = true
	return e
}

func killing(e *experiment.Experiment) *experiment.Experiment {
	e.Spec.Tuned = &experiment.Extension{OnCompletion: experiment.Kill}
	return e
}

func because(reason string, e *experiment.Experiment) *experiment.Experiment {
	e.Status.Conditions[len(e.Status.Conditions)-1].Reason = reason
	return e
}

func trials(states ...experiment.TrialState) []*experiment.Trial {
	names := []string{"a", "b", "c", "d"}
	out := make([]*experiment.Trial, len(states))
	for i, s := range states {
		out[i] = &experiment.Trial{Number: uint64(i + 1), Name: names[i], Attempt: 1, State: s}
	}
	return out
}

func workload(trial string, attempt int, phase trialrunner.Phase, reason string) trialrunner.Workload {
	return trialrunner.Workload{Trial: trial, Attempt: attempt, Phase: phase, Exit: trialrunner.Exit{Reason: reason}}
}

func TestPlan(t *testing.T) {
	const (
		pending   = experiment.TrialPending
		runs      = experiment.TrialRunning
		succeeded = experiment.TrialSucceeded
	)
	exited := workload("a", 1, trialrunner.Exited, "Completed")
	stopped := workload("a", 1, trialrunner.Exited, "Stopped")
	lost := workload("a", 1, trialrunner.Lost, "")
	alive := workload("a", 1, trialrunner.Running, "")
	thirdLost := workload("a", maxAttempts, trialrunner.Lost, "")
	third := trials(runs)
	third[0].Attempt, third[0].Lost = maxAttempts, maxAttempts-1
	interrupted := trials(runs)
	interrupted[0].Attempt = maxAttempts
	second := trials(runs)
	second[0].Attempt = 2
	crashed, killed, timedOut := workload("a", 1, trialrunner.Exited, "ExitCode"), workload("a", 1, trialrunner.Exited, "Signal"), workload("a", 1, trialrunner.Exited, "TimedOut")
	crashed.Retries, killed.Retries, timedOut.Retries, exited.Retries = 2, 2, 2, 2
	crashedTwice := trials(runs)
	crashedTwice[0].Crashed = 2
	stopping := trials(runs)
	stopping[0].Stopping = true
	gone := trialrunner.Workload{Trial: "a", Attempt: 1, Phase: trialrunner.Lost}
	unstarted := gone
	unstarted.Exit.Reason = "Stopped"

	tests := []struct {
		name string
		view View
		want Actions
	}{
		{
			"first look asks for as many as may run",
			View{Experiment: running(2, 4)},
			Actions{Ask: 2},
		},
		{
			"no more than the budget",
			View{Experiment: running(3, 1)},
			Actions{Ask: 1},
		},
		{
			"pending trials start, also after a crash",
			View{Experiment: running(2, 4), Trials: trials(pending, pending)},
			Actions{Start: []uint64{1, 2}},
		},
		{
			"a trial seen running is marked",
			View{Experiment: running(1, 4), Trials: trials(pending), Workloads: []trialrunner.Workload{alive}},
			Actions{Mark: []uint64{1}},
		},
		{
			"nothing to do while it runs",
			View{Experiment: running(1, 4), Trials: trials(runs), Workloads: []trialrunner.Workload{alive}},
			Actions{},
		},
		{
			"an end comes before the next question",
			View{Experiment: running(2, 4), Trials: trials(runs), Workloads: []trialrunner.Workload{exited}},
			Actions{Finish: []Finish{{1, exited}}},
		},
		{
			"a trial that ended before it was seen running",
			View{Experiment: running(1, 4), Trials: trials(pending), Workloads: []trialrunner.Workload{exited}},
			Actions{Finish: []Finish{{1, exited}}},
		},
		{
			"a final trial's workload is removed",
			View{Experiment: running(1, 1), Trials: trials(succeeded), Workloads: []trialrunner.Workload{exited}},
			Actions{Remove: []Target{{"a", 1}}},
		},
		{
			"a lost workload gets another attempt",
			View{Experiment: running(1, 4), Trials: trials(runs), Workloads: []trialrunner.Workload{lost}},
			Actions{Retry: []Finish{{1, lost}}},
		},
		{
			"not for ever",
			View{Experiment: running(1, 4), Trials: third, Workloads: []trialrunner.Workload{thirdLost}},
			Actions{Finish: []Finish{{1, thirdLost}}},
		},
		{
			"interrupts do not count as losses",
			View{Experiment: running(1, 4), Trials: interrupted, Workloads: []trialrunner.Workload{thirdLost}},
			Actions{Retry: []Finish{{1, thirdLost}}},
		},
		{
			"a failed attempt is followed by another where the template wants it",
			View{Experiment: running(1, 4), Trials: trials(runs), Workloads: []trialrunner.Workload{crashed}},
			Actions{Retry: []Finish{{1, crashed}}},
		},
		{
			"also one that a signal ended",
			View{Experiment: running(1, 4), Trials: trials(runs), Workloads: []trialrunner.Workload{killed}},
			Actions{Retry: []Finish{{1, killed}}},
		},
		{
			"as often as it wants it",
			View{Experiment: running(1, 4), Trials: crashedTwice, Workloads: []trialrunner.Workload{crashed}},
			Actions{Finish: []Finish{{1, crashed}}},
		},
		{
			"a time that is up ends the trial",
			View{Experiment: running(1, 4), Trials: trials(runs), Workloads: []trialrunner.Workload{timedOut}},
			Actions{Finish: []Finish{{1, timedOut}}},
		},
		{
			"a failed attempt of a trial that is to stop is the last",
			View{Experiment: running(1, 4), Trials: stopping, Workloads: []trialrunner.Workload{crashed}},
			Actions{Finish: []Finish{{1, crashed}}},
		},
		{
			"and so is one of an experiment that has ended",
			View{Experiment: ended(experiment.Succeeded), Trials: trials(runs), Workloads: []trialrunner.Workload{crashed}},
			Actions{Finish: []Finish{{1, crashed}}},
		},
		{
			"a workload of nobody takes up room until it has stopped",
			View{
				Experiment: running(2, 4), Trials: trials(runs, pending),
				Workloads: []trialrunner.Workload{alive, workload("x", 1, trialrunner.Running, "")},
			},
			Actions{Stop: []Target{{"x", 1}}},
		},
		{
			"a workload that the runner no longer knows is lost",
			View{Experiment: running(1, 4), Trials: trials(runs)},
			Actions{Retry: []Finish{{1, gone}}},
		},
		{
			"an interrupted trial gets another attempt",
			View{Experiment: running(1, 4), Trials: trials(runs), Workloads: []trialrunner.Workload{stopped}},
			Actions{Retry: []Finish{{1, stopped}}},
		},
		{
			"the workload of an earlier attempt is stopped, and takes up room",
			View{Experiment: running(1, 4), Trials: second, Workloads: []trialrunner.Workload{alive, workload("a", 2, trialrunner.Running, "")}},
			Actions{Stop: []Target{{"a", 1}}},
		},
		{
			"a workload of a trial that was never recorded is stopped",
			View{Experiment: running(1, 0), Workloads: []trialrunner.Workload{workload("x", 1, trialrunner.Running, "")}},
			Actions{Stop: []Target{{"x", 1}}},
		},
		{
			"lowering parallelTrialCount stops nothing and starts nothing",
			View{Experiment: running(1, 4), Trials: trials(runs, pending), Workloads: []trialrunner.Workload{alive}},
			Actions{},
		},
		{
			"exhausted asks for nothing",
			View{Experiment: running(2, 4), Trials: trials(succeeded), Exhausted: true},
			Actions{},
		},
		{
			"a waiting algorithm is not asked",
			View{Experiment: running(2, 4), Trials: trials(runs), Workloads: []trialrunner.Workload{alive}, Waiting: true},
			Actions{},
		},
		{
			"held starts nothing and stops what runs",
			View{Experiment: running(2, 4), Trials: trials(runs, pending), Workloads: []trialrunner.Workload{alive}, Held: true},
			Actions{Stop: []Target{{"a", 1}}},
		},
		{
			"paused starts nothing, asks for nothing and stops nothing",
			View{Experiment: paused(running(3, 4)), Trials: trials(runs, pending), Workloads: []trialrunner.Workload{alive}},
			Actions{},
		},
		{
			"an interrupted trial of a paused experiment waits",
			View{Experiment: paused(running(3, 4)), Trials: trials(runs), Workloads: []trialrunner.Workload{stopped}},
			Actions{Retry: []Finish{{1, stopped}}},
		},
		{
			"an algorithm that thinks is not asked again",
			View{Experiment: running(2, 4), Thinking: true},
			Actions{},
		},
		{
			"clients evaluate: nothing starts",
			View{Experiment: running(2, 4), Trials: trials(runs), External: true},
			Actions{},
		},
		{
			"a succeeded experiment drains",
			View{Experiment: ended(experiment.Succeeded), Trials: trials(runs), Workloads: []trialrunner.Workload{alive}},
			Actions{},
		},
		{
			"or kills, when told to",
			View{Experiment: killing(ended(experiment.Succeeded)), Trials: trials(runs), Workloads: []trialrunner.Workload{alive}},
			Actions{Stop: []Target{{"a", 1}}},
		},
		{
			"a failed experiment stops its trials",
			View{Experiment: ended(experiment.Failed), Trials: trials(runs), Workloads: []trialrunner.Workload{alive}},
			Actions{Stop: []Target{{"a", 1}}},
		},
		{
			"an ended experiment ends what was never started",
			View{Experiment: ended(experiment.Succeeded), Trials: trials(pending)},
			Actions{Finish: []Finish{{1, unstarted}}},
		},
		{
			"an import that was interrupted is left as it is",
			View{Experiment: because(reasonImporting, ended(experiment.Failed)), Trials: trials(pending), External: true},
			Actions{},
		},
		{
			"an ended experiment starts no further attempt",
			View{Experiment: ended(experiment.Succeeded), Trials: trials(runs), Workloads: []trialrunner.Workload{lost}},
			Actions{Finish: []Finish{{1, lost}}},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(Plan(tt.view), tt.want); diff != "" {
				t.Errorf("Plan: got (-), want (+):\n%s", diff)
			}
		})
	}
}

func TestLossesAreFewOnPurpose(t *testing.T) {
	if maxAttempts != 3 {
		t.Errorf("a trial whose workload is lost starts %d times; each costs a whole training, want 3", maxAttempts)
	}
}
