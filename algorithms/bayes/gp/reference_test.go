package gp

import (
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/mat"
)

// The spaces that the properties are tested on.
var configs = map[string]Config{
	"continuous": Default(make([]Dimension, 3)),
	"one":        Default(make([]Dimension, 1)),
	"category":   Default([]Dimension{{Categorical: true}}),
	"mixed":      Default([]Dimension{{}, {Categorical: true}, {}, {Categorical: true}}),
	"conditional": Default([]Dimension{
		{Categorical: true}, {Conditional: true}, {}, {Categorical: true, Conditional: true}, {Conditional: true},
	}),
	"all": with(Default([]Dimension{
		{}, {Categorical: true}, {Conditional: true}, {Categorical: true, Conditional: true}, {},
	}), true, true),
	"linear": with(Default(make([]Dimension, 4)), true, false),
	"warp":   with(Default(make([]Dimension, 2)), false, true),
	"skew":   skewed(Default(make([]Dimension, 4))),
	"skewed mix": skewed(Default([]Dimension{
		{}, {Categorical: true}, {Conditional: true}, {}, {Conditional: true},
	})),
}

func skewed(c Config) Config {
	c.Skew = 0.7
	return c
}

func with(c Config, linear, warp bool) Config {
	c.Linear, c.Warp = linear, warp
	return c
}

// draw returns n rows, of which some repeat another, and noise in addition.
func draw(c Config, n int, r *rand.Rand) (x, extra []float64) {
	d := len(c.Dimensions)
	for i := range n {
		if i > 0 && r.IntN(8) == 0 {
			j := r.IntN(i)
			x = append(x, x[j*d:][:d]...)
		} else {
			x = append(x, drawPoint(c, r)...)
		}
		extra = append(extra, max(0, r.Float64()-0.5))
	}
	return x, extra
}

func drawPoint(c Config, r *rand.Rand) []float64 {
	x := make([]float64, len(c.Dimensions))
	for k, d := range c.Dimensions {
		switch {
		case d.Conditional && r.IntN(3) == 0:
			x[k] = math.NaN()
		case d.Categorical:
			x[k] = float64(r.IntN(3))
		default:
			x[k] = r.Float64()
		}
	}
	return x
}

func drawTheta(m *Model, r *rand.Rand) []float64 {
	theta := make([]float64, len(m.start))
	for i := range theta {
		theta[i] = min(max(m.start[i]+0.5*r.NormFloat64(), m.lower[i]), m.upper[i])
	}
	return theta
}

func drawTargets(n int, r *rand.Rand) []float64 {
	y := make([]float64, n)
	for i := range y {
		y[i] = r.NormFloat64()
	}
	return y
}

// covarianceOf is the kernel as the comment of Model states it, coordinate by coordinate.
func covarianceOf(m *Model, theta, x, y []float64) float64 {
	next := lengthAt + len(x)
	activity, linear := 0.0, 0.0
	if len(m.conditional) > 0 {
		activity, next = math.Exp(theta[next]), next+1
	}
	if m.config.Linear && len(m.continuous) > 0 {
		linear, next = math.Exp(theta[next]), next+1
	}
	var r2, product float64
	var before []float64 // differences of the continuous coordinates so far
	for k, d := range m.config.Dimensions {
		length := math.Exp(theta[lengthAt+k])
		u, v := x[k], y[k]
		if d.Conditional && math.IsNaN(u) != math.IsNaN(v) {
			r2 += 1 / (activity * activity)
		}
		if d.Categorical {
			if u != v && !(math.IsNaN(u) && math.IsNaN(v)) {
				r2 += 1 / (length * length)
			}
			continue
		}
		if math.IsNaN(u) {
			u = 0.5
		}
		if math.IsNaN(v) {
			v = 0.5
		}
		product += linear * (u - 0.5) * (v - 0.5)
		if m.config.Warp {
			a, b := math.Exp(theta[next]), math.Exp(theta[next+1])
			next += 2
			u, v = inside(u), inside(v)
			u, v = 1-math.Pow(1-math.Pow(u, a), b), 1-math.Pow(1-math.Pow(v, a), b)
		}
		difference := u - v
		if m.config.Skew > 0 {
			for _, b := range before {
				difference, next = difference+theta[next]*b, next+1
			}
		}
		before = append(before, u-v)
		r2 += difference * difference / (length * length)
	}
	q := math.Sqrt(5 * r2)
	return math.Exp(theta[signalAt])*(1+q+q*q/3)*math.Exp(-q) + product
}

// dense is a process by textbook, with gonum's factorisation.
type dense struct {
	m     *Model
	theta []float64
	x     [][]float64
	noise []float64
	k     *mat.SymDense
	chol  mat.Cholesky
}

func newDense(t testing.TB, m *Model, theta, x, extra []float64, n int) *dense {
	d := len(m.config.Dimensions)
	r := &dense{m: m, theta: theta}
	k := mat.NewSymDense(max(n, 1), nil)
	for i := range n {
		r.x = append(r.x, x[i*d:][:d])
		r.noise = append(r.noise, math.Exp(theta[noiseAt])+Floor)
		if extra != nil {
			r.noise[i] += extra[i]
		}
		for j := range i + 1 {
			k.SetSym(i, j, covarianceOf(m, theta, r.x[i], r.x[j]))
		}
		k.SetSym(i, i, k.At(i, i)+r.noise[i])
	}
	if n == 0 {
		return r
	}
	r.k = k
	if !r.chol.Factorize(k) {
		t.Fatal("the covariance matrix is not positive definite")
	}
	return r
}

// loss returns the negative log posterior density.
func (r *dense) loss(y []float64) float64 {
	var sum float64
	for i, p := range r.m.priors {
		t := (r.theta[i] - p.Mu) / p.Sigma
		sum += t * t / 2
	}
	if len(y) == 0 {
		return sum
	}
	var alpha mat.VecDense
	v := mat.NewVecDense(len(y), y)
	_ = r.chol.SolveVecTo(&alpha, v) // a bad condition is no error here
	return sum + 0.5*mat.Dot(v, &alpha) + 0.5*r.chol.LogDet()
}

// predict returns mean and variance at a point, of which the mean knows the first len(y) rows.
func (r *dense) predict(t testing.TB, x, y []float64) (mean, variance float64) {
	variance = covarianceOf(r.m, r.theta, x, x)
	if len(r.x) == 0 {
		return 0, variance
	}
	k := mat.NewVecDense(len(r.x), nil)
	for i, row := range r.x {
		k.SetVec(i, covarianceOf(r.m, r.theta, x, row))
	}
	var c mat.VecDense
	_ = r.chol.SolveVecTo(&c, k)
	variance -= mat.Dot(k, &c)
	if n := len(y); n > 0 {
		leading := r.k.SliceSym(0, n)
		var chol mat.Cholesky
		if !chol.Factorize(leading) {
			t.Fatal("the leading block is not positive definite")
		}
		c.Reset()
		_ = chol.SolveVecTo(&c, mat.NewVecDense(n, y))
		mean = mat.Dot(k.SliceVec(0, n), &c)
	}
	return mean, variance
}
