package random

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gonum.org/v1/gonum/stat/distuv"

	"github.com/tuned-hpo/tuned/algorithms"
	"github.com/tuned-hpo/tuned/algorithms/algorithmtest"
	"github.com/tuned-hpo/tuned/pkg/searchspace"
)

func TestConformance(t *testing.T) {
	for _, def := range []algorithms.Definition{Random(), Sobol(), Grid()} {
		t.Run(def.Name, func(t *testing.T) { algorithmtest.Run(t, def) })
	}
}

func newProblem(t testing.TB, params ...searchspace.Parameter) algorithms.Problem {
	t.Helper()
	space, err := searchspace.New(params)
	if err != nil {
		t.Fatal(err)
	}
	return algorithms.Problem{Space: space, Objectives: 1, Seed: 7, Parallel: 1}
}

func newSuggester(t testing.TB, def algorithms.Definition, p algorithms.Problem, settings ...algorithms.RawSetting) algorithms.Suggester {
	t.Helper()
	values, err := algorithms.Parse(def, settings, "")
	if err != nil {
		t.Fatal(err)
	}
	s, err := algorithms.New(def, p, values)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// unitCube has d doubles in [0, 1].
func unitCube(d int) []searchspace.Parameter {
	out := make([]searchspace.Parameter, d)
	for i := range out {
		out[i] = searchspace.Parameter{Name: fmt.Sprintf("x%04d", i), Kind: searchspace.Double, Max: 1}
	}
	return out
}

// points asks for trials 1 to n one by one, each finished before the next.
func points(t testing.TB, s algorithms.Suggester, n int) []searchspace.Point {
	t.Helper()
	var out []searchspace.Point
	for id := range uint64(n) {
		got, err := s.Ask([]uint64{id + 1}, nil)
		if errors.Is(err, algorithms.ErrExhausted) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, got[0].Point)
		s.Tell([]algorithms.Trial{{ID: id + 1, Point: slices.Clone(got[0].Point), State: algorithms.Failed, Losses: []float64{0}}})
	}
	return out
}

func cellsOf(points []searchspace.Point) map[string]int {
	count := make(map[string]int)
	for _, p := range points {
		count[fmt.Sprint(p)]++
	}
	return count
}

// TestSmallSpaceIsUsedUpFirst wants every cell of a skewed space once before any repeats, and
// repeats afterwards.
func TestSmallSpaceIsUsedUpFirst(t *testing.T) {
	skewed := searchspace.Parameter{Name: "x", Kind: searchspace.Int, Min: 1, Max: 200, Distribution: searchspace.LogUniform}
	for _, def := range []algorithms.Definition{Random(), Sobol()} {
		got := points(t, newSuggester(t, def, newProblem(t, skewed)), 450)
		if len(got) != 450 {
			t.Errorf("%s: ended after %d points", def.Name, len(got))
		}
		if n := len(cellsOf(got[:200])); n != 200 {
			t.Errorf("%s: %d different cells in the first 200 points", def.Name, n)
		}
	}
}

// TestRepeatsAvoidPendingPoints holds also where every cell was tried.
func TestRepeatsAvoidPendingPoints(t *testing.T) {
	p := newProblem(t, searchspace.Parameter{Name: "x", Kind: searchspace.Categorical, Values: []string{"a", "b", "c", "d"}})
	s := newSuggester(t, Random(), p)
	points(t, s, 20)
	got, err := s.Ask([]uint64{21, 22, 23}, []algorithms.Trial{{ID: 20, Point: searchspace.Point{0}}})
	if err != nil {
		t.Fatal(err)
	}
	seen := map[float64]bool{0: true}
	for _, g := range got {
		seen[g.Point[0]] = true
	}
	if len(seen) != 4 {
		t.Errorf("got %v beside pending [0]", got)
	}
}

func TestSeedSetting(t *testing.T) {
	setting := func(v string) algorithms.RawSetting { return algorithms.RawSetting{Name: "random_state", Value: v} }
	for _, def := range []algorithms.Definition{Random(), Sobol()} {
		p := newProblem(t, unitCube(3)...)
		bySetting := points(t, newSuggester(t, def, p, setting("11")), 5)
		other := points(t, newSuggester(t, def, p, setting("0")), 5)
		p.Seed = 11
		bySeed := points(t, newSuggester(t, def, p), 5)
		if !cmp.Equal(bySetting, bySeed) || cmp.Equal(bySetting, other) {
			t.Errorf("%s: got %v for random_state 11, %v for seed 11, %v for random_state 0", def.Name, bySetting, bySeed, other)
		}
	}
}

// TestSequencesNeverChange keeps the points of a seed the same on every machine and in every
// release.
func TestSequencesNeverChange(t *testing.T) {
	params := []searchspace.Parameter{
		{Name: "lr", Kind: searchspace.Double, Min: 0.001, Max: 0.1},
		{Name: "batch", Kind: searchspace.Int, Min: 32, Max: 128},
		{Name: "decay", Kind: searchspace.Double, Min: 1e-6, Max: 1e-2, Distribution: searchspace.LogUniform},
	}
	tests := []struct {
		def  algorithms.Definition
		want []searchspace.Point
	}{
		{Random(), []searchspace.Point{
			{0.06217361011288757, 109, 1.4574032127897e-06},
			{0.0629830970004083, 125, 2.296207520492597e-06},
			{0.08051193818354553, 114, 1.3058078192633345e-05},
		}},
		{Sobol(), []searchspace.Point{
			{0.016681458253159122, 119, 0.0089502232822721},
			{0.06564639472503728, 47, 7.554764670006804e-06},
			{0.04080381990766176, 80, 0.0005652442873189214},
		}},
	}
	for _, tt := range tests {
		got := points(t, newSuggester(t, tt.def, newProblem(t, params...)), 3)
		if diff := cmp.Diff(got, tt.want); diff != "" {
			t.Errorf("%s: %s", tt.def.Name, diff)
		}
	}
}

func BenchmarkAsk(b *testing.B) {
	step := func(params []searchspace.Parameter) []searchspace.Parameter {
		for i := range params {
			params[i].Step = 0.01
		}
		return params
	}
	for _, d := range []int{5, 100} {
		for _, def := range []algorithms.Definition{Random(), Sobol(), Grid()} {
			b.Run(fmt.Sprintf("%s/d=%d", def.Name, d), func(b *testing.B) {
				s := newSuggester(b, def, newProblem(b, step(unitCube(d))...))
				ids := make([]uint64, 1)
				b.ReportAllocs()
				for b.Loop() {
					ids[0]++
					if _, err := s.Ask(ids, nil); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// TestDrawsAreIndependent counts points in a 16 by 16 grid over pairs of axes, and over pairs of
// consecutive trials, whose generators have neighbouring seeds.
func TestDrawsAreIndependent(t *testing.T) {
	const n, side = 20_000, 16
	got := points(t, newSuggester(t, Random(), newProblem(t, unitCube(3)...)), n)
	pairs := map[string]func(i int) (float64, float64){
		"axes 0 and 1":       func(i int) (float64, float64) { return got[i][0], got[i][1] },
		"axes 1 and 2":       func(i int) (float64, float64) { return got[i][1], got[i][2] },
		"consecutive trials": func(i int) (float64, float64) { return got[i][0], got[(i+1)%n][0] },
		"trials 64 apart":    func(i int) (float64, float64) { return got[i][0], got[(i+64)%n][0] },
	}
	// A true sample exceeds this once in 10^4 seeds.
	critical := distuv.ChiSquared{K: side*side - 1}.Quantile(1 - 1e-4)
	for name, pair := range pairs {
		var count [side][side]float64
		for i := range n {
			x, y := pair(i)
			count[int(x*side)][int(y*side)]++
		}
		const want = float64(n) / side / side
		chi2 := 0.0
		for _, row := range count {
			for _, c := range row {
				chi2 += (c - want) * (c - want) / want
			}
		}
		if chi2 > critical {
			t.Errorf("%s: chi-square %.1f, critical %.1f", name, chi2, critical)
		}
	}
}

// TestMoreTrialsThanCells cannot avoid pending points.
func TestMoreTrialsThanCells(t *testing.T) {
	p := newProblem(t, searchspace.Parameter{Name: "x", Kind: searchspace.Categorical, Values: []string{"only"}})
	for _, def := range []algorithms.Definition{Random(), Sobol()} {
		got, err := newSuggester(t, def, p).Ask([]uint64{1, 2, 3}, nil)
		if len(got) != 3 || err != nil {
			t.Errorf("%s: got %v, %v", def.Name, got, err)
		}
	}
}
