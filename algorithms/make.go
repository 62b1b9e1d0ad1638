package algorithms

import (
	"errors"
	"fmt"
	"slices"
)

// ErrNotBuilt says that an algorithm's name is known, but nothing answers to it yet.
var ErrNotBuilt = errors.New("not built yet: use bayesianoptimization, tpe or random")

// Check reports why an algorithm cannot work on a problem: a kind of parameter that it does not
// know, or what its own Check finds. It does not look at whether the algorithm is built.
func Check(def Definition, p Problem, v Values) error {
	for i, param := range p.Space.Parameters() {
		if len(def.Kinds) > 0 && !slices.Contains(def.Kinds, param.Kind) {
			return fmt.Errorf("algorithm %s: parameters[%d] (%s): %s parameters are not supported", def.Name, i, param.Name, param.Kind)
		}
	}
	if def.Check == nil {
		return nil
	}
	if err := def.Check(p, v); err != nil {
		return fmt.Errorf("algorithm %s: %w", def.Name, err)
	}
	return nil
}

// New checks the problem and makes a Suggester for it. The error wraps ErrNotBuilt when there is
// nothing to make.
func New(def Definition, p Problem, v Values) (Suggester, error) {
	if err := Check(def, p, v); err != nil {
		return nil, err
	}
	if def.New == nil {
		return nil, fmt.Errorf("algorithm %q is %w", def.Name, ErrNotBuilt)
	}
	s, err := def.New(p, v)
	if err != nil {
		return nil, fmt.Errorf("algorithm %s: %w", def.Name, err)
	}
	return s, nil
}
