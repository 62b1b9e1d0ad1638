package experiment

import "math"

// The types of objective.
const (
	objectiveMinimize = "minimize"
	objectiveMaximize = "maximize"
)

// Loss returns the value as something to minimise: negated when the objective is to maximise.
func (o *Objective) Loss(value float64) float64 {
	if o.Type == objectiveMaximize {
		return -value
	}
	return value
}

// GoalReached reports whether the value is at the objective's goal or beyond it. Without a goal,
// and for NaN, it is not.
func GoalReached(o *Objective, value float64) bool {
	return o.Goal != nil && o.Loss(value) <= o.Loss(*o.Goal)
}

// Best returns the trial with the least loss among the succeeded and early stopped ones; ties go to
// the earlier in the list. A trial whose value is NaN, unavailable or no number never wins. False
// means none qualifies. (Katib looks at trials in any state, but only these two come to have a value.)
func Best(trials []Trial, o *Objective) (Trial, bool) {
	i, _ := bestOf(trials, o)
	if i < 0 {
		return Trial{}, false
	}
	return trials[i], true
}

// bestOf returns the best trial's index and value; -1 when there is none.
func bestOf(trials []Trial, o *Objective) (best int, value float64) {
	best = -1
	strategy := o.strategy(o.ObjectiveMetricName)
	for i := range trials {
		t := &trials[i]
		if t.State != TrialSucceeded && t.State != TrialEarlyStopped {
			continue
		}
		v, ok := t.Observation.value(o.ObjectiveMetricName, strategy)
		if !ok || math.IsNaN(v) {
			continue
		}
		if best < 0 || o.Loss(v) < o.Loss(value) {
			best, value = i, v
		}
	}
	return best, value
}
