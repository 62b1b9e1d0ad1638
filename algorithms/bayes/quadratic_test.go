package bayes

import (
	"math"
	"slices"
	"testing"

	"github.com/tuned-hpo/tuned/algorithms"
	"github.com/tuned-hpo/tuned/pkg/searchspace"
)

// TestLinearLossLeadsToTheCorner wants the corner within a few trials after d+2 tell where it is.
func TestLinearLossLeadsToTheCorner(t *testing.T) {
	space := newSpace(t,
		searchspace.Parameter{Name: "x", Kind: searchspace.Double, Max: 4},
		searchspace.Parameter{Name: "lr", Kind: searchspace.Double, Distribution: searchspace.LogUniform, Min: 1e-4, Max: 1},
		searchspace.Parameter{Name: "n", Kind: searchspace.Int, Min: 1, Max: 5},
	)
	for seed := range uint64(5) {
		best := least(t, space, seed, 20, func(p searchspace.Point) float64 { return math.Log(p[1]) - p[0] - 0.3*p[2] })
		if p := best; p[0] != 4 || p[1] != 1e-4 || p[2] != 5 {
			t.Errorf("seed %d: the best point is %v, want the corner [4 1e-4 5]", seed, p)
		}
	}
}

// TestBowlIsFound wants the optimum of a quadratic loss to within 1e-4 of the range, which is far more
// than the Gaussian process alone finds in 30 trials.
func TestBowlIsFound(t *testing.T) {
	space := newSpace(t,
		searchspace.Parameter{Name: "x", Kind: searchspace.Double, Max: 1},
		searchspace.Parameter{Name: "y", Kind: searchspace.Double, Max: 1},
		searchspace.Parameter{Name: "z", Kind: searchspace.Double, Max: 1},
	)
	for seed := range uint64(5) {
		best := least(t, space, seed, 30, func(p searchspace.Point) float64 {
			x, y, z := p[0]-0.31, p[1]-0.72, p[2]-0.55
			return 5 + x*x + 30*(y-x)*(y-x) + 4*z*z + x*z
		})
		for i, want := range []float64{0.31, 0.72, 0.55} {
			if math.Abs(best[i]-want) > 1e-4 {
				t.Errorf("seed %d: the best point is %v", seed, best)
				break
			}
		}
	}
}

// least is the best point of a run.
func least(t *testing.T, space *searchspace.Space, seed uint64, trials int, loss func(searchspace.Point) float64) searchspace.Point {
	t.Helper()
	s, err := algorithms.New(GP(), algorithms.Problem{Space: space, Objectives: 1, Parallel: 1, Seed: seed}, nil)
	if err != nil {
		t.Fatal(err)
	}
	var best searchspace.Point
	least := math.Inf(1)
	for id := range uint64(trials) {
		got, err := s.Ask([]uint64{id}, nil)
		if err != nil {
			t.Fatal(err)
		}
		p := got[0].Point
		v := loss(p)
		if v < least {
			best, least = p, v
		}
		s.Tell([]algorithms.Trial{{ID: id, Point: p, State: algorithms.Succeeded, Losses: []float64{v}}})
	}
	return best
}

func TestValleyIsNotSoughtWhereItCannotBe(t *testing.T) {
	number := searchspace.Parameter{Name: "x", Kind: searchspace.Double, Max: 1}
	label := searchspace.Parameter{Name: "c", Kind: searchspace.Categorical, Values: []string{"a", "b"}}
	branch := searchspace.Parameter{Name: "n", Kind: searchspace.Int, Min: 1, Max: 2}
	below := searchspace.Parameter{Name: "x", Kind: searchspace.Double, Max: 1, ActiveWhen: &searchspace.Condition{Parent: "n", Values: []string{"1"}}}
	tests := map[string]struct {
		params     []searchspace.Parameter
		objectives int
		bounds     int // constraints
		trials     int
		state      map[int]algorithms.State // of trials that did not succeed
		found      bool
	}{
		"numbers":       {params: []searchspace.Parameter{number}, objectives: 1, trials: 9, found: true},
		"labels":        {params: []searchspace.Parameter{number, label}, objectives: 1, trials: 9},
		"a tree":        {params: []searchspace.Parameter{branch, below}, objectives: 1, trials: 9},
		"two losses":    {params: []searchspace.Parameter{number}, objectives: 2, trials: 9},
		"a constraint":  {params: []searchspace.Parameter{number}, objectives: 1, bounds: 1, trials: 9},
		"few":           {params: []searchspace.Parameter{number}, objectives: 1, trials: 2},
		"many":          {params: []searchspace.Parameter{number}, objectives: 1, trials: 321},
		"failed nearby": {params: []searchspace.Parameter{number}, objectives: 1, trials: 17, state: map[int]algorithms.State{7: algorithms.Failed, 8: algorithms.Failed, 9: algorithms.Failed, 10: algorithms.Failed}},
		"fails anywhere": {
			params: []searchspace.Parameter{number}, objectives: 1, trials: 9, found: true,
			state: map[int]algorithms.State{1: algorithms.Failed, 3: algorithms.Failed, 7: algorithms.Failed},
		},
		"pruned nearby": {params: []searchspace.Parameter{number}, objectives: 1, trials: 9, state: map[int]algorithms.State{3: algorithms.Pruned, 5: algorithms.Pruned}},
	}
	for name, tt := range tests {
		p := algorithms.Problem{Space: newSpace(t, tt.params...), Objectives: tt.objectives, Constraints: tt.bounds, Parallel: 1}
		o := newOptimizer(p, defaults(p), 1)
		for i := range tt.trials {
			x := float64(i) / float64(tt.trials-1)
			point := p.Space.Decode(slices.Repeat([]float64{x}, p.Space.Len()))
			trial := algorithms.Trial{ID: uint64(i), Point: point, State: algorithms.Succeeded, Losses: []float64{(x - 0.4) * (x - 0.4), x}[:tt.objectives]}
			trial.Constraints = make([]float64, tt.bounds)
			if s, ok := tt.state[i]; ok {
				trial.State = s
			}
			o.Tell([]algorithms.Trial{trial})
		}
		o.open(nil)
		point, found := o.valley()
		if found != tt.found {
			t.Errorf("%s: found is %t", name, found)
		}
		if !found {
			continue
		}
		if math.Abs(point[0]-0.4) > 1e-4 {
			t.Errorf("%s: got %v, want 0.4", name, point)
		}
		o.addPending(point)
		if again, found := o.valley(); found {
			t.Errorf("%s: got %v while %v is pending", name, again, point)
		}
	}
}

// TestValleyOfOnePoint wants none where all trials nearby are of the same point.
func TestValleyOfOnePoint(t *testing.T) {
	p := algorithms.Problem{Space: newSpace(t, searchspace.Parameter{Name: "x", Kind: searchspace.Double, Max: 1}), Objectives: 1, Parallel: 1}
	o := newOptimizer(p, defaults(p), 1)
	for i := range 9 {
		o.Tell([]algorithms.Trial{{ID: uint64(i), Point: searchspace.Point{0.5}, State: algorithms.Succeeded, Losses: []float64{float64(i)}}})
	}
	o.open(nil)
	if point, found := o.valley(); found {
		t.Errorf("got %v", point)
	}
}
