package gp

import (
	"math"

	"github.com/tuned-hpo/tuned/internal/elementary"
)

// Model is the kernel of a Config and the layout of its hyperparameters. It is immutable and may be
// shared. The covariance of two points is
//
//	s2 (1 + q + q^2/3) exp(-q) + v sum of (x-1/2)(y-1/2),   q^2 = 5 r2
//
// Matern-5/2 (Rasmussen and Williams 2006, eq. 4.17) and the linear term. r2 is the sum over
// dimensions of (x-y)^2/l^2 for numbers, after warping, and of 1/l^2 for categories that differ.
// Where one of the points is inactive, its number counts as 1/2 and its category differs from all,
// and 1/m^2 is added, m the length of activity. A constant distance alone would be no kernel: no
// point is equally far from three points of a line. One m serves all dimensions, because those
// below one condition are active together, which leaves only their sum to learn from.
//
// Hyperparameters theta are logarithms, in this order: signal variance, noise variance, a length
// for each dimension, the length of activity if a dimension is conditional, the linear variance if
// there is one, then a and b of each continuous dimension in turn if there is warping. Last, and not
// logarithms, are the weights of skew: with it, x above is the coordinate plus the weighted sum of the
// continuous ones before it, so that r2 is a quadratic form of any orientation.
type Model struct {
	config Config

	continuous  []int // dimensions
	categorical []int
	conditional []int

	activityAt, linearAt, warpAt, skewAt int // indices into theta, -1 if absent
	priors                               []LogNormal
	lower, upper, start                  []float64
}

const (
	signalAt = 0
	noiseAt  = 1
	lengthAt = 2
)

// New returns the model of a configuration.
func New(c Config) *Model {
	if c.Skew > 0 && c.Warp {
		panic("gp: Skew does not go with Warp")
	}
	m := &Model{config: c, activityAt: -1, linearAt: -1, warpAt: -1, skewAt: -1}
	m.add(c.Signal, 1e-3, 1e2)
	m.add(c.Noise, 1e-9, 2)
	for i, d := range c.Dimensions {
		if d.Categorical {
			m.categorical = append(m.categorical, i)
		} else {
			m.continuous = append(m.continuous, i)
		}
		if d.Conditional {
			m.conditional = append(m.conditional, i)
		}
		m.add(c.Length, 0.02, 50)
	}
	if len(m.conditional) > 0 {
		m.activityAt = m.add(c.Length, 0.02, 50)
	}
	if c.Linear && len(m.continuous) > 0 {
		m.linearAt = m.add(c.LinearVariance, 1e-6, 1e2)
	}
	if c.Warp && len(m.continuous) > 0 {
		m.warpAt = len(m.start)
		for range m.continuous {
			m.add(c.Concentration, 0.1, 10)
			m.add(c.Concentration, 0.1, 10)
		}
	}
	if weights := len(m.continuous) * (len(m.continuous) - 1) / 2; c.Skew > 0 && weights > 0 {
		m.skewAt = len(m.start)
		const far = 10 // standard deviations
		for range weights {
			m.priors = append(m.priors, LogNormal{0, c.Skew})
			m.lower, m.upper, m.start = append(m.lower, -far*c.Skew), append(m.upper, far*c.Skew), append(m.start, 0)
		}
	}
	return m
}

// add appends a hyperparameter, in [least, greatest] in natural units, and returns its index.
func (m *Model) add(p LogNormal, least, greatest float64) int {
	lower, upper := elementary.Log(least), elementary.Log(greatest)
	m.priors = append(m.priors, p)
	m.lower = append(m.lower, lower)
	m.upper = append(m.upper, upper)
	m.start = append(m.start, min(max(p.Mu, lower), upper))
	return len(m.start) - 1
}

// Start returns the median of the priors, within the bounds: the theta to start from cold. The
// caller must not change it.
func (m *Model) Start() []float64 { return m.start }

// Bounds returns the least and the greatest theta. The caller must not change them.
func (m *Model) Bounds() (lower, upper []float64) { return m.lower, m.upper }

// prior adds the gradient of the negative log density of theta's prior, up to a constant, and
// returns its value. The density is that of the logarithms.
func (m *Model) prior(theta, gradient []float64) float64 {
	var sum float64
	for i, p := range m.priors {
		t := (theta[i] - p.Mu) / p.Sigma
		sum += float64(0.5 * t * t)
		if gradient != nil {
			gradient[i] += t / p.Sigma
		}
	}
	return sum
}

// real counts the features that are compared by difference, hamming those compared by equality, and
// width all.
func (m *Model) real() int    { return len(m.continuous) + len(m.conditional) }
func (m *Model) hamming() int { return len(m.categorical) }
func (m *Model) width() int {
	if m.linearAt < 0 {
		return m.real() + m.hamming()
	}
	return m.real() + m.hamming() + len(m.continuous)
}

// encode writes the part of a point that does not depend on hyperparameters: the numbers of the
// continuous dimensions, the activity, 0 or 1, of the conditional ones, and the categories.
func (m *Model) encode(x, raw []float64) {
	k := 0
	for _, i := range m.continuous {
		raw[k] = 0.5
		if !math.IsNaN(x[i]) {
			raw[k] = min(max(x[i], 0), 1)
		}
		k++
	}
	for _, i := range m.conditional {
		raw[k] = 1
		if math.IsNaN(x[i]) {
			raw[k] = 0
		}
		k++
	}
	for _, i := range m.categorical {
		raw[k] = x[i]
		if math.IsNaN(x[i]) {
			raw[k] = -1
		}
		k++
	}
}

// scales are hyperparameters in natural units. A feature is a number of a point that is divided by
// its length already.
type scales struct {
	signal, noise, linear float64
	inverse               []float64        // by feature: 1/l of real ones, 1/l^2 of hamming ones
	a, b                  []float64        // by continuous dimension, empty without warping
	weights               []float64        // of coordinate j in k > j, at k(k-1)/2+j; empty without skew
	pulled                []float64        // scratch, by continuous dimension
	sums                  [][lanes]float64 // scratch
}

// scale sets the hyperparameters.
func (m *Model) scale(s *scales, theta []float64) {
	s.signal, s.noise, s.linear = elementary.Exp(theta[signalAt]), elementary.Exp(theta[noiseAt]), 0
	s.inverse, s.a, s.b = s.inverse[:0], s.a[:0], s.b[:0]
	for _, i := range m.continuous {
		s.inverse = append(s.inverse, elementary.Exp(-theta[lengthAt+i]))
	}
	for range m.conditional {
		s.inverse = append(s.inverse, elementary.Exp(-theta[m.activityAt]))
	}
	for _, i := range m.categorical {
		s.inverse = append(s.inverse, elementary.Exp(-2*theta[lengthAt+i]))
	}
	if m.linearAt >= 0 {
		s.linear = elementary.Exp(theta[m.linearAt])
	}
	s.weights = s.weights[:0]
	if m.skewAt >= 0 {
		c := len(m.continuous)
		s.weights = append(s.weights, theta[m.skewAt:][:c*(c-1)/2]...)
	}
	if m.warpAt >= 0 {
		for k := range m.continuous {
			s.a = append(s.a, elementary.Exp(theta[m.warpAt+2*k]))
			s.b = append(s.b, elementary.Exp(theta[m.warpAt+2*k+1]))
		}
	}
}

// features writes the features of n points: those of width, each a column. Columns begin stride
// apart.
func (m *Model) features(s *scales, z []float64, zStride int, raw []float64, rawStride, n int) {
	real, hamming := m.real(), m.hamming()
	for k := range real {
		from, to, inverse := raw[k*rawStride:][:n], z[k*zStride:][:n], s.inverse[k]
		if k < len(s.a) {
			for i, u := range from {
				to[i] = kumaraswamy(u, s.a[k], s.b[k]) * inverse
			}
			continue
		}
		for i, u := range from {
			to[i] = u * inverse
		}
		if len(s.weights) > 0 && k < len(m.continuous) {
			for j, w := range s.weights[k*(k-1)/2:][:k] {
				axpy(w*inverse, raw[j*rawStride:][:n], to)
			}
		}
	}
	for k := real; k < real+hamming; k++ {
		copy(z[k*zStride:][:n], raw[k*rawStride:][:n])
	}
	if m.linearAt < 0 {
		return
	}
	root := math.Sqrt(s.linear)
	for k := range m.continuous {
		to := z[(real+hamming+k)*zStride:][:n]
		for i, u := range raw[k*rawStride:][:n] {
			to[i] = (u - 0.5) * root
		}
	}
}
