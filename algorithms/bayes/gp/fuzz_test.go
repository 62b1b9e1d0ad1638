package gp

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// FuzzPosterior runs arbitrary operations at arbitrary hyperparameters in arbitrary spaces, and
// compares what is left with the textbook.
func FuzzPosterior(f *testing.F) {
	f.Add(uint64(1), uint8(0), []byte("aaaaaaar"))
	f.Add(uint64(2), uint8(0b1011), []byte("aaaaaaaaaaaaaaaaaeeersartaaaaaaaaaaaaaaaaaas"))
	f.Add(uint64(3), uint8(0b11100110), slices.Repeat([]byte("aaaers"), 20))
	f.Add(uint64(4), uint8(0xff), slices.Repeat([]byte("at"), 40))
	f.Fuzz(func(t *testing.T, seed uint64, kind uint8, operations []byte) {
		r := rand.New(rand.NewPCG(seed, 0))
		c := with(Default(make([]Dimension, 1+kind>>6)), kind&1 != 0, kind&2 != 0)
		for i := range c.Dimensions {
			c.Dimensions[i] = Dimension{Categorical: kind>>(2+i)&1 != 0, Conditional: r.IntN(2) == 0}
		}
		m := New(c)
		theta := make([]float64, len(m.Start()))
		for k := range theta {
			theta[k] = m.lower[k] + r.Float64()*(m.upper[k]-m.lower[k])
		}
		h := history{d: len(c.Dimensions), p: NewPosterior(m)}
		h.p.Reset(theta, nil, nil)
		for _, o := range operations[:min(len(operations), 150)] {
			h.apply(o, c, r)
		}
		h.check(t, m, theta, drawPoint(c, r))
	})
}

// history is what a posterior was given and still has.
type history struct {
	d           int
	p           *Posterior
	x, extra, y []float64
}

func (h *history) apply(operation byte, c Config, r *rand.Rand) {
	n := len(h.extra)
	if n == 0 {
		operation = 'a'
	}
	switch operation % 8 {
	case 's' % 8:
		h.y = drawTargets(r.IntN(n+1), r)
		h.p.SetTargets(h.y)
	case 't' % 8:
		n -= min(n, r.IntN(3))
		h.p.Truncate(n)
		h.x, h.extra, h.y = h.x[:n*h.d], h.extra[:n], h.y[:min(n, len(h.y))]
	case 'r' % 8:
		i := r.IntN(n)
		h.p.Remove(i)
		h.x, h.extra = slices.Delete(h.x, i*h.d, (i+1)*h.d), slices.Delete(h.extra, i, i+1)
		if i < len(h.y) {
			h.y = slices.Delete(h.y, i, i+1)
		}
	case 'e' % 8: // an equal row
		i := r.IntN(n)
		h.add(slices.Clone(h.x[i*h.d:][:h.d]), 0)
	default:
		h.add(drawPoint(c, r), max(0, r.Float64()-0.7))
	}
}

func (h *history) add(x []float64, extra float64) {
	h.p.Append(x, extra)
	h.x, h.extra = append(h.x, x...), append(h.extra, extra)
}

func (h *history) check(t *testing.T, m *Model, theta, point []float64) {
	n := len(h.extra)
	if h.p.Len() != n {
		t.Fatalf("%d rows, want %d", h.p.Len(), n)
	}
	want := newDense(t, m, theta, h.x, h.extra, n)
	mean, variance := h.p.Predict(point)
	wantMean, wantVariance := want.predict(t, point, h.y)
	// A solution is off by the rounding of some operations per row and parameter, times the condition
	// number, which is at most the trace over the least noise. Targets are some units.
	trace, least := 0.0, math.Inf(1)
	for i := range n {
		trace, least = trace+want.k.At(i, i), min(least, want.noise[i])
	}
	tolerance := 10 * float64(n+len(theta)) * 0x1p-52 * (1 + trace/least)
	if !near(mean, wantMean, tolerance) || !near(variance, wantVariance, tolerance) || variance <= 0 {
		t.Errorf("%d rows, %d targets: got %v, %v, want %v, %v within %v",
			n, len(h.y), mean, variance, wantMean, wantVariance, tolerance)
	}
	l, gradient := NewLikelihood(m), make([]float64, len(theta))
	l.Set(h.x[:len(h.y)*h.d], h.y, h.extra[:len(h.y)])
	loss := l.Loss(theta, gradient)
	for _, v := range slices.Concat(gradient, []float64{loss}) {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			t.Errorf("the loss and its gradient are not finite: %v", v)
		}
	}
}
