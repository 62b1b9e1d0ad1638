package bayes

import (
	"slices"

	"github.com/tuned-hpo/tuned/algorithms/bayes/gp"
)

// surrogate is a Gaussian process of one output. The posterior of the last theta and rows is kept:
// rows that follow on are appended, and give the same bits as a posterior made anew.
type surrogate struct {
	model      *gp.Model
	likelihood *gp.Likelihood
	posterior  *gp.Posterior
	theta      []float64 // of the posterior
	rows       []float64 // of the posterior, without pending ones: n by d
	d          int
}

func newSurrogate(model *gp.Model, d int) *surrogate {
	return &surrogate{model: model, likelihood: gp.NewLikelihood(model), posterior: gp.NewPosterior(model), d: d}
}

// fit returns the hyperparameters that explain scores y at rows x best, sought from the given ones
// (nil for none) and, when cold, from the prior's median.
func (s *surrogate) fit(x, y, from []float64, cold bool) []float64 {
	const warmIterations, coldIterations = 10, 50
	s.likelihood.Set(x, y, nil)
	starts, o := [][]float64{}, gp.Options{Iterations: warmIterations}
	if from != nil {
		starts = append(starts, from)
	}
	if cold || from == nil {
		starts, o.Iterations = append(starts, s.model.Start()), coldIterations
	}
	theta, _ := s.likelihood.Fit(starts, o)
	return theta
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
