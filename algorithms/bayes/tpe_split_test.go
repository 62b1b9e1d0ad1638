package bayes

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tuned-hpo/tuned/algorithms"
	"github.com/tuned-hpo/tuned/pkg/searchspace"
)

// told makes a history of one-objective trials that succeeded.
func told(losses ...float64) []algorithms.Trial {
	var out []algorithms.Trial
	for _, l := range losses {
		out = append(out, algorithms.Trial{State: algorithms.Succeeded, Losses: []float64{l}})
	}
	return out
}

func state(s algorithms.State, t []algorithms.Trial) []algorithms.Trial {
	for i := range t {
		t[i].State = s
	}
	return t
}

func violating(t []algorithms.Trial, by ...float64) []algorithms.Trial {
	for i := range t {
		t[i].Constraints = by
	}
	return t
}

func several(losses ...[]float64) []algorithms.Trial {
	var out []algorithms.Trial
	for _, l := range losses {
		out = append(out, algorithms.Trial{State: algorithms.Succeeded, Losses: l})
	}
	return out
}

func TestSplit(t *testing.T) {
	pruned, failed := algorithms.Pruned, algorithms.Failed
	tests := []struct {
		name    string
		history tpeHistory
		trials  []algorithms.Trial
		gamma   float64
		want    []int // positions of good trials, best first
	}{
		{"none", tpeHistory{objectives: 1}, nil, 0.1, nil},
		{"one", tpeHistory{objectives: 1}, told(3), 0.1, []int{0}},
		{"a tenth, rounded up", tpeHistory{objectives: 1}, told(5, 3, 9, 1, 7, 6, 8, 2, 4, 10, 11), 0.1, []int{3, 7}},
		{"ties as told", tpeHistory{objectives: 1}, told(2, 1, 1, 1), 0.5, []int{1, 2}},
		{"NaN and failed are never good", tpeHistory{objectives: 1}, slices.Concat(told(nan), state(failed, told(0)), told(7)), 0.9, []int{2}},
		{"infinities have their order", tpeHistory{objectives: 1}, told(inf, 1, -inf), 0.9, []int{2, 1, 0}},
		{"pruned after all others", tpeHistory{objectives: 1}, slices.Concat(state(pruned, told(1, 0)), told(5)), 0.9, []int{2, 1, 0}},
		{
			"feasible first, then by violation",
			tpeHistory{objectives: 1, constraints: 2},
			slices.Concat(violating(told(0), 2, 1), violating(told(1), 2, -5), violating(told(9), 0, 0), violating(told(8), -1, nan), told(7)),
			0.9,
			[]int{2, 1, 0},
		},
		{"of several objectives those that few are better than", tpeHistory{objectives: 2}, several([]float64{3, 3}, []float64{2, 2}, []float64{0, 4}, []float64{9, 9}), 0.6, []int{1, 2, 0}},
		{
			// The reference point is (10+1, 10+1): areas beyond the middle's are 3.5 of the ends, 0 of its double.
			"of a front those that spread",
			tpeHistory{objectives: 2},
			several([]float64{4, 4}, []float64{4, 4}, []float64{0, 10}, []float64{10, 0}),
			0.75,
			[]int{0, 2, 3},
		},
	}
	for _, tt := range tests {
		for _, trial := range tt.trials {
			tt.history.add(trial)
		}
		got, weights := tt.history.good(tt.history.order, tt.gamma)
		if !slices.Equal(got, tt.want) || len(weights) != len(got) {
			t.Errorf("%s: got %v with weights %v, want %v", tt.name, got, weights, tt.want)
		}
		if !slices.IsSortedFunc(weights, func(a, b float64) int { return -compareFloats(a, b) }) || slices.ContainsFunc(weights, func(w float64) bool { return !(w > 0) }) {
			t.Errorf("%s: weights %v do not fall, or are not positive", tt.name, weights)
		}
	}
}

// TestSplitOfSeveralObjectivesFollows looks at a group of trials in which no trial is new, but one
// elsewhere is better than the first of them.
func TestSplitOfSeveralObjectivesFollows(t *testing.T) {
	h := tpeHistory{objectives: 2}
	var group []int
	for i, trial := range several([]float64{1, 1}, []float64{-1, 5}, []float64{0, 0}) {
		h.add(trial)
		if i < 2 {
			group = h.insert(group, i)
		}
	}
	if got, _ := h.good(group, 0.5); !slices.Equal(got, []int{1}) {
		t.Errorf("got %v, want the second, which no trial is better than", got)
	}
}

func compareFloats(a, b float64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func TestMostGood(t *testing.T) {
	h := tpeHistory{objectives: 1}
	for i := range 1000 {
		h.add(told(math.Mod(float64(i)*0.618, 1))[0])
	}
	got, _ := h.good(h.order, 0.1)
	if len(got) != 25 {
		t.Errorf("got %d good trials of 1,000", len(got))
	}
}

// TestBlocks looks at which parameters have one density.
func TestBlocks(t *testing.T) {
	when := func(p searchspace.Parameter, parent string, values ...string) searchspace.Parameter {
		p.ActiveWhen = &searchspace.Condition{Parent: parent, Values: values}
		return p
	}
	double := func(name string) searchspace.Parameter {
		return searchspace.Parameter{Name: name, Kind: searchspace.Double, Max: 1}
	}
	label := func(name string) searchspace.Parameter {
		return searchspace.Parameter{Name: name, Kind: searchspace.Categorical, Values: []string{"a", "b", "c"}}
	}
	tests := []struct {
		name   string
		params []searchspace.Parameter
		want   string
	}{
		{"no parameters", nil, "[]"},
		{"no conditions", []searchspace.Parameter{double("x"), label("y")}, "[[x y]]"},
		{"one condition", []searchspace.Parameter{when(double("x"), "m", "a"), label("m"), double("y")}, "[[m y] [x]]"},
		{"the same condition in another order", []searchspace.Parameter{label("m"), when(double("x"), "m", "a", "b"), when(double("y"), "m", "b", "a")}, "[[m] [x y]]"},
		{"conditions that overlap", []searchspace.Parameter{label("m"), when(double("x"), "m", "a", "b"), when(double("y"), "m", "b")}, "[[m] [x] [y]]"},
		{"below each other", []searchspace.Parameter{when(double("x"), "n", "a"), when(label("n"), "m", "a"), label("m"), when(double("y"), "m", "a")}, "[[m] [n y] [x]]"},
	}
	for _, tt := range tests {
		space, err := searchspace.New(tt.params)
		if err != nil {
			t.Fatal(err)
		}
		names := [][]string{}
		for _, b := range newTPESpace(space).blocks {
			var block []string
			for _, d := range b.dims {
				block = append(block, tt.params[d].Name)
			}
			names = append(names, block)
		}
		if got := fmt.Sprint(names); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.name, got, tt.want)
		}
	}
}

// TestTPECoordinates wants points back from their coordinates.
func TestTPECoordinates(t *testing.T) {
	space, err := searchspace.New(append(slices.Clone(tpeKinds), searchspace.Parameter{Name: "long", Kind: searchspace.Int, Max: 1000}))
	if err != nil {
		t.Fatal(err)
	}
	s := newTPESpace(space)
	u := make([]float64, space.Len())
	for k := range 50 {
		f := (float64(k) + 0.5) / 50
		p := space.Decode([]float64{f, 1 - f, f, f, 1 - f})
		got := s.decode(s.encode(p), u)
		const rounding = 1e-14 // of doubles: logarithm and back
		if diff := cmp.Diff([]float64(got), []float64(p), cmp.Comparer(func(a, b float64) bool { return math.Abs(a-b) <= rounding*math.Abs(b) })); diff != "" {
			t.Errorf("point %d: %s", k, diff)
		}
	}
}
