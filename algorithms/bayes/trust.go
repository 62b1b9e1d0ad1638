package bayes

import "math"

// trust is the region in which the next point is sought: where it is within a radius, in the
// maximum norm, of a point that is known. Only numbers count, and of grids only those fine enough for
// the radius to mean something.
type trust struct {
	radius float64 // +Inf when there is no limit
	axes   []int   // that count
	rows   []float64
	d      int
}

// newTrust returns the region about the rows of n known points (n by d, features). Its radius grows
// with n, until there is no limit (Song et al. 2024, arXiv:2408.11527, section 3.3; slower here).
func newTrust(e *encoding, rows []float64, n int, radius, growth float64) trust {
	// Both are Google Vizier's. A ball of radius 0.5 about the centre is the whole cube, and a grid with
	// steps above 0.2 has no other level in a ball of the first radii, which are at most that.
	const limit, coarse = 0.5, 0.2
	d := len(e.axes)
	t := trust{radius: radius + growth*float64(n)/float64(5*(d+1)), rows: rows[:n*d], d: d}
	if t.radius > limit || n == 0 {
		t.radius = math.Inf(1)
	}
	for i, a := range e.axes {
		if !a.labels && (a.cells == 0 || float64(a.cells)*coarse >= 1) {
			t.axes = append(t.axes, i)
		}
	}
	return t
}

// nearest returns the row that is nearest to x, and how far it is. Axes that are not active in both
// do not count.
func (t *trust) nearest(x []float64) (row []float64, distance float64) {
	distance = math.Inf(1)
	for k := 0; k < len(t.rows); k += t.d {
		r := t.rows[k : k+t.d]
		far := 0.0
		for _, i := range t.axes {
			if gap := math.Abs(r[i] - x[i]); gap > far { // false for NaN
				far = gap
				if far >= distance {
					break
				}
			}
		}
		if far < distance {
			row, distance = r, far
		}
	}
	return row, distance
}

// box narrows the limits lower and upper of features to the ball about the known point that is
// nearest to x.
func (t *trust) box(x, lower, upper []float64) {
	if math.IsInf(t.radius, 1) {
		return
	}
	row, _ := t.nearest(x)
	for _, i := range t.axes {
		if v := row[i]; !math.IsNaN(v) {
			lower[i] = max(lower[i], v-t.radius)
			upper[i] = min(upper[i], v+t.radius)
		}
	}
}
