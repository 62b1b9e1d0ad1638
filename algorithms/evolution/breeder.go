package evolution

import (
	"github.com/tuned-hpo/tuned/algorithms"
	"github.com/tuned-hpo/tuned/algorithms/sampling"
	"github.com/tuned-hpo/tuned/pkg/searchspace"
)

// breeder is what algorithms share that breed one trial after the other. Of the trials asked for the first ones
// are drawn, and each of the others is a child that was not tried before.
type breeder struct {
	problem algorithms.Problem
	coding  *coding
	visits  sampling.Visits
	random  sampling.Draws // for points that were tried before
	first   spread
	seed    uint64
	source  draws  // of the trial at hand
	told    int    // trials
	child   genome // scratch
}

func newBreeder(p algorithms.Problem, seed uint64) breeder {
	c := newCoding(p.Space)
	return breeder{
		problem: p, coding: c, seed: seed, child: newGenome(c),
		visits: sampling.NewVisits(p.Space), random: sampling.NewDraws(p.Space, seed), first: newSpread(p.Space, seed),
	}
}

// tell has those of the finished trials taken that are points of the space.
func (b *breeder) tell(finished []algorithms.Trial, take func(*algorithms.Trial)) {
	b.visits.Tell(finished)
	for i := range finished {
		if t := &finished[i]; b.problem.Space.Contains(t.Point) == nil {
			b.told++
			take(t)
		}
	}
}

// ask has points and memos suggested for trials. Suggest is told how many trials there were before each.
func (b *breeder) ask(ids []uint64, pending []algorithms.Trial, suggest func(id uint64, before int) (searchspace.Point, []byte)) []algorithms.Suggestion {
	b.visits.Open(pending)
	out := make([]algorithms.Suggestion, len(ids))
	for i, id := range ids {
		b.random.Begin(id)
		b.source.Seed(b.seed, id)
		out[i].ID = id
		out[i].Point, out[i].Memo = suggest(id, b.told+len(pending)+i)
	}
	return out
}

// draw returns the point of one of the first trials.
func (b *breeder) draw(id uint64) searchspace.Point {
	return b.visits.Next(b.first.point(id), &b.random)
}

// bear has children bred until one is new. False means that none was, and that the point is random.
func (b *breeder) bear(breed func()) (p searchspace.Point, born bool) {
	const repeats = 10 // of points that were tried before
	for range repeats {
		breed()
		if p := b.coding.decode(b.child.v, b.child.labels); b.visits.IsNew(p) {
			return b.visits.Take(p), true
		}
	}
	return b.visits.Next(b.random.Point(), &b.random), false
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
