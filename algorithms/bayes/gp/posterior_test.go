package gp

import (
	"math"
	"math/rand/v2"
	"testing"
)

func near(got, want, tolerance float64) bool {
	return math.Abs(got-want) <= tolerance*(1+math.Abs(want))
}

// TestPredict compares with the textbook, with all rows observed and with some pending, and the
// derivatives with central differences. For tolerances see TestLoss.
func TestPredict(t *testing.T) {
	for name, c := range configs {
		t.Run(name, func(t *testing.T) {
			m := New(c)
			p := NewPosterior(m)
			for _, n := range []int{0, 1, 2, 5, 33, 64} {
				r := rand.New(rand.NewPCG(2, uint64(n)))
				x, extra := draw(c, n, r)
				theta := drawTheta(m, r)
				p.Reset(theta, x, extra)
				want := newDense(t, m, theta, x, extra, n)
				for _, observed := range []int{n, n / 2, 0} {
					y := drawTargets(observed, r)
					p.SetTargets(y)
					for range 5 {
						checkPoint(t, p, want, drawPoint(c, r), y)
					}
				}
			}
		})
	}
}

func checkPoint(t *testing.T, p *Posterior, want *dense, x, y []float64) {
	t.Helper()
	mean, variance := want.predict(t, x, y)
	gotMean, gotVariance := p.Predict(x)
	if !near(gotMean, mean, 1e-9) || !near(gotVariance, variance, 1e-9) {
		t.Errorf("%d rows, %d targets: got %v, %v, want %v, %v", p.Len(), len(y), gotMean, gotVariance, mean, variance)
	}
	dMean, dVariance := make([]float64, len(x)), make([]float64, len(x))
	if a, b := p.PredictGradient(x, dMean, dVariance); a != gotMean || b != gotVariance {
		t.Errorf("with the gradient: %v, %v, without: %v, %v", a, b, gotMean, gotVariance)
	}
	const h = 1e-5
	for k, d := range p.model.config.Dimensions {
		v := x[k]
		if d.Categorical || math.IsNaN(v) {
			if dMean[k] != 0 || dVariance[k] != 0 {
				t.Errorf("derivatives %v and %v by a category or an inactive coordinate", dMean[k], dVariance[k])
			}
			continue
		}
		x[k] = v + h
		upMean, upVariance := p.Predict(x)
		x[k] = v - h
		downMean, downVariance := p.Predict(x)
		x[k] = v
		if want := (upMean - downMean) / (2 * h); !near(dMean[k], want, 2e-5) {
			t.Errorf("derivative %d of the mean is %v, want %v", k, dMean[k], want)
		}
		if want := (upVariance - downVariance) / (2 * h); !near(dVariance[k], want, 2e-5) {
			t.Errorf("derivative %d of the variance is %v, want %v", k, dVariance[k], want)
		}
	}
}
