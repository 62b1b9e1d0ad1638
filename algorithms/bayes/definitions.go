package bayes

import (
	"github.com/tuned-hpo/tuned/algorithms"
	"github.com/tuned-hpo/tuned/algorithms/sampling"
)

// GP describes Bayesian optimization with a Gaussian process, under our own name and settings.
func GP() algorithms.Definition {
	return algorithms.Definition{
		Name:      "gp",
		Summary:   "a Gaussian process of the losses chooses the most promising point",
		Reference: "Song et al. 2024, The Vizier Gaussian process bandit algorithm, arXiv:2408.11527",
		Settings: []algorithms.Setting{
			sampling.SeedSetting(),
		},
		New: func(p algorithms.Problem, v algorithms.Values) (algorithms.Suggester, error) {
			return newOptimizer(p, read(p, v), sampling.Seed(p, v)), nil
		},
	}
}
