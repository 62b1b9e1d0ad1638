package bayes

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/tuned-hpo/tuned/algorithms"
	"github.com/tuned-hpo/tuned/pkg/searchspace"
)

func TestLinear(t *testing.T) {
	const n, d = 8, 3
	x := make([]float64, n*d)
	random := rand.New(rand.NewPCG(1, 2))
	for i := range x {
		x[i] = random.Float64()
	}
	values := func(f func(u []float64) float64) []float64 {
		y := make([]float64, n)
		for i := range y {
			y[i] = f(x[i*d : (i+1)*d])
		}
		return y
	}
	plane := func(u []float64) float64 { return 7 + 2*u[0] - 3*u[1] + 0.1*u[2] }
	tests := []struct {
		name string
		y    []float64
		want bool
	}{
		{"plane", values(plane), true},
		{"huge plane", values(func(u []float64) float64 { return 1e140 * plane(u) }), true},
		{"bowl", values(func(u []float64) float64 { return u[0]*u[0] + u[1]*u[1] + u[2]*u[2] }), false},
		{"plane with a hole", values(func(u []float64) float64 {
			if u[0] < 0.3 {
				return 0
			}
			return plane(u)
		}), false},
		{"noise", values(func([]float64) float64 { return random.NormFloat64() }), false},
		{"constant", values(func([]float64) float64 { return 3 }), false},
		{"nothing", values(func([]float64) float64 { return 0 }), false},
		{"failed", append(values(plane)[:n-1], math.NaN()), false},
		{"beyond squares", values(func(u []float64) float64 { return 1e200 * plane(u) }), false},
	}
	for _, tt := range tests {
		slopes, ok := linear(x, tt.y, d)
		if ok != tt.want {
			t.Errorf("%s: got %t, slopes %v", tt.name, ok, slopes)
		}
		if ok && !(slopes[0] > 0 && slopes[1] < 0 && slopes[2] > 0) {
			t.Errorf("%s: got slopes %v", tt.name, slopes)
		}
	}
	same := make([]float64, n*d) // rows that differ in nothing
	if slopes, ok := linear(same, values(plane), d); ok {
		t.Errorf("one point alone: got slopes %v", slopes)
	}
}

// TestLinearLossLeadsToTheCorner wants the corner as soon as d+2 trials tell where it is.
func TestLinearLossLeadsToTheCorner(t *testing.T) {
	params := []searchspace.Parameter{
		{Name: "x", Kind: searchspace.Double, Max: 4},
		{Name: "lr", Kind: searchspace.Double, Distribution: searchspace.LogUniform, Min: 1e-4, Max: 1},
		{Name: "n", Kind: searchspace.Int, Min: 1, Max: 5},
	}
	space, err := searchspace.New(params)
	if err != nil {
		t.Fatal(err)
	}
	s, err := algorithms.New(GP(), algorithms.Problem{Space: space, Objectives: 1, Parallel: 1, Seed: 3}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for id := uint64(1); id <= 6; id++ {
		got, err := s.Ask([]uint64{id}, nil)
		if err != nil {
			t.Fatal(err)
		}
		p := got[0].Point
		if id == 6 && (p[0] != 4 || p[1] != 1e-4 || p[2] != 5) {
			t.Errorf("got %v, want the corner [4 1e-4 5]", p)
		}
		loss := math.Log(p[1]) - p[0] - 0.3*p[2]
		s.Tell([]algorithms.Trial{{ID: id, Point: p, State: algorithms.Succeeded, Losses: []float64{loss}}})
	}
}
