package auto

import (
	"fmt"

	"github.com/tuned-hpo/tuned/algorithms"
	"github.com/tuned-hpo/tuned/pkg/searchspace"
)

// stages returns who suggests, in the order of their turns. There is at least one, which begins at once.
func (a *Among) stages(p algorithms.Problem) []stage {
	t := traitsOf(p.Space)
	switch {
	case p.MaxTrials > 0 && p.Parallel >= p.MaxTrials && len(p.Priors) == 0:
		return []stage{a.sobol(0, "all trials may start before one has finished, so that nothing can be learned: they are spread evenly")}
	case p.Space.Len() > wide:
		return a.wide(p, t)
	case p.Objectives > 1:
		return a.several(p)
	}
	return a.single(p, t)
}

// wide is the number of parameters from which on a Gaussian process takes too long to fit.
const wide = 100

// wide is for spaces of very many parameters.
func (a *Among) wide(p algorithms.Problem, t traits) []stage {
	return []stage{a.tpe(0, fmt.Sprintf("with %d parameters a Gaussian process takes too long to fit", p.Space.Len()))}
}

// several is for several objectives.
func (a *Among) several(p algorithms.Problem) []stage {
	return []stage{a.gp(0, "a model of each objective finds the front with few trials")}
}

// single is for one objective.
func (a *Among) single(p algorithms.Problem, t traits) []stage {
	return []stage{a.gp(0, "a model of the loss finds good trials with few of them")}
}

// traits are what of a space decides who searches it.
type traits struct {
	numbers     int // parameters that are numbers, without steps or with fine ones
	labels      int // categories
	conditional bool
}

func traitsOf(space *searchspace.Space) (t traits) {
	for _, p := range space.Parameters() {
		switch p.Kind {
		case searchspace.Double, searchspace.Int:
			t.numbers++
		case searchspace.Categorical:
			t.labels++
		}
		t.conditional = t.conditional || p.ActiveWhen != nil
	}
	return t
}
