package experiment

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
// the lower number, else to the earlier in the list. A trial whose value is NaN, unavailable or no number never wins. False
// means none qualifies. (Katib looks at trials in any state, but only these two come to have a value.)
func Best(trials []Trial, o *Objective) (Trial, bool) {
	tally := NewTally(o, trials)
	return tally.Best()
}
