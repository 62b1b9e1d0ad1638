// Package gp is Gaussian-process regression over mixed and conditional spaces: a kernel with
// analytic gradients, hyperparameters by maximum a posteriori, and a posterior whose rows are
// added and removed cheaply. It knows numbers only: points of the unit cube, category indices,
// and NaN for a coordinate that is inactive.
package gp

import "github.com/tuned-hpo/tuned/internal/elementary"

// Dimension describes one coordinate of a point.
type Dimension struct {
	// Categorical coordinates are indices, which are equal or not. Others are in [0, 1].
	Categorical bool
	// Conditional coordinates may be NaN, which means inactive.
	Conditional bool
}

// LogNormal is a prior of a positive quantity whose logarithm is N(Mu, Sigma^2).
type LogNormal struct{ Mu, Sigma float64 }

// Config describes a Model. Default makes one to start from; each Sigma is above 0.
type Config struct {
	Dimensions []Dimension

	Signal LogNormal // variance s2 of the Matern term, targets squared
	Noise  LogNormal // variance, targets squared; Floor is added
	Length LogNormal // length scales, unit cube

	// Skew, unless it is 0, lets what is long and narrow lie askew: each continuous coordinate takes
	// in those before it, with weights that are hyperparameters. It is the standard deviation of
	// their normal prior, whose mean is 0. It does not go with Warp.
	Skew float64

	// Linear adds a term that is linear in the continuous coordinates, with one variance.
	Linear         bool
	LinearVariance LogNormal

	// Warp passes each continuous coordinate through the distribution function of Kumaraswamy,
	// 1 - (1 - x^a)^b, whose a and b are hyperparameters with this prior.
	Warp          bool
	Concentration LogNormal
}

// Floor is the least variance of noise, targets squared.
const Floor = 1e-8

// Default returns the configuration for standardised targets: weak priors, no linear term and no
// warping. Lengths grow with the square root of the dimension, as distances in the cube do (Hvarfner
// et al. 2024).
func Default(dimensions []Dimension) Config {
	d := float64(max(len(dimensions), 1))
	return Config{
		Dimensions:     dimensions,
		Signal:         LogNormal{0, 1},
		Noise:          LogNormal{-6, 2},
		Length:         LogNormal{elementary.Log(0.5) + float64(0.5*elementary.Log(d/2)), 1},
		LinearVariance: LogNormal{elementary.Log(1.2 / d), 1},
		Concentration:  LogNormal{0, 0.75},
	}
}
