package auto_test

import (
	"testing"

	"github.com/tuned-hpo/tuned/algorithms"
	"github.com/tuned-hpo/tuned/algorithms/algorithmtest"
	"github.com/tuned-hpo/tuned/algorithms/auto"
	"github.com/tuned-hpo/tuned/algorithms/builtin"
)

func definition(t *testing.T, name string) algorithms.Definition {
	t.Helper()
	def, err := builtin.Registry().Lookup(name)
	if err != nil {
		t.Fatal(err)
	}
	return def
}

func TestAuto(t *testing.T) { algorithmtest.Run(t, definition(t, "auto")) }

// TestTurns puts algorithms that take turns of a few trials through the suite: whoever comes next goes on from the trials
// of all, so that one that is rebuilt suggests the same.
func TestTurns(t *testing.T) {
	gp, tpe, cmaes, nsga2 := definition(t, "gp"), definition(t, "tpe"), definition(t, "cmaes"), definition(t, "nsga2")
	t.Run("tpe, nsga2", func(t *testing.T) { algorithmtest.Run(t, auto.InTurn(7, tpe, nsga2, tpe, nsga2, tpe)) })
	t.Run("cmaes, tpe, gp", func(t *testing.T) {
		def := auto.InTurn(8, cmaes, tpe, gp)
		def.Check, def.Objectives = cmaes.Check, false
		algorithmtest.Run(t, def)
	})
}
