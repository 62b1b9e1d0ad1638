package bayes

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/tuned-hpo/tuned/algorithms"
	"github.com/tuned-hpo/tuned/pkg/searchspace"
)

// TestFailuresAreLeft wants no point to be tried again that is as good as one that failed, whatever
// fails, and the part of the space to be found where trials do not.
func TestFailuresAreLeft(t *testing.T) {
	const seeds, trials = 5, 40
	space := newSpace(t,
		searchspace.Parameter{Name: "x", Kind: searchspace.Double, Min: -10, Max: 10},
		searchspace.Parameter{Name: "y", Kind: searchspace.Double, Min: -10, Max: 10})
	coin := rand.New(rand.NewPCG(1, 2))
	for _, tt := range []struct {
		name  string
		fails func(i int, x float64) bool
		least float64 // what the least loss must be at most
	}{
		{"nearly everywhere", func(_ int, x float64) bool { return x > -7 }, 169}, // 144 at the edge, 225 at the end
		{"a crash region", func(_ int, x float64) bool { return x > 3 }, 9},       // 4 at the edge
		{"all after the 6th", func(i int, _ float64) bool { return i >= 6 }, math.Inf(1)},
		{"an outage", func(i int, _ float64) bool { return i >= 6 && i < 26 }, 1},
		{"half at random", func(int, float64) bool { return coin.IntN(2) == 0 }, 1e-2},
	} {
		for seed := range uint64(seeds) {
			p := algorithms.Problem{Space: space, Objectives: 1, Parallel: 1, MaxTrials: trials, Seed: seed + 1}
			s := newSuggester(t, GP(), p)
			var failed []searchspace.Point
			var told []algorithms.Trial
			least, repeats := math.Inf(1), 0
			for i := range trials {
				out, err := s.Ask([]uint64{uint64(i + 1)}, nil)
				if err != nil {
					t.Fatal(err)
				}
				x := out[0].Point
				for _, q := range failed {
					if math.Abs(x[0]-q[0]) < 0.02 && math.Abs(x[1]-q[1]) < 0.02 {
						repeats++
						break
					}
				}
				trial := algorithms.Trial{ID: uint64(i + 1), Point: x, State: algorithms.Succeeded, Losses: []float64{(x[0] - 5) * (x[0] - 5)}, Memo: out[0].Memo}
				if tt.fails(i, x[0]) {
					failed = append(failed, x)
					trial.State, trial.Losses = algorithms.Failed, []float64{math.NaN()}
				} else {
					least = min(least, trial.Losses[0])
				}
				s.Tell([]algorithms.Trial{trial})
				told = append(told, trial)
			}
			rebuilt := newSuggester(t, GP(), p)
			rebuilt.Tell(told)
			got, err1 := s.Ask([]uint64{trials + 1}, nil)
			want, err2 := rebuilt.Ask([]uint64{trials + 1}, nil)
			if err1 != nil || err2 != nil || !slices.Equal(got[0].Point, want[0].Point) {
				t.Errorf("%s, seed %d: kept %v, rebuilt %v", tt.name, seed+1, got, want)
			}
			t.Logf("%s, seed %d: %d of %d failed, least loss %g", tt.name, seed+1, len(failed), trials, least)
			if repeats > 0 || !(least <= tt.least) {
				t.Errorf("%s, seed %d: %d repeats of what failed, least loss %g", tt.name, seed+1, repeats, least)
			}
		}
	}
}
