package bayes

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestUnwarper(t *testing.T) {
	for _, c := range []struct {
		name           string
		losses, scores []float64
		at, want       []float64
	}{
		{"none", nil, nil, []float64{0}, []float64{nan}},
		{"failed alone", []float64{nan, inf}, []float64{0, 0}, []float64{0}, []float64{nan}},
		{"one", []float64{7, nan}, []float64{0, -1}, []float64{-1, 0, 1}, []float64{7, 7, 7}},
		{"equal losses", []float64{7, 7}, []float64{0, 0}, []float64{-1, 0, 1}, []float64{7, 7, 7}},
		{"between and beyond", []float64{1, 3, 4, nan}, []float64{2, 1, 0, -9}, []float64{-1, 0, 0.5, 1, 2, 3}, []float64{5, 4, 3.5, 3, 1, -1}},
		{"huge", []float64{-1e308, 1e308}, []float64{1, -1}, []float64{1, 0, -1}, []float64{-1e308, 0, 1e308}},
	} {
		u := newUnwarper(c.losses, c.scores)
		for i, at := range c.at {
			if got := u.value(at); got != c.want[i] && !(math.IsNaN(got) && math.IsNaN(c.want[i])) {
				t.Errorf("%s: %v is the loss of score %v, want %v", c.name, got, at, c.want[i])
			}
		}
	}
}

// TestUnwarperInverts wants the losses back from their scores.
func TestUnwarperInverts(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 1))
	losses, scores := make([]float64, 50), make([]float64, 50)
	for i := range losses {
		losses[i] = math.Exp(5 * r.NormFloat64())
	}
	new(warper).warp(losses, scores)
	u := newUnwarper(losses, scores)
	for i, want := range losses {
		if got := u.value(scores[i]); got != want {
			t.Errorf("loss %v comes back as %v", want, got)
		}
	}
}
