package problem

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/tuned-hpo/tuned/pkg/searchspace"
)

// bbob places one of the noiseless functions of Hansen, Finck, Ros and Auger, "Real-Parameter
// Black-Box Optimization Benchmarking 2009: Noiseless Functions Definitions", RR-6829, which name
// the symbols. The domain is [-5, 5]^d, inside of which their boundary penalties are 0.
type bbob struct {
	number int       // 1 to 24
	d      int       // at least 2
	xopt   []float64 // the optimum
	fopt   float64   // the value there
	r, q   []float64 // rotations, d by d, row-major; nil where the function has none
	peaks  []peak    // f21 and f22 only, the highest first
}

// peak is one of Gallagher's.
type peak struct {
	w float64
	y []float64 // centre, rotated by r
	c []float64 // diagonal of C
}

// bbobDomain is the largest magnitude of a coordinate.
const bbobDomain = 5

// excess is the value at x less fopt: 0 at xopt.
func (b *bbob) excess(x []float64) float64 { return bbobFunctions[b.number-1](b, x) }

// newBBOB places function number by random rotations and shifts.
func newBBOB(number, d int, instance uint64) *bbob {
	source := rand.New(rand.NewPCG(uint64(number), instance<<32|uint64(d)))
	b := &bbob{number: number, d: d, fopt: math.Round(source.Float64()*20000-10000) / 100}
	b.r, b.q = rotation(d, source), rotation(d, source)
	b.xopt = make([]float64, d)
	for i := range b.xopt {
		b.xopt[i] = 8*source.Float64() - 4
	}
	b.restrict(source)
	return b
}

// restrict moves the optimum to where the definition of the function wants it.
func (b *bbob) restrict(source *rand.Rand) {
	switch b.number {
	case 4: // section 4
		for i := 0; i < b.d; i += 2 {
			b.xopt[i] = math.Abs(b.xopt[i])
		}
	case 5, 20, 24:
		size := map[int]float64{5: bbobDomain, 20: 4.2096874637 / 2, 24: lunacekMu / 2}[b.number]
		for i, x := range b.xopt {
			b.xopt[i] = math.Copysign(size, x)
		}
	case 8:
		for i := range b.xopt {
			b.xopt[i] *= 0.75
		}
	case 9, 19: // z is 1 there
		for i := range b.xopt {
			b.xopt[i] = 0
			for j := range b.d {
				b.xopt[i] += 0.5 / b.rosenbrockScale() * b.r[j*b.d+i]
			}
		}
	case 21:
		b.raisePeaks(101, math.Sqrt(1000), 5, 4, source)
	case 22:
		b.raisePeaks(21, 1000, 4.9, 3.92, source)
	}
}

// raisePeaks draws Gallagher's peaks in [-reach, reach]^d, the highest within [-inner, inner]^d and
// of condition first; the conditions of the others are spread between 1 and 1000 in random order.
func (b *bbob) raisePeaks(n int, first, reach, inner float64, source *rand.Rand) {
	order := source.Perm(n - 1)
	y := make([]float64, b.d)
	for i := range n {
		p := peak{w: 10, c: make([]float64, b.d)}
		alpha, side := first, inner
		if i > 0 {
			alpha, side = math.Pow(1000, float64(order[i-1])/float64(n-2)), reach
			p.w = 1.1 + 8*float64(i-1)/float64(n-2)
		}
		for k, rank := range source.Perm(b.d) {
			p.c[k] = math.Pow(alpha, float64(rank)/float64(b.d-1)-0.5)
			y[k] = side * (2*source.Float64() - 1)
		}
		if i == 0 {
			copy(b.xopt, y)
		}
		p.y = multiply(b.r, y)
		b.peaks = append(b.peaks, p)
	}
}

// rotation draws a d by d orthogonal matrix, uniformly: normal vectors made orthonormal by Gram
// and Schmidt.
func rotation(d int, source *rand.Rand) []float64 {
	m := make([]float64, d*d)
	for i := range d {
		row := m[i*d : i*d+d]
		for k := range row {
			row[k] = source.NormFloat64()
		}
		for j := range i {
			other := m[j*d : j*d+d]
			along := dot(row, other)
			for k := range row {
				row[k] -= along * other[k]
			}
		}
		norm := math.Sqrt(dot(row, row))
		for k := range row {
			row[k] /= norm
		}
	}
	return m
}

func dot(a, b []float64) float64 {
	sum := 0.0
	for i, v := range a {
		sum += v * b[i]
	}
	return sum
}

// multiply returns the product of a square matrix and x.
func multiply(m, x []float64) []float64 {
	y := make([]float64, len(x))
	for i := range y {
		y[i] = dot(m[i*len(x):(i+1)*len(x)], x)
	}
	return y
}

// cube returns the space of x1 to xd in [low, high].
func cube(d int, low, high float64) []searchspace.Parameter {
	params := make([]searchspace.Parameter, d)
	for i := range params {
		params[i] = searchspace.Parameter{Name: fmt.Sprintf("x%d", i+1), Kind: searchspace.Double, Min: low, Max: high}
	}
	return params
}
