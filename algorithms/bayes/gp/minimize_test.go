package gp

import (
	"math"
	"slices"
	"testing"
)

func rosenbrock(x, g []float64) float64 {
	clear(g)
	var sum float64
	for i := range len(x) - 1 {
		a, b := x[i+1]-x[i]*x[i], 1-x[i]
		sum += 100*a*a + b*b
		g[i] += -400*a*x[i] - 2*b
		g[i+1] += 200 * a
	}
	return sum
}

// quadratic has its least value, 0, at (1, 2, 3, ...), and condition 10^5.
func quadratic(x, g []float64) float64 {
	var sum float64
	for i := range x {
		w, t := math.Pow(10, 5*float64(i)/float64(len(x)-1)), x[i]-float64(i+1)
		sum += w * t * t / 2
		g[i] = w * t
	}
	return sum
}

func fill(n int, v float64) []float64 { return slices.Repeat([]float64{v}, n) }

func TestMinimize(t *testing.T) {
	inf := math.Inf(1)
	for _, c := range []struct {
		name         string
		f            Func
		start        []float64
		lower, upper []float64
		want         []float64
	}{
		{"Rosenbrock", rosenbrock, []float64{-1.2, 1}, fill(2, -5), fill(2, 5), fill(2, 1)},
		{"Rosenbrock of 10 without bounds", rosenbrock, fill(10, 0), fill(10, -inf), fill(10, inf), fill(10, 1)},
		// With x <= 1/2 it is least at x = 1/2, y = x^2.
		{"Rosenbrock at a bound", rosenbrock, []float64{-1.2, 1}, fill(2, -5), []float64{0.5, 5}, []float64{0.5, 0.25}},
		{"quadratic", quadratic, fill(5, 0), fill(5, -10), fill(5, 10), []float64{1, 2, 3, 4, 5}},
		{"quadratic in a corner", quadratic, fill(3, 0), fill(3, -1), fill(3, 0.5), fill(3, 0.5)},
		{"quadratic at some bounds", quadratic, fill(5, 0), fill(5, -10), fill(5, 2.5), []float64{1, 2, 2.5, 2.5, 2.5}},
		{"start outside", quadratic, fill(3, 99), fill(3, -10), fill(3, 10), []float64{1, 2, 3}},
		{"nothing to move", quadratic, fill(3, 0), fill(3, 7), fill(3, 7), fill(3, 7)},
		{"no coordinate", func(_, _ []float64) float64 { return 3 }, nil, nil, nil, nil},
		{
			"NaN and Inf beyond a cliff",
			func(x, g []float64) float64 {
				g[0] = -1
				if x[0] > 1 {
					return math.NaN()
				}
				return -x[0]
			},
			[]float64{0},
			[]float64{-5},
			[]float64{5},
			[]float64{1},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			var m Minimizer
			x := slices.Clone(c.start)
			r := m.Minimize(c.f, x, c.lower, c.upper, Options{Iterations: 1000, Gradient: 1e-9, Decrease: 1e-15})
			for i := range x {
				// The value is flat to 2^-53 within 1e-8 of a minimum, times the root of the condition.
				if math.Abs(x[i]-c.want[i]) > 3e-6 {
					t.Fatalf("got %v after %+v, want %v", x, r, c.want)
				}
			}
			if got := c.f(x, make([]float64, len(x))); got != r.Value {
				t.Errorf("the value at the result is %v, reported %v", got, r.Value)
			}
			again := slices.Clone(c.start)
			if r2 := m.Minimize(c.f, again, c.lower, c.upper, Options{Iterations: 1000, Gradient: 1e-9, Decrease: 1e-15}); r2 != r || !slices.Equal(again, x) {
				t.Errorf("a second run of the same minimiser gave %v %+v, the first %v %+v", again, r2, x, r)
			}
			t.Logf("%+v", r)
		})
	}
}

func TestMinimizeStopsInTime(t *testing.T) {
	var m Minimizer
	x := fill(10, 0)
	start := rosenbrock(x, make([]float64, 10))
	r := m.Minimize(rosenbrock, x, fill(10, -5), fill(10, 5), Options{Iterations: 3})
	if r.Iterations != 3 || r.Value >= start {
		t.Errorf("got %+v from %v", r, start)
	}
	bad := func(_, g []float64) float64 { g[0] = 1; return math.NaN() }
	if r := m.Minimize(bad, []float64{0}, []float64{-1}, []float64{1}, Options{}); !math.IsInf(r.Value, 1) || r.Evaluations != 1 {
		t.Errorf("a start that is NaN gave %+v", r)
	}
}

// chain couples neighbours, so that bounds of some coordinates move the others.
func chain(x, g []float64) float64 {
	var sum float64
	clear(g)
	for i := range x {
		t := x[i] - 1
		sum += t * t / 200
		g[i] += t / 100
		if i > 0 {
			u := x[i] - 2*x[i-1]
			sum += 50 * u * u
			g[i] += 100 * u
			g[i-1] -= 200 * u
		}
	}
	return sum
}

// waves has many minima and maxima, near which curvature is negative.
func waves(x, g []float64) float64 {
	var sum float64
	for i := range x {
		sum += math.Cos(5*x[i]) + x[i]*x[i]/10
		g[i] = x[i]/5 - 5*math.Sin(5*x[i])
	}
	return sum
}

// TestMinimizeEndsAtMinimum wants no gradient at the end but into bounds.
func TestMinimizeEndsAtMinimum(t *testing.T) {
	for name, f := range map[string]Func{"chain": chain, "waves": waves, "Rosenbrock": rosenbrock} {
		for _, bound := range []float64{0.1, 0.5, 0.7, 10} {
			for _, start := range []float64{-3, 0.001, 0.3} {
				var m Minimizer
				x, g, lower, upper := fill(10, start), fill(10, 0), fill(10, -5), fill(10, bound)
				r := m.Minimize(f, x, lower, upper, Options{Iterations: 500, Gradient: 1e-6, Decrease: 1e-16})
				f(x, g)
				for i := range x {
					if !blocked(x, g, lower, upper, i) && math.Abs(g[i]) > 1e-5 {
						t.Errorf("%s from %v below %v: derivative %d is %v at the end, %+v", name, start, bound, i, g[i], r)
					}
				}
			}
		}
	}
}
