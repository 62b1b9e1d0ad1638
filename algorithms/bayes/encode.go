package bayes

import (
	"math"
	"slices"

	"github.com/tuned-hpo/tuned/internal/elementary"
	"github.com/tuned-hpo/tuned/pkg/searchspace"
)

// shortGrid is the length up to which the levels of a grid are listed. Longer grids are searched as
// if continuous, and rounded.
const shortGrid = 1024

// axis is one parameter as the model sees it: one feature, in [0, 1] for numbers (after the
// logarithm or the distribution function of its distribution and after bend, grids at the centres of
// their cells), the index of the label for a categorical one.
type axis struct {
	labels bool
	cells  uint64    // of a grid, list or labels; 0 when continuous
	levels []float64 // all features of a short grid or of labels, ascending; nil otherwise
	parent int       // -1 for a parameter that is always active
	when   []float64 // features of the parent under which it is active
	alone  *searchspace.Space
	ratio  float64 // of the greatest to the least value, of a wide axis; 0 otherwise, also where it overflows
	log    float64 // of ratio
}

// wide is the ratio of the ends from which on a range without a distribution may well be one of
// magnitudes.
const wide = 100

// encoding maps points to features and back. Features of parameters that are not active are NaN.
type encoding struct {
	space *searchspace.Space
	axes  []axis
	order []int // each parent before its children
	u     []float64
}

func newEncoding(space *searchspace.Space) *encoding {
	e := &encoding{space: space, axes: make([]axis, space.Len()), u: make([]float64, space.Len())}
	params := space.Parameters()
	for i, p := range params {
		e.axes[i] = newAxis(p)
	}
	for i, p := range params {
		e.axes[i].parent = -1
		if p.ActiveWhen != nil {
			e.axes[i].parent, _ = space.Index(p.ActiveWhen.Parent)
			e.axes[i].when = e.axes[e.axes[i].parent].featuresOf(p.ActiveWhen)
		}
	}
	for len(e.order) < len(e.axes) {
		for i, a := range e.axes {
			if !slices.Contains(e.order, i) && (a.parent < 0 || slices.Contains(e.order, a.parent)) {
				e.order = append(e.order, i)
			}
		}
	}
	return e
}

func newAxis(p searchspace.Parameter) axis {
	p.ActiveWhen = nil
	alone, err := searchspace.New([]searchspace.Parameter{p})
	if err != nil {
		panic(err) // it is a parameter of a checked space
	}
	a := axis{labels: p.Kind == searchspace.Categorical, alone: alone}
	a.cells, _ = alone.Cells()
	if numeric := p.Kind == searchspace.Double || p.Kind == searchspace.Int; numeric && p.Distribution == searchspace.Uniform && p.Min > 0 && p.Max/p.Min >= wide && p.Max/p.Min <= math.MaxFloat64 {
		a.ratio = p.Max / p.Min
		a.log = elementary.Log(a.ratio)
	}
	if a.cells > shortGrid && !a.labels {
		return a
	}
	for k := range a.cells {
		a.levels = append(a.levels, a.feature(alone.Cell(k)))
	}
	return a
}

// feature returns the feature of a point of the axis alone.
func (a *axis) feature(p searchspace.Point) float64 {
	if a.labels {
		return p[0]
	}
	return a.bend(a.alone.Encode(p)[0])
}

// bend returns the feature of a coordinate of the unit cube. That of a wide axis is halfway between
// the coordinate and the one that it would have on a logarithmic axis: small values are told apart
// as well as large ones, whichever of the two the losses follow.
func (a *axis) bend(u float64) float64 {
	if a.ratio == 0 {
		return u
	}
	return (u + elementary.Log1p(u*(a.ratio-1))/a.log) / 2
}

// straighten is the inverse of bend, by bisection.
func (a *axis) straighten(feature float64) float64 {
	if a.ratio == 0 {
		return feature
	}
	low, high := 0.0, 1.0
	for {
		middle := float64((low + high) / 2)
		switch {
		case middle <= low || middle >= high: // there is no number between
			return high
		case a.bend(middle) < feature:
			low = middle
		default:
			high = middle
		}
	}
}

// featuresOf returns the features of the values of a condition on the axis.
func (a *axis) featuresOf(c *searchspace.Condition) []float64 {
	var out []float64
	for _, text := range c.Values {
		p, err := a.alone.Parse(searchspace.Assignment{{Name: c.Parent, Value: text}})
		if err != nil {
			panic(err) // it is a condition of a checked space
		}
		out = append(out, a.feature(p))
	}
	return out
}

// features writes the features of a point to x.
func (e *encoding) features(p searchspace.Point, x []float64) {
	copy(x, e.space.Encode(p))
	for i, v := range p {
		if math.IsNaN(v) || e.axes[i].labels {
			x[i] = v
		} else {
			x[i] = e.axes[i].bend(x[i])
		}
	}
}

// point returns the point that is nearest to the features x. What x holds for parameters that are
// not active does not matter.
func (e *encoding) point(x []float64) searchspace.Point {
	for i, v := range x {
		if a := &e.axes[i]; a.labels {
			e.u[i] = (v + 0.5) / float64(a.cells)
		} else {
			e.u[i] = a.straighten(v)
		}
	}
	return e.space.Decode(e.u)
}

// mask writes latent, which has a value for every axis, to x with NaN for what is not active.
func (e *encoding) mask(latent, x []float64) {
	for _, i := range e.order {
		x[i] = latent[i]
		if a := &e.axes[i]; a.parent >= 0 && !slices.Contains(a.when, x[a.parent]) {
			x[i] = math.NaN()
		}
	}
}

// snap returns the feature of the axis that is nearest to v in [0, 1], or for labels the one that v
// stands for when all are equally likely.
func (a *axis) snap(v float64) float64 {
	switch {
	case a.labels:
		return min(math.Floor(v*float64(a.cells)), float64(a.cells-1))
	case a.levels != nil:
		return a.levels[a.nearest(v)]
	case a.cells > 0:
		return a.feature(a.alone.Decode([]float64{a.straighten(v)}))
	}
	return v
}

// nearest returns the level of a short grid that is nearest to v.
func (a *axis) nearest(v float64) int {
	k, _ := slices.BinarySearch(a.levels, v)
	if k == len(a.levels) || k > 0 && v-a.levels[k-1] < a.levels[k]-v {
		k--
	}
	return k
}
