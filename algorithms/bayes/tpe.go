package bayes

import (
	"github.com/tuned-hpo/tuned/algorithms"
	"github.com/tuned-hpo/tuned/algorithms/sampling"
)

// TPE describes the tree-structured Parzen estimator: one density of the good trials and one of the
// others, each a mixture of kernels; the next point has the greatest ratio of the two. The densities
// are joint ones, as in MultivariateTPE: densities of each parameter alone do worse.
func TPE() algorithms.Definition {
	return algorithms.Definition{
		Name:      "tpe",
		Summary:   "tree-structured Parzen estimator, a model of where good trials lie",
		Reference: "Bergstra, Bardenet, Bengio and Kegl 2011, Algorithms for hyper-parameter optimization",
		Settings: append([]algorithms.Setting{
			{
				Name: "gamma", Type: algorithms.FloatSetting, Dialect: "hyperopt", Max: 1, OpenMin: true, OpenMax: true,
				Default: "0.1", Help: "share of the trials that count as good; no more than 25 ever do",
			},
			{
				Name: "prior_weight", Type: algorithms.FloatSetting, Dialect: "hyperopt", Max: algorithms.Unbounded, OpenMin: true,
				Default: "1", Help: "weight of the prior in trials",
			},
			{
				Name: "n_EI_candidates", Type: algorithms.IntSetting, Dialect: "hyperopt", Min: 1, Max: algorithms.Unbounded,
				Help: "another name of n_ei_candidates, before which it goes",
			},
		}, tpeSettings()...),
		Objectives: true, Constraints: true, Priors: true,
		New: func(p algorithms.Problem, v algorithms.Values) (algorithms.Suggester, error) {
			return newTPE(p, v), nil
		},
		Advise: adviseTPE,
	}
}

// MultivariateTPE describes TPE with joint densities of all parameters that are active together.
func MultivariateTPE() algorithms.Definition {
	return algorithms.Definition{
		Name:       "multivariate-tpe",
		Summary:    "TPE with one joint model of all parameters",
		Reference:  "Falkner, Klein and Hutter 2018, BOHB, ICML 35",
		Settings:   tpeSettings(),
		Objectives: true, Constraints: true, Priors: true,
		New: func(p algorithms.Problem, v algorithms.Values) (algorithms.Suggester, error) {
			return newTPE(p, v), nil
		},
		Advise: adviseTPE,
	}
}

// tpeSettings are the settings of both.
func tpeSettings() []algorithms.Setting {
	return []algorithms.Setting{
		{
			Name: "n_startup_trials", Type: algorithms.IntSetting, Dialect: "optuna", Max: algorithms.Unbounded,
			Default: "10", Help: "random trials before the model is used",
		},
		{
			Name: "n_ei_candidates", Type: algorithms.IntSetting, Dialect: "optuna", Max: algorithms.Unbounded,
			Default: "24", Help: "candidates per suggestion, 10,000 at most; 0 means 1",
		},
		sampling.SeedSetting(),
	}
}

// adviseTPE is [algorithms.Definition.Advise] of both.
func adviseTPE(p algorithms.Problem, v algorithms.Values) []algorithms.Advice {
	return adviseStart(p, "n_startup_trials", int(v.Int("n_startup_trials", 10)))
}
