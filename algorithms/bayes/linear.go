package bayes

import (
	"math"

	"github.com/tuned-hpo/tuned/pkg/searchspace"
)

// corner returns the least point of a linear function that explains the losses, and whether there is
// one: the losses of all trials must follow it, each when it is left out of the fit. A region of
// trust would take many steps to such a point, which is a corner of the space. It wants numbers that
// are always active, one objective and no constraints.
func (o *optimizer) corner() (p searchspace.Point, found bool) {
	d := len(o.encoding.axes)
	least, most := d+2, 10*(d+1) // trials; beyond, whatever is linear was found
	if o.problem.Objectives > 1 || o.problem.Constraints > 0 || o.told.n < least || o.told.n > most {
		return nil, false
	}
	for _, a := range o.encoding.axes {
		if a.labels || a.parent >= 0 {
			return nil, false
		}
	}
	slopes, ok := linear(o.told.rows, o.told.values[0], d)
	if !ok {
		return nil, false
	}
	u := make([]float64, d)
	for i, slope := range slopes {
		u[i] = 0.5
		if slope != 0 {
			u[i] = math.Max(0, -math.Copysign(1, slope))
		}
	}
	for i, v := range u {
		u[i] = o.encoding.axes[i].snap(v)
	}
	return o.encoding.point(u), true
}

// linear fits y, n values, by a linear function of the rows of x, n by d, n > d+1, by least squares.
// ok tells whether the values follow it: the squares of the residuals of values that are left out of
// the fit (PRESS, Allen 1974) are less than a thousandth of those about the mean.
func linear(x, y []float64, d int) (slopes []float64, ok bool) {
	const unexplained = 1e-3
	n := len(y)
	mean, size := 0.0, 0.0
	for _, v := range y {
		size = math.Max(size, math.Abs(v))
		mean += v / float64(n)
	}
	if !(size > 0 && size < 1e150) { // NaN, too
		return nil, false
	}
	columns, residuals, total := make([][]float64, d+1), make([]float64, n), 0.0
	for k := range columns {
		columns[k] = make([]float64, n)
	}
	for i, v := range y {
		residuals[i] = (v - mean) / size
		total += float64(residuals[i] * residuals[i])
		for k := range d {
			columns[k][i] = x[i*d+k]
		}
		columns[d][i] = 1
	}
	slopes, ok = leastSquares(columns, residuals)
	if !ok {
		return nil, false
	}
	press := 0.0
	for i, residual := range residuals {
		leverage := 0.0
		for _, q := range columns {
			leverage += float64(q[i] * q[i])
		}
		residual /= math.Max(1-leverage, 1e-9)
		press += float64(residual * residual)
	}
	return slopes[:d], press < unexplained*total
}

// leastSquares returns the w for which the sum of w[k] columns[k] is nearest to b. It replaces the
// columns by orthonormal ones that span the same, and b by what is left of it. They must not depend on
// each other. The columns are made orthogonal one by one, twice, which is enough (Giraud, Langou
// and Rozloznik 2005, The loss of orthogonality in the Gram-Schmidt orthogonalization process).
func leastSquares(columns [][]float64, b []float64) (w []float64, ok bool) {
	const dependent = 1e-8 // what is left of a column
	m := len(columns)
	w = make([]float64, m)
	r := make([]float64, m*m) // columns are the orthonormal ones times it
	for k, v := range columns {
		before := math.Sqrt(inner(v, v))
		for range 2 {
			for j, q := range columns[:k] {
				r[j*m+k] += takeOut(q, v)
			}
		}
		length := math.Sqrt(inner(v, v))
		if !(length > dependent*before) {
			return nil, false
		}
		for i := range v {
			v[i] /= length
		}
		r[k*m+k] = length
		w[k] = takeOut(v, b)
	}
	for k := m - 1; k >= 0; k-- {
		for j := k + 1; j < m; j++ {
			w[k] -= float64(r[k*m+j] * w[j])
		}
		w[k] /= r[k*m+k]
	}
	return w, true
}

// inner returns the inner product of a and b.
func inner(a, b []float64) (sum float64) {
	for i, v := range a {
		sum += float64(v * b[i])
	}
	return sum
}

// takeOut subtracts from v what it has of q, a vector of length 1, and returns how much that was.
func takeOut(q, v []float64) float64 {
	c := inner(q, v)
	for i := range v {
		v[i] -= float64(c * q[i])
	}
	return c
}
