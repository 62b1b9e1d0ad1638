package bayes

import (
	"math"

	"gonum.org/v1/gonum/mat"

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
	a, b := mat.NewDense(n, d+1, nil), mat.NewDense(n, 1, nil)
	mean, size := 0.0, 0.0
	for _, v := range y {
		size = math.Max(size, math.Abs(v))
		mean += v / float64(n)
	}
	if !(size > 0 && size < 1e150) { // NaN, too
		return nil, false
	}
	for i, v := range y {
		b.Set(i, 0, (v-mean)/size)
		a.Set(i, d, 1)
		for k := range d {
			a.Set(i, k, x[i*d+k])
		}
	}
	var qr mat.QR
	var q, fit mat.Dense
	qr.Factorize(a)
	if qr.Cond() > 1e8 || qr.SolveTo(&fit, false, b) != nil {
		return nil, false
	}
	qr.QTo(&q)
	press, total := 0.0, 0.0
	for i := range n {
		residual, leverage := b.At(i, 0), 0.0
		total += residual * residual
		for k := range d + 1 {
			residual -= a.At(i, k) * fit.At(k, 0)
			leverage += q.At(i, k) * q.At(i, k)
		}
		residual /= math.Max(1-leverage, 1e-9)
		press += residual * residual
	}
	return mat.Col(nil, 0, fit.Slice(0, d, 0, 1)), press < unexplained*total
}
