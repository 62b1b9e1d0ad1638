package evolution

import (
	"github.com/tuned-hpo/tuned/algorithms"
	"github.com/tuned-hpo/tuned/algorithms/sampling"
	"github.com/tuned-hpo/tuned/pkg/searchspace"
)

// genetic is a genetic algorithm as a Suggester. It knows no generations: each trial told competes for a place
// in the population at once, so that nobody waits for others and no result comes too late. The population is a
// function of the trials told, in the order in which they finished.
type genetic struct {
	problem  algorithms.Problem
	settings breeding
	coding   *coding
	visits   sampling.Visits
	random   sampling.Draws // for points that were tried before
	first    spread
	seed     uint64
	source   draws

	told     int // trials
	fronts   fronts
	survival survival

	spare *solution // that has left the population
	child genome    // scratch
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
	c := newCoding(p.Space)
	return &genetic{
		problem: p, settings: b, survival: s, coding: c, seed: seed,
		visits: sampling.NewVisits(p.Space), random: sampling.NewDraws(p.Space, seed), first: newSpread(p.Space, seed),
		spare: newSolution(c, p.Objectives), child: newGenome(c),
	}
}

// Tell takes in finished trials.
func (g *genetic) Tell(finished []algorithms.Trial) {
	g.visits.Tell(finished)
	for i := range finished {
		if t := &finished[i]; g.problem.Space.Contains(t.Point) == nil {
			g.told++
			g.take(t)
		}
	}
}

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
	g.visits.Open(pending)
	out := make([]algorithms.Suggestion, len(ids))
	for i, id := range ids {
		out[i] = algorithms.Suggestion{ID: id, Point: g.suggest(id, g.told+len(pending)+i)}
	}
	return out, nil
}

// suggest returns the point of a trial, before which there were so many: one of the first population, or a
// child that is new.
func (g *genetic) suggest(id uint64, before int) searchspace.Point {
	const repeats = 10 // of points that were tried before
	g.random.Begin(id)
	if before < g.settings.population || len(g.fronts.members) < 2 {
		return g.visits.Next(g.first.point(id), &g.random)
	}
	g.source.Seed(g.seed, id)
	for range repeats {
		g.breed()
		if p := g.coding.decode(g.child.v, g.child.labels); g.visits.IsNew(p) {
			return g.visits.Take(p)
		}
	}
	return g.visits.Next(g.random.Point(), &g.random)
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

// spread draws the first points evenly over the space.
type spread struct {
	space  *searchspace.Space
	sobol  sampling.Sobol
	axes   int
	seed   uint64
	source draws
	u      []float64 // scratch
}

func newSpread(space *searchspace.Space, seed uint64) spread {
	axes := min(space.Len(), sampling.MaxDimensions)
	return spread{space: space, sobol: sampling.NewSobol(axes, seed), axes: axes, seed: seed, u: make([]float64, space.Len())}
}

// point returns that of a trial. Coordinates beyond the last axis of the sequence are random.
func (s *spread) point(id uint64) searchspace.Point {
	s.sobol.At(id-1, s.u[:s.axes])
	s.source.Seed(s.seed, id)
	for i := s.axes; i < len(s.u); i++ {
		s.u[i] = s.source.unit()
	}
	return s.space.Decode(s.u)
}
