package experiment

import (
	"fmt"
	"slices"
	"time"
)

// The reasons of an experiment's conditions, as in Katib.
const (
	reasonCreated       = "ExperimentCreated"
	reasonRunning       = "ExperimentRunning"
	reasonRestarting    = "ExperimentRestarting"
	reasonGoalReached   = "ExperimentGoalReached"
	reasonMaxTrials     = "ExperimentMaxTrialsReached"
	reasonFailed        = "ExperimentFailed"
	reasonSuggestionEnd = "ExperimentSuggestionEndReached"
)

// The reasons that Katib does not have.
const (
	ReasonStopped     = "ExperimentStopped"
	reasonMaxDuration = "ExperimentMaxDurationReached"
	reasonMaxCost     = "ExperimentMaxCostReached"
	ReasonConverged   = "ExperimentConverged"
	reasonResumed     = "ExperimentResumed"
)

// NewStatus returns the status of an experiment that was just created.
func NewStatus(now time.Time) Status {
	s := Status{StartTime: &now}
	s.set(Created, "True", reasonCreated, "Experiment is created", now)
	return s
}

// State returns the type of the last condition, "" when there is none.
func (s *Status) State() ConditionType { return s.last().Type }

// Reason returns the reason of the last condition, "" when there is none.
func (s *Status) Reason() string { return s.last().Reason }

// Completed reports whether the experiment has succeeded or failed.
func (s *Status) Completed() bool { return s.Succeeded() || s.has(Failed) }

// Succeeded reports whether the experiment has succeeded.
func (s *Status) Succeeded() bool { return s.has(Succeeded) }

// NextStatus returns the status that follows from all of an experiment's trials: counts, lists, the
// optimal trial, and the conditions. Exhausted says that the algorithm has no more suggestions. The
// experiment must have an objective. A completed experiment stays completed while its last trials
// come to their ends. Calling it again with the status it returned changes nothing.
//
// Its time is linear in the number of trials.
func NextStatus(e *Experiment, trials []Trial, exhausted bool, now time.Time) Status {
	tally := NewTally(&e.Spec, trials)
	s := tally.Next(e, exhausted, now)
	s.setLists(trials)
	return s
}

// MarkFailed returns the status of an experiment that ended for another cause than its trials; the
// message tells a person what happened and what to do. A completed experiment keeps its status.
func MarkFailed(s Status, reason, message string, now time.Time) Status {
	if s.Completed() {
		return s
	}
	s.Conditions = slices.Clone(s.Conditions)
	s.complete(Failed, reason, message, now)
	return s
}

// restartable reports whether a completed experiment may be given more trials under the policy.
func (s *Status) restartable(policy ResumePolicy) bool {
	return s.Succeeded() && s.Reason() == reasonMaxTrials && (policy == LongRunning || policy == FromVolume)
}

// Restart returns the status of a completed experiment whose spec has just been given more trials.
// It is refused, with Katib's words, unless the experiment succeeded because its trials were used up
// and its resume policy is LongRunning or FromVolume. NextStatus then takes it to Running.
func Restart(e *Experiment, now time.Time) (Status, error) {
	s := e.Status
	policy := e.Spec.ResumePolicy
	if !s.restartable(policy) {
		return Status{}, fmt.Errorf("spec.resumePolicy: Invalid value: %q: Experiment can be restarted if it is in succeeded state "+
			"by reaching max trials and spec.resumePolicy = LongRunning or spec.resumePolicy = FromVolume", policy)
	}
	if limit := e.Spec.MaxTrialCount; limit != nil && *limit <= s.Trials {
		return Status{}, fmt.Errorf("spec.maxTrialCount: Invalid value: %d: must be greater than status.trials count", *limit)
	}
	s.restart(reasonRestarting, "Experiment is restarted", now)
	return s, nil
}

// restart takes a completed experiment back to where it has not ended.
func (s *Status) restart(reason, message string, now time.Time) {
	s.Conditions = slices.DeleteFunc(slices.Clone(s.Conditions), func(c Condition) bool {
		return c.Type == Succeeded || c.Type == Failed || c.Type == Restarting // of an earlier time
	})
	s.CompletionTime = nil
	s.set(Restarting, "True", reason, message, now)
}

// WithLists returns the status with the lists of the names of trials filled in.
func (s Status) WithLists(trials []Trial) Status {
	s.setLists(trials)
	return s
}

// setLists sets the lists of names.
func (s *Status) setLists(trials []Trial) {
	for _, state := range states {
		*s.list(state) = nil
	}
	for i := range trials {
		list := s.list(trials[i].State)
		*list = append(*list, trials[i].Name)
	}
}

// count returns the count of the trials in a state.
func (s *Status) count(state TrialState) *int32 {
	switch state {
	case TrialRunning:
		return &s.TrialsRunning
	case TrialSucceeded:
		return &s.TrialsSucceeded
	case TrialKilled:
		return &s.TrialsKilled
	case TrialFailed:
		return &s.TrialsFailed
	case TrialEarlyStopped:
		return &s.TrialsEarlyStopped
	case TrialMetricsUnavailable:
		return &s.TrialMetricsUnavailable
	}
	return &s.TrialsPending
}

// list returns the list of the trials in a state.
func (s *Status) list(state TrialState) *[]string {
	switch state {
	case TrialRunning:
		return &s.RunningTrialList
	case TrialSucceeded:
		return &s.SucceededTrialList
	case TrialKilled:
		return &s.KilledTrialList
	case TrialFailed:
		return &s.FailedTrialList
	case TrialEarlyStopped:
		return &s.EarlyStoppedTrialList
	case TrialMetricsUnavailable:
		return &s.MetricsUnavailableTrialList
	}
	return &s.PendingTrialList
}

// advance goes to the next condition of an experiment that is not completed.
func (s *Status) advance(e *Experiment, y *Tally, exhausted bool, now time.Time) {
	spec := &e.Spec
	active := s.TrialsPending + s.TrialsRunning
	completed := s.Trials - active
	failed := s.failures() - e.Control.Forgiven
	switch {
	case y.goalReached(spec) && !e.Control.PastGoal:
		s.complete(Succeeded, reasonGoalReached, "Experiment has succeeded because Objective goal has reached", now)
	case spec.MaxFailedTrialCount != nil && failed > 0 && failed >= *spec.MaxFailedTrialCount:
		s.complete(Failed, reasonFailed, "Experiment has failed because max failed count has reached", now)
	case spec.MaxTrialCount != nil && completed >= *spec.MaxTrialCount:
		s.complete(Succeeded, reasonMaxTrials, "Experiment has succeeded because max trial count has reached", now)
	case y.durationUsed(e):
		s.complete(Succeeded, reasonMaxDuration, "Experiment has succeeded because max duration has reached", now)
	case y.costUsed(e):
		s.complete(Succeeded, reasonMaxCost, "Experiment has succeeded because max cost has reached", now)
	case exhausted && active == 0:
		s.complete(Succeeded, reasonSuggestionEnd, "Experiment has succeeded because the algorithm has no more suggestions", now)
	default:
		s.set(Running, "True", reasonRunning, "Experiment is running", now)
	}
}

// complete ends the experiment.
func (s *Status) complete(state ConditionType, reason, message string, now time.Time) {
	for _, c := range s.Conditions {
		if c.Type == Running {
			s.set(Running, "False", c.Reason, c.Message, now)
			break
		}
	}
	s.set(state, "True", reason, message, now)
	s.CompletionTime = &now
}

// set makes a condition the last one, unless it stands with the same status and reason already. It
// changes the slice in place: callers own it.
func (s *Status) set(state ConditionType, status, reason, message string, now time.Time) {
	next := Condition{Type: state, Status: status, Reason: reason, Message: message, LastUpdateTime: now, LastTransitionTime: now}
	if i := slices.IndexFunc(s.Conditions, func(c Condition) bool { return c.Type == state }); i >= 0 {
		was := s.Conditions[i]
		if was.Status == status && was.Reason == reason {
			return
		}
		if was.Status == status {
			next.LastTransitionTime = was.LastTransitionTime
		}
		s.Conditions = slices.Delete(s.Conditions, i, i+1)
	}
	s.Conditions = append(s.Conditions, next)
}

func (s *Status) has(state ConditionType) bool {
	return slices.ContainsFunc(s.Conditions, func(c Condition) bool { return c.Type == state && c.Status == "True" })
}

func (s *Status) last() Condition {
	if len(s.Conditions) == 0 {
		return Condition{}
	}
	return s.Conditions[len(s.Conditions)-1]
}

func optimal(t *Trial) *OptimalTrial {
	return &OptimalTrial{
		BestTrialName:        t.Name,
		ParameterAssignments: slices.Clone([]Pair(t.Assignment)),
		Observation:          Observation{Metrics: slices.Clone(t.Observation.Metrics)},
	}
}
