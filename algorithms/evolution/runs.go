package evolution

import (
	"math"
	"math/rand/v2"

	"github.com/tuned-hpo/tuned/algorithms/sampling"
	"github.com/tuned-hpo/tuned/internal/elementary"
)

// runs says when a run of CMA-ES is over and which one is next: with twice the population (Auger and
// Hansen 2005, A restart CMA evolution strategy with increasing population size, CEC), or with large and
// small populations in turn (Hansen 2009, Benchmarking a bi-population CMA-ES on the BBOB-2009 function
// testbed, GECCO).
type runs struct {
	settings
	seed   uint64
	run    uint64    // the present one, from 0
	large  int       // lambda of the last large run
	small  bool      // the present run is a small one
	spent  [2]int    // trials of large runs after the first one, and of small ones
	recent []float64 // best losses of the last generations of the run, a ring
}

func newRuns(s settings, seed uint64) runs { return runs{settings: s, seed: seed, large: s.lambda} }

// over tells whether the run has converged, or can do no more (Hansen 2016, appendix B).
func (r *runs) over(s *strategy, c *coding, best, worst standing) bool {
	if r.restarts != "ipop" && r.restarts != "bipop" {
		return false
	}
	if r.small {
		r.spent[1] += s.lambda
	} else if r.run > 0 {
		r.spent[0] += s.lambda
	}
	return r.isFlat(s, best, worst) || r.isTiny(s, c)
}

// isFlat tells whether the best losses of the last generations, and all of this one, differ by no more than
// rounding does (EqualFunValues and TolFun).
func (r *runs) isFlat(s *strategy, best, worst standing) bool {
	const rounding = 1e-12 // relative
	if best.class != succeeded || worst.class != succeeded {
		r.recent = r.recent[:0]
		return false
	}
	length := 10 + (30*s.n+s.lambda-1)/s.lambda
	if len(r.recent) < length {
		r.recent = append(r.recent, best.value)
	} else {
		r.recent[s.generation%uint64(length)] = best.value
	}
	least, most := worst.value, worst.value
	for _, v := range r.recent {
		least, most = min(least, v), max(most, v)
	}
	return len(r.recent) >= length && most-least <= rounding*max(math.Abs(least), math.Abs(most))
}

// isTiny tells whether the distribution is too narrow or too thin to find something new, or wider than the
// space by far (TolX, ConditionCov and TolXUp). Parameters in steps have margins instead.
func (r *runs) isTiny(s *strategy, c *coding) bool {
	const (
		narrow = 1e-12 // parts of the first step size
		thin   = 1e14
		wide   = 1e4 // unit cube
	)
	widest, longest := math.Inf(1), 0.0
	for j := range s.n {
		deviation := s.sigma * math.Sqrt(s.shape.variance(j))
		longest = max(longest, deviation)
		if c.edges[j] == nil {
			if math.IsInf(widest, 1) {
				widest = 0
			}
			widest = max(widest, deviation, s.sigma*math.Abs(s.pC[j]))
		}
	}
	return widest < narrow*r.sigma || longest > wide || s.shape.condition() > thin
}

// next begins another run, with its mean anywhere.
func (r *runs) next(s *strategy) *strategy {
	r.run++
	r.recent = r.recent[:0]
	source := rand.NewPCG(r.seed^0x6a09e667f3bcc908, r.run) // no trial's stream
	mean := make([]float64, s.n)
	for j := range mean {
		mean[j] = sampling.Unit(source.Uint64())
	}
	lambda, sigma := r.size(source)
	return newStrategy(mean, sigma, lambda, r.separable)
}

// size chooses the population and the step size of the next run.
func (r *runs) size(source rand.Source) (lambda int, sigma float64) {
	const most = 1 << 16
	r.small = r.restarts == "bipop" && r.run > 1 && r.spent[1] < r.spent[0]
	if !r.small {
		r.large = min(2*r.large, most)
		return r.large, r.sigma
	}
	u, w := sampling.Unit(source.Uint64()), sampling.Unit(source.Uint64())
	ratio := float64(r.large) / float64(2*r.lambda)
	lambda = int(float64(r.lambda) * elementary.Exp(elementary.Log(ratio)*u*u)) // Hansen 2009
	return max(lambda, r.lambda), r.sigma * elementary.Exp(-2*math.Ln10*w)
}
