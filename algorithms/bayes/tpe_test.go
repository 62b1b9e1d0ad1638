package bayes

import (
	"bytes"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"testing"

	"github.com/tuned-hpo/tuned/algorithms"
	"github.com/tuned-hpo/tuned/algorithms/algorithmtest"
	"github.com/tuned-hpo/tuned/internal/golden"
	"github.com/tuned-hpo/tuned/pkg/searchspace"
)

func TestTPE(t *testing.T) { algorithmtest.Run(t, TPE()) }

func TestMultivariateTPE(t *testing.T) { algorithmtest.Run(t, MultivariateTPE()) }

func newTPESuggester(t testing.TB, params []searchspace.Parameter, seed uint64) *tpe {
	t.Helper()
	space, err := searchspace.New(params)
	if err != nil {
		t.Fatal(err)
	}
	v, err := algorithms.Parse(TPE(), nil, "")
	if err != nil {
		t.Fatal(err)
	}
	return newTPE(algorithms.Problem{Space: space, Objectives: 1, Seed: seed, Parallel: 1}, v)
}

// playTPE runs trials first to last one after the other, and returns their points.
func playTPE(t testing.TB, s algorithms.Suggester, first, last int, loss func(searchspace.Point) []float64) []searchspace.Point {
	t.Helper()
	var out []searchspace.Point
	for id := uint64(first); id <= uint64(last); id++ {
		got, err := s.Ask([]uint64{id}, nil)
		if err != nil {
			t.Fatal(err)
		}
		p := got[0].Point
		s.Tell([]algorithms.Trial{{ID: id, Point: slices.Clone(p), State: algorithms.Succeeded, Losses: loss(p)}})
		out = append(out, p)
	}
	return out
}

// sphereLoss is the squared distance from a point inside.
func sphereLoss(p searchspace.Point) []float64 {
	sum := 0.0
	for _, v := range p {
		sum += float64((v - 0.7) * (v - 0.7)) // not fused
	}
	return []float64{sum}
}

// TestRatio compares with a case worked out in arithmetic of its own: 12 trials at (2i+1)/24 with the
// distance from 0.3 as loss, of which the two nearest are good. Their ranks weigh ln 3 to ln 3/2; the
// bandwidths are 0.17 of their spread times 2^-1/5, and 0.1 times 11^-1/5, for 12 rounds to 11.
func TestRatio(t *testing.T) {
	s := newTPESuggester(t, tpeKinds[:1], 1)
	for i := range 12 {
		x := (2*float64(i) + 1) / 24
		s.Tell([]algorithms.Trial{{ID: uint64(i + 1), Point: searchspace.Point{x}, State: algorithms.Succeeded, Losses: []float64{math.Abs(x - 0.3)}}})
	}
	m := s.models[0]
	m.refresh(&s.history, s.gamma, nil)
	for x, want := range map[float64]float64{0: -0.8333799328258746, 0.28: 1.9253795068239459, 0.5: -0.3369527467418786, 0.97: -1.1498430153633854} {
		// Logarithms are rounded to 24 bits, of which some 10^-7 come through.
		if got := m.ratio([]float64{x}, math.Inf(-1)); math.Abs(got-want) > 1e-6 {
			t.Errorf("ratio at %v: got %v, want %v", x, got, want)
		}
	}
}

// TestLieKeepsAway wants the ratio less where a trial is pending.
func TestLieKeepsAway(t *testing.T) {
	m, points := newTPETestModel(t, 30, tpeKinds...)
	for _, x := range points {
		before := m.ratio(x, math.Inf(-1))
		m.lie(x)
		if after := m.ratio(x, math.Inf(-1)); after >= before {
			t.Errorf("at %v: got %v with a pending trial there, %v before", x, after, before)
		}
	}
}

// TestWindow wants the density of bad trials to stay one when there are more than count.
func TestWindow(t *testing.T) {
	s := newTPESuggester(t, tpeKinds[:1], 1)
	const n = badWindow + 100
	for i := range n {
		x := math.Mod(float64(i)*0.618, 1)
		s.Tell([]algorithms.Trial{{Point: searchspace.Point{x}, State: algorithms.Succeeded, Losses: []float64{float64(n - i)}}})
	}
	m := s.models[0]
	m.refresh(&s.history, s.gamma, nil)
	if got, want := m.bad.total, float64(badWindow+1-mostGood); got != want {
		t.Errorf("weights sum to %v, want %v", got, want)
	}
	// The good trials are the newest; Simpson's rule as in TestDensitiesIntegrateToOne.
	if got := integrate(&m.bad, m.space.dims, make([]float64, 1), 0); math.Abs(got-1) > 1e-6 {
		t.Errorf("the density integrates to %v", got)
	}
}

// TestTPELearns compares the best of 60 trials with that of random ones, which fall within 0.1 of
// the optimum in both doubles, at the right label and the right number once in 600 trials.
func TestTPELearns(t *testing.T) {
	params := []searchspace.Parameter{
		{Name: "x", Kind: searchspace.Double, Max: 1},
		{Name: "y", Kind: searchspace.Double, Distribution: searchspace.LogUniform, Min: 1e-4, Max: 1},
		{Name: "label", Kind: searchspace.Categorical, Values: []string{"a", "b", "c"}},
		{Name: "n", Kind: searchspace.Int, Min: 1, Max: 5},
	}
	near := 0
	for seed := range uint64(10) {
		s := newTPESuggester(t, params, seed)
		best := math.Inf(1)
		playTPE(t, s, 1, 60, func(p searchspace.Point) []float64 {
			u := s.space.space.Encode(p)
			loss := (u[0]-0.7)*(u[0]-0.7) + (u[1]-0.4)*(u[1]-0.4)
			if p[2] != 1 {
				loss += 0.5
			}
			loss += (p[3] - 4) * (p[3] - 4) / 10
			best = min(best, loss)
			return []float64{loss}
		})
		if best < 0.02 {
			near++
		}
	}
	if near < 8 { // random search: once in ten seeds
		t.Errorf("near the optimum in %d of 10 seeds", near)
	}
}

// TestTPEOnRecord wants the suggestions that are on record, to the bit and whatever processor this is:
// make arm64 wants them there.
func TestTPEOnRecord(t *testing.T) {
	conditional := append(slices.Clone(tpeKinds), searchspace.Parameter{
		Name: "below", Kind: searchspace.Double, Max: 1, ActiveWhen: &searchspace.Condition{Parent: "label", Values: []string{"a", "b"}},
	})
	for name, params := range map[string][]searchspace.Parameter{"kinds": tpeKinds, "conditional": conditional} {
		var got bytes.Buffer
		for _, seed := range []uint64{1, 2} {
			s := newTPESuggester(t, params, seed)
			points := playTPE(t, s, 1, 40, func(p searchspace.Point) []float64 { return sphereLoss(s.space.space.Encode(p)) })
			batch, err := s.Ask([]uint64{41, 42, 43}, nil)
			if err != nil {
				t.Fatal(err)
			}
			for _, b := range batch {
				points = append(points, b.Point)
			}
			fmt.Fprintf(&got, "seed %d\n", seed)
			for i, p := range points {
				fmt.Fprintln(&got, i+1, []float64(p)) // as many digits as tell each bit
			}
		}
		golden.Compare(t, filepath.Join("testdata", "tpe-"+name+".golden"), got.String())
	}
}

// TestTPEExtremeSettings wants settings that Katib's services take, however large, to be answered.
func TestTPEExtremeSettings(t *testing.T) {
	space, err := searchspace.New([]searchspace.Parameter{{Name: "x", Kind: searchspace.Double, Max: 1}})
	if err != nil {
		t.Fatal(err)
	}
	for _, def := range []algorithms.Definition{TPE(), MultivariateTPE()} {
		for _, name := range []string{"n_startup_trials", "n_ei_candidates"} {
			v, err := algorithms.Parse(def, []algorithms.RawSetting{{Name: name, Value: "9223372036854775807"}}, "")
			if err != nil {
				t.Fatal(err)
			}
			s, err := algorithms.New(def, algorithms.Problem{Space: space, Objectives: 1, Parallel: 1}, v)
			if err != nil {
				t.Fatal(err)
			}
			for id := uint64(1); id < 15; id++ {
				got, err := s.Ask([]uint64{id}, nil)
				if err != nil || len(got) != 1 {
					t.Fatalf("%s %s: got %v, %v", def.Name, name, got, err)
				}
				s.Tell([]algorithms.Trial{{ID: id, Point: got[0].Point, State: algorithms.Succeeded, Losses: []float64{got[0].Point[0]}}})
			}
		}
	}
}

// TestLowerRanksAreSortedOnce wants the candidates of one block left alone after rank 1, for a used-up
// space walks all ranks. Ratios that no rating gives are still there if nothing rated again.
func TestLowerRanksAreSortedOnce(t *testing.T) {
	space := newSpace(t, searchspace.Parameter{Name: "n", Kind: searchspace.Int, Min: 1, Max: 12})
	s := newSuggester(t, TPE(), algorithms.Problem{Space: space, Objectives: 1, Seed: 1}).(*tpe)
	run(t, s, 13, func(p searchspace.Point) float64 { return p[0] })
	for _, m := range s.models {
		m.refresh(&s.history, s.gamma, nil)
	}
	s.best(0)
	s.best(1)
	for i := range s.candidates {
		s.candidates[i].ratio = float64(1000 + i)
	}
	s.best(2)
	for i, c := range s.candidates {
		if c.ratio != float64(1000+i) {
			t.Fatalf("candidate %d was rated or sorted again: ratio %g", i, c.ratio)
		}
	}
}
