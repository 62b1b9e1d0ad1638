package main

import (
	"fmt"

	tunedv1 "github.com/tuned-hpo/tuned/api/tuned/v1"
	"github.com/tuned-hpo/tuned/pkg/experiment"
)

// stateText is how an experiment is, for people. It says what the state alone would hide: that nobody drives it, that
// it does not get on, and that it has ended without a result, which Katib's rules call a success unless maxFailedTrialCount is reached.
func stateText(e *tunedv1.Experiment, driven bool) string {
	text := e.GetState()
	switch {
	case !e.GetCompleted() && !driven && text != statePaused:
		return text + " (no daemon)"
	case !e.GetCompleted() && e.GetTrouble() != "":
		return text + " (in trouble)"
	case text == string(experiment.Succeeded) && e.GetBest() == nil:
		return text + " (" + fruitless(e) + ")"
	}
	return text
}

const statePaused = "Paused"

// fruitless says why an experiment that has ended has no best trial.
func fruitless(e *tunedv1.Experiment) string {
	n := e.GetCounts()
	return experiment.Fruitless(int(n.GetSucceeded()+n.GetEarlyStopped()), int(e.GetInfeasible()))
}

// messageText is what an experiment says of its end; of one without a result that too.
func messageText(e *tunedv1.Experiment) string {
	if e.GetState() == string(experiment.Succeeded) && e.GetBest() == nil {
		return fmt.Sprintf("%s, but %s", e.GetMessage(), fruitless(e))
	}
	return e.GetMessage()
}

// standing is how an experiment is, after its name.
func standing(e *tunedv1.Experiment, driven bool) string {
	if e == nil {
		return ": deleted"
	}
	text := ": " + stateText(e, driven)
	if e.GetReason() != "" {
		text += ", " + visible(e.GetReason())
	}
	if best := e.GetBest(); best != nil && best.Value != nil && len(e.GetObjectives()) > 0 {
		text += fmt.Sprintf(", best %s=%s", visible(e.GetObjectives()[0].GetMetric()), exact(best.GetValue()))
	}
	return text
}
