package experiment

import "math"

// The types of objective.
const (
	objectiveMinimize = "minimize"
	objectiveMaximize = "maximize"
)

// Loss returns the value as something to minimise: negated when the objective is to maximise.
func (o *Objective) Loss(value float64) float64 { return loss(o.Type, value) }

func loss(objectiveType string, value float64) float64 {
	if objectiveType == objectiveMaximize {
		return -value
	}
	return value
}

// GoalReached reports whether the value is at the objective's goal or beyond it. Without a goal,
// and for NaN and infinities, it is not.
func GoalReached(o *Objective, value float64) bool {
	return o.Goal != nil && !math.IsInf(value, 0) && o.Loss(value) <= o.Loss(*o.Goal)
}

// Best returns the trial with the least loss of spec.objective among the succeeded and early stopped
// ones that keep the constraints; ties go to the lesser losses of the further objectives, in their
// order, then to the lower number. A trial of which a needed metric is NaN, infinite, unavailable or no
// number never wins. False means none qualifies. (Katib looks at trials in any state, but only these two
// come to have a value; to it an infinity may be the best.)
func Best(trials []Trial, s *Spec) (Trial, bool) {
	tally := NewTally(s, trials)
	return tally.Best()
}

// Fruitless says why an experiment that has ended has no best trial: by how many of its trials succeeded or were
// stopped early, and how many of those do not keep the constraints.
func Fruitless(usable, infeasible int) string {
	switch {
	case usable == 0:
		return "no trial succeeded"
	case infeasible > 0:
		return "no trial is feasible"
	}
	return "no trial has a finite value"
}
