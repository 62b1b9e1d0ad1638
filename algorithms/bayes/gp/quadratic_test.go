package gp

import (
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/mat"
)

// random coordinates of n points, n by d, in [-1, 1].
func within(n, d int, seed uint64) []float64 {
	source := rand.New(rand.NewPCG(seed, 1))
	x := make([]float64, n*d)
	for i := range x {
		x[i] = 2*source.Float64() - 1
	}
	return x
}

func valuesOf(x []float64, d int, f func(u []float64) float64) []float64 {
	var y []float64
	for at := 0; at < len(x); at += d {
		y = append(y, f(x[at:at+d]))
	}
	return y
}

func TestQuadraticFindsWhatItIs(t *testing.T) {
	bowl := func(u []float64) float64 { return 3 + u[0] - 2*u[1] + 4*u[0]*u[0] + 3*u[0]*u[1] + 2*u[1]*u[1] }
	x := within(9, 2, 1)
	q, unexplained := FitQuadratic(x, valuesOf(x, 2, bowl), 2)
	if unexplained > 1e-8 {
		t.Errorf("a quadratic function is not explained: %g", unexplained)
	}
	for at, other := 0, within(5, 2, 2); at < len(other); at += 2 {
		u := other[at : at+2]
		gradient := make([]float64, 2)
		got, want := q.Value(u, gradient), bowl(u)
		// Noise of 1e-8 and priors of 1 pull weights of up to 4 by about 1e-7.
		if math.Abs(got-want) > 1e-5 {
			t.Errorf("value at %v is %g, want %g", u, got, want)
		}
		for i, want := range []float64{1 + 8*u[0] + 3*u[1], -2 + 3*u[0] + 4*u[1]} {
			if math.Abs(gradient[i]-want) > 1e-5 {
				t.Errorf("derivative %d at %v is %g, want %g", i, u, gradient[i], want)
			}
		}
	}
}

func TestQuadraticTellsWhetherItFits(t *testing.T) {
	const d = 3
	source := rand.New(rand.NewPCG(5, 5))
	plane := func(u []float64) float64 { return 7 + 2*u[0] - 3*u[1] + 0.1*u[2] }
	tests := map[string]struct {
		n    int
		f    func(u []float64) float64
		fits bool
	}{
		"plane of few points": {d + 2, plane, true},
		"tiny plane":          {8, func(u []float64) float64 { return 1e-120 * plane(u) }, true},
		"huge plane":          {8, func(u []float64) float64 { return 1e120 * plane(u) }, true},
		"bowl":                {14, func(u []float64) float64 { return u[0]*u[0] + u[1]*u[1] + 2*u[2]*u[2] }, true},
		"nearly a bowl":       {20, func(u []float64) float64 { return u[0]*u[0] + u[1]*u[1] + 2*u[2]*u[2] + 0.1*math.Sin(3*u[0]) }, true},
		"step":                {20, func(u []float64) float64 { return math.Floor(2*u[0]) - math.Floor(3*u[1]) }, false},
		"noise":               {20, func([]float64) float64 { return source.NormFloat64() }, false},
		"waves":               {20, func(u []float64) float64 { return math.Sin(9*u[0]) * math.Cos(9*u[1]) }, false},
		"constant":            {14, func([]float64) float64 { return 3 }, false},
		"failed":              {14, func([]float64) float64 { return math.NaN() }, false},
		"beyond squares":      {14, func(u []float64) float64 { return 1e200 * plane(u) }, false},
	}
	for name, tt := range tests {
		x := within(tt.n, d, 3)
		_, unexplained := FitQuadratic(x, valuesOf(x, d, tt.f), d)
		if fits := unexplained < 0.05; fits != tt.fits {
			t.Errorf("%s: %g is left unexplained", name, unexplained)
		}
	}
	if _, unexplained := FitQuadratic(make([]float64, 8*d), []float64{1, 2, 3, 4, 5, 6, 7, 8}, d); !(unexplained >= 1) {
		t.Errorf("values of one point are explained: %g", unexplained)
	}
}

// TestQuadraticIsRidgeRegression compares with the normal equations, solved by gonum, and what is
// unexplained with fits that leave out each value in turn.
func TestQuadraticIsRidgeRegression(t *testing.T) {
	const n, d = 12, 2
	source := rand.New(rand.NewPCG(8, 8))
	x := within(n, d, 4)
	y := valuesOf(x, d, func(u []float64) float64 { return u[0] + u[0]*u[1] + 0.3*source.NormFloat64() })
	q, unexplained := FitQuadratic(x, y, d)

	mean := 0.0
	for _, v := range y {
		mean += v / n
	}
	terms := mat.NewDense(n, len(q.terms), nil)
	for i := range n {
		q.expand(x[i*d:][:d])
		terms.SetRow(i, q.terms)
	}
	// weights without value i
	solve := func(noise float64, without int) *mat.VecDense {
		a, b := mat.NewDense(len(q.terms), len(q.terms), nil), mat.NewVecDense(len(q.terms), nil)
		for k := range q.terms {
			a.Set(k, k, noise)
		}
		for i := range n {
			if i != without {
				row := terms.RowView(i)
				var outer mat.Dense
				outer.Outer(1, row, row)
				a.Add(a, &outer)
				b.AddScaledVec(b, y[i]-mean, row)
			}
		}
		var w mat.VecDense
		if err := w.SolveVec(a, b); err != nil {
			t.Fatal(err)
		}
		return &w
	}
	least, noiseOfLeast := math.Inf(1), 0.0
	for _, noise := range []float64{1e-8, 1e-6, 1e-4, 1e-2, 1} {
		press, total := 0.0, 0.0
		for i := range n {
			residual := y[i] - mean - mat.Dot(terms.RowView(i), solve(noise, i))
			press += residual * residual
			total += (y[i] - mean) * (y[i] - mean)
		}
		if press/total < least {
			least, noiseOfLeast = press/total, noise
		}
	}
	if math.Abs(unexplained-least) > 1e-6*least {
		t.Errorf("%g is unexplained, want %g", unexplained, least)
	}
	want := solve(noiseOfLeast, -1)
	for at, other := 0, within(4, d, 9); at < len(other); at += d {
		got := q.Value(other[at:at+d], nil)
		q.expand(other[at : at+d])
		if w := mean + mat.Dot(mat.NewVecDense(len(q.terms), q.terms), want); math.Abs(got-w) > 1e-6 {
			t.Errorf("value is %g, want %g", got, w)
		}
	}
}
