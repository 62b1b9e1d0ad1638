package evolution

import (
	"math"
	"testing"
)

// TestMargin wants each step to be left, on either side where there are two, with the margin's probability
// at least, and where that was so before, nothing changed.
func TestMargin(t *testing.T) {
	inf := math.Inf(1)
	for _, tt := range []struct {
		name            string
		mean, deviation float64
		low, high       float64
		kept            bool
	}{
		{"middle of a wide step", 0.5, 0.001, 0.4, 0.6, false},
		{"near its low end", 0.41, 0.001, 0.4, 0.6, false},
		{"near its high end", 0.5999999, 1e-8, 0.4, 0.6, false},
		{"on its end", 0.4, 1e-4, 0.4, 0.6, false},
		{"narrow step", 0.45, 0.2, 0.4, 0.5, true},
		{"first step", 0.1, 0.001, -inf, 0.5, false},
		{"before the first step", -3, 0.1, -inf, 0.5, false},
		{"first step, wide", 0.4, 0.3, -inf, 0.5, true},
		{"last step", 0.9, 0.001, 0.5, inf, false},
		{"beyond the last step", 7, 0.01, 0.5, inf, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			const alpha = 0.02
			s := newStrategy([]float64{tt.mean, 0.5}, tt.deviation, 4, false)
			s.keepMargin(0, tt.low, tt.high, alpha)
			down := below((tt.low - s.mean[0]) / s.deviation(0))
			up := below((s.mean[0] - tt.high) / s.deviation(0))
			want := alpha / 2
			if math.IsInf(tt.low, 0) || math.IsInf(tt.high, 0) {
				want = alpha
				down = max(down, up)
				up = down
			}
			if least := want * (1 - 1e-6); !(down >= least && up >= least) { // of the quantile and its inverse
				t.Errorf("left down with probability %g, up with %g, want %g", down, up, want)
			}
			if same := s.mean[0] == tt.mean && s.margins[0] == 1; same != tt.kept {
				t.Errorf("mean %g, margin %g", s.mean[0], s.margins[0])
			}
			if s.mean[1] != 0.5 || s.margins[1] != 1 {
				t.Error("the other coordinate has changed")
			}
		})
	}
}

// TestLabels wants probabilities that stay distributions with a margin, and go where the good labels are.
func TestLabels(t *testing.T) {
	c := newCategories([]int{3, 2, 8})
	weights := []float64{0.6, 0.4}
	for range 200 {
		c.adapt(weights, [][]int{{1, 0, -1}, {1, 1, -1}})
	}
	for i, q := range c.q {
		sum := 0.0
		for k, p := range q {
			sum += p
			if p < c.least[i]*(1-near) {
				t.Errorf("parameter %d: label %d has probability %g, the margin is %g", i, k, p, c.least[i])
			}
		}
		if math.Abs(sum-1) > near {
			t.Errorf("parameter %d: probabilities sum to %g", i, sum)
		}
	}
	if most := 1 - 2*c.least[0]; math.Abs(c.q[0][1]-most) > near {
		t.Errorf("the good label has probability %g, want %g", c.q[0][1], most)
	}
	if c.q[2][5] != 1./8 {
		t.Errorf("a label of a parameter that was never active has probability %g", c.q[2][5])
	}
	keeps := 1.0
	for i, least := range c.least {
		keeps *= 1 - least*float64(len(c.q[i])-1)
	}
	if math.Abs(keeps-0.73) > near {
		t.Errorf("at the margin all labels are kept with probability %g, want 0.73", keeps)
	}
	if k := c.draw(0, 0.999999999); k != 2 {
		t.Errorf("the last label is %d", k)
	}
}
