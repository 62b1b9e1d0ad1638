package gp

import (
	"math"
	"math/rand/v2"
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
