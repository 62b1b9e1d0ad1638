package builtin

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"slices"
	"testing"

	"github.com/tuned-hpo/tuned/algorithms"
	"github.com/tuned-hpo/tuned/internal/golden"
	"github.com/tuned-hpo/tuned/pkg/searchspace"
)

// TestSuggestionsOnRecord wants the suggestions that are on record, to the bit and whatever processor
// this is: make arm64 wants them there. Package bayes has more of the Gaussian process.
func TestSuggestionsOnRecord(t *testing.T) {
	var got bytes.Buffer
	for _, name := range []string{
		"auto", "random", "sobol", "tpe", "multivariate-tpe", "bayesianoptimization", "cmaes", "nsga2", "nsga3", "de", "regularized-evolution", "hyperband", "asha", "bohb", "successivehalving", "pbt",
	} {
		for objectives := range 2 {
			fmt.Fprintf(&got, "%s, %d objectives: %016x\n", name, objectives+1, suggestions(t, name, objectives+1))
		}
	}
	golden.Compare(t, "testdata/suggestions.golden", got.String())
}

// suggestions is a checksum of a run of 40 trials; with several objectives there is a constraint.
func suggestions(t *testing.T, name string, objectives int) uint64 {
	t.Helper()
	space, err := searchspace.New([]searchspace.Parameter{
		{Name: "a", Kind: searchspace.Double, Min: -5, Max: 5},
		{Name: "b", Kind: searchspace.Double, Distribution: searchspace.LogUniform, Min: 1e-5, Max: 1},
		{Name: "c", Kind: searchspace.Int, Min: 1, Max: 100, Step: 1},
		{Name: "d", Kind: searchspace.Categorical, Values: []string{"x", "y", "z"}},
		{Name: "e", Kind: searchspace.Double, Max: 1, ActiveWhen: &searchspace.Condition{Parent: "d", Values: []string{"x", "y"}}},
		{Name: "f", Kind: searchspace.Double, Distribution: searchspace.Normal, Min: -1, Max: 2},
		{Name: "g", Kind: searchspace.Double, Distribution: searchspace.LogNormal, Min: 1e-3, Max: 1e3},
	})
	if err != nil {
		t.Fatal(err)
	}
	def, err := Registry().Lookup(name)
	if err != nil {
		t.Fatal(err)
	}
	var settings []algorithms.RawSetting
	if slices.ContainsFunc(def.Settings, func(s algorithms.Setting) bool { return s.Name == "resource_name" }) {
		settings = []algorithms.RawSetting{{Name: "resource_name", Value: "c"}, {Name: "r_l", Value: "27"}}
	}
	if name == "pbt" {
		settings = pbtSettings("6")
	}
	values, err := algorithms.Parse(def, settings, "")
	if err != nil {
		t.Fatal(err)
	}
	s, err := algorithms.New(def, algorithms.Problem{Space: space, Objectives: objectives, Constraints: objectives - 1, Seed: 3, MaxTrials: 40, Parallel: 1}, values)
	if err != nil {
		t.Fatal(err)
	}
	sum := fnv.New64a()
	for id := uint64(1); id <= 40; id++ {
		out, err := s.Ask([]uint64{id}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := binary.Write(sum, binary.LittleEndian, []float64(out[0].Point)); err != nil {
			t.Fatal(err)
		}
		u := space.Encode(out[0].Point)
		// The conversions keep compilers from fusing products and sums.
		bowl := func(i int, centre float64) float64 { return float64((u[i] - centre) * (u[i] - centre)) }
		trial := algorithms.Trial{ID: id, Point: out[0].Point, State: algorithms.Succeeded, Memo: out[0].Memo, Losses: []float64{bowl(0, 0.3) + bowl(1, 0.6) + float64(u[2]*u[3])}}
		if objectives > 1 {
			trial.Losses = append(trial.Losses, bowl(0, 0.8)+u[4])
			trial.Constraints = []float64{u[1] - 0.7}
		}
		s.Tell([]algorithms.Trial{trial})
	}
	return sum.Sum64()
}
