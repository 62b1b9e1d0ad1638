// Package builtin is the list of the algorithms that are compiled in.
package builtin

import (
	"github.com/tuned-hpo/tuned/algorithms"
	"github.com/tuned-hpo/tuned/algorithms/bayes"
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
		cmaes(),
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
