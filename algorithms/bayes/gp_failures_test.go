package bayes

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/tuned-hpo/tuned/algorithms"
	"github.com/tuned-hpo/tuned/pkg/searchspace"
)

// TestFailuresAreLeft wants points that are as good as ones that failed to be tried again until it is told that
// failures cluster and no more, but where they do not; and the part of the space to be found where trials do not fail.
func TestFailuresAreLeft(t *testing.T) {
	const seeds, trials, most = 5, 40, 10 // repeats; without a look at failures they are 14 and more
	space := newSpace(t,
		searchspace.Parameter{Name: "x", Kind: searchspace.Double, Min: -10, Max: 10},
		searchspace.Parameter{Name: "y", Kind: searchspace.Double, Min: -10, Max: 10})
	coin := rand.New(rand.NewPCG(1, 2))
	for _, tt := range []struct {
		name  string
		fails func(i int, x float64) bool
		least float64 // what the least loss must be at most
		few   bool    // repeats of what failed must be at most so many a run, else there must be some in all runs together
	}{
		{"nearly everywhere", func(_ int, x float64) bool { return x > -7 }, 169, true}, // 144 at the edge, 225 at the end
		{"a crash region", func(_ int, x float64) bool { return x > 3 }, 9, true},       // 4 at the edge
		{"all after the 6th", func(i int, _ float64) bool { return i >= 6 }, math.Inf(1), true},
		{"an outage", func(i int, _ float64) bool { return i >= 6 && i < 26 }, 1e-4, true},
		{"half at random", func(int, float64) bool { return coin.IntN(2) == 0 }, 1e-3, false},
	} {
		all := 0
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
			if tt.few && repeats > most || !(least <= tt.least) {
				t.Errorf("%s, seed %d: %d repeats of what failed, least loss %g", tt.name, seed+1, repeats, least)
			}
			all += repeats
		}
		if !tt.few && all < seeds {
			t.Errorf("%s: %d repeats of what failed by chance", tt.name, all)
		}
	}
}

// TestFailuresCluster wants failures that cluster to be told from those by chance.
func TestFailuresCluster(t *testing.T) {
	space := newSpace(t,
		searchspace.Parameter{Name: "x", Kind: searchspace.Double, Max: 1},
		searchspace.Parameter{Name: "y", Kind: searchspace.Double, Max: 1},
		searchspace.Parameter{Name: "c", Kind: searchspace.Categorical, Values: []string{"a", "b"}})
	for name, tt := range map[string]struct {
		fails  func(i int, p searchspace.Point, coin float64) bool
		likely bool
	}{
		"none":           {func(int, searchspace.Point, float64) bool { return false }, true}, // as all near by succeed
		"15 % by chance": {func(_ int, _ searchspace.Point, coin float64) bool { return coin < 0.15 }, false},
		"half by chance": {func(_ int, _ searchspace.Point, coin float64) bool { return coin < 0.5 }, false},
		"every second":   {func(i int, _ searchspace.Point, _ float64) bool { return i%2 == 0 }, false},
		"a side":         {func(_ int, p searchspace.Point, _ float64) bool { return p[0] > 0.55 }, true},
		"a label":        {func(_ int, p searchspace.Point, _ float64) bool { return p[2] == 1 }, true},
		"nearly all":     {func(_ int, p searchspace.Point, _ float64) bool { return p[0] > 0.42 }, true},
	} {
		const seeds, trials = 20, 60
		likely := 0
		for seed := range uint64(seeds) {
			random := rand.New(rand.NewPCG(seed, 3))
			p := algorithms.Problem{Space: space, Objectives: 1}
			o := newOptimizer(p, defaults(p), 1)
			for i := range trials { // about an optimum
				x := searchspace.Point{0.4 + 0.2*random.Float64(), 0.4 + 0.2*random.Float64(), float64(random.IntN(2))}
				trial := algorithms.Trial{ID: uint64(i), Point: x, State: algorithms.Succeeded, Losses: []float64{0}}
				if tt.fails(i, x, random.Float64()) {
					trial.State, trial.Losses = algorithms.Failed, []float64{math.NaN()}
				}
				o.Tell([]algorithms.Trial{trial})
			}
			if o.success.isLikely() {
				likely++
			}
		}
		if right := map[bool]int{true: likely, false: seeds - likely}[tt.likely]; right < seeds*3/4 {
			t.Errorf("%s: failures are told right in %d of %d", name, right, seeds)
		} else {
			t.Logf("%s: failures are told right in %d of %d", name, right, seeds)
		}
	}
}

// TestSlopeOfSuccess holds the derivatives of the probability of success against differences.
func TestSlopeOfSuccess(t *testing.T) {
	const step, tolerance = 1e-6, 1e-4 // of the differences, for second derivatives of some 1e3
	space := newSpace(t,
		searchspace.Parameter{Name: "x", Kind: searchspace.Double, Max: 1},
		searchspace.Parameter{Name: "y", Kind: searchspace.Double, Max: 1})
	p := algorithms.Problem{Space: space, Objectives: 1}
	o := newOptimizer(p, defaults(p), 1)
	random := rand.New(rand.NewPCG(1, 4))
	for i := range 40 {
		x := searchspace.Point{0.4 + 0.2*random.Float64(), 0.4 + 0.2*random.Float64()}
		trial := algorithms.Trial{ID: uint64(i), Point: x, State: algorithms.Succeeded, Losses: []float64{0}}
		if x[0] > 0.5 {
			trial.State, trial.Losses = algorithms.Failed, []float64{math.NaN()}
		}
		o.Tell([]algorithms.Trial{trial})
	}
	for range 20 {
		x := []float64{0.4 + 0.2*random.Float64(), 0.4 + 0.2*random.Float64()}
		got := []float64{1, 2} // to which the derivatives are added
		value := o.success.log(x, got)
		if value != o.success.log(x, nil) || !(value < 0) {
			t.Errorf("at %v: %g, without derivatives %g", x, value, o.success.log(x, nil))
		}
		for k := range x {
			high, low := slices.Clone(x), slices.Clone(x)
			high[k], low[k] = x[k]+step, x[k]-step
			want := float64(k+1) + (o.success.log(high, nil)-o.success.log(low, nil))/(2*step)
			if math.Abs(got[k]-want) > tolerance {
				t.Errorf("at %v: derivative %d is %g, differences say %g", x, k, got[k], want)
			}
		}
	}
	if left, right := o.success.log([]float64{0.42, 0.5}, nil), o.success.log([]float64{0.58, 0.5}, nil); !(left > math.Log(0.6) && right < math.Log(0.3)) {
		t.Errorf("success has the probability %g where all succeeded, and %g where all failed", math.Exp(left), math.Exp(right))
	}
}
