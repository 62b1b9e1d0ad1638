package random

import (
	"math"
	"strings"
	"testing"

	"github.com/tuned-hpo/tuned/algorithms"
	"github.com/tuned-hpo/tuned/algorithms/sampling"
	"github.com/tuned-hpo/tuned/pkg/searchspace"
)

// TestSobolBeatsRandom compares star discrepancies in 3 dimensions, in L2 (Warnock 1972).
func TestSobolBeatsRandom(t *testing.T) {
	const n = 256
	discrepancy := func(def algorithms.Definition) float64 {
		p := newProblem(t, unitCube(3)...)
		sum := 0.0
		for seed := range uint64(10) {
			p.Seed = seed
			sum += starDiscrepancy(points(t, newSuggester(t, def, p), n))
		}
		return sum / 10
	}
	// Random points have sqrt((2^-3 - 3^-3) / n) = 0.0185 by expectation of the square.
	if s, r := discrepancy(Sobol()), discrepancy(Random()); s > r/4 {
		t.Errorf("got %.5f, random points %.5f", s, r)
	}
}

func starDiscrepancy(points []searchspace.Point) float64 {
	n, d := float64(len(points)), len(points[0])
	single, double := 0.0, 0.0
	for _, x := range points {
		f := 1.0
		for _, v := range x {
			f *= (1 - v*v) / 2
		}
		single += f
		for _, y := range points {
			f := 1.0
			for k := range x {
				f *= 1 - max(x[k], y[k])
			}
			double += f
		}
	}
	return math.Sqrt(math.Pow(3, -float64(d)) - 2/n*single + double/n/n)
}

// TestSobolCoversLists wants each label as often as any other, and each int.
func TestSobolCoversLists(t *testing.T) {
	p := newProblem(t,
		searchspace.Parameter{Name: "x", Kind: searchspace.Double, Max: 1},
		searchspace.Parameter{Name: "label", Kind: searchspace.Categorical, Values: []string{"a", "b", "c", "d"}},
		searchspace.Parameter{Name: "n", Kind: searchspace.Int, Min: 1, Max: 8})
	labels, ints := make(map[float64]int), make(map[float64]int)
	for _, q := range points(t, newSuggester(t, Sobol(), p), 64) {
		labels[q[1]]++
		ints[q[2]]++
	}
	for v, n := range labels {
		if n != 16 {
			t.Errorf("label %v comes %d times of 64, want 16", v, n)
		}
	}
	for v, n := range ints {
		if n != 8 {
			t.Errorf("int %v comes %d times of 64, want 8", v, n)
		}
	}
}

func TestSobolLimit(t *testing.T) {
	if err := algorithms.Check(Sobol(), newProblem(t, unitCube(sampling.MaxDimensions)...), nil); err != nil {
		t.Error(err)
	}
	err := algorithms.Check(Sobol(), newProblem(t, unitCube(sampling.MaxDimensions+1)...), nil)
	if err == nil || !strings.Contains(err.Error(), "space has 1112 parameters, a Sobol' sequence at most 1111") {
		t.Errorf("got %v", err)
	}
}
