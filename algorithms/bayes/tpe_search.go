package bayes

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/tuned-hpo/tuned/pkg/searchspace"
)

// tpeSearch looks for the point with the greatest ratio of densities.
type tpeSearch struct {
	config    tpeConfig
	space     *tpeSpace
	good, bad mixture
	x, u      []float64 // scratch, one coordinate per parameter
	drawn     []tpeCandidate
	weights   []float64
	rows      [][]float64
}

// tpeCandidate is values of the parameters of a block.
type tpeCandidate struct {
	x     []float64
	score float64
}

func newTPESearch(space *tpeSpace, config tpeConfig) tpeSearch {
	n := space.space.Len()
	s := tpeSearch{config: config, space: space, x: make([]float64, n), u: make([]float64, n), drawn: make([]tpeCandidate, config.candidates)}
	for i := range s.drawn {
		s.drawn[i].x = make([]float64, n)
	}
	return s
}

// best returns the best point found, of which unvisited ones go first.
func (s *tpeSearch) best(split *tpeSplit, r *rand.Rand, isNew func(searchspace.Point) bool) searchspace.Point {
	for i := range s.x {
		s.x[i] = math.NaN()
	}
	last := len(s.space.blocks) - 1
	if last < 0 {
		return s.space.decode(s.x, s.u)
	}
	for b := range s.space.blocks {
		block := &s.space.blocks[b]
		if block.conditional && !isActive(s.space.decode(s.x, s.u)[block.dims[0]]) {
			continue
		}
		s.propose(split, block, r)
		if b == last {
			break
		}
		s.take(block, &s.drawn[0])
	}
	return s.firstNew(&s.space.blocks[last], isNew)
}

func (s *tpeSearch) take(block *tpeBlock, c *tpeCandidate) {
	for _, d := range block.dims {
		s.x[d] = c.x[d]
	}
}

// firstNew returns the best point that is new, or the best one.
func (s *tpeSearch) firstNew(block *tpeBlock, isNew func(searchspace.Point) bool) searchspace.Point {
	if block.conditional && !isActive(s.space.decode(s.x, s.u)[block.dims[0]]) {
		return s.space.decode(s.x, s.u)
	}
	for i := range s.drawn {
		s.take(block, &s.drawn[i])
		if p := s.space.decode(s.x, s.u); isNew(p) {
			return p
		}
	}
	s.take(block, &s.drawn[0])
	return s.space.decode(s.x, s.u)
}

// propose draws candidates for a block and sorts them, the best first.
func (s *tpeSearch) propose(split *tpeSplit, block *tpeBlock, r *rand.Rand) {
	s.model(&s.good, split.good, block)
	s.model(&s.bad, split.bad, block)
	for i := range s.drawn {
		c := &s.drawn[i]
		s.good.draw(r, c.x)
		c.score = s.good.logDensity(c.x) - s.bad.logDensity(c.x)
	}
	slices.SortStableFunc(s.drawn, func(a, b tpeCandidate) int { return cmp.Compare(b.score, a.score) })
}

// model builds the density of a block from the rows in which it is active.
func (s *tpeSearch) model(m *mixture, rows [][]float64, block *tpeBlock) {
	active := s.rows[:0]
	for _, row := range rows {
		if isActive(row[block.dims[0]]) {
			active = append(active, row)
		}
	}
	s.rows = active
	s.weights = rampWeights(len(active), s.weights)
	m.build(s.space, block, active, s.weights, s.config.prior, neighbourBandwidth)
}

// rampWeights returns the weights of n trials in the order told: 1 for the newest 25, and for those
// before them numbers that rise evenly from 1/n to 1 (Bergstra, Yamins and Cox 2013).
func rampWeights(n int, w []float64) []float64 {
	w = slices.Grow(w[:0], n)[:n]
	ramp := n - mostGood
	for i := range w {
		w[i] = 1
		if i < ramp {
			w[i] = 1 / float64(n)
			if ramp > 1 {
				w[i] += (1 - 1/float64(n)) * float64(i) / float64(ramp-1)
			}
		}
	}
	return w
}

// neighbourBandwidth gives each kernel the distance to the farther of its two neighbours, at least
// 1/min(100, n+2) (Bergstra et al. 2011, section 4; the bound is hyperopt's "magic clip").
func neighbourBandwidth(centres, sigma []float64) {
	n := len(centres)
	order := make([]int, n+1)
	for i := range order {
		order[i] = i
	}
	at := func(i int) float64 {
		if i == n {
			return 0.5 // the prior
		}
		return centres[i]
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(at(a), at(b)) })
	least := 1 / min(100, float64(n+2))
	for k, i := range order {
		if i == n {
			continue
		}
		width := 0.0
		if k > 0 {
			width = at(i) - at(order[k-1])
		}
		if k < n {
			width = max(width, at(order[k+1])-at(i))
		}
		sigma[i] = max(least, min(width, 1))
	}
}
