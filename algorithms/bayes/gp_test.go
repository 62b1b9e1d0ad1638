package bayes

import (
	"testing"

	"github.com/tuned-hpo/tuned/algorithms"
	"github.com/tuned-hpo/tuned/algorithms/algorithmtest"
)

func TestGPConformance(t *testing.T) {
	t.Run("gp", func(t *testing.T) { algorithmtest.Run(t, GP()) })
	t.Run("bayesianoptimization", func(t *testing.T) {
		algorithmtest.Run(t, BayesianOptimization(),
			algorithms.RawSetting{Name: "acq_func", Value: "PI"}, algorithms.RawSetting{Name: "acq_optimizer", Value: "sampling"})
	})
}
