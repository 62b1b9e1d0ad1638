// Package builtin is the list of the algorithms and early-stopping rules that are compiled in.
package builtin

import (
	"github.com/tuned-hpo/tuned/algorithms"
	"github.com/tuned-hpo/tuned/algorithms/auto"
	"github.com/tuned-hpo/tuned/algorithms/bayes"
	"github.com/tuned-hpo/tuned/algorithms/earlystop"
	"github.com/tuned-hpo/tuned/algorithms/evolution"
	"github.com/tuned-hpo/tuned/algorithms/multifidelity"
	"github.com/tuned-hpo/tuned/algorithms/random"
)

// Registry returns the built-in algorithms, and those of Katib that are known by name only.
func Registry() *algorithms.Registry {
	r, err := algorithms.NewRegistry(
		auto.Auto(auto.Among{GP: bayes.GP(), TPE: bayes.TPE(), CMAES: evolution.CMAES(), DE: evolution.DE(), NSGA2: evolution.NSGA2()}),
		random.Random(),
		random.Sobol(),
		random.Grid(),
		bayes.BayesianOptimization(),
		bayes.GP(),
		bayes.TPE(),
		bayes.MultivariateTPE(),
		evolution.CMAES(),
		evolution.NSGA2(),
		evolution.NSGA3(),
		evolution.DE(),
		evolution.Regularized(),
		multifidelity.Hyperband(),
		multifidelity.ASHA(tpe),
		multifidelity.BOHB(tpe),
		multifidelity.SuccessiveHalving(),
		evolution.PBT(),
		enas(),
		darts(),
	)
	if err != nil {
		panic(err) // the list above contradicts itself
	}
	return r
}

// tpe is the model of BOHB and ASHA, which knows itself how many random trials come first. A level of the resource has few
// trials, of which a tenth would be one or none; one in four is about what the paper has of a dozen.
func tpe(p algorithms.Problem) (algorithms.Suggester, error) {
	return bayes.TPE().New(p, algorithms.Values{"n_startup_trials": int64(0), "gamma": 0.25})
}

// Pruners returns the built-in early-stopping rules.
func Pruners() *algorithms.Pruners {
	r, err := algorithms.NewPruners(earlystop.Definitions()...)
	if err != nil {
		panic(err) // the list contradicts itself
	}
	return r
}
