package bayes

import (
	"math"
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
	bowl := func(x float64) float64 { return (x - 0.4) * (x - 0.4) }
	tests := map[string]struct {
		params []searchspace.Parameter
		state  func(i int) algorithms.State
		found  bool
	}{
		"numbers":       {[]searchspace.Parameter{number}, nil, true},
		"labels":        {[]searchspace.Parameter{number, {Name: "c", Kind: searchspace.Categorical, Values: []string{"a", "b"}}}, nil, false},
		"failed nearby": {[]searchspace.Parameter{number}, func(i int) algorithms.State { return []algorithms.State{algorithms.Succeeded, algorithms.Failed}[i%2] }, false},
		"pruned nearby": {[]searchspace.Parameter{number}, func(i int) algorithms.State { return []algorithms.State{algorithms.Succeeded, algorithms.Pruned}[i%2] }, false},
	}
	for name, tt := range tests {
		p := algorithms.Problem{Space: newSpace(t, tt.params...), Objectives: 1, Parallel: 1}
		o := newOptimizer(p, defaults(p), 1)
		for i := range 9 {
			x := float64(i) / 8
			trial := algorithms.Trial{ID: uint64(i), Point: searchspace.Point{x, 0}[:len(tt.params)], State: algorithms.Succeeded, Losses: []float64{bowl(x)}}
			if tt.state != nil {
				trial.State = tt.state(i)
			}
			o.Tell([]algorithms.Trial{trial})
		}
		point, found := o.valley()
		if found != tt.found {
			t.Errorf("%s: found is %t", name, found)
		}
		if found && math.Abs(point[0]-0.4) > 1e-4 {
			t.Errorf("%s: got %v, want 0.4", name, point)
		}
		if found {
			o.addPending(point)
			if again, found := o.valley(); found {
				t.Errorf("%s: got %v while %v is pending", name, again, point)
			}
		}
	}
}
