package bayes

import (
	"fmt"
	"math"
	"testing"

	"github.com/tuned-hpo/tuned/pkg/searchspace"
)

// hill rates points by how near the parent is to a place, and adds what the child is worth while it is
// active.
type hill struct{ top, child float64 }

func (h hill) rate(x, gradient []float64) float64 {
	clear(gradient)
	gradient[0] = -2 * (x[0] - h.top)
	value := -(x[0] - h.top) * (x[0] - h.top)
	if !math.IsNaN(x[1]) {
		gradient[1] = 1
		value += h.child + x[1]
	}
	return value
}

func (h hill) rateAll(x, values []float64) {
	for k := range values {
		values[k] = h.rate(x[2*k:2*k+2], make([]float64, 2))
	}
}

// TestClimbOverConditions wants the value of a spot to be that of its point, and no worse than at the
// start, where the way up passes the levels of a fine grid on which another parameter depends.
func TestClimbOverConditions(t *testing.T) {
	const levels = 40 // more than are tried in turn
	var low []string
	for k := 1; k <= levels/2; k++ {
		low = append(low, fmt.Sprint(k))
	}
	e := newEncoding(newSpace(t,
		searchspace.Parameter{Name: "parent", Kind: searchspace.Int, Min: 1, Max: levels},
		searchspace.Parameter{
			Name: "child", Kind: searchspace.Double, Max: 1,
			ActiveWhen: &searchspace.Condition{Parent: "parent", Values: low},
		}))
	for _, h := range []hill{{0.9, 3}, {0.9, 0.01}, {0.9, -3}, {0.2, 3}, {0.2, -3}} {
		for _, parent := range []float64{0.1, 0.3, 0.45, 0.55, 0.8} {
			s := newSearch(e, 1)
			s.rater, s.trust = h, newTrust(e, nil, 0, math.Inf(1), 0)
			s.climb.prepare(s)
			x, gradient := make([]float64, 2), make([]float64, 2)
			start := []float64{e.axes[0].snap(parent), 0.5}
			e.mask(start, x)
			before := h.rate(x, gradient)
			got := s.climb.improve(spot{latent: start, value: before})
			e.mask(got.latent, x)
			if want := h.rate(x, gradient); got.value != want || want < before {
				t.Errorf("%+v from %v: at %v the value is %v, said is %v, at the start it was %v", h, start, got.latent, want, got.value, before)
			}
		}
	}
}
