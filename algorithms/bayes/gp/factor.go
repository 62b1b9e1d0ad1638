package gp

import (
	"math"

	"github.com/tuned-hpo/tuned/internal/elementary"
)

// factor is the Cholesky factor L of a covariance matrix, row-major, in storage that grows. Every
// element is computed by one formula, in one order of summation, whether its row came alone or with
// others. So a factor depends on the matrix alone, to the bit.
type factor struct {
	l       []float64 // the upper triangle is arbitrary
	inverse []float64 // 1 / diagonal
	stride  int       // rows and columns there is room for, a multiple of lanes
	n       int
}

// panel is how many rows are solved together: what they need of L is read once for all of them.
const panel = 32

// room makes room for n rows and keeps those there are.
func (f *factor) room(n int) {
	if n <= f.stride {
		return
	}
	stride := roundUp(max(n, f.stride+f.stride/4))
	l := make([]float64, stride*stride)
	inverse := make([]float64, stride)
	for i := range f.n {
		copy(l[i*stride:], f.row(i))
	}
	copy(inverse, f.inverse[:f.n])
	f.l, f.inverse, f.stride = l, inverse, stride
}

// row returns row i up to the diagonal.
func (f *factor) row(i int) []float64 { return f.l[i*f.stride:][:i+1] }

// extend factors the rows from f.n to m, which hold those of a covariance matrix up to the diagonal.
// Pivots are positive: each is the variance of its row given the rows before, and so at least Floor.
// Rounding takes about 2^-53 of the variance for each row before, which is far less.
func (f *factor) extend(m int) {
	for f.n < m {
		first, last := f.n, min(roundDown(f.n)+panel, m)
		f.solve(f.l[first*f.stride:], f.stride, last-first, roundDown(first))
		for j := roundDown(first); j < last; j += lanes {
			for i := max(j, first); i < min(j+lanes, last); i++ {
				f.pivot(i, j)
			}
			for i := max(j+lanes, first); i < last; i += 2 {
				f.block(f.l[i*f.stride:], f.stride, min(2, last-i), 0, j, lanes)
			}
		}
		f.n = last
	}
}

// pivot completes row i, which is solved up to column j, the last multiple of lanes.
func (f *factor) pivot(i, j int) {
	row := f.row(i)
	var sums [2 * lanes]float64
	dots(&sums, j, f.l[j*f.stride:], f.stride, row, 0)
	for c := j; c <= i; c++ {
		v := row[c] - sums[c-j]
		for t, l := range f.l[c*f.stride+j:][:c-j] {
			v = math.FMA(-l, row[j+t], v)
		}
		if c < i {
			row[c] = v * f.inverse[c]
			continue
		}
		row[i] = math.Sqrt(v)
		f.inverse[i] = 1 / row[i]
	}
}

// solve replaces the first n elements of m rows b by L^-1 b, L being the leading n rows. Rows begin
// stride apart.
func (f *factor) solve(b []float64, stride, m, n int) {
	for top := 0; top < m; top += panel {
		for j := 0; j < n; j += lanes {
			for r := top; r < min(top+panel, m); r += 2 {
				f.block(b[r*stride:], stride, min(2, m-r), 0, j, min(lanes, n-j))
			}
		}
	}
}

// block solves columns j to j+w of one or two rows, w <= lanes, of which those before begin are 0
// and those from begin to j are solved. begin and j are multiples of lanes.
func (f *factor) block(b []float64, stride, rows, begin, j, w int) {
	if rows == 1 {
		stride = 0
	}
	var sums [2 * lanes]float64
	dots(&sums, j-begin, f.l[j*f.stride+begin:], f.stride, b[begin:], stride)
	for r := range rows {
		x := b[r*stride+j:][:w]
		if w == lanes {
			f.triangle((*[lanes]float64)(x), (*[lanes]float64)(sums[lanes*r:]), j)
			continue
		}
		for c := range x {
			v := x[c] - sums[lanes*r+c]
			for t, l := range f.l[(j+c)*f.stride+j:][:c] {
				v = math.FMA(-l, x[t], v)
			}
			x[c] = v * f.inverse[j+c]
		}
	}
}

// triangle solves x - sums for the block of L on the diagonal at j.
func (f *factor) triangle(x, sums *[lanes]float64, j int) {
	inverse := (*[lanes]float64)(f.inverse[j:])
	l1 := (*[1]float64)(f.l[(j+1)*f.stride+j:])
	l2 := (*[2]float64)(f.l[(j+2)*f.stride+j:])
	l3 := (*[3]float64)(f.l[(j+3)*f.stride+j:])
	x0 := (x[0] - sums[0]) * inverse[0]
	x1 := math.FMA(-l1[0], x0, x[1]-sums[1]) * inverse[1]
	x2 := math.FMA(-l2[1], x1, math.FMA(-l2[0], x0, x[2]-sums[2])) * inverse[2]
	x3 := math.FMA(-l3[2], x2, math.FMA(-l3[1], x1, math.FMA(-l3[0], x0, x[3]-sums[3]))) * inverse[3]
	*x = [lanes]float64{x0, x1, x2, x3}
}

// solveTransposed replaces b by L^-T b, L being the leading len(b) rows.
func (f *factor) solveTransposed(b []float64) {
	for n := len(b); n > 0; {
		j := roundDown(n - 1)
		var x [lanes]float64 // less what is solved
		for i := n - 1; i >= j; i-- {
			b[i] *= f.inverse[i]
			x[i-j] = -b[i]
			for t, l := range f.l[i*f.stride+j:][:i-j] {
				b[j+t] = math.FMA(x[i-j], l, b[j+t])
			}
		}
		if n-j == lanes {
			axpys(&x, f.l[j*f.stride:], f.stride, b[:j])
		} else {
			for i := n - 1; i >= j; i-- {
				axpy(x[i-j], f.l[i*f.stride:][:j], b)
			}
		}
		n = j
	}
}

// invert writes L^-T: row c holds column c of L^-1, from its multiple of lanes, on to a multiple of
// lanes at or after n, padded with 0.
func (f *factor) invert(v []float64, stride int) {
	for top := 0; top < f.n; top += panel {
		last := min(top+panel, f.n)
		for c := top; c < last; c++ {
			row := v[c*stride:][:roundUp(f.n)]
			clear(row[roundDown(c):])
			row[c] = 1
		}
		for j := top; j < f.n; j += lanes {
			for c := top; c < min(j+lanes, last); c += 2 {
				f.block(v[c*stride:], stride, min(2, last-c), roundDown(c), j, min(lanes, f.n-j))
			}
		}
	}
}

// logDiagonal returns the sum of the logarithms of the diagonal, half the logarithm of the determinant.
func (f *factor) logDiagonal() float64 {
	product, exponent := 0.5, 1 // product * 2^exponent
	for i := range f.n {
		fraction, e := math.Frexp(product * f.l[i*f.stride+i])
		product, exponent = fraction, exponent+e
	}
	return elementary.Log(product) + float64(float64(exponent)*math.Ln2)
}

// remove takes out row i. What the rows after it had in column i is added back to their factor by
// plane rotations (Golub and Van Loan 2013, section 6.5.4). x is scratch of f.n elements.
func (f *factor) remove(i int, x []float64) {
	n := f.n - 1
	for r := i; r < n; r++ {
		next := f.row(r + 1)
		x[r-i] = next[i]
		copy(f.row(r), next[:i])
		copy(f.row(r)[i:], next[i+1:])
	}
	f.n = n
	for k := i; k < n; k++ {
		f.rotate(k, x[k-i:n-i])
	}
}

// rotate adds x x^T to the trailing factor, as far as column k goes, and leaves in x what remains.
func (f *factor) rotate(k int, x []float64) {
	diagonal := f.row(k)[k]
	length := math.Sqrt(math.FMA(diagonal, diagonal, float64(x[0]*x[0])))
	c, s := diagonal/length, x[0]/length
	f.l[k*f.stride+k], f.inverse[k] = length, 1/length
	for r := 1; r < len(x); r++ {
		e := &f.l[(k+r)*f.stride+k]
		*e, x[r] = math.FMA(c, *e, float64(s*x[r])), math.FMA(c, x[r], -float64(s**e))
	}
}
