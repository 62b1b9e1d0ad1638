package bayes

import (
	"math"
	"math/rand/v2"
	"testing"
)

// TestEHVIIntegral compares with the integral of P(Y <= z) over what is not dominated, by the
// midpoint rule on a grid whose lines are those of the front.
func TestEHVIIntegral(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 1))
	for m := 1; m <= 3; m++ {
		points, reference := grid(r, 8, m, 5), []float64{5, 5, 5}[:m]
		e := newEHVI(points, reference)
		mean, sd := make([]float64, m), make([]float64, m)
		for range 4 {
			for k := range m {
				mean[k], sd[k] = 5*r.Float64(), 0.5+r.Float64()
			}
			got := math.Exp(e.log(mean, sd, make([]float64, m), make([]float64, m)))
			want := integral(points, reference, mean, sd)
			// Per axis the rule errs by h^2/24 times the range of phi/sd, at most 1, over boxes of
			// side 15 in the other axes, where P is at most 1 and mostly far less.
			if tolerance := float64(m) * step * step / 24 * 15; math.Abs(got-want) > tolerance {
				t.Errorf("%d objectives, %v, %v: got %v, want %v", m, mean, sd, got, want)
			}
		}
	}
}

const step = 0.125

func integral(points [][]float64, reference, mean, sd []float64) float64 {
	m := len(reference)
	const cells = 15 / step // from 10 below 0 up to 5
	at, sum := make([]int, m), 0.0
	z := make([]float64, m)
	for {
		weight := 1.0
		for k, i := range at {
			z[k] = (float64(i)+0.5)*step - 10
			weight *= step * math.Erfc((mean[k]-z[k])/(math.Sqrt2*sd[k])) / 2
		}
		free := true
		for _, p := range points {
			free = free && !dominates(p, z)
		}
		if free {
			sum += weight
		}
		k := 0
		for ; k < m; k++ {
			at[k]++
			if at[k] < cells {
				break
			}
			at[k] = 0
		}
		if k == m {
			return sum
		}
	}
}

// TestEHVIOfOne compares with the expected improvement, and far away.
func TestEHVIOfOne(t *testing.T) {
	e := newEHVI([][]float64{{2}}, []float64{5})
	for _, c := range []struct{ mean, sd float64 }{{1, 1}, {2, 0.1}, {10, 1}, {100, 1}, {3, 1e-9}, {-50, 3}} {
		dMean, dSD := make([]float64, 1), make([]float64, 1)
		got := e.log([]float64{c.mean}, []float64{c.sd}, dMean, dSD)
		h, slope := logH((2 - c.mean) / c.sd)
		if want := h + math.Log(c.sd); got != want || dMean[0] != -slope/c.sd {
			t.Errorf("mean %v, sd %v: got %v and slope %v, want %v and %v", c.mean, c.sd, got, dMean[0], want, -slope/c.sd)
		}
	}
}

// TestEHVIGradient compares with central differences, also where the improvement underflows and
// where boxes are narrow.
func TestEHVIGradient(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 1))
	for _, c := range []struct {
		name    string
		m       int
		spacing float64 // of the front, in standard deviations
		away    float64 // distance of the mean, in standard deviations
	}{
		{"two near", 2, 1, 0},
		{"two far", 2, 1, 60},
		{"two fine", 2, 1e-6, 0},
		{"two fine and far", 2, 1e-6, 60},
		{"two fine and good", 2, 1e-6, -20},
		{"three near", 3, 1, 1},
		{"three far", 3, 1, 40},
		{"four", 4, 0.5, 2},
	} {
		points := grid(r, 12, c.m, 8)
		reference := make([]float64, c.m)
		for _, p := range points {
			for k := range p {
				p[k] *= c.spacing
				reference[k] = 9 * c.spacing
			}
		}
		e := newEHVI(points, reference)
		x := make([]float64, 2*c.m) // means, then deviations
		for k := range c.m {
			x[k], x[c.m+k] = c.away+r.Float64(), 0.5+r.Float64()
		}
		gradient, spare := make([]float64, 2*c.m), make([]float64, 2*c.m)
		value := e.log(x[:c.m], x[c.m:], gradient[:c.m], gradient[c.m:])
		for i := range x {
			const h = 1e-5
			at := x[i]
			x[i] = at + h
			up := e.log(x[:c.m], x[c.m:], spare[:c.m], spare[c.m:])
			x[i] = at - h
			down := e.log(x[:c.m], x[c.m:], spare[:c.m], spare[c.m:])
			x[i] = at
			got, want := gradient[i], (up-down)/(2*h)
			// The difference errs by h^2 times the third derivative, which is of the order of the
			// value itself, and by the rounding of the value, 1e-9 where boxes are narrow, over h.
			if math.Abs(got-want) > 1e-4*(1+math.Abs(want))+2e-14*math.Abs(value)/h {
				t.Errorf("%s: derivative %d is %v, by differences %v", c.name, i, got, want)
			}
		}
	}
}

// TestEHVINarrow wants both formulas for a box to agree where one gives way to the other.
func TestEHVINarrow(t *testing.T) {
	for _, z := range []float64{-60, -10, -3, -1, 0, 1, 5} {
		for _, side := range []float64{0.999, 1.001} {
			width := side * narrow / (1 + math.Abs(z))
			u, l := edge{at: z, z: z}, edge{at: z - width, z: z - width}
			u.logH, u.slope = logH(u.z)
			l.logH, l.slope = logH(l.z)
			e := ehvi{m: 1, lower: []int{0}, upper: []int{1}, table: [][]edge{{l, u}}}
			e.measure(0, 0, 1)
			want := thin(&u, &l, 1)
			// See narrow; derivatives divide by a difference once more.
			if got := e.factor; math.Abs(got.log-want.log) > 1e-8 || math.Abs(got.dMean-want.dMean) > 1e-4*(1+math.Abs(z)) ||
				math.Abs(got.dSD-want.dSD) > 1e-4*(1+z*z) {
				t.Errorf("z %v, width %v: %v, want %v", z, width, got, want)
			}
		}
	}
}

func BenchmarkEHVI(b *testing.B) {
	r := rand.New(rand.NewPCG(6, 1))
	for m := 2; m <= 4; m++ {
		points := make([][]float64, 30)
		for i := range points { // on the sphere, so that all are on the front
			norm := 0.0
			points[i] = make([]float64, m)
			for k := range m {
				points[i][k] = math.Abs(r.NormFloat64())
				norm = math.Hypot(norm, points[i][k])
			}
			for k := range m {
				points[i][k] /= norm
			}
		}
		e := newEHVI(points, []float64{1.1, 1.1, 1.1, 1.1}[:m])
		mean, sd, dm, ds := []float64{.5, .5, .5, .5}[:m], []float64{.1, .1, .1, .1}[:m], make([]float64, m), make([]float64, m)
		b.Run(string(rune('0'+m)), func(b *testing.B) {
			for b.Loop() {
				e.log(mean, sd, dm, ds)
			}
		})
	}
}
