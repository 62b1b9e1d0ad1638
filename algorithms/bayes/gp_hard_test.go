package bayes

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/tuned-hpo/tuned/algorithms"
	"github.com/tuned-hpo/tuned/pkg/searchspace"
)

// hardLosses are losses that break careless arithmetic, as functions of the trial and the point.
var hardLosses = map[string]func(i int, u float64) float64{
	"constant":          func(int, float64) float64 { return 3 },
	"huge":              func(_ int, u float64) float64 { return 1e300 * (u - 0.5) },
	"tiny":              func(_ int, u float64) float64 { return 1e-300 * u },
	"subnormal":         func(i int, _ float64) float64 { return float64(i%3) * 5e-324 },
	"all magnitudes":    func(_ int, u float64) float64 { return math.Pow(10, 600*(u-0.5)) },
	"outliers":          func(i int, u float64) float64 { return u + 1e30*float64(i%4/3) },
	"infinite":          func(i int, u float64) float64 { return []float64{u, math.Inf(1), math.Inf(-1), u}[i%4] },
	"mostly failed":     func(i int, u float64) float64 { return []float64{u, math.NaN(), math.NaN(), math.NaN()}[i%4] },
	"all failed":        func(int, float64) float64 { return math.NaN() },
	"one different":     func(i int, _ float64) float64 { return float64(i / 11 % 2) },
	"pure noise":        func(i int, _ float64) float64 { return rand.New(rand.NewPCG(1, uint64(i))).Float64() },
	"far from zero":     func(_ int, u float64) float64 { return 1e16 + 10*u },
	"better and better": func(i int, _ float64) float64 { return -float64(i) },
}

func hardSpaces(t *testing.T) map[string]*searchspace.Space {
	label := searchspace.Parameter{Name: "label", Kind: searchspace.Categorical, Values: []string{"a", "b", "c"}}
	wide := make([]searchspace.Parameter, 40)
	for i := range wide {
		wide[i] = searchspace.Parameter{Name: fmt.Sprint("x", i), Kind: searchspace.Double, Max: 1}
	}
	return map[string]*searchspace.Space{
		"one label":  newSpace(t, label),
		"two values": newSpace(t, searchspace.Parameter{Name: "n", Kind: searchspace.Int, Min: 7, Max: 8}),
		"wide":       newSpace(t, wide...),
		"extreme":    extremeSpace(t),
		"mixed":      mixedSpace(t),
	}
}

// TestHardLosses wants points of the space, whatever the losses, also when some trials are the same
// point. The suggester panics on NaN.
func TestHardLosses(t *testing.T) {
	for spaceName, space := range hardSpaces(t) {
		for name, loss := range hardLosses {
			s := newSuggester(t, GP(), algorithms.Problem{Space: space, Objectives: 1, Seed: 3})
			var last searchspace.Point
			for i := range 14 {
				out, err := s.Ask([]uint64{uint64(2*i + 1)}, nil)
				if err != nil {
					t.Fatal(err)
				}
				p := out[0].Point
				if err := space.Contains(p); err != nil {
					t.Fatalf("%s, %s: %v", spaceName, name, err)
				}
				if last == nil {
					last = p
				}
				value := loss(i, space.Encode(p)[0])
				s.Tell([]algorithms.Trial{
					{ID: uint64(2*i + 1), Point: p, State: algorithms.Succeeded, Losses: []float64{value}, Memo: out[0].Memo},
					{ID: uint64(2*i + 2), Point: last, State: algorithms.Succeeded, Losses: []float64{value}}, // told twice
				})
				last = p
			}
		}
	}
}

// run plays a number of trials one after the other, and returns the least loss and how often a
// point was repeated.
func run(t testing.TB, s algorithms.Suggester, trials int, loss func(searchspace.Point) float64) (least float64, repeated int) {
	least = math.Inf(1)
	seen := make(map[string]bool)
	for id := uint64(1); id <= uint64(trials); id++ {
		out, err := s.Ask([]uint64{id}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if key := fmt.Sprint(out[0].Point); seen[key] {
			repeated++
		} else {
			seen[key] = true
		}
		value := loss(out[0].Point)
		least = min(least, value)
		s.Tell([]algorithms.Trial{{ID: id, Point: out[0].Point, State: algorithms.Succeeded, Losses: []float64{value}, Memo: out[0].Memo}})
	}
	return least, repeated
}

// TestFindsMinimum wants minima that are known. Random search has 0.05 to 0.5 after as many trials.
func TestFindsMinimum(t *testing.T) {
	square := newSpace(t,
		searchspace.Parameter{Name: "x", Kind: searchspace.Double, Min: -5, Max: 10},
		searchspace.Parameter{Name: "y", Kind: searchspace.Double, Min: 0, Max: 15})
	branin := func(p searchspace.Point) float64 {
		x, y := p[0], p[1]
		valley := y - 5.1*x*x/(4*math.Pi*math.Pi) + 5*x/math.Pi - 6
		return valley*valley + 10*(1-1/(8*math.Pi))*math.Cos(x) + 10 - 0.397887
	}
	const cube = 12 // levels of an axis
	grid := newSpace(t,
		searchspace.Parameter{Name: "i", Kind: searchspace.Int, Min: 1, Max: cube},
		searchspace.Parameter{Name: "j", Kind: searchspace.Int, Min: 1, Max: cube},
		searchspace.Parameter{Name: "k", Kind: searchspace.Categorical, Values: []string{"a", "b", "c", "d"}})
	onGrid := func(p searchspace.Point) float64 {
		return (p[0]-9)*(p[0]-9) + (p[1]-4)*(p[1]-4) + 10*math.Abs(p[2]-2)
	}
	for seed := range uint64(3) {
		for _, def := range []algorithms.Definition{GP(), BayesianOptimization()} {
			s := newSuggester(t, def, algorithms.Problem{Space: square, Objectives: 1, Seed: seed, MaxTrials: 40})
			if least, repeated := run(t, s, 40, branin); least > 1e-3 || repeated > 0 {
				t.Errorf("%s, seed %d: Branin's function, least %g, %d points repeated", def.Name, seed, least, repeated)
			}
			s = newSuggester(t, def, algorithms.Problem{Space: grid, Objectives: 1, Seed: seed, MaxTrials: 40})
			if least, repeated := run(t, s, 40, onGrid); least > 0 || repeated > 0 {
				t.Errorf("%s, seed %d: grid, least %g, %d points repeated", def.Name, seed, least, repeated)
			}
		}
	}
}

// TestBatchSpreads wants a batch whose points are apart, while one suggestion after the other closes
// in on the minimum.
func TestBatchSpreads(t *testing.T) {
	space := newSpace(t,
		searchspace.Parameter{Name: "x", Kind: searchspace.Double, Max: 1},
		searchspace.Parameter{Name: "y", Kind: searchspace.Double, Max: 1})
	s := newSuggester(t, GP(), algorithms.Problem{Space: space, Objectives: 1, Seed: 1, MaxTrials: 30, Parallel: 8})
	run(t, s, 8, func(p searchspace.Point) float64 { return (p[0]-0.3)*(p[0]-0.3) + (p[1]-0.6)*(p[1]-0.6) })
	out, err := s.Ask([]uint64{9, 10, 11, 12, 13, 14, 15, 16}, nil)
	if err != nil {
		t.Fatal(err)
	}
	away := 0.0
	for i, a := range out {
		away += math.Hypot(a.Point[0]-0.3, a.Point[1]-0.6) / float64(len(out))
		for _, b := range out[:i] {
			if math.Hypot(a.Point[0]-b.Point[0], a.Point[1]-b.Point[1]) < 1e-3 {
				t.Errorf("suggestions %d and %d are as good as one: %v, %v", b.ID, a.ID, b.Point, a.Point)
			}
		}
	}
	if away < 0.01 {
		t.Errorf("the batch is %g away from the minimum on average, all in one place", away)
	}
}

// TestManyTrials wants a model of part of the history to find what is near the best trial, and a
// rebuilt suggester to answer as the kept one.
func TestManyTrials(t *testing.T) {
	space := newSpace(t,
		searchspace.Parameter{Name: "x", Kind: searchspace.Double, Max: 1},
		searchspace.Parameter{Name: "y", Kind: searchspace.Double, Max: 1})
	p := algorithms.Problem{Space: space, Objectives: 1, Seed: 1}
	random := rand.New(rand.NewPCG(1, 2))
	var trials []algorithms.Trial
	for id := uint64(1); id <= 600; id++ {
		x := searchspace.Point{random.Float64(), random.Float64()}
		trials = append(trials, algorithms.Trial{ID: id, Point: x, State: algorithms.Succeeded, Losses: []float64{math.Hypot(x[0]-0.3, x[1]-0.6)}})
	}
	kept := newSuggester(t, GP(), p)
	kept.Tell(trials)
	nearest := math.Inf(1)
	for id := uint64(601); id <= 621; id++ {
		rebuilt := newSuggester(t, GP(), p)
		rebuilt.Tell(trials)
		got, _ := kept.Ask([]uint64{id}, nil)
		want, _ := rebuilt.Ask([]uint64{id}, nil)
		x := got[0].Point
		if x[0] != want[0].Point[0] || x[1] != want[0].Point[1] {
			t.Fatalf("trial %d: kept %v, rebuilt %v", id, x, want[0].Point)
		}
		nearest = min(nearest, math.Hypot(x[0]-0.3, x[1]-0.6))
		next := algorithms.Trial{ID: id, Point: x, State: algorithms.Succeeded, Losses: []float64{math.Hypot(x[0]-0.3, x[1]-0.6)}, Memo: got[0].Memo}
		trials = append(trials, next)
		kept.Tell([]algorithms.Trial{next})
	}
	// Of 600 random points the nearest is 1/sqrt(600 pi) = 0.02 away.
	if nearest > 0.002 {
		t.Errorf("20 suggestions come as near as %g", nearest)
	}
}
