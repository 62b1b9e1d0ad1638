package experiment

import (
	"fmt"
	"slices"
	"time"
)

// Termination ends an experiment whose further trials are not worth what they cost, by what the algorithm's model expects
// of them.
type Termination struct {
	// MinImprovement is how much the next Horizon trials must be expected to improve the best one for the experiment to
	// go on: a share of the interquartile range of the objective's values so far.
	MinImprovement *float64 `json:"minImprovement,omitempty"`
	MinTrials      *int32   `json:"minTrials,omitempty"` // that must have ended before; default 20
	Horizon        *int32   `json:"horizon,omitempty"`   // default 10
}

// Defaults of a Termination.
const (
	defaultMinTrials = 20
	defaultHorizon   = 10
)

// maxHorizon bounds the trials that are looked ahead, for each takes time.
const maxHorizon = 100

// Least is how many trials must have ended.
func (t *Termination) Least() int { return countOr(t.MinTrials, defaultMinTrials) }

// Ahead is how many trials are looked ahead.
func (t *Termination) Ahead() int { return countOr(t.Horizon, defaultHorizon) }

func countOr(n *int32, otherwise int) int {
	if n == nil {
		return otherwise
	}
	return int(*n)
}

// Termination returns what may end the experiment for want of improvement; nil: nothing.
func (e *Experiment) Termination() *Termination {
	if e.Spec.Tuned == nil || e.Control.PastTermination {
		return nil
	}
	return e.Spec.Tuned.Termination
}

// Converge returns the status of an experiment that spec.tuned.termination ends. A completed one keeps its status.
func Converge(s Status, message string, now time.Time) Status {
	if s.Completed() {
		return s
	}
	s.Conditions = slices.Clone(s.Conditions)
	s.complete(Succeeded, ReasonConverged, message, now)
	return s
}

// terminationPath is where a Termination is.
const terminationPath = "spec.tuned.termination"

func (v *validator) termination(t *Termination) {
	if t == nil {
		return
	}
	switch least := t.MinImprovement; {
	case least == nil:
		v.add(terminationPath+".minImprovement", Required, "must be specified")
	case !(*least > 0 && *least <= 1):
		v.addValue(terminationPath+".minImprovement", "must be above 0 and at most 1, a share of the interquartile range", fmt.Sprint(*least))
	}
	if t.MinTrials != nil && *t.MinTrials < 1 {
		v.addValue(terminationPath+".minTrials", "must be greater than 0", fmt.Sprint(*t.MinTrials))
	}
	if h := t.Horizon; h != nil && (*h < 1 || *h > maxHorizon) {
		v.addValue(terminationPath+".horizon", fmt.Sprintf("must be from 1 to %d", maxHorizon), fmt.Sprint(*h))
	}
	if len(v.e.Spec.Tuned.Objectives) > 0 {
		v.add(terminationPath, NotSupported, "several objectives have no best trial to improve on; leave it out")
	}
}
