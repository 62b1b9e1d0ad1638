package gp

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"gonum.org/v1/gonum/mat"
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

// TestOneRow compares with the formulas for one observation.
func TestOneRow(t *testing.T) {
	m := New(Default(make([]Dimension, 1)))
	theta := []float64{math.Log(2), math.Log(0.5), math.Log(0.25)}
	p := NewPosterior(m)
	p.Reset(theta, []float64{0.5}, []float64{0.1})
	p.SetTargets([]float64{3})
	q := math.Sqrt(5) // one length away
	k := 2 * (1 + q + q*q/3) * math.Exp(-q)
	all := 2 + 0.5 + Floor + 0.1
	mean, variance := p.Predict([]float64{0.75})
	if !near(mean, k/all*3, 1e-14) || !near(variance, 2-k*k/all, 1e-14) { // a dozen roundings
		t.Errorf("got %v, %v, want %v, %v", mean, variance, k/all*3, 2-k*k/all)
	}
}

func TestRemaining(t *testing.T) {
	for _, c := range []struct{ all, explained, want float64 }{{2, 0.5, 1.5}, {2, 2, 2e-12}, {2, 2.1, 2e-12}} {
		if got := remaining(c.all, c.explained); got != c.want {
			t.Errorf("of %v, %v explained: %v is left, want %v", c.all, c.explained, got, c.want)
		}
	}
}

// TestPredictBatch wants the bits of Predict.
func TestPredictBatch(t *testing.T) {
	for name, c := range configs {
		m, r, d := New(c), rand.New(rand.NewPCG(11, 11)), len(c.Dimensions)
		p := NewPosterior(m)
		for _, n := range []int{0, 1, 6, 45} {
			x, extra := draw(c, n, r)
			p.Reset(drawTheta(m, r), x, extra)
			p.SetTargets(drawTargets(n/2, r))
			const k = 71
			points, _ := draw(c, k, r)
			mean, variance := make([]float64, k), make([]float64, k)
			p.PredictBatch(points, mean, variance)
			for i := range k {
				a, b := p.Predict(points[i*d:][:d])
				if a != mean[i] || b != variance[i] {
					t.Fatalf("%s, %d rows: alone %v, %v, in a batch %v, %v", name, n, a, b, mean[i], variance[i])
				}
			}
		}
	}
}

// TestLeaveOneOut compares with leaving each row out. For the tolerance see TestLoss.
func TestLeaveOneOut(t *testing.T) {
	const n, pending = 18, 3
	for name, c := range configs {
		m, r, d := New(c), rand.New(rand.NewPCG(13, 13)), len(c.Dimensions)
		x, extra := draw(c, n+pending, r)
		y, theta := drawTargets(n, r), drawTheta(m, r)
		p, other := NewPosterior(m), NewPosterior(m)
		p.Reset(theta, x, extra)
		p.SetTargets(y)
		mean, variance := make([]float64, n), make([]float64, n)
		p.LeaveOneOut(mean, variance)
		for i := range n {
			other.Reset(theta, slices.Delete(slices.Clone(x[:n*d]), i*d, (i+1)*d), slices.Delete(slices.Clone(extra[:n]), i, i+1))
			other.SetTargets(slices.Delete(slices.Clone(y), i, i+1))
			wantMean, wantVariance := other.Predict(x[i*d:][:d])
			wantVariance += p.noise[i]
			if !near(mean[i], wantMean, 1e-9) || !near(variance[i], wantVariance, 1e-9) {
				t.Errorf("%s, row %d: got %v, %v, want %v, %v", name, i, mean[i], variance[i], wantMean, wantVariance)
			}
		}
	}
}

// TestKernelIsPositive looks for a negative eigenvalue of covariance matrices without noise, on grids
// of active and inactive coordinates, where a constant distance of inactive ones has some.
func TestKernelIsPositive(t *testing.T) {
	for _, logLength := range []float64{-3, -2, -1, 0, 1} {
		for _, logActivity := range []float64{-2, 0, 2, 4} {
			m := New(Default([]Dimension{{Conditional: true}, {Categorical: true, Conditional: true}}))
			theta := []float64{0, -10, logLength, logLength, logActivity}
			x := []float64{math.NaN(), math.NaN()}
			for i := range 21 {
				x = append(x, float64(i)/20, math.NaN(), float64(i)/20, float64(i%3))
			}
			n := len(x) / 2
			k := mat.NewSymDense(n, nil)
			for i := range n {
				for j := range i + 1 {
					k.SetSym(i, j, covarianceOf(m, theta, x[2*i:][:2], x[2*j:][:2]))
				}
			}
			var e mat.EigenSym
			if !e.Factorize(k, false) {
				t.Fatal("no eigenvalues")
			}
			// The greatest is n at most, and the error n times the rounding of that.
			if least := e.Values(nil)[0]; least < -float64(n*n)*0x1p-52 {
				t.Errorf("l = exp(%v), activity exp(%v): the least eigenvalue is %v", logLength, logActivity, least)
			}
		}
	}
}
