package gp

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/tuned-hpo/tuned/internal/testenv"
)

// TestPlainAgrees wants the same bits with and without the vector unit.
func TestPlainAgrees(t *testing.T) {
	if !vectorUnit {
		testenv.Skip(t, "the processor has no vector unit to compare with")
	}
	for name, c := range configs {
		m, r := New(c), rand.New(rand.NewPCG(18, 18))
		x, extra := draw(c, 45, r)
		y, theta, point := drawTargets(45, r), drawTheta(m, r), drawPoint(c, r)
		run := func() []float64 {
			l, p, d := NewLikelihood(m), NewPosterior(m), len(point)
			l.Set(x, y, extra)
			best, loss := l.Fit([][]float64{theta}, Options{Iterations: 5})
			p.Reset(best, x, extra)
			p.SetTargets(y)
			dMean, dVariance := make([]float64, d), make([]float64, d)
			mean, variance := p.PredictGradient(point, dMean, dVariance)
			return slices.Concat(best, []float64{loss, mean, variance}, dMean, dVariance, p.state())
		}
		want := run()
		vectorUnit = false
		got := run()
		vectorUnit = true
		if !slices.Equal(got, want) {
			t.Errorf("%s: plain %v, vectors %v", name, got, want)
		}
	}
}
