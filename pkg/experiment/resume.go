package experiment

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// Stop returns the status of an experiment that a person ends: it has succeeded when a trial is best,
// else failed. A completed one keeps its status.
func Stop(e *Experiment, now time.Time) Status {
	s := e.Status
	if s.Completed() {
		return s
	}
	s.Conditions = slices.Clone(s.Conditions)
	if s.CurrentOptimalTrial != nil {
		s.complete(Succeeded, ReasonStopped, "Experiment was stopped; its best trial stands", now)
	} else {
		s.complete(Failed, ReasonStopped, "Experiment was stopped before any trial had a result", now)
	}
	return s
}

// Resume changes a completed experiment to one that goes on: after a stop, a failure, its goal or its termination,
// which ends it no more then. Failed trials up to now no longer count by maxFailedTrialCount. The
// error says what to do where its budget leaves no room.
func Resume(e *Experiment, y *Tally, now time.Time) error {
	if err := e.Room(y); err != nil {
		return err
	}
	if e.Status.Reason() == reasonSuggestionEnd {
		return errors.New("the algorithm has no more suggestions: all combinations were tried; create another experiment")
	}
	e.Control.PastGoal = e.Control.PastGoal || y.goalReached(&e.Spec)
	e.Control.PastTermination = e.Control.PastTermination || e.Status.Reason() == ReasonConverged
	e.Control.Forgiven = e.Status.failures()
	e.Control.OnCompletion, e.Control.Paused = "", false
	e.Status.restart(reasonResumed, "Experiment is resumed", now)
	return nil
}

// Room reports which part of the budget is used up, and what to do; nil when there is room for a trial.
func (e *Experiment) Room(y *Tally) error {
	limit := e.Spec.MaxTrialCount
	switch {
	case limit != nil && y.trials >= *limit:
		return fmt.Errorf("all of its %d trials are used up; extend maxTrialCount", *limit)
	case y.durationUsed(e):
		return fmt.Errorf("its time of %s is used up; extend maxDuration", time.Duration(*e.Spec.maxDuration()))
	case y.costUsed(e):
		return fmt.Errorf("its cost has reached %g; extend the greatest cost", *e.Spec.maxCost())
	}
	return nil
}

// Extended changes a completed experiment, whose budget was just changed, to one that goes on where
// the budget was what ended it and there is room again. It reports whether it does.
func Extended(e *Experiment, y *Tally, now time.Time) bool {
	failed := e.Status.failures() - e.Control.Forgiven
	switch e.Status.Reason() {
	case reasonMaxTrials, reasonMaxDuration, reasonMaxCost:
	case reasonFailed:
		if limit := e.Spec.MaxFailedTrialCount; limit != nil && failed >= *limit {
			return false
		}
	default:
		return false
	}
	if e.Room(y) != nil {
		return false
	}
	e.Control.OnCompletion = ""
	e.Status.restart(reasonRestarting, "Experiment is restarted with a larger budget", now)
	return true
}
