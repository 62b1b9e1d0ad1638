package gp

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// state returns all numbers of a posterior that predictions depend on.
func (p *Posterior) state() []float64 {
	var s []float64
	for i := range p.Len() {
		s = append(s, p.factor.row(i)...)
		s = append(s, p.factor.inverse[i], p.noise[i])
	}
	for k := range p.rows.width {
		s = append(s, p.rows.column(k)...)
	}
	return append(s, p.alpha...)
}

// TestRebuild wants the same bits of a posterior, however many of its rows came together, and from
// storage that grew or was used before.
func TestRebuild(t *testing.T) {
	const n = 83
	for name, c := range configs {
		t.Run(name, func(t *testing.T) {
			m, r, d := New(c), rand.New(rand.NewPCG(7, 7)), len(c.Dimensions)
			x, extra := draw(c, n, r)
			theta, y := drawTheta(m, r), drawTargets(n-3, r)
			whole := NewPosterior(m)
			whole.Reset(theta, x, extra)
			whole.SetTargets(y)
			want := whole.state()
			used := NewPosterior(m)
			for _, first := range []int{0, 1, 3, 4, 31, 32, 33, 50, 82} {
				used.Reset(theta, x[:first*d], extra[:first])
				for i := first; i < n; i++ {
					used.Append(x[i*d:][:d], extra[i])
				}
				used.SetTargets(y)
				if !slices.Equal(used.state(), want) {
					t.Errorf("%d rows at once and the others one by one differ from all at once", first)
				}
				used.Append(x[:d], 0)
				used.Truncate(n)
				if !slices.Equal(used.state(), want) {
					t.Errorf("a row appended and taken back left a trace")
				}
			}
		})
	}
}

// TestRemove compares with a posterior that never had the row. Each plane rotation rounds each
// element once or twice, and the error of a factor is magnified by its condition, 1e2 at most.
func TestRemove(t *testing.T) {
	const n = 41
	for name, c := range configs {
		t.Run(name, func(t *testing.T) {
			m, r, d := New(c), rand.New(rand.NewPCG(8, 8)), len(c.Dimensions)
			x, extra := draw(c, n, r)
			theta, y := drawTheta(m, r), drawTargets(n, r)
			p, want := NewPosterior(m), NewPosterior(m)
			p.Reset(theta, x, extra)
			p.SetTargets(y)
			for p.Len() > 0 {
				i := r.IntN(p.Len())
				p.Remove(i)
				x, extra = slices.Delete(x, i*d, (i+1)*d), slices.Delete(extra, i, i+1)
				y = slices.Delete(y, i, i+1)
				want.Reset(theta, x, extra)
				want.SetTargets(y)
				a, b := p.state(), want.state()
				for k := range b {
					if !near(a[k], b[k], 1e-9) {
						t.Fatalf("without row %d, %d are left: number %d is %v, want %v", i, p.Len(), k, a[k], b[k])
					}
				}
			}
		})
	}
}

// TestTruncateTakesTargets wants what a posterior of the rows that are left gives.
func TestTruncateTakesTargets(t *testing.T) {
	c := configs["mixed"]
	m, r := New(c), rand.New(rand.NewPCG(9, 9))
	x, extra := draw(c, 10, r)
	y := drawTargets(10, r)
	p, want := NewPosterior(m), NewPosterior(m)
	p.Reset(m.Start(), x, extra)
	p.SetTargets(y)
	p.Truncate(6)
	want.Reset(m.Start(), x[:6*len(c.Dimensions)], extra[:6])
	want.SetTargets(y[:6])
	if !slices.Equal(p.state(), want.state()) {
		t.Errorf("got %v, want %v", p.state(), want.state())
	}
}

func TestNoAllocation(t *testing.T) {
	c := configs["all"]
	m, r, d := New(c), rand.New(rand.NewPCG(10, 10)), len(c.Dimensions)
	x, extra := draw(c, 40, r)
	y := drawTargets(40, r)
	l, p := NewLikelihood(m), NewPosterior(m)
	gradient := make([]float64, len(m.Start()))
	dMean, dVariance := make([]float64, d), make([]float64, d)
	mean, variance := make([]float64, 40), make([]float64, 40)
	start, lower, upper := make([]float64, 6), fill(6, -2), fill(6, 2)
	var least Minimizer
	for name, f := range map[string]func(){
		"Set":  func() { l.Set(x, y, extra) },
		"Loss": func() { l.Loss(m.Start(), gradient) },
		"Reset, Append, Remove, Truncate": func() {
			p.Reset(m.Start(), x, extra)
			p.Append(x[:d], 0)
			p.Remove(3)
			p.Truncate(39)
			p.SetTargets(y[:39])
		},
		"PredictGradient": func() { p.PredictGradient(x[:d], dMean, dVariance) },
		"PredictBatch":    func() { p.PredictBatch(x[:d*40], mean[:len(x)/d], variance) },
		"Minimize":        func() { clear(start); least.Minimize(rosenbrock, start, lower, upper, Options{}) },
	} {
		if got := testing.AllocsPerRun(10, f); got != 0 {
			t.Errorf("%s allocates %v times", name, got)
		}
	}
}
