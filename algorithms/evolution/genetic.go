package evolution

import (
	"github.com/tuned-hpo/tuned/algorithms"
	"github.com/tuned-hpo/tuned/pkg/searchspace"
)

// genetic is a genetic algorithm as a Suggester. It knows no generations: each trial told competes for a place
// in the population at once, so that nobody waits for others and no result comes too late. The population is a
// function of the trials told, in the order in which they finished.
type genetic struct {
	breeder
	settings breeding
	fronts   fronts
	survival survival
	spare    *solution // that has left the population
}

// survival decides who lives on.
type survival interface {
	// settle is told that the fronts have changed from one on.
	settle(f *fronts, from int)
	// worst returns the member of the last front that is to leave.
	worst(f *fronts) *solution
	// better tells whether x is the better parent. Neither of two that are alike is.
	better(x, y *solution) bool
}

// breeding is how children are made.
type breeding struct {
	population int     // members
	crossover  float64 // probability of two parents
	mutation   float64 // probability for each parameter; 0 for one over the number of those that are active
}

func newGenetic(p algorithms.Problem, b breeding, s survival, seed uint64) *genetic {
	g := &genetic{breeder: newBreeder(p, seed), settings: b, survival: s}
	g.spare = newSolution(g.coding, p.Objectives)
	return g
}

// Tell takes in finished trials.
func (g *genetic) Tell(finished []algorithms.Trial) { g.tell(finished, g.take) }

// take lets a trial compete. One that has failed is no parent.
func (g *genetic) take(t *algorithms.Trial) {
	x := g.spare
	if x.read(g.coding, t, g.problem.Constraints); x.class == failed {
		return
	}
	g.survival.settle(&g.fronts, g.fronts.insert(x))
	if len(g.fronts.members) <= g.settings.population {
		g.spare = newSolution(g.coding, g.problem.Objectives)
		return
	}
	g.spare = g.survival.worst(&g.fronts)
	g.fronts.drop(g.spare)
	g.survival.settle(&g.fronts, max(0, len(g.fronts.of)-1))
}

// Ask breeds points.
func (g *genetic) Ask(ids []uint64, pending []algorithms.Trial) ([]algorithms.Suggestion, error) {
	return g.ask(ids, pending, g.suggest), nil
}

// suggest returns a trial before which there were so many: one of the first population, or a child.
func (g *genetic) suggest(id uint64, before int) (searchspace.Point, []byte) {
	if before < g.settings.population || len(g.fronts.members) < 2 {
		return g.draw(id), nil
	}
	p, _ := g.bear(g.breed)
	return p, nil
}

// breed makes a child.
func (g *genetic) breed() {
	one := g.parent()
	g.child.copyFrom(one.genome)
	if g.source.unit() < g.settings.crossover {
		g.child.cross(one.genome, g.parent().genome, &g.source)
	}
	rate := g.settings.mutation
	if rate == 0 {
		rate = 1 / float64(max(1, g.child.active()))
	}
	g.child.mutate(g.coding, rate, &g.source)
	g.child.complete(g.coding, &g.source)
}

// parent returns the winner of a binary tournament.
func (g *genetic) parent() *solution {
	n := len(g.fronts.members)
	x, y := g.fronts.members[g.source.below(n)], g.fronts.members[g.source.below(n)]
	if g.survival.better(y, x) {
		return y
	}
	return x
}
