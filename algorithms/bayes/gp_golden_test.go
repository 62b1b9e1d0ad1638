package bayes

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/tuned-hpo/tuned/algorithms"
	"github.com/tuned-hpo/tuned/internal/golden"
	"github.com/tuned-hpo/tuned/pkg/searchspace"
)

// TestSuggestionsOnRecord wants the suggestions that are on record, to the bit and whatever processor
// this is: make arm64 wants them there.
func TestSuggestionsOnRecord(t *testing.T) {
	plain := newSpace(t,
		searchspace.Parameter{Name: "a", Kind: searchspace.Double, Min: -5, Max: 5},
		searchspace.Parameter{Name: "b", Kind: searchspace.Double, Min: 0, Max: 15},
		searchspace.Parameter{Name: "c", Kind: searchspace.Double, Distribution: searchspace.LogUniform, Min: 1e-5, Max: 1})
	for name, c := range map[string]struct {
		problem  algorithms.Problem
		settings []algorithms.RawSetting
		told     int                     // random trials before the first suggestion
		change   func(*algorithms.Trial) // each that was suggested
	}{
		"continuous": {problem: algorithms.Problem{Space: plain, Objectives: 1}},
		"mixed":      {problem: algorithms.Problem{Space: mixedSpace(t), Objectives: 1}},
		"warped": {problem: algorithms.Problem{Space: plain, Objectives: 1}, settings: []algorithms.RawSetting{
			{Name: "input_warping", Value: "true"}, {Name: "linear", Value: "true"}, {Name: "acquisition", Value: "ei"},
		}},
		"objectives": {problem: algorithms.Problem{Space: plain, Objectives: 2, Constraints: 1}},
		"directions": {problem: algorithms.Problem{Space: plain, Objectives: 4}},
		"earlier":    {problem: algorithms.Problem{Space: plain, Objectives: 1, Priors: []algorithms.Prior{{Trials: randomTrials(plain, 1, 20)}}}},
		"many":       {problem: algorithms.Problem{Space: plain, Objectives: 1}, told: 330},
		"smooth":     {problem: algorithms.Problem{Space: plain, Objectives: 1}, change: func(t *algorithms.Trial) { t.Losses[0] = smooth(plain, t.Point) }},
		"failing": {problem: algorithms.Problem{Space: plain, Objectives: 1}, told: 20, change: func(t *algorithms.Trial) {
			if t.ID%4 == 0 {
				t.State, t.Losses[0] = algorithms.Failed, math.NaN()
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			var got bytes.Buffer
			for _, seed := range []uint64{1, 2} {
				p := c.problem
				p.Seed, p.MaxTrials, p.Parallel = seed, 400, 1
				fmt.Fprintf(&got, "seed %d\n---\n", seed)
				record(t, &got, p, newSuggester(t, GP(), p, c.settings...), c.told, c.change)
			}
			golden.Compare(t, filepath.Join("testdata", "gp-"+name+".golden"), got.String())
		})
	}
}

// record writes 12 suggestions, of which the last 3 are asked together while one before is pending.
func record(t *testing.T, w *bytes.Buffer, p algorithms.Problem, s algorithms.Suggester, told int, change func(*algorithms.Trial)) {
	t.Helper()
	s.Tell(randomTrials(p.Space, p.Objectives, told))
	var pending []algorithms.Trial
	for _, ids := range [][]uint64{{1}, {2}, {3}, {4}, {5}, {6}, {7}, {8}, {9}, {10, 11, 12}} {
		for i := range ids {
			ids[i] += uint64(told)
		}
		out, err := s.Ask(ids, pending)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range out {
			fmt.Fprintln(w, o.ID, []float64(o.Point)) // as many digits as tell each bit
			trial := measured(p.Space, p.Objectives, o.ID, o.Point)
			trial.Memo = o.Memo
			if change != nil {
				change(&trial)
			}
			if o.ID == uint64(told)+9 {
				pending = append(pending, trial)
			} else {
				s.Tell([]algorithms.Trial{trial})
			}
		}
	}
}

// randomTrials returns n trials of random points, with IDs from 1 on.
func randomTrials(space *searchspace.Space, objectives, n int) (out []algorithms.Trial) {
	r := rand.New(rand.NewPCG(7, 7))
	u := make([]float64, space.Len())
	for id := range uint64(n) {
		for i := range u {
			u[i] = r.Float64()
		}
		out = append(out, measured(space, objectives, id+1, space.Decode(u)))
	}
	return out
}

// measured returns a trial of a point, with losses and a constraint.
func measured(space *searchspace.Space, objectives int, id uint64, p searchspace.Point) algorithms.Trial {
	trial := algorithms.Trial{ID: id, Point: p, State: algorithms.Succeeded}
	for k := range objectives {
		trial.Losses = append(trial.Losses, bowl(space, p, 0.3+float64(0.15*float64(k))))
	}
	trial.Constraints = []float64{space.Encode(p)[0] - 0.5}
	return trial
}

// bowl is a function of the unit cube with its minimum about a centre, and a ripple. The conversions
// keep compilers from fusing products and sums.
func bowl(space *searchspace.Space, p searchspace.Point, centre float64) float64 {
	sum := 0.0
	for i, u := range space.Encode(p) {
		sum += float64(float64(i+1)*(u-centre)*(u-centre)) + float64(0.1*math.Abs(math.Mod(6*u, 2)-1))
	}
	return sum
}

// smooth is a quadratic function of the unit cube.
func smooth(space *searchspace.Space, p searchspace.Point) float64 {
	sum := 0.0
	for i, u := range space.Encode(p) {
		sum += float64(float64(i+1) * float64((u-0.4)*(u-0.4)))
	}
	return sum
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
