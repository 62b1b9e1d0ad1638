package bayes

import (
	"testing"

	"github.com/tuned-hpo/tuned/algorithms"
	"github.com/tuned-hpo/tuned/algorithms/algorithmtest"
)

func TestGPConformance(t *testing.T) {
	for _, def := range []algorithms.Definition{GP()} {
		t.Run(def.Name, func(t *testing.T) { algorithmtest.Run(t, def) })
	}
}
