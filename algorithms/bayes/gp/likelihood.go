package gp

import "math"

// Likelihood is the posterior density of the hyperparameters, given observations. It keeps scratch
// space: it is not for concurrent use, and once warm does not allocate.
type Likelihood struct {
	model *Model
	raw   columns
	y     []float64
	extra []float64 // nil, or by row

	scales  scales
	z       columns
	point   []float64 // features of one row
	factor  factor
	noise   []float64 // by row
	alpha   []float64 // K^-1 y
	slope   []float64 // derivatives of K by r2, lower triangle, rows stride apart; then weights
	inverse []float64 // L^-T, rows stride apart

	diagonal []float64 // of M, see gradient
	solved   []float64 // linear features, then L^-1 times them
	minimize Minimizer
}

// NewLikelihood returns the density without observations, which is the prior.
func NewLikelihood(m *Model) *Likelihood {
	l := &Likelihood{model: m}
	l.raw.width = m.real() + m.hamming()
	l.z.width = m.width()
	l.point = make([]float64, m.width())
	return l
}

// Set replaces the observations: x is n by d, one row per trial, y has n targets, and extra is nil
// or n variances of noise in addition to the common one. They are copied. Targets are best
// standardised; beyond 1e100 they count as 1e100. It panics if lengths differ or a target is NaN.
func (l *Likelihood) Set(x, y, extra []float64) {
	d, n := len(l.model.config.Dimensions), len(y)
	check(len(x) == n*d && (extra == nil || len(extra) == n))
	l.y = clipTargets(l.y[:0], y)
	l.extra = append(l.extra[:0], extra...)
	l.raw.n = 0
	l.raw.room(n)
	for i := range n {
		raw := l.point[:l.raw.width]
		l.model.encode(x[i*d:][:d], raw)
		l.raw.append(raw)
	}
}

// check panics with what only a programmer's error can bring about.
func check(ok bool) {
	if !ok {
		panic("gp: lengths of arguments disagree")
	}
}

// clipTargets appends y within +-1e100, so that its square over the least noise is finite.
func clipTargets(to, y []float64) []float64 {
	for _, v := range y {
		if math.IsNaN(v) {
			panic("gp: a target is NaN")
		}
		to = append(to, min(max(v, -1e100), 1e100))
	}
	return to
}

// Loss returns the negative log density at theta, up to a constant, and writes its gradient if that
// is not nil.
func (l *Likelihood) Loss(theta, gradient []float64) float64 {
	l.covariance(theta)
	clear(gradient)
	loss := l.model.prior(theta, gradient)
	l.alpha = append(l.alpha[:0], l.y...)
	n := len(l.y)
	l.factor.solve(l.alpha, n, 1, n)
	loss += float64(0.5 * dot(l.alpha, l.alpha))
	loss += l.factor.logDiagonal()
	if gradient != nil {
		l.factor.solveTransposed(l.alpha)
		l.gradient(gradient)
	}
	return loss
}

// covariance factors the covariance matrix at theta.
func (l *Likelihood) covariance(theta []float64) {
	m, n := l.model, len(l.y)
	m.scale(&l.scales, theta)
	l.z.room(n)
	l.z.n = n
	m.features(&l.scales, l.z.values, l.z.stride, l.raw.values, l.raw.stride, n)
	l.factor.n = 0
	l.factor.room(n)
	if len(l.slope) < len(l.factor.l) {
		l.slope = make([]float64, len(l.factor.l))
		l.inverse = make([]float64, len(l.factor.l))
	}
	l.noise = l.noise[:0]
	for i := range n {
		noise := l.scales.noise + Floor
		if len(l.extra) > 0 {
			noise += l.extra[i]
		}
		l.noise = append(l.noise, noise)
		l.gather(i)
		row, slope := l.factor.row(i), l.slope[i*l.factor.stride:][:roundUp(i)]
		m.row(&l.scales, &l.z, l.point, row[:i], slope[:i])
		clear(slope[i:])
		row[i] = m.variance(&l.scales, l.point) + noise
	}
	l.factor.extend(n)
}

// gather copies the features of row i to point.
func (l *Likelihood) gather(i int) {
	for k := range l.point {
		l.point[k] = l.z.values[k*l.z.stride+i]
	}
}
