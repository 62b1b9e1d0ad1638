package gp

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestLoss compares with the textbook, and the gradient with central differences.
//
// Rounding of the loss is about n times the condition number, here below 1e4, times 2^-53: 1e-10. A
// difference over 2h, h = 1e-5, of third derivatives of order 10 is off by 10 h^2 and 1e-10/h.
func TestLoss(t *testing.T) {
	for name, c := range configs {
		t.Run(name, func(t *testing.T) {
			m := New(c)
			l := NewLikelihood(m)
			for _, n := range []int{0, 1, 2, 3, 4, 5, 31, 38, 70} {
				r := rand.New(rand.NewPCG(1, uint64(n)))
				x, extra := draw(c, n, r)
				y := drawTargets(n, r)
				if n%2 == 0 {
					extra = nil
				}
				l.Set(x, y, extra)
				theta := drawTheta(m, r)
				gradient := make([]float64, len(theta))
				got := l.Loss(theta, gradient)
				want := newDense(t, m, theta, x, extra, n).loss(y)
				if math.Abs(got-want) > 1e-9*(1+math.Abs(want)) {
					t.Errorf("n=%d: loss %v, want %v", n, got, want)
				}
				if again := l.Loss(theta, nil); again != got {
					t.Errorf("n=%d: loss %v without the gradient, %v with it", n, again, got)
				}
				const h = 1e-5
				for k := range theta {
					v := theta[k]
					theta[k] = v + h
					up := l.Loss(theta, nil)
					theta[k] = v - h
					down := l.Loss(theta, nil)
					theta[k] = v
					if want := (up - down) / (2 * h); math.Abs(gradient[k]-want) > 2e-5*(1+math.Abs(want)) {
						t.Errorf("n=%d: derivative %d is %v, want %v", n, k, gradient[k], want)
					}
				}
			}
		})
	}
}

// TestFit wants the length scales that data were made with told apart, and a gradient of 0.
func TestFit(t *testing.T) {
	r := rand.New(rand.NewPCG(14, 14))
	var x, y []float64
	for range 40 {
		u, v := r.Float64(), r.Float64()
		x, y = append(x, u, v), append(y, math.Sin(9*u)+0.1*v+0.01*r.NormFloat64())
	}
	m := New(Default(make([]Dimension, 2)))
	l := NewLikelihood(m)
	l.Set(x, y, nil)
	theta, loss := l.Fit([][]float64{m.Start(), fill(len(m.Start()), 1)}, Options{Iterations: 200})
	gradient := make([]float64, len(theta))
	if again := l.Loss(theta, gradient); again != loss {
		t.Errorf("the loss is %v, reported %v", again, loss)
	}
	for k, g := range gradient {
		if math.Abs(g) > 1e-2 { // a loss within 1e-9 of the least leaves this slope, at curvatures up to 1e4
			t.Errorf("derivative %d is %v at the minimum", k, g)
		}
	}
	if theta[lengthAt+1] < theta[lengthAt]+1 {
		t.Errorf("log lengths are %v, of which the second matters little", theta[lengthAt:])
	}
	if noise := math.Exp(theta[noiseAt] / 2); noise < 0.003 || noise > 0.03 {
		t.Errorf("the noise is %v, made with 0.01", noise)
	}
}

// TestHardData wants finite numbers whatever the targets are, and rows that are all the same.
func TestHardData(t *testing.T) {
	inf := math.Inf(1)
	for name, c := range configs {
		for _, y := range [][]float64{
			nil,
			{1},
			{0, 0, 0},
			{5, 5, 5, 5},
			{1e300, -1e300, 1e300},
			{1e-300, 2e-300, 0},
			{inf, -inf, 1},
			{1e8, 1, 2, 3, 4, 5, 6, 7, 8, 9},
			fill(60, 1e100),
		} {
			n := len(y)
			for kind, x := range map[string][]float64{
				"distinct": func() []float64 { x, _ := draw(c, n, rand.New(rand.NewPCG(15, 15))); return x }(),
				"the same": slices.Repeat(drawPoint(c, rand.New(rand.NewPCG(16, 16))), n),
			} {
				m := New(c)
				l, p := NewLikelihood(m), NewPosterior(m)
				l.Set(x, y, nil)
				theta, loss := l.Fit([][]float64{m.Start(), m.lower, m.upper}, Options{Iterations: 10})
				p.Reset(theta, x, nil)
				p.SetTargets(y)
				d := len(c.Dimensions)
				dMean, dVariance := make([]float64, d), make([]float64, d)
				mean, variance := p.PredictGradient(drawPoint(c, rand.New(rand.NewPCG(17, 17))), dMean, dVariance)
				left, leftVariance := make([]float64, n), make([]float64, n)
				p.LeaveOneOut(left, leftVariance)
				for _, v := range slices.Concat(theta, []float64{loss, mean, variance}, dMean, dVariance, left, leftVariance) {
					if math.IsNaN(v) || math.IsInf(v, 0) {
						t.Errorf("%s, %s, targets %v: theta %v, loss %v, mean %v %v, variance %v %v, left out %v %v",
							name, kind, y, theta, loss, mean, dMean, variance, dVariance, left, leftVariance)
						break
					}
				}
			}
		}
	}
}
