// Package gp is Gaussian-process regression over mixed and conditional spaces: a kernel with
// analytic gradients, hyperparameters by maximum a posteriori, and a posterior whose rows are
// added and removed cheaply. It knows numbers only: points of the unit cube, category indices,
// and NaN for a coordinate that is inactive.
package gp

import "math"

// Dimension describes one coordinate of a point.
type Dimension struct {
	// Categorical coordinates are indices, which are equal or not. Others are in [0, 1].
	Categorical bool
	// Conditional coordinates may be NaN, which means inactive.
	Conditional bool
}

// LogNormal is a prior of a positive quantity whose logarithm is N(Mu, Sigma^2).
type LogNormal struct{ Mu, Sigma float64 }

// Config describes a Model.
type Config struct {
	Dimensions []Dimension

	Signal LogNormal // variance s2 of the Matern term, targets squared
	Noise  LogNormal // variance, targets squared; Floor is added
	Length LogNormal // length scales, unit cube

	// Linear adds a term that is linear in the continuous coordinates, with one variance.
	Linear         bool
	LinearVariance LogNormal

	// Warp passes each continuous coordinate through the distribution function of Kumaraswamy,
	// 1 - (1 - x^a)^b, whose a and b are hyperparameters with this prior.
	Warp          bool
	Concentration LogNormal
}

// Floor is the least variance of noise, targets squared.
const Floor = 1e-6

// Default returns the configuration for standardised targets: weak priors, no linear term and no
// warping. Lengths grow with the square root of the dimension, as distances in the cube do (Hvarfner
// et al. 2024).
func Default(dimensions []Dimension) Config {
	d := float64(max(len(dimensions), 1))
	return Config{
		Dimensions:     dimensions,
		Signal:         LogNormal{0, 1},
		Noise:          LogNormal{-6, 2},
		Length:         LogNormal{math.Log(0.5) + 0.5*math.Log(d/2), 1},
		LinearVariance: LogNormal{math.Log(1.2 / d), 1},
		Concentration:  LogNormal{0, 0.75},
	}
}

// Model is the kernel of a Config and the layout of its hyperparameters. It is immutable and may be
// shared.
//
// Hyperparameters theta are logarithms, in this order: signal variance, noise variance, a length
// for each dimension, one length of activity if a dimension is conditional, the linear variance if
// there is one, then a and b of each continuous dimension if there is warping.
type Model struct {
	config Config
}

// New returns the model of a configuration.
func New(c Config) *Model { return &Model{config: c} }

// Start returns the median of the priors, within the bounds: the theta to start from cold.
func (m *Model) Start() []float64 { return nil }

// Bounds returns the least and the greatest theta. The caller must not change them.
func (m *Model) Bounds() (lower, upper []float64) { return nil, nil }

// Likelihood is the log posterior density of the hyperparameters, given observations. It keeps
// scratch space: it is not for concurrent use, and once warm does not allocate.
type Likelihood struct {
	model *Model
}

// NewLikelihood returns the density without observations, which is the prior.
func NewLikelihood(m *Model) *Likelihood { return &Likelihood{model: m} }

// Set replaces the observations: x is n by d, one row per trial, y has n targets, and extra is nil
// or n variances of noise in addition to the common one. They are copied. Targets are best
// standardised; beyond 1e100 they count as 1e100. It panics if lengths differ or a target is NaN.
func (l *Likelihood) Set(x, y, extra []float64) { panic("gp: not yet") }

// Loss returns the negative log posterior density at theta, up to a constant, and writes its
// gradient if that is not nil.
func (l *Likelihood) Loss(theta, gradient []float64) float64 { panic("gp: not yet") }

// Fit minimises Loss from each start and returns the theta of the least and its loss. With equal
// losses the earlier start wins.
func (l *Likelihood) Fit(starts [][]float64, o Options) (theta []float64, loss float64) {
	panic("gp: not yet")
}

// Sample returns samples of theta from the posterior density, by slice sampling (Neal 2003) from
// start, a function of the seed and the observations alone.
func (l *Likelihood) Sample(start []float64, samples int, seed uint64) [][]float64 {
	panic("gp: not yet")
}

// Posterior is the process given rows, some of which have targets. Rows after the last target are
// pending: they narrow the variance and leave the mean alone. It keeps scratch space: it is not for
// concurrent use, and once warm does not allocate.
//
// The factor of the same rows is the same to the bit, however many of them were given to Reset and
// how many were appended later, until Remove takes out a row that is not the last.
type Posterior struct {
	model *Model
}

// NewPosterior returns a posterior that has no rows.
func NewPosterior(m *Model) *Posterior { return &Posterior{model: m} }

// Reset forgets all rows and targets, sets the hyperparameters and takes n rows: x is n by d, extra
// is nil or n variances of additional noise. All are copied. O(n^3).
func (p *Posterior) Reset(theta, x, extra []float64) { panic("gp: not yet") }

// Append adds a row after the last, with a variance of additional noise. O(n^2).
func (p *Posterior) Append(x []float64, extra float64) { panic("gp: not yet") }

// Truncate keeps the first n rows. O(1).
func (p *Posterior) Truncate(n int) { panic("gp: not yet") }

// Remove takes out row i. Its target, if it has one, goes with it, but see SetTargets. O(n^2).
func (p *Posterior) Remove(i int) { panic("gp: not yet") }

// Len returns the number of rows.
func (p *Posterior) Len() int { panic("gp: not yet") }

// SetTargets gives the first len(y) rows their targets and makes the others pending. O(n^2).
func (p *Posterior) SetTargets(y []float64) { panic("gp: not yet") }

// Predict returns the mean and the variance, without noise, of the process at a point.
func (p *Posterior) Predict(x []float64) (mean, variance float64) { panic("gp: not yet") }

// PredictGradient is Predict that also writes the derivatives with respect to the coordinates,
// which are 0 for those that are categorical or inactive.
func (p *Posterior) PredictGradient(x, dMean, dVariance []float64) (mean, variance float64) {
	panic("gp: not yet")
}

// PredictBatch is Predict for k points: x is k by d, one row per point; mean and variance have k
// elements. It is several times as fast as k calls.
func (p *Posterior) PredictBatch(x, mean, variance []float64) { panic("gp: not yet") }

// Covariance returns the covariance of the process at two points.
func (p *Posterior) Covariance(x, y []float64) float64 { panic("gp: not yet") }

// LeaveOneOut writes, for each row with a target, the mean and the variance, noise included, of the
// target given the other targets (Dubrule 1983).
func (p *Posterior) LeaveOneOut(mean, variance []float64) { panic("gp: not yet") }
