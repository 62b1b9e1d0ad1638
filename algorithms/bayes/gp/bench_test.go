package gp

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// sizes runs a benchmark with n observations of a smooth function of d coordinates.
func sizes(b *testing.B, f func(b *testing.B, m *Model, x, y []float64)) {
	for _, d := range []int{5, 10, 20} {
		for _, n := range []int{100, 256, 500, 1000} {
			b.Run(fmt.Sprintf("d=%d/n=%d", d, n), func(b *testing.B) {
				x, y := smooth(n, d)
				f(b, New(Default(make([]Dimension, d))), x, y)
			})
		}
	}
}

func smooth(n, d int) (x, y []float64) {
	r := rand.New(rand.NewPCG(5, uint64(n*d)))
	for range n {
		var sum float64
		for k := range d {
			u := r.Float64()
			x = append(x, u)
			sum += math.Sin(3*u+float64(k)) / math.Sqrt(float64(d))
		}
		y = append(y, 1.5*sum)
	}
	return x, y
}

func BenchmarkLoss(b *testing.B) {
	sizes(b, func(b *testing.B, m *Model, x, y []float64) {
		l := NewLikelihood(m)
		l.Set(x, y, nil)
		g := make([]float64, len(m.Start()))
		for b.Loop() {
			l.Loss(m.Start(), g)
		}
	})
}

func BenchmarkReset(b *testing.B) {
	sizes(b, func(b *testing.B, m *Model, x, _ []float64) {
		p := NewPosterior(m)
		for b.Loop() {
			p.Reset(m.Start(), x, nil)
		}
	})
}

func posteriors(b *testing.B, f func(b *testing.B, p *Posterior)) {
	sizes(b, func(b *testing.B, m *Model, x, y []float64) {
		p := NewPosterior(m)
		p.Reset(m.Start(), x, nil)
		p.SetTargets(y)
		f(b, p)
	})
}

func BenchmarkAppend(b *testing.B) {
	posteriors(b, func(b *testing.B, p *Posterior) {
		x := fill(len(p.model.config.Dimensions), 0.3)
		n := p.Len()
		for b.Loop() {
			p.Append(x, 0)
			p.Truncate(n)
		}
	})
}

func BenchmarkPredictGradient(b *testing.B) {
	posteriors(b, func(b *testing.B, p *Posterior) {
		d := len(p.model.config.Dimensions)
		x := fill(d, 0.3)
		dMean, dVariance := fill(d, 0), fill(d, 0)
		for b.Loop() {
			p.PredictGradient(x, dMean, dVariance)
		}
	})
}

func BenchmarkPredictBatch1000(b *testing.B) {
	posteriors(b, func(b *testing.B, p *Posterior) {
		x, mean := smooth(1000, len(p.model.config.Dimensions))
		variance := make([]float64, len(mean))
		for b.Loop() {
			p.PredictBatch(x, mean, variance)
		}
	})
}

// BenchmarkWarmFit is a fit that starts where the one before ended, with one observation less.
func BenchmarkWarmFit(b *testing.B) {
	sizes(b, func(b *testing.B, m *Model, x, y []float64) {
		d, n := len(m.config.Dimensions), len(y)
		l := NewLikelihood(m)
		l.Set(x[:d*(n-1)], y[:n-1], nil)
		theta, _ := l.Fit([][]float64{m.Start()}, Options{})
		l.Set(x, y, nil)
		for b.Loop() {
			l.Fit([][]float64{theta}, Options{Iterations: 10, Decrease: 1e-3})
		}
	})
}
