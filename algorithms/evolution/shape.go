package evolution

import (
	"math"

	"github.com/tuned-hpo/tuned/internal/elementary"
)

// shape is the covariance matrix C of the distribution, with a factor A of it, C = A A^T.
type shape interface {
	// color maps z ~ N(0, I) to y = A z ~ N(0, C), and whiten maps it back.
	color(z, y []float64)
	whiten(y, z []float64)
	// variance is C[j,j].
	variance(j int) float64
	// update makes C the sum of keep C, rank1 p p^T and all weights[i] y_i y_i^T (Hansen 2016, eq. 47).
	// It is false when rounding has left no positive definite matrix; then C is the identity.
	update(keep, rank1 float64, p, weights []float64, ys [][]float64) bool
	// logDet is the logarithm of the determinant of C.
	logDet() float64
	// local writes to step what is added to C, in the coordinates in which C is the identity: the sum of
	// add I, rank1 p p^T and all scale weights[i] z_i z_i^T, as a vector of its Frobenius norm, localSize long.
	local(step []float64, add, rank1 float64, p []float64, scale float64, weights []float64, zs [][]float64)
	localSize() int
	// condition is an estimate of the condition number of C, from below.
	condition() float64
}

// full is a matrix with its Cholesky factor. The whitened path that a triangular factor gives is as good
// as that of the symmetric root: both turn only as fast as C does (Krause, Arbones and Igel 2016, CMA-ES
// with optimal covariance update and storage complexity, NeurIPS 29).
type full struct {
	n int
	c []float64 // n by n, the lower triangle
	a []float64 // n by n, the lower triangle
}

func newFull(n int) *full {
	f := &full{n: n, c: make([]float64, n*n), a: make([]float64, n*n)}
	f.reset()
	return f
}

func (f *full) reset() {
	clear(f.c)
	clear(f.a)
	for j := range f.n {
		f.c[j*f.n+j], f.a[j*f.n+j] = 1, 1
	}
}

func (f *full) color(z, y []float64) {
	for i := range f.n {
		y[i] = dot(f.a[i*f.n:i*f.n+i+1], z)
	}
}

func (f *full) whiten(y, z []float64) {
	for i := range f.n {
		row := f.a[i*f.n : i*f.n+i+1]
		z[i] = (y[i] - dot(row[:i], z)) / row[i]
	}
}

func (f *full) variance(j int) float64 { return f.c[j*f.n+j] }

func (f *full) update(keep, rank1 float64, p, weights []float64, ys [][]float64) bool {
	for i := range f.n {
		row := f.c[i*f.n : i*f.n+i+1]
		for j := range row {
			row[j] = float64(keep*row[j]) + float64(rank1*p[i]*p[j])
		}
		for k, y := range ys {
			scale := weights[k] * y[i]
			for j := range row {
				row[j] += float64(scale * y[j])
			}
		}
	}
	if f.factor() {
		return true
	}
	f.reset()
	return false
}

// factor computes A of C, row by row, and tells whether it could.
func (f *full) factor() bool {
	for i := range f.n {
		row := f.a[i*f.n : i*f.n+i+1]
		for j := range i {
			above := f.a[j*f.n : j*f.n+j+1]
			row[j] = (f.c[i*f.n+j] - dot(above[:j], row)) / above[j]
		}
		square := f.c[i*f.n+i] - dot(row[:i], row)
		if !(square > 0 && square <= math.MaxFloat64) {
			return false
		}
		row[i] = math.Sqrt(square)
	}
	return true
}

func (f *full) logDet() float64 {
	sum := 0.0
	for j := range f.n {
		sum += elementary.Log(f.a[j*f.n+j])
	}
	return 2 * sum
}

func (f *full) localSize() int { return f.n * (f.n + 1) / 2 }

func (f *full) local(step []float64, add, rank1 float64, p []float64, scale float64, weights []float64, zs [][]float64) {
	at := 0
	for i := range f.n {
		row := step[at : at+i+1]
		at += i + 1
		for j := range row {
			row[j] = float64(rank1 * p[i] * p[j])
		}
		for k, z := range zs {
			w := scale * weights[k] * z[i]
			for j := range row {
				row[j] += float64(w * z[j])
			}
		}
		row[i] += add
		for j := range i {
			row[j] *= math.Sqrt2 // for it stands twice in the matrix
		}
	}
}

func (f *full) condition() float64 {
	least, most := math.Inf(1), 0.0
	for j := range f.n {
		v := f.a[j*f.n+j]
		least, most = min(least, v), max(most, v)
	}
	return most / least * (most / least)
}

// dot is the product of a and as much of b.
func dot(a, b []float64) float64 {
	sum := 0.0
	b = b[:len(a)]
	for i, v := range a {
		sum += float64(v * b[i])
	}
	return sum
}

// diagonal is a matrix of variances alone, which takes less time and far fewer trials to learn
// (Ros and Hansen 2008, A simple modification in CMA-ES achieving linear time and space complexity).
type diagonal struct {
	c, a []float64 // n
}

func newDiagonal(n int) *diagonal {
	d := &diagonal{c: make([]float64, n), a: make([]float64, n)}
	d.reset()
	return d
}

func (d *diagonal) reset() {
	for j := range d.c {
		d.c[j], d.a[j] = 1, 1
	}
}

func (d *diagonal) color(z, y []float64) {
	for j, a := range d.a {
		y[j] = a * z[j]
	}
}

func (d *diagonal) whiten(y, z []float64) {
	for j, a := range d.a {
		z[j] = y[j] / a
	}
}

func (d *diagonal) variance(j int) float64 { return d.c[j] }

func (d *diagonal) update(keep, rank1 float64, p, weights []float64, ys [][]float64) bool {
	for j := range d.c {
		v := float64(keep*d.c[j]) + float64(rank1*p[j]*p[j])
		for k, y := range ys {
			v += float64(weights[k] * y[j] * y[j])
		}
		if !(v > 0 && v <= math.MaxFloat64) {
			d.reset()
			return false
		}
		d.c[j], d.a[j] = v, math.Sqrt(v)
	}
	return true
}

func (d *diagonal) logDet() float64 {
	sum := 0.0
	for _, v := range d.c {
		sum += elementary.Log(v)
	}
	return sum
}

func (d *diagonal) localSize() int { return len(d.c) }

func (d *diagonal) local(step []float64, add, rank1 float64, p []float64, scale float64, weights []float64, zs [][]float64) {
	for j := range step {
		step[j] = add + float64(rank1*p[j]*p[j])
		for k, z := range zs {
			step[j] += float64(scale * weights[k] * z[j] * z[j])
		}
	}
}

func (d *diagonal) condition() float64 {
	least, most := math.Inf(1), 0.0
	for _, v := range d.c {
		least, most = min(least, v), max(most, v)
	}
	return most / least
}
