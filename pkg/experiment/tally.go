package experiment

import (
	"math"
	"slices"
	"time"
)

// Tally is what an experiment's status needs to know of its trials: how many are in each state, and
// which are the best. Bringing it up to date with one objective or two takes the same time however
// many trials there are; with more it takes as long as looking at the Pareto front.
// The zero value stands for no trials.
type Tally struct {
	trials     int32
	counts     [len(states)]int32
	front      front
	best       *Trial // a copy; nil while no trial qualifies
	infeasible int32
	spent      float64 // the metric of spec.tuned.cost over final trials
}

// states are all states of a trial.
var states = [...]TrialState{
	TrialPending, TrialRunning, TrialSucceeded, TrialKilled, TrialFailed, TrialEarlyStopped, TrialMetricsUnavailable,
}

// NewTally tallies trials, which are ordered by number.
func NewTally(s *Spec, trials []Trial) Tally {
	var y Tally
	for i := range trials {
		y.Add(s, &trials[i])
	}
	return y
}

// Clone returns a copy that may go another way.
func (y *Tally) Clone() Tally {
	out := *y
	out.front = slices.Clone(y.front)
	return out
}

// Add takes in a new trial.
func (y *Tally) Add(s *Spec, t *Trial) {
	y.trials++
	y.counts[stateIndex(t.State)]++
	y.consider(s, t)
	y.spend(s, t)
}

// Update takes in that a trial has changed, which was in another state before or still is in the
// same. A final trial never changes.
func (y *Tally) Update(s *Spec, before TrialState, t *Trial) {
	y.counts[stateIndex(before)]--
	y.counts[stateIndex(t.State)]++
	if !before.Final() {
		y.consider(s, t)
		y.spend(s, t)
	}
}

// stateIndex returns where a state stands in states. One that does not exist counts as pending.
func stateIndex(s TrialState) int { return max(0, slices.Index(states[:], s)) }

// consider takes a trial into account that may be one of the best.
func (y *Tally) consider(s *Spec, t *Trial) {
	if t.State != TrialSucceeded && t.State != TrialEarlyStopped {
		return
	}
	value := s.ValueOf(t)
	m := member{losses: s.Losses(value), number: t.Number}
	switch {
	case slices.ContainsFunc(m.losses, math.IsNaN):
		return
	case !s.Feasible(value):
		y.infeasible++
		return
	}
	y.front = y.front.add(m)
	if y.front[0].number == t.Number {
		y.best = new(*t)
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

// Front returns the numbers of the trials on the Pareto front of all objectives, by ascending loss of
// spec.objective. Trials that do not keep the constraints are not on it. With one objective it is the
// best trial alone.
func (y *Tally) Front() []uint64 {
	numbers := make([]uint64, len(y.front))
	for i, m := range y.front {
		numbers[i] = m.number
	}
	return numbers
}

// Infeasible returns how many trials have a value of each objective, but do not keep the constraints.
func (y *Tally) Infeasible() int { return int(y.infeasible) }

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
	s.Tuned = y.extension(&e.Spec)
	// As in Katib, an experiment stays Created until it has a trial, which it may never have.
	waits := y.trials == 0 && s.State() == Created && !exhausted && !y.durationUsed(e)
	if !waits && !s.Completed() {
		s.advance(e, y, exhausted, now)
	}
	return s
}

func (y *Tally) goalReached(s *Spec) bool {
	return y.best != nil && GoalReached(s.Objective, s.ValueOf(y.best)(s.Objective.ObjectiveMetricName))
}

// extension returns what the status says beyond Katib's; nil where there is one objective alone.
func (y *Tally) extension(s *Spec) *StatusExtension {
	if len(s.further())+len(s.Constraints()) == 0 {
		return nil
	}
	return &StatusExtension{TrialsOnFront: int32(len(y.front)), TrialsInfeasible: y.infeasible}
}
