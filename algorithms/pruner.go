package algorithms

import "fmt"

// Decision is a Pruner's answer about one running trial.
type Decision struct {
	Stop   bool
	Reason string // for a person, when it stops: at which step, which value against which; in the metric's units
}

// Pruner decides whether a running trial should stop early. It is a pure function of the curves
// so far: same input, same answer, no state. It may be called concurrently.
//
// It is asked once for each measurement of the running trial, which is the last of its Curve then.
// The others are all other trials of the experiment with their curves: those that finished, in the
// order in which they finished, then those that are pending, by ID. Nothing of what is passed in may
// be changed or kept.
type Pruner interface {
	Prune(running Trial, others []Trial) Decision
}

// PrunerDefinition is all that the daemon, validation, docs and UI know of an early-stopping rule.
type PrunerDefinition struct {
	Name      string
	Aliases   []string
	Summary   string // one line
	Reference string // paper; "" when there is none to cite
	Settings  []Setting
	// Check reports what Settings cannot express. Nil means nothing more to check. The error is for the user.
	Check func(Values) error
	// New makes a Pruner.
	New func(Problem, Values) (Pruner, error)
}

// NewPruner checks the settings and makes a Pruner.
func NewPruner(def PrunerDefinition, p Problem, v Values) (Pruner, error) {
	if def.Check != nil {
		if err := def.Check(v); err != nil {
			return nil, fmt.Errorf("early stopping rule %s: %w", def.Name, err)
		}
	}
	pruner, err := def.New(p, v)
	if err != nil {
		return nil, fmt.Errorf("early stopping rule %s: %w", def.Name, err)
	}
	return pruner, nil
}
