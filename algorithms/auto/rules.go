package auto

import (
	"fmt"

	"github.com/tuned-hpo/tuned/algorithms"
	"github.com/tuned-hpo/tuned/pkg/searchspace"
)

// The figures that these numbers rest on are in bench/ablations-auto.md, under the headings named.
const (
	// From so many trials on, and so many per parameter, an evolution strategy that knows its budget gets further than a
	// model ("From few trials to many").
	many, plenty = 1000, 100
	// ample is the number of trials per parameter from which on differences of trials get further than a distribution of
	// them, where most parameters are in steps or have labels ("Steps and labels"); fine is how many steps are as good as none.
	ample, fine = 200, 1000
	// enough is the number of trials per parameter after which a model hardly improves any more ("Without a budget").
	enough = 100
	// least is what fewer parameters count as, of which nothing was measured.
	least = 5
	// most is the number of trials after which a suggestion of a model takes long, mostSeveral the same with several
	// objectives, and wide the number of parameters with which it does ("Time").
	most, mostSeveral, wide = 10000, 2000, 500
)

// stages returns who suggests, in the order of their turns. There is at least one, which begins at once.
func (a *Among) stages(p algorithms.Problem) []stage {
	d := max(p.Space.Len(), least)
	budget := max(many, plenty*d)
	switch {
	case d > wide:
		return a.quick(0, p, fmt.Sprintf("a model of %d parameters would take long", d))
	case p.Objectives > 1:
		return a.modelled(p, mostSeveral, "a model of each objective finds the front with the fewest trials")
	case p.Constraints > 0:
		return a.modelled(p, most, "a model knows where the constraints are kept")
	case !a.evolves(p):
		return a.modelled(p, most, "a model of the loss takes the fewest trials, and an evolution strategy wants two numbers")
	case p.MaxTrials >= max(many, ample*d) && isCoarse(p.Space):
		return []stage{a.de(0, fmt.Sprintf("from %d trials on differential evolution gets furthest in %s, of which most are in steps or have labels", max(many, ample*d), dimensions(p)))}
	case p.MaxTrials >= budget:
		return []stage{a.cmaes(0, fmt.Sprintf("from %d trials on an evolution strategy gets further than a model in %s", budget, dimensions(p)))}
	case p.MaxTrials > 0:
		return []stage{a.gp(0, fmt.Sprintf("with fewer than %d trials a model of the loss gets furthest in %s", budget, dimensions(p)))}
	default:
		return []stage{
			a.gp(0, "a model of the loss takes the fewest trials"),
			a.cmaes(enough*d, fmt.Sprintf("after %d trials a model hardly improves any more in %s, and an evolution strategy goes on", enough*d, dimensions(p))),
		}
	}
}

// modelled is a model, up to a number of trials after which it takes long.
func (a *Among) modelled(p algorithms.Problem, until int, reason string) []stage {
	return append([]stage{a.gp(0, reason)}, a.quick(until, p, fmt.Sprintf("a suggestion of a model takes long after %d trials", until))...)
}

// quick is for what a model takes too long for.
func (a *Among) quick(from int, p algorithms.Problem, reason string) []stage {
	switch {
	case p.Objectives > 1:
		return []stage{a.nsga2(from, reason)}
	case a.evolves(p):
		return []stage{a.cmaes(from, reason)}
	}
	return []stage{a.tpe(from, reason)}
}

// isCoarse tells whether most parameters are in steps or have labels.
func isCoarse(space *searchspace.Space) bool {
	coarse := 0
	for _, q := range space.Parameters() {
		q.ActiveWhen = nil
		alone, err := searchspace.New([]searchspace.Parameter{q})
		if err != nil {
			panic(err) // it is a parameter of a checked space
		}
		if n, finite := alone.Cells(); finite && n <= fine {
			coarse++
		}
	}
	return 2*coarse > space.Len()
}

// evolves reports whether CMA-ES can work on a problem.
func (a *Among) evolves(p algorithms.Problem) bool {
	return p.Objectives == 1 && algorithms.Check(a.CMAES, p, algorithms.Values{}) == nil
}

// dimensions says how many parameters there are.
func dimensions(p algorithms.Problem) string {
	if n := p.Space.Len(); n != 1 {
		return fmt.Sprintf("%d parameters", n)
	}
	return "1 parameter"
}
