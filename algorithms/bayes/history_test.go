package bayes

import (
	"math"
	"testing"

	"github.com/tuned-hpo/tuned/algorithms"
	"github.com/tuned-hpo/tuned/pkg/searchspace"
)

func TestFailsAnywhere(t *testing.T) {
	space := newSpace(t,
		searchspace.Parameter{Name: "x", Kind: searchspace.Double, Max: 1},
		searchspace.Parameter{Name: "y", Kind: searchspace.Double, Max: 1},
		searchspace.Parameter{Name: "c", Kind: searchspace.Categorical, Values: []string{"a", "b", "c"}})
	for name, tt := range map[string]struct {
		trials int
		fails  func(i int, p searchspace.Point) bool
		want   bool
	}{
		"nothing":            {0, nil, false},
		"no failure":         {30, func(int, searchspace.Point) bool { return false }, false},
		"one failure":        {30, func(i int, _ searchspace.Point) bool { return i == 5 }, false},
		"a machine":          {40, func(i int, _ searchspace.Point) bool { return i%7 == 3 }, true},
		"every second trial": {40, func(i int, _ searchspace.Point) bool { return i%2 == 0 }, true},
		"a corner":           {60, func(_ int, p searchspace.Point) bool { return p[0] > 0.6 && p[1] > 0.5 }, false},
		"a label":            {40, func(_ int, p searchspace.Point) bool { return p[2] == 1 }, false},
		"long ago":           {400, func(i int, _ searchspace.Point) bool { return i < 60 && i%7 == 0 }, false},
	} {
		h := toldOf(space, tt.trials, tt.fails)
		if got := h.failsAnywhere(newEncoding(space)); got != tt.want {
			t.Errorf("%s: got %t", name, got)
		}
	}
}

// TestFailuresOfAMachine wants a bowl's optimum to be found nearly as well when every sixth trial
// fails wherever it is.
func TestFailuresOfAMachine(t *testing.T) {
	space := newSpace(t,
		searchspace.Parameter{Name: "x", Kind: searchspace.Double, Max: 1},
		searchspace.Parameter{Name: "c", Kind: searchspace.Categorical, Values: []string{"a", "b", "c"}},
		searchspace.Parameter{Name: "y", Kind: searchspace.Double, Max: 1})
	for seed := range uint64(4) {
		s := newSuggester(t, GP(), algorithms.Problem{Space: space, Objectives: 1, Parallel: 1, Seed: seed})
		least := math.Inf(1)
		for id := range uint64(40) {
			out, err := s.Ask([]uint64{id}, nil)
			if err != nil {
				t.Fatal(err)
			}
			p := out[0].Point
			trial := algorithms.Trial{ID: id, Point: p, State: algorithms.Succeeded, Losses: []float64{smooth(space, p)}, Memo: out[0].Memo}
			if id%6 == 3 {
				trial.State, trial.Losses = algorithms.Failed, []float64{math.NaN()}
			} else {
				least = min(least, trial.Losses[0])
			}
			s.Tell([]algorithms.Trial{trial})
		}
		if optimum := bestOf(space); least > optimum+1e-3 {
			t.Errorf("seed %d: least loss is %g, %g more than the optimum", seed, least, least-optimum)
		}
	}
}

// bestOf is the optimum of smooth over x, c and y: 0 but for the label nearest to 0.4.
func bestOf(space *searchspace.Space) float64 {
	least := math.Inf(1)
	for _, c := range []float64{0, 1, 2} {
		least = min(least, smooth(space, searchspace.Point{0.4, c, 0.4}))
	}
	return least
}

// toldOf is the history of random points.
func toldOf(space *searchspace.Space, trials int, fails func(i int, p searchspace.Point) bool) history {
	p := algorithms.Problem{Space: space, Objectives: 1}
	o := newOptimizer(p, defaults(p), 1)
	for i, trial := range randomTrials(space, 1, trials) {
		if fails(i, trial.Point) {
			trial.State, trial.Losses = algorithms.Failed, []float64{math.NaN()}
		}
		o.Tell([]algorithms.Trial{trial})
	}
	return o.told
}
