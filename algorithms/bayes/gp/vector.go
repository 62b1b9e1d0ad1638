package gp

import (
	"math"

	"github.com/tuned-hpo/tuned/internal/elementary"
)

// The loops that take the time, in plain Go. vector_amd64.s and matern_amd64.s have the same for the
// vector unit. What the others call is dot and so on, which is plainDot where there is none.
//
// A sum over i is that of four partial sums, one for each i mod 4, each in rising order and with one
// rounding per term (a fused multiply-add), and they are added as (0+1)+(2+3). So both give the same
// bits. Slices that are read or written in whole vectors must have room to a multiple of lanes. What is
// in the room after the end is arbitrary, save where it is said to be 0; columns have numbers there.

// lanes is how many numbers are in a vector.
const lanes = 4

func roundUp(n int) int   { return (n + lanes - 1) &^ (lanes - 1) }
func roundDown(n int) int { return n &^ (lanes - 1) }

func sumLanes(s *[lanes]float64) float64 { return (s[0] + s[1]) + (s[2] + s[3]) }

// dot returns the sum of a[i] b[i]. a and b are equally long.
func plainDot(a, b []float64) float64 {
	var s [lanes]float64
	n := roundDown(len(a))
	for i := 0; i < n; i += lanes {
		s[0] = math.FMA(a[i], b[i], s[0])
		s[1] = math.FMA(a[i+1], b[i+1], s[1])
		s[2] = math.FMA(a[i+2], b[i+2], s[2])
		s[3] = math.FMA(a[i+3], b[i+3], s[3])
	}
	for i := n; i < len(a); i++ {
		s[i-n] = math.FMA(a[i], b[i], s[i-n])
	}
	return sumLanes(&s)
}

// dots writes the products of 2 rows b with 4 rows a, over n elements, n a multiple of lanes:
// out[4r+c] is that of row r of b and row c of a. Rows begin aStride and bStride apart.
func plainDots(out *[2 * lanes]float64, n int, a []float64, aStride int, b []float64, bStride int) {
	for r := range 2 {
		for c := range lanes {
			out[lanes*r+c] = plainDot(b[r*bStride:][:n], a[c*aStride:][:n])
		}
	}
}

// axpy adds f x to y. y is at least as long as x.
func plainAxpy(f float64, x, y []float64) {
	y = y[:len(x)]
	for i, v := range x {
		y[i] = math.FMA(f, v, y[i])
	}
}

// axpys adds to y the rows x, which begin stride apart, times f, the last one first. y has a multiple
// of lanes elements.
func plainAxpys(f *[lanes]float64, x []float64, stride int, y []float64) {
	for t := lanes - 1; t >= 0; t-- {
		plainAxpy(f[t], x[t*stride:][:len(y)], y)
	}
}

// squares adds to each element of r2 the squared distance between z and the same element of the
// columns of c, one column per element of z. Columns begin stride apart. It works in whole vectors.
func plainSquares(r2, c []float64, stride int, z []float64) {
	for k, zk := range z {
		for i, v := range c[k*stride:][:len(r2)] {
			t := v - zk
			r2[i] = math.FMA(t, t, r2[i])
		}
	}
}

// unequal adds to each element of r2 the weights of the columns whose element is not z's. It works
// in whole vectors.
func plainUnequal(r2, c []float64, stride int, z, weights []float64) {
	for k, zk := range z {
		for i, v := range c[k*stride:][:len(r2)] {
			if v != zk {
				r2[i] += weights[k]
			}
		}
	}
}

// matern replaces squared distances r2 by the kernel, and writes its derivative with respect to r2.
// It works in whole vectors.
func plainMatern(k, slope []float64, signal float64) {
	slope = slope[:len(k)]
	for i, r2 := range k {
		q := math.Sqrt(5 * r2)
		e := signal * elementary.Exp(-min(q, 700))
		k[i] = e * math.FMA(q, math.FMA(q, 1.0/3, 1), 1)
		slope[i] = -5.0 / 6 * math.FMA(e, q, e)
	}
}

// pull adds to the partial sums of each column the sum of weights[i] (x[i]-z). There is one column
// per element of z. It works in whole vectors: weights must be followed by 0.
func plainPull(sums [][lanes]float64, weights, c []float64, stride int, z []float64) {
	for k, zk := range z {
		s := &sums[k]
		for i, x := range c[k*stride:][:len(weights)] {
			s[i%lanes] = math.FMA(weights[i], x-zk, s[i%lanes])
		}
	}
}

// pullSquares adds the sum of weights[i] (x[i]-z)^2, otherwise like pull.
func plainPullSquares(sums [][lanes]float64, weights, c []float64, stride int, z []float64) {
	for k, zk := range z {
		s := &sums[k]
		for i, x := range c[k*stride:][:len(weights)] {
			t := x - zk
			s[i%lanes] = math.FMA(float64(weights[i]*t), t, s[i%lanes])
		}
	}
}

// pullUnequal adds the sum of weights[i] where x[i] is not z, otherwise like pull.
func plainPullUnequal(sums [][lanes]float64, weights, c []float64, stride int, z []float64) {
	for k, zk := range z {
		s := &sums[k]
		for i, x := range c[k*stride:][:len(weights)] {
			if x != zk {
				s[i%lanes] += weights[i]
			}
		}
	}
}
