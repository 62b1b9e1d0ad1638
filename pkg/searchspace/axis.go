package searchspace

import (
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/tuned-hpo/tuned/internal/elementary"
)

// maxCells is the longest grid a parameter may have, but for uniform ints, which may have one of
// maxInt. Beyond it the cells of a logarithmic or normal grid are narrower than what a float64 in
// [0, 1] tells apart (2^-53, times the ratio of the widest cell to the narrowest).
const maxCells = 1 << 40

// axis is the coding of one parameter. Its steps are
//
//	u in [0, 1]  <-quantile, fraction->  t  <-value, position->  v
//
// where t runs from 0 at Min to 1 at Max, linearly in v or in ln v. On a grid t reaches half a cell
// beyond both ends, so that the values at the ends have whole cells.
type axis struct {
	log, normal bool
	min, max    float64
	step        float64 // of the grid
	logRange    float64 // ln(max/min)

	// Linear arithmetic is done on v * 2^-exp, so that neither max-min nor its sixth can leave the
	// range of float64.
	exp                  int
	zmin, zrange, zstep  float64
	lower, upper         float64 // t at the outer edges: 0 and 1 when continuous
	erfLower, erfBetween float64 // erf at lower, and the rise of it up to upper

	cells  uint64 // 0 when continuous
	whole  bool   // an Int
	grid   decimal
	list   []float64 // the coordinates of the values of a list; nil for ranges
	labels []string
}

// newList makes the axis of a Discrete or Categorical parameter.
func newList(p Parameter) axis {
	a := axis{cells: uint64(len(p.Values)), list: p.Numbers, labels: p.Values}
	if p.Kind == Categorical {
		a.list = make([]float64, len(p.Values))
		for i := range a.list {
			a.list[i] = float64(i)
		}
	}
	return a
}

// newRange makes the axis of a checked Double or Int parameter.
func newRange(p Parameter) axis {
	a := axis{
		log:    p.Distribution == LogUniform || p.Distribution == LogNormal,
		normal: p.Distribution == Normal || p.Distribution == LogNormal,
		min:    p.Min + 0, max: p.Max + 0, // -0 + 0 is 0
		step: p.Step, whole: p.Kind == Int, upper: 1,
	}
	if a.whole && a.step == 0 {
		a.step = 1
	}
	_, a.exp = math.Frexp(max(math.Abs(a.min), math.Abs(a.max)))
	a.zmin = math.Ldexp(a.min, -a.exp)
	a.zrange = math.Ldexp(a.max, -a.exp) - a.zmin
	a.zstep = math.Ldexp(a.step, -a.exp)
	if a.log {
		a.logRange = logRatio(a.max, a.min)
	}
	if a.step > 0 {
		a.grid = newDecimal(a.min, a.step, a.max)
		a.cells = a.countCells()
		a.lower = -a.edge(1)
		last := a.position(a.at(a.cells - 1))
		a.upper = 2*last - a.edge(a.cells-1)
	}
	if a.normal {
		a.erfLower = normalErf(a.lower)
		a.erfBetween = normalErf(a.upper) - a.erfLower
	}
	return a
}

// countCells returns the number of grid values, of which the last is at most Max.
func (a *axis) countCells() uint64 {
	if a.grid.ok {
		return uint64((a.grid.max-a.grid.min)/a.grid.step) + 1
	}
	const slack = 4 * 0x1p-52 // relative; three roundings and one to spare
	n := a.zrange / a.zstep
	return uint64(min(n*(1+slack), 2*maxCells)) + 1
}

// decode maps u in [0, 1] to a value. It never decreases, and reaches both ends: a continuous value
// that is computed may miss its end by some ulp.
func (a *axis) decode(u float64) float64 {
	switch {
	case a.cells == 0 && u <= 0:
		return a.min
	case a.cells == 0 && u >= 1:
		return a.max
	case a.list != nil, a.cells > 0 && !a.log && !a.normal:
		return a.at(clampCell(u*float64(a.cells), a.cells))
	case a.cells > 0:
		return a.at(a.nearest(a.value(a.quantile(u))))
	}
	return max(a.min, min(a.value(a.quantile(u)), a.max))
}

// encode maps a value of the axis to the unit interval.
func (a *axis) encode(v float64) float64 {
	if a.cells == 0 {
		return max(0, min(a.fraction(a.position(v)), 1))
	}
	k := a.cellOf(v)
	if a.list != nil || !a.log && !a.normal {
		return a.middle(k)
	}
	return (a.fraction(a.edge(k)) + a.fraction(a.edge(k+1))) / 2
}

// span is the interval of the values of u that decode to v.
func (a *axis) span(v float64) (low, high float64) {
	if a.cells == 0 {
		u := a.encode(v)
		return u, u
	}
	k := a.cellOf(v)
	if a.list != nil || !a.log && !a.normal {
		n := float64(a.cells)
		return float64(k) / n, float64(k+1) / n
	}
	return a.fraction(a.edge(k)), a.fraction(a.edge(k + 1))
}

// middle is the middle of the cell of equal ones, or near it where cells are so narrow that the
// middle is no float64. For up to 2^53 cells each has one that decodes to it.
func (a *axis) middle(k uint64) float64 {
	n := float64(a.cells)
	u := (float64(k) + 0.5) / n
	for clampCell(u*n, a.cells) > k {
		u = math.Nextafter(u, 0)
	}
	for clampCell(u*n, a.cells) < k {
		u = math.Nextafter(u, 1)
	}
	return u
}

// edge is the position of the edge below cell k: half-way between two values of the grid, or the
// outer edge.
func (a *axis) edge(k uint64) float64 {
	switch k {
	case 0:
		return a.lower
	case a.cells:
		return a.upper
	}
	return a.position(float64(a.at(k-1)/2) + float64(a.at(k)/2))
}

// quantile maps the unit interval to positions between the outer edges.
func (a *axis) quantile(u float64) float64 {
	if a.normal {
		return 0.5 + float64(elementary.Erfinv(a.erfLower+float64(u*a.erfBetween))*(math.Sqrt2/6))
	}
	return a.lower + float64(u*(a.upper-a.lower))
}

// fraction is the inverse of quantile.
func (a *axis) fraction(t float64) float64 {
	if a.normal {
		return (normalErf(t) - a.erfLower) / a.erfBetween
	}
	return (t - a.lower) / (a.upper - a.lower)
}

// normalErf is 2F(t)-1 for the distribution function F of the normal distribution with mean 1/2 and
// standard deviation 1/6, which is mid-range and a sixth of the range.
func normalErf(t float64) float64 { return elementary.Erf((t - 0.5) * (6 / math.Sqrt2)) }

// position maps a value to its position.
func (a *axis) position(v float64) float64 {
	if a.log {
		return logRatio(v, a.min) / a.logRange
	}
	return (math.Ldexp(v, -a.exp) - a.zmin) / a.zrange
}

// value is the inverse of position. It may leave the range, even that of float64.
func (a *axis) value(t float64) float64 {
	if a.log {
		const direct = 300 // e^300 is well within float64, also some cells further
		if a.logRange < direct {
			return a.min * elementary.Exp(t*a.logRange)
		}
		root := elementary.Exp((elementary.Log(a.min) + float64(t*a.logRange)) / 2)
		return root * root
	}
	return math.Ldexp(a.zmin+float64(t*a.zrange), a.exp)
}

// logRatio is ln(v/w), exact also where both are nearly equal or the quotient overflows.
func logRatio(v, w float64) float64 {
	if r := v / w; !math.IsInf(r, 0) && r > 0 {
		return elementary.Log(r)
	}
	return elementary.Log(v) - elementary.Log(w)
}

// nearest returns the cell whose grid value is nearest to v.
func (a *axis) nearest(v float64) uint64 {
	return clampCell(math.Round((math.Ldexp(v, -a.exp)-a.zmin)/a.zstep), a.cells)
}

// clampCell rounds x down to a cell.
func clampCell(x float64, cells uint64) uint64 {
	if !(x > 0) {
		return 0
	}
	if x >= float64(cells) {
		return cells - 1
	}
	return uint64(x)
}

// at returns the value of cell k.
func (a *axis) at(k uint64) float64 {
	switch {
	case a.list != nil:
		return a.list[k]
	case a.grid.ok:
		return a.grid.value(k)
	}
	return min(math.FMA(float64(k), a.step, a.min), a.max)
}

// cellOf returns the cell of a value of the axis, or one near a value that is not on it.
func (a *axis) cellOf(v float64) uint64 {
	if a.list == nil {
		return a.nearest(v)
	}
	k, _ := slices.BinarySearch(a.list, v)
	return min(uint64(k), a.cells-1)
}

// contains reports why v is no value of the axis.
func (a *axis) contains(v float64) error {
	switch {
	case a.labels != nil:
		if a.at(a.cellOf(v)) != v {
			return fmt.Errorf("%s is not in the list", number(v))
		}
	case math.IsNaN(v) || v < a.min || v > a.max:
		return fmt.Errorf("%s is outside [%s, %s]", number(v), number(a.min), number(a.max))
	case a.cells > 0:
		if near := a.at(a.nearest(v)); near != v {
			return fmt.Errorf("%s is off the grid of step %s; the nearest value is %s", number(v), number(a.step), number(near))
		}
	}
	return nil
}

// number is the shortest text that reads back as v, without an exponent where people write none.
func number(v float64) string {
	if abs := math.Abs(v); abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		return strconv.FormatFloat(v, 'g', -1, 64)
	}
	return strconv.FormatFloat(v, 'f', -1, 64)
}
