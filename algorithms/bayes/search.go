package bayes

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/tuned-hpo/tuned/algorithms/sampling"
	"github.com/tuned-hpo/tuned/internal/elementary"
)

// rater is what a search maximizes, a function of features. Its values are never NaN.
type rater interface {
	// rateAll rates k points: x is k by d, values has k elements.
	rateAll(x, values []float64)
	// rate returns the value at x and writes the derivatives, 0 for what has none.
	rate(x, gradient []float64) float64
}

// exhaustive is the number of levels up to which all levels of a grid are tried in turn.
const exhaustive = 16

// search maximizes a rater over a space: it rates many points, some spread over the space and some
// about promising ones, and improves the best of them by gradients along continuous axes and by
// steps along the others. It works on latent points, which have a value for every axis; those that
// are not active are NaN in features alone. It keeps scratch space.
type search struct {
	*encoding
	rater     rater
	trust     trust
	promising []float64 // k by d, features, best first
	random    *rand.Rand
	sobol     sampling.Sobol
	spread    int // points over the space
	about     int // points about promising ones
	starts    int // points that are improved

	latent, x, values []float64 // candidates: k by d, k by d, k
	climb             climber
}

// spot is a latent point and its value.
type spot struct {
	latent []float64
	value  float64
	place  int // before sorting
}

func newSearch(e *encoding, seed uint64) *search {
	s := &search{encoding: e}
	if len(e.axes) <= sampling.MaxDimensions {
		s.sobol = sampling.NewSobol(len(e.axes), seed)
	}
	return s
}

// run returns the points found: those that were improved, of which the first is the best of all, then
// the others, each group the best first. They may have been tried before.
func (s *search) run() []spot {
	d := len(s.axes)
	s.candidates()
	k := len(s.latent) / d
	s.x = grow(s.x, k*d)
	s.values = grow(s.values, k)
	for i := range k {
		s.mask(s.latent[i*d:(i+1)*d], s.x[i*d:(i+1)*d])
	}
	s.rater.rateAll(s.x, s.values)
	spots := make([]spot, 0, k+s.starts)
	for i := range k {
		spots = append(spots, spot{latent: s.latent[i*d : (i+1)*d], value: s.values[i]})
	}
	byValue(spots)
	s.climb.prepare(s)
	var improved []spot
	for _, start := range s.pick(spots) {
		improved = append(improved, s.climb.improve(start))
	}
	byValue(improved)
	return append(improved, spots...)
}

// byValue sorts spots, the best first, of equals the one that was there first.
func byValue(spots []spot) {
	for i := range spots {
		spots[i].place = i
	}
	slices.SortFunc(spots, func(a, b spot) int { return cmp.Or(cmp.Compare(b.value, a.value), cmp.Compare(a.place, b.place)) })
}

// candidates fills s.latent.
func (s *search) candidates() {
	s.latent = s.latent[:0]
	s.spreadOut()
	if len(s.promising) == 0 {
		return
	}
	d := len(s.axes)
	n := len(s.promising) / d
	for k := range n {
		s.latent = append(s.latent, s.promising[k*d:(k+1)*d]...)
		s.complete(s.latent[len(s.latent)-d:])
	}
	for k := range s.about {
		s.latent = append(s.latent, s.promising[k%n*d:(k%n+1)*d]...)
		s.perturb(s.latent[len(s.latent)-d:])
	}
}

// spreadOut adds points of a Sobol' sequence, shifted at random. While the region of trust is
// limited they lie about known points.
func (s *search) spreadOut() {
	d := len(s.axes)
	shift := make([]float64, d)
	for i := range shift {
		shift[i] = s.random.Float64()
	}
	limited := !math.IsInf(s.trust.radius, 1)
	for k := range s.spread {
		at := len(s.latent)
		s.latent = slices.Grow(s.latent, d)[:at+d]
		u := s.latent[at:]
		s.uniform(uint64(k), shift, u)
		if limited {
			s.pull(u)
		}
		for i := range s.axes {
			u[i] = s.axes[i].snap(u[i])
		}
	}
}

// uniform writes point k of the shifted sequence to u.
func (s *search) uniform(k uint64, shift, u []float64) {
	if len(s.axes) > sampling.MaxDimensions {
		for i := range u {
			u[i] = s.random.Float64()
		}
		return
	}
	s.sobol.At(k, u)
	for i, v := range shift {
		if u[i] += v; u[i] >= 1 {
			u[i]--
		}
	}
}

// pull moves a point of the cube into the ball about a known point.
func (s *search) pull(u []float64) {
	d := len(s.axes)
	k := s.random.IntN(len(s.trust.rows) / d)
	row := s.trust.rows[k*d : (k+1)*d]
	for _, i := range s.trust.axes {
		if v := row[i]; !math.IsNaN(v) {
			u[i] = max(0, min(v+float64(s.trust.radius*(2*u[i]-1)), 1))
		}
	}
}

// complete sets what is not active to random values.
func (s *search) complete(latent []float64) {
	for i, v := range latent {
		if math.IsNaN(v) {
			latent[i] = s.axes[i].snap(s.random.Float64())
		}
	}
}

// perturb moves some coordinates of a point, on a random scale.
func (s *search) perturb(latent []float64) {
	const finest, coarsest = 1e-3, 0.3
	s.complete(latent)
	scale := finest * elementary.Exp(s.random.Float64()*elementary.Log(coarsest/finest))
	share := 1.0 // of the axes
	if s.random.Uint64()&1 == 0 {
		share = 2 / float64(len(latent))
	}
	sure := s.random.IntN(len(latent))
	for i := range latent {
		if i == sure || s.random.Float64() < share {
			latent[i] = s.step(i, latent[i], scale)
		}
	}
}

// step moves a coordinate: labels at random, grids by a level at least.
func (s *search) step(i int, v, scale float64) float64 {
	a := &s.axes[i]
	if a.labels {
		return a.snap(s.random.Float64())
	}
	next := v + float64(scale*drawNormal(s.random))
	next = a.snap(max(0, min(next, 1)))
	if next == v && len(a.levels) > 1 {
		k := a.nearest(v) + 1 - 2*s.random.IntN(2)
		next = a.levels[max(0, min(k, len(a.levels)-1))]
	}
	return next
}

// pick chooses the points to improve: the best, then the best of those that are far from all that
// are chosen.
func (s *search) pick(spots []spot) []spot {
	const apart = 0.1 // mean of the distances along the axes
	var out []spot
	for _, p := range spots {
		if len(out) >= s.starts {
			break
		}
		if !slices.ContainsFunc(out, func(q spot) bool { return s.distance(p.latent, q.latent) < apart }) {
			out = append(out, p)
		}
	}
	return out
}

// distance is the mean of the distances along the axes, where labels differ by 1.
func (s *search) distance(a, b []float64) float64 {
	sum := 0.0
	for i := range a {
		sum += min(1, math.Abs(a[i]-b[i]))
	}
	return sum / float64(len(a))
}

// grow returns a slice of n elements, the given one if it has room.
func grow(s []float64, n int) []float64 {
	return slices.Grow(s[:0], n)[:n]
}
