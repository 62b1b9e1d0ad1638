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
			initialSetting("initial_points"),
			choice("acquisition", "mix", "what the next point maximizes: an upper confidence bound, the logarithm of the expected improvement, or now this and now that", "mix", "ucb", "ei"),
			{
				Name: "ucb_beta", Type: algorithms.FloatSetting, Max: 100,
				Help: "standard deviations above the mean that count as the upper confidence bound, by default 0.7 where all parameters are numbers in fine steps, up to 1.8 where none is",
			},
			toggle("trust_region", "true", "whether the next trial stays near known ones, along parameters that are numbers"),
			toggle("correlations", "true", "whether the model learns that parameters act together, in spaces of up to 12"),
			toggle("warp", "true", "whether losses are warped, so that outliers do not count and good losses are told apart"),
			toggle("input_warping", "false", "whether the model learns to stretch the range of each number at one end or both; then it does not learn that parameters act together"),
			toggle("quadratic", "true", "whether some trials are the optimum of a quadratic function that explains the losses near the best one, where there is one"),
			toggle("linear", "false", "whether the model has a linear term"),
			sampling.SeedSetting(),
		},
		Objectives: true, Constraints: true, Priors: true,
		New: func(p algorithms.Problem, v algorithms.Values) (algorithms.Suggester, error) {
			return newOptimizer(p, read(p, v), sampling.Seed(p, v)), nil
		},
		Insight: func(p algorithms.Problem, v algorithms.Values, finished []algorithms.Trial) (algorithms.Insight, error) {
			return insight(p, read(p, v), finished)
		},
		Remaining: func(p algorithms.Problem, v algorithms.Values, finished []algorithms.Trial, ahead int) (algorithms.Remaining, error) {
			return remaining(p, read(p, v), finished, ahead)
		},
		Advise: func(p algorithms.Problem, v algorithms.Values) []algorithms.Advice {
			return adviseInitial(p, "initial_points", read(p, v))
		},
	}
}

// BayesianOptimization describes the same under Katib's name and with the settings of its service,
// which is scikit-optimize. What no one sets is as in GP.
func BayesianOptimization() algorithms.Definition {
	return algorithms.Definition{
		Name:      "bayesianoptimization",
		Summary:   "a model of the objective chooses the most promising point",
		Reference: "Snoek, Larochelle and Adams 2012, Practical Bayesian optimization of machine learning algorithms",
		Settings: []algorithms.Setting{
			choice("base_estimator", "GP", "the model; a Gaussian process stands in for forests (RF, ET) and boosted trees (GBRT)", "GP", "RF", "ET", "GBRT"),
			initialSetting("n_initial_points"),
			choice("acq_func", "gp_hedge", "what the next point maximizes: gp_hedge mixes an upper confidence bound (LCB) and the expected improvement (EI); PI is the probability of improvement; EIps and PIps are EI and PI", "gp_hedge", "LCB", "EI", "PI", "EIps", "PIps"),
			choice("acq_optimizer", "auto", "how it is maximized: sampling takes the best of many points, the others improve on these", "auto", "sampling", "lbfgs"),
			sampling.SeedSetting(),
		},
		Objectives: true, Constraints: true, Priors: true,
		New: func(p algorithms.Problem, v algorithms.Values) (algorithms.Suggester, error) {
			return newOptimizer(p, readKatib(p, v), sampling.Seed(p, v)), nil
		},
		Insight: func(p algorithms.Problem, v algorithms.Values, finished []algorithms.Trial) (algorithms.Insight, error) {
			return insight(p, readKatib(p, v), finished)
		},
		Remaining: func(p algorithms.Problem, v algorithms.Values, finished []algorithms.Trial, ahead int) (algorithms.Remaining, error) {
			return remaining(p, readKatib(p, v), finished, ahead)
		},
		Advise: adviseKatib,
	}
}

func initialSetting(name string) algorithms.Setting {
	return algorithms.Setting{
		Name: name, Type: algorithms.IntSetting, Max: algorithms.Unbounded,
		Help: "trials before the model is used, by default 3; where parameters depend on others a quarter of all trials, from 3 to 8; there are at least as many as it takes for two results",
	}
}

func choice(name, value, help string, choices ...string) algorithms.Setting {
	return algorithms.Setting{Name: name, Type: algorithms.StringSetting, Default: value, Help: help, Choices: choices}
}

func toggle(name, value, help string) algorithms.Setting {
	return algorithms.Setting{Name: name, Type: algorithms.BoolSetting, Default: value, Help: help}
}
