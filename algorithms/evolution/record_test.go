package evolution

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"testing"

	"github.com/tuned-hpo/tuned/algorithms"
	"github.com/tuned-hpo/tuned/internal/golden"
)

// TestPopulationsOnRecord wants what 100 trials find, the best or the front, to the bit and whatever processor this is.
func TestPopulationsOnRecord(t *testing.T) {
	var got bytes.Buffer
	for _, c := range []struct {
		def        algorithms.Definition
		raw        []algorithms.RawSetting
		objectives int
	}{
		{NSGA2(), nil, 2},
		{NSGA3(), nil, 3},
		{DE(), nil, 1},
		{DE(), []algorithms.RawSetting{{Name: "strategy", Value: "rand1"}}, 1},
		{Regularized(), nil, 1},
	} {
		p := algorithms.Problem{Space: mixed(t), Objectives: c.objectives, Seed: 1, MaxTrials: 100, Parallel: 1}
		losses := func(u []float64) []float64 { return append(schaffer(u), bowl(u[:2]))[:c.objectives] }
		if c.objectives == 1 {
			losses = func(u []float64) []float64 { return []float64{bowl(u)} }
		}
		var f fronts
		for _, trial := range let(made(t, c.def, p, c.raw...), p, 100, losses) {
			f.insert(&solution{losses: trial.Losses})
		}
		slices.SortFunc(f.of[0], func(x, y *solution) int { return cmp.Compare(x.losses[0], y.losses[0]) })
		fmt.Fprintf(&got, "%s %v\n", c.def.Name, c.raw)
		for _, x := range f.of[0] {
			fmt.Fprintln(&got, x.losses)
		}
	}
	golden.Compare(t, "testdata/populations.golden", got.String())
}
