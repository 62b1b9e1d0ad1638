package bayes

import (
	"testing"

	"github.com/tuned-hpo/tuned/algorithms/algorithmtest"
)

func TestTPE(t *testing.T) { algorithmtest.Run(t, TPE()) }

func TestMultivariateTPE(t *testing.T) { algorithmtest.Run(t, MultivariateTPE()) }
