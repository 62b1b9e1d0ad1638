package bayes

import (
	"slices"

	"github.com/tuned-hpo/tuned/algorithms/bayes/gp"
)

// surrogate is a Gaussian process of one output. The posterior of the last theta and rows is kept:
// rows that follow on are appended, and give the same bits as a posterior made anew.
type surrogate struct {
	plain, skewed fitter
	posterior     *gp.Posterior // of the skewed model
	theta         []float64     // of the posterior
	rows          []float64     // of the posterior, without pending ones: n by d
	d             int
}

// fitter is a model and what fits it.
type fitter struct {
	*gp.Model
	*gp.Likelihood
}

func newSurrogate(plain, skewed *gp.Model, d int) *surrogate {
	return &surrogate{
		plain: fitter{plain, gp.NewLikelihood(plain)}, skewed: fitter{skewed, gp.NewLikelihood(skewed)},
		posterior: gp.NewPosterior(skewed), d: d,
	}
}

// fit returns the hyperparameters of the skewed model that explain scores y at rows x best, sought
// from the given ones (nil for none) and, when cold, from the prior's median. Weights are 0 unless
// there are trials enough and each is worth a price.
func (s *surrogate) fit(x, y, from []float64, cold bool) []float64 {
	// A hyperparameter costs 1 by the criterion of Akaike (1974), for fits without a prior. Weights have
	// one, which costs, too, so that the price is half; bench/ablations.md has figures at this price.
	const (
		warmIterations, skewedIterations = 10, 20
		enough                           = 2   // trials per axis
		price                            = 0.5 // of a weight, in units of log likelihood
		many                             = 128 // trials; the next one changes little, and a fit takes long
	)
	theta, loss := s.plain.fit(x, y, from, cold, warmIterations)
	weights := len(s.skewed.Start()) - len(theta)
	theta = append(theta, make([]float64, weights)...)
	if weights == 0 || len(y) < enough*(s.d+1) {
		return theta
	}
	if from == nil {
		from = theta
	}
	iterations := skewedIterations
	if len(y) > many {
		iterations /= 4
	}
	if skewed, least := s.skewed.fit(x, y, from, false, iterations); least+float64(price*float64(weights)) < loss {
		return skewed
	}
	return theta
}

// fit starts from the first of the given hyperparameters, as many as the model has. Results are
// rounded to what a memo holds.
func (f fitter) fit(x, y, from []float64, cold bool, iterations int) (theta []float64, loss float64) {
	const coldIterations = 50
	f.Set(x, y, nil)
	starts, o := [][]float64{}, gp.Options{Iterations: iterations}
	if from != nil {
		starts = append(starts, from[:len(f.Start())])
	}
	if cold || from == nil {
		starts, o.Iterations = append(starts, f.Start()), coldIterations
	}
	theta, loss = f.Fit(starts, o)
	lower, upper := f.Bounds()
	for i, v := range theta {
		theta[i] = max(lower[i], min(float64(float32(v)), upper[i]))
	}
	return theta, loss
}

// condition makes the posterior that of theta, scores y at rows x, and no pending rows.
func (s *surrogate) condition(theta, x, y []float64) {
	kept := len(s.rows) / s.d
	if slices.Equal(theta, s.theta) && len(s.rows) <= len(x) && equalRows(s.rows, x[:len(s.rows)]) && kept > 0 {
		s.posterior.Truncate(kept)
		for k := len(s.rows); k < len(x); k += s.d {
			s.posterior.Append(x[k:k+s.d], 0)
		}
	} else {
		s.posterior.Reset(theta, x, nil)
	}
	s.theta = append(s.theta[:0], theta...)
	s.rows = append(s.rows[:0], x...)
	s.posterior.SetTargets(y)
}

// equalRows compares features, of which NaN equals NaN.
func equalRows(a, b []float64) bool {
	return slices.EqualFunc(a, b, func(v, w float64) bool { return v == w || v != v && w != w })
}
