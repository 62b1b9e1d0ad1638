// Package builtin is the list of the algorithms and early-stopping rules that are compiled in.
package builtin

import (
	"github.com/tuned-hpo/tuned/algorithms"
	"github.com/tuned-hpo/tuned/algorithms/bayes"
	"github.com/tuned-hpo/tuned/algorithms/earlystop"
	"github.com/tuned-hpo/tuned/algorithms/evolution"
	"github.com/tuned-hpo/tuned/algorithms/random"
)

// Registry returns the built-in algorithms, and those of Katib that are known by name only.
func Registry() *algorithms.Registry {
	r, err := algorithms.NewRegistry(
		random.Random(),
		random.Sobol(),
		random.Grid(),
		bayes.BayesianOptimization(),
		bayes.GP(),
		bayes.TPE(),
		bayes.MultivariateTPE(),
		evolution.CMAES(),
		hyperband(),
		pbt(),
		enas(),
		darts(),
	)
	if err != nil {
		panic(err) // the list above contradicts itself
	}
	return r
}

// Pruners returns the built-in early-stopping rules.
func Pruners() *algorithms.Pruners {
	r, err := algorithms.NewPruners(earlystop.Definitions()...)
	if err != nil {
		panic(err) // the list contradicts itself
	}
	return r
}
