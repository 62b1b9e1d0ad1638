package bayes

import (
	"math"
	"testing"
)

// TestImportances compares with functions whose shares are known.
func TestImportances(t *testing.T) {
	const tenth = 0.1 * 0.1 / 12 // variance of a tenth of a uniform variable
	for _, c := range []struct {
		name string
		d    int
		f    func(u []float64) float64
		want [][2]float64
	}{
		{"constant", 2, func([]float64) float64 { return 7 }, [][2]float64{{}, {}}},
		{"constant and huge", 2, func([]float64) float64 { return 1e300 }, [][2]float64{{}, {}}},
		{"linear", 3, func(u []float64) float64 { return 3*u[0] + u[1] + 1e6 }, [][2]float64{{.9, .9}, {.1, .1}, {}}},
		{"product", 2, func(u []float64) float64 { return (u[0] - 0.5) * (u[1] - 0.5) }, [][2]float64{{0, 1}, {0, 1}}},
		{
			"half alone", 2, // variance 1/12 alone, 1/12 together
			func(u []float64) float64 { return u[0] + math.Sqrt(12)*(u[0]-0.5)*(u[1]-0.5) },
			[][2]float64{{.5, 1}, {0, .5}},
		},
		{
			"a step and a line", 2,
			func(u []float64) float64 { return math.Sqrt(tenth)*2*math.Floor(2*u[0]) + 0.1*u[1] },
			[][2]float64{{.5, .5}, {.5, .5}},
		},
		// Ishigami and Homma 1990, with a = 7 and b = 0.1.
		{"Ishigami", 3, ishigami, [][2]float64{{.3139, .5576}, {.4424, .4424}, {0, .2437}}},
	} {
		got := importances(func(u, out []float64) {
			for j := range out {
				out[j] = c.f(u[j*c.d : (j+1)*c.d])
			}
		}, c.d)
		for i, want := range c.want {
			// Random samples would err by about 2/sqrt(2048) = 0.04; the sequence does better.
			if math.Abs(got[i].Alone-want[0]) > 0.02 || math.Abs(got[i].Total-want[1]) > 0.02 {
				t.Errorf("%s: parameter %d is %v, want %v", c.name, i, got[i], want)
			}
		}
	}
}

func ishigami(u []float64) float64 {
	x := func(i int) float64 { return math.Pi * (2*u[i] - 1) }
	return math.Sin(x(0)) + 7*math.Pow(math.Sin(x(1)), 2) + 0.1*math.Pow(x(2), 4)*math.Sin(x(0))
}

// TestImportancesOfMany wants the one that matters found among more than the sequence has axes for.
func TestImportancesOfMany(t *testing.T) {
	const d = 600
	got := importances(func(u, out []float64) {
		for j := range out {
			out[j] = u[j*d+d-1]
		}
	}, d)
	for i, g := range got {
		want := 0.0
		if i == d-1 {
			want = 1
		}
		if math.Abs(g.Alone-want) > 0.1 || math.Abs(g.Total-want) > 0.1 {
			t.Errorf("parameter %d is %v, want %v", i, g, want)
		}
	}
}
