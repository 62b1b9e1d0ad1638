package experiment

import (
	"math"
	"slices"
	"time"
)

// Tally is what an experiment's status needs to know of its trials: how many are in each state, and
// which one is the best. Bringing it up to date takes the same time however many trials there are.
// The zero value stands for no trials.
type Tally struct {
	trials int32
	counts [len(states)]int32
	best   *Trial // a copy; nil while no trial qualifies
	value  float64
}

// states are all states of a trial.
var states = [...]TrialState{
	TrialPending, TrialRunning, TrialSucceeded, TrialKilled, TrialFailed, TrialEarlyStopped, TrialMetricsUnavailable,
}

// NewTally tallies trials, which are ordered by number.
func NewTally(o *Objective, trials []Trial) Tally {
	var y Tally
	for i := range trials {
		y.Add(o, &trials[i])
	}
	return y
}

// Add takes in a new trial.
func (y *Tally) Add(o *Objective, t *Trial) {
	y.trials++
	y.counts[stateIndex(t.State)]++
	y.consider(o, t)
}

// Update takes in that a trial has changed, which was in another state before or still is in the
// same. A final trial never changes.
func (y *Tally) Update(o *Objective, before TrialState, t *Trial) {
	y.counts[stateIndex(before)]--
	y.counts[stateIndex(t.State)]++
	y.consider(o, t)
}

// stateIndex returns where a state stands in states. One that does not exist counts as pending.
func stateIndex(s TrialState) int { return max(0, slices.Index(states[:], s)) }

// consider makes the trial the best one if it is.
func (y *Tally) consider(o *Objective, t *Trial) {
	if t.State != TrialSucceeded && t.State != TrialEarlyStopped {
		return
	}
	v, ok := t.Observation.value(o.ObjectiveMetricName, o.strategy(o.ObjectiveMetricName))
	if !ok || math.IsNaN(v) {
		return
	}
	less := y.best == nil || o.Loss(v) < o.Loss(y.value)
	if less || v == y.value && t.Number < y.best.Number {
		y.best, y.value = new(*t), v
	}
}

// Active returns how many trials are not final.
func (y *Tally) Active() int {
	return int(y.counts[stateIndex(TrialPending)] + y.counts[stateIndex(TrialRunning)])
}

// Best returns the best trial as the function of that name does.
func (y *Tally) Best() (Trial, bool) {
	if y.best == nil {
		return Trial{}, false
	}
	return *y.best, true
}

// Next returns the status that follows from an experiment's trials, as NextStatus does, but for the
// lists of names, which it leaves empty.
func (y *Tally) Next(e *Experiment, exhausted bool, now time.Time) Status {
	s := e.Status
	s.Conditions = slices.Clone(s.Conditions)
	s.setLists(nil)
	s.Trials = y.trials
	for i, n := range y.counts {
		*s.count(states[i]) = n
	}
	s.CurrentOptimalTrial = nil
	if y.best != nil {
		s.CurrentOptimalTrial = optimal(y.best)
	}
	// As in Katib, an experiment stays Created until it has a trial.
	waits := y.trials == 0 && s.State() == Created && !exhausted
	if !waits && !s.Completed() {
		s.advance(&e.Spec, y.best != nil && GoalReached(e.Spec.Objective, y.value), exhausted, now)
	}
	return s
}
