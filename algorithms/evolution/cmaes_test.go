package evolution

import (
	"testing"

	"github.com/tuned-hpo/tuned/algorithms"
	"github.com/tuned-hpo/tuned/algorithms/algorithmtest"
)

func TestConformance(t *testing.T) {
	for _, settings := range [][]algorithms.RawSetting{
		nil,
		{{Name: "popsize", Value: "4"}, {Name: "restart_strategy", Value: "bipop"}, {Name: "separable", Value: "true"}},
		{{Name: "popsize", Value: "5"}, {Name: "restart_strategy", Value: "ipop"}, {Name: "sigma", Value: "1"}},
		{{Name: "popsize", Value: "4"}, {Name: "lr_adapt", Value: "true"}, {Name: "restart_strategy", Value: "ipop"}},
	} {
		algorithmtest.Run(t, CMAES(), settings...)
	}
}
