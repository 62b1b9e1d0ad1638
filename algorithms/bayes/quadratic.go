package bayes

import (
	"cmp"
	"math"
	"slices"

	"github.com/tuned-hpo/tuned/algorithms/bayes/gp"
	"github.com/tuned-hpo/tuned/pkg/searchspace"
)

// What a Gaussian process knows of a loss is spread over the whole space, and its kernel cannot know
// that a loss is smooth. Near the best trial many losses are quadratic, and a polynomial of second
// degree finds their optimum, or the way along a valley, from few trials; so Powell 2006, The NEWUOA
// software for unconstrained optimization without derivatives. A loss that is linear leads to a corner.

// valley returns the least point of a quadratic function that explains the losses of the trials about
// the best one, and whether there is one. It wants numbers that are always active, one objective
// and no constraints.
func (o *optimizer) valley() (p searchspace.Point, found bool) {
	// What is left unexplained of losses that are left out is far less where a loss is smooth, and far
	// more where it is not. Fits to more trials or axes take long.
	const unexplained, mostTrials, mostAxes = 0.05, 320, 12
	d := len(o.encoding.axes)
	if o.problem.Objectives > 1 || o.problem.Constraints > 0 || o.telling.n > mostTrials || d > mostAxes {
		return nil, false
	}
	for _, a := range o.encoding.axes {
		if a.labels || a.parent >= 0 {
			return nil, false
		}
	}
	n := min(o.telling.n, (d+1)*(d+2)/2+d+1) // the second is the number of weights, and a few
	if n < d+2 {
		return nil, false
	}
	x, y, centre, radius := o.telling.about(n, d)
	if radius == 0 {
		return nil, false
	}
	q, left := gp.FitQuadratic(x, y, d)
	if !(left < unexplained) {
		return nil, false
	}
	at, lower, upper := make([]float64, d), make([]float64, d), make([]float64, d)
	for i, c := range centre {
		lower[i], upper[i] = math.Max(-1, -c/radius), math.Min(1, (1-c)/radius)
	}
	var m gp.Minimizer
	m.Minimize(q.Value, at, lower, upper, gp.Options{Iterations: 200, Gradient: 1e-12, Decrease: 1e-14})
	for i, c := range centre {
		at[i] = o.encoding.axes[i].snap(math.Max(0, math.Min(c+float64(radius*at[i]), 1)))
	}
	if o.isPending(at, radius) {
		return nil, false
	}
	return o.encoding.point(at), true
}

// isPending tells whether a point, features, is so near to a pending one that it would tell nothing
// new, among trials within a radius.
func (o *optimizer) isPending(at []float64, radius float64) bool {
	const same = 1e-3
	for pending := range slices.Chunk(o.pending, len(at)) {
		if distance(at, pending) < same*radius {
			return true
		}
	}
	return false
}

// about returns the n trials nearest to the best one: their features, n by d, from it and in units of
// the greatest of their distances, which is the radius; and their losses, in units of their range. If
// one of them has none, nothing can be said: all losses are NaN.
func (h *history) about(n, d int) (x, y, centre []float64, radius float64) {
	best := h.order(1)[0]
	centre = h.rows[best*d : (best+1)*d]
	far := make([]float64, h.n)
	order := make([]int, h.n)
	for i := range order {
		order[i], far[i] = i, distance(centre, h.rows[i*d:(i+1)*d])
	}
	slices.SortFunc(order, func(i, j int) int { return cmp.Or(cmp.Compare(far[i], far[j]), cmp.Compare(i, j)) })
	order = order[:n]
	radius = far[order[n-1]]
	least, most := math.Inf(1), math.Inf(-1)
	for _, i := range order {
		v := h.values[0][i]
		if h.pruned[i] {
			v = math.NaN()
		}
		least, most = min(least, v), max(most, v) // NaN stays
		y = append(y, v)
		for k, c := range centre {
			x = append(x, (h.rows[i*d+k]-c)/radius)
		}
	}
	half := float64(most/2) - float64(least/2)
	for i, v := range y {
		y[i] = v/half - least/half
	}
	return x, y, centre, radius
}

// distance is the Euclidean distance of features.
func distance(a, b []float64) float64 {
	sum := 0.0
	for i, v := range a {
		sum += float64((v - b[i]) * (v - b[i]))
	}
	return math.Sqrt(sum)
}
