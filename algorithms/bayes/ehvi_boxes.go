package bayes

import (
	"math"
	"slices"
)

// boxes cuts what no point of a front dominates, below the reference point, into boxes that share
// no volume. The first edge of each box reaches down to -Inf, and so do others.
type boxes struct {
	m            int       // objectives
	lower, upper []float64 // n by m, one row per box
}

// bound is a local upper bound: the worst corner of a box of what is not dominated, open downwards.
// Row k of define is the point of the front that fixes coordinate k, or a corner of the space.
type bound struct {
	u      []float64 // m
	define []float64 // m by m
}

// newBoxes cuts by local upper bounds (Lacour, Klamroth and Fonseca 2017, algorithm 2 and equation
// 6). There is 1 more box than points in two objectives, and at most 2n+1 in three.
func newBoxes(points [][]float64, reference []float64) boxes {
	m := len(reference)
	bounds := []bound{outermost(reference)}
	for _, p := range points {
		if below(p, reference) {
			bounds = update(bounds, p)
		}
	}
	b := boxes{m: m}
	for _, l := range bounds {
		b.add(l)
	}
	return b
}

// outermost is the bound of a space without points: the reference point, each coordinate of which
// is fixed by a point that is infinitely good in all others.
func outermost(reference []float64) bound {
	m := len(reference)
	b := bound{u: slices.Clone(reference), define: make([]float64, m*m)}
	for i := range b.define {
		b.define[i] = math.Inf(-1)
	}
	for k, r := range reference {
		b.define[k*m+k] = r
	}
	return b
}

// update puts a point into the bounds: each that it is better than is replaced by those that have
// one coordinate moved to the point's.
func update(bounds []bound, p []float64) []bound {
	var out []bound
	for _, b := range bounds {
		if !below(p, b.u) {
			out = append(out, b)
			continue
		}
		for k, v := range p {
			if v >= b.worst(k, len(p)) {
				out = append(out, b.moved(k, p))
			}
		}
	}
	return out
}

// worst is the greatest coordinate k of the points that fix the first n coordinates, but for the
// one that fixes k itself.
func (b *bound) worst(k, n int) float64 {
	m := len(b.u)
	worst := math.Inf(-1)
	for i := range n {
		if i != k {
			worst = max(worst, b.define[i*m+k])
		}
	}
	return worst
}

// moved returns the bound with coordinate k fixed by p.
func (b *bound) moved(k int, p []float64) bound {
	next := bound{u: slices.Clone(b.u), define: slices.Clone(b.define)}
	next.u[k] = p[k]
	copy(next.define[k*len(p):], p)
	return next
}

// add puts the box of a bound: open downwards in the first objective, down to the worst of the
// points that fix the coordinates before in the others. A box without volume is left out.
func (b *boxes) add(l bound) {
	at := len(b.upper)
	for k, u := range l.u {
		low := l.worst(k, k)
		if !(low < u) {
			b.lower, b.upper = b.lower[:at], b.upper[:at]
			return
		}
		b.lower, b.upper = append(b.lower, low), append(b.upper, u)
	}
}
