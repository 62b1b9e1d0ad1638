package bayes

import (
	"slices"
	"testing"

	"github.com/tuned-hpo/tuned/algorithms"
	"github.com/tuned-hpo/tuned/algorithms/algorithmtest"
	"github.com/tuned-hpo/tuned/pkg/searchspace"
)

func TestTPE(t *testing.T) { algorithmtest.Run(t, TPE()) }

func TestMultivariateTPE(t *testing.T) { algorithmtest.Run(t, MultivariateTPE()) }

func newTPESuggester(t testing.TB, params []searchspace.Parameter, objectives int) *tpe {
	t.Helper()
	space, err := searchspace.New(params)
	if err != nil {
		t.Fatal(err)
	}
	v, err := algorithms.Parse(TPE(), nil, "")
	if err != nil {
		t.Fatal(err)
	}
	return newTPE(algorithms.Problem{Space: space, Objectives: objectives, Seed: 1, Parallel: 1}, v)
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
		sum += (v - 0.7) * (v - 0.7)
	}
	return []float64{sum}
}
