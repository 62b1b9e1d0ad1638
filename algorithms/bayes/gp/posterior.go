package gp

import "math"

// Posterior is the process given rows, some of which have targets. Rows after the last target are
// pending: they narrow the variance and leave the mean alone. It keeps scratch space: it is not for
// concurrent use, and once warm does not allocate.
//
// The factor of the same rows is the same to the bit, however many of them were given to Reset and
// how many were appended later, until Remove takes out a row that is not the last.
type Posterior struct {
	model  *Model
	scales scales
	rows   columns // features
	noise  []float64
	factor factor
	y      []float64
	alpha  []float64 // (leading block of K)^-1 y

	raw, z                  []float64 // of one point
	k, slope, solved, pulls []float64 // by row
	batch                   []float64 // panel by stride
}

// NewPosterior returns a posterior that has no rows, with the hyperparameters of Start.
func NewPosterior(m *Model) *Posterior {
	p := &Posterior{model: m, raw: make([]float64, m.real()+m.hamming()), z: make([]float64, m.width())}
	p.rows.width = m.width()
	p.Reset(m.Start(), nil, nil)
	return p
}

// Reset forgets all rows and targets, sets the hyperparameters and takes n rows: x is n by d, extra
// is nil or n variances of additional noise. All are copied. O(n^3).
func (p *Posterior) Reset(theta, x, extra []float64) {
	d := len(p.model.config.Dimensions)
	check(len(theta) == len(p.model.start) && (d == 0 || len(x)%d == 0))
	p.model.scale(&p.scales, theta)
	p.rows.n, p.factor.n = 0, 0
	p.noise, p.y, p.alpha = p.noise[:0], p.y[:0], p.alpha[:0]
	if len(x) == 0 {
		return
	}
	n := len(x) / d
	check(extra == nil || len(extra) == n)
	p.room(n)
	for i := range n {
		var more float64
		if extra != nil {
			more = extra[i]
		}
		p.add(x[i*d:][:d], more)
	}
	p.factor.extend(n)
}

// Append adds a row after the last, with a variance of additional noise. O(n^2).
func (p *Posterior) Append(x []float64, extra float64) {
	p.room(p.Len() + 1)
	p.add(x, extra)
	p.factor.extend(p.Len())
}

// add writes a row of the covariance matrix, which is still to be factored.
func (p *Posterior) add(x []float64, extra float64) {
	i := p.Len()
	p.point(x)
	row := p.factor.l[i*p.factor.stride:][:i+1]
	p.model.row(&p.scales, &p.rows, p.z, row[:i], p.slope[:i])
	p.noise = append(p.noise, p.scales.noise+Floor+extra)
	row[i] = p.model.variance(&p.scales, p.z) + p.noise[i]
	p.rows.append(p.z)
}

func (p *Posterior) room(n int) {
	p.factor.room(n)
	p.rows.room(n)
	if stride := p.factor.stride; len(p.slope) < stride {
		p.k, p.slope = make([]float64, stride), make([]float64, stride)
		p.solved, p.pulls = make([]float64, stride), make([]float64, stride)
		p.batch = make([]float64, panel*stride)
	}
}

// point sets the features of a point.
func (p *Posterior) point(x []float64) {
	check(len(x) == len(p.model.config.Dimensions))
	p.model.encode(x, p.raw)
	p.model.features(&p.scales, p.z, 1, p.raw, 1, 1)
}

// Truncate keeps the first n rows. O(1), or O(n^2) if it takes targets away.
func (p *Posterior) Truncate(n int) {
	check(n <= p.Len())
	p.rows.n, p.factor.n, p.noise = n, n, p.noise[:n]
	if n < len(p.y) {
		p.y = p.y[:n]
		p.solve()
	}
}

// Remove takes out row i, and its target if it has one: with Append, a window over a history moves on
// without a new factor. It rounds unlike Reset does, so that what must be the same to the bit when it
// is made anew, as in package bayes, takes rows off the end by Truncate. O(n^2).
func (p *Posterior) Remove(i int) {
	p.rows.remove(i)
	p.factor.remove(i, p.k)
	p.noise = append(p.noise[:i], p.noise[i+1:]...)
	if i < len(p.y) {
		p.y = append(p.y[:i], p.y[i+1:]...)
		p.solve()
	}
}

// Len returns the number of rows.
func (p *Posterior) Len() int { return p.rows.n }

// SetTargets gives the first len(y) rows their targets and makes the others pending. See
// Likelihood.Set for the range of targets. O(n^2).
func (p *Posterior) SetTargets(y []float64) {
	check(len(y) <= p.Len())
	p.y = clipTargets(p.y[:0], y)
	p.solve()
}

func (p *Posterior) solve() {
	p.alpha = append(p.alpha[:0], p.y...)
	p.factor.solve(p.alpha, len(p.alpha), 1, len(p.alpha))
	p.factor.solveTransposed(p.alpha)
}

// Predict returns the mean and the variance, without noise, of the process at a point. The variance
// is at least 1e-12 of that before any row.
func (p *Posterior) Predict(x []float64) (mean, variance float64) {
	p.covariances(x)
	return p.moments()
}

// covariances sets the covariances of a point with the rows, and solves them.
func (p *Posterior) covariances(x []float64) {
	n := p.Len()
	p.point(x)
	p.model.row(&p.scales, &p.rows, p.z, p.k[:n], p.slope[:n])
	copy(p.solved, p.k[:n])
	p.factor.solve(p.solved, n, 1, n)
}

func (p *Posterior) moments() (mean, variance float64) {
	solved := p.solved[:p.Len()]
	return dot(p.k[:len(p.alpha)], p.alpha), remaining(p.model.variance(&p.scales, p.z), dot(solved, solved))
}

// remaining is the variance that is left, which rounding may put below 0.
func remaining(all, explained float64) float64 { return max(all-explained, 1e-12*all) }

// PredictGradient is Predict that also writes the derivatives with respect to the d coordinates,
// which are 0 for those that are categorical or inactive.
func (p *Posterior) PredictGradient(x, dMean, dVariance []float64) (mean, variance float64) {
	p.covariances(x)
	mean, variance = p.moments()
	n := p.Len()
	p.weigh(p.alpha)
	p.model.inputGradient(&p.scales, &p.rows, x, p.raw, p.z, p.alpha, p.pulls[:len(p.alpha)], dMean)
	p.factor.solveTransposed(p.solved[:n])
	for i := range n {
		p.solved[i] *= -2
	}
	p.weigh(p.solved[:n])
	p.model.inputGradient(&p.scales, &p.rows, x, p.raw, p.z, p.solved[:n], p.pulls[:n], dVariance)
	p.addOwnGradient(x, dVariance)
	return mean, variance
}

// weigh sets pulls to w times the slopes.
func (p *Posterior) weigh(w []float64) {
	for i, v := range w {
		p.pulls[i] = v * p.slope[i]
	}
	clear(p.pulls[len(w):roundUp(len(w))])
}

// addOwnGradient adds the derivative of the variance before any row: that of the linear term.
func (p *Posterior) addOwnGradient(x, dVariance []float64) {
	if p.scales.linear == 0 {
		return
	}
	for k, d := range p.model.continuous {
		if !math.IsNaN(x[d]) {
			dVariance[d] += float64(2 * p.scales.linear * (p.raw[k] - 0.5))
		}
	}
}
