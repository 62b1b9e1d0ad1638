package bayes

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/tuned-hpo/tuned/algorithms"
)

// isFeasible tells whether a trial has all losses and meets all constraints, by the values that are
// modelled: those beyond what the problem has do not count.
func (o *optimizer) isFeasible(t algorithms.Trial) bool {
	for k, out := range o.outputs {
		if v := o.valueOf(t, k); out.constraint && !(v <= 0) || !out.constraint && !isFinite(v) {
			return false
		}
	}
	return true
}

// wish draws what is wanted of the next point.
func (o *optimizer) wish(random *rand.Rand) wish {
	objectives, constraints := o.outputs[:o.problem.Objectives], o.outputs[o.problem.Objectives:]
	f := &feasibly{objectives: len(objectives)}
	switch {
	case !slices.Contains(o.feasible, true):
		if len(o.pending) > 0 { // not where they are, however feasible
			f.wish = single{acquisition{criterion: exploration, best: math.Inf(-1)}}
		}
	case len(objectives) == 1:
		a := o.acquisition(random)
		f.wish, f.exploring = single{a}, a.criterion == exploration
	default:
		f.wish = o.several(random)
	}
	if len(constraints) == 0 {
		return f.wish
	}
	for _, out := range constraints {
		f.thresholds = append(f.thresholds, out.limit)
	}
	return f
}

// several draws what is wanted of several objectives: hypervolume, as much as is expected of it, or
// an upper bound in a random direction, which is cheap in any number of objectives.
func (o *optimizer) several(random *rand.Rand) wish {
	const most = 3 // objectives, of which the boxes are few
	points := o.front()
	reference := o.reference(points, random.Uint64()&1 == 0)
	if len(reference) > most || o.settings.acquisition == alwaysUCB {
		for k, v := range reference {
			reference[k] = -v
		}
		return newDirection(random, reference, o.settings.beta)
	}
	return &improvement{newEHVI(points, reference), make([]float64, len(reference))}
}

// reference returns a reference point near the front, from which its middle is worth most, or one
// that is worse than all points, from which its ends are. Suggestions that take one or the other in
// turn do best by either.
func (o *optimizer) reference(points [][]float64, far bool) []float64 {
	reference := referencePoint(points)
	for k, near := range reference {
		if _, worst := extent(points, k); far {
			reference[k] = max(near, worst)
		}
	}
	return reference
}

// front returns the losses, as negative scores, that the models expect at feasible points, and at
// pending ones.
func (o *optimizer) front() [][]float64 {
	var points [][]float64
	for i := range o.outputs[0].means {
		if i < o.n && !o.feasible[i] {
			continue
		}
		p := make([]float64, o.problem.Objectives)
		for k := range p {
			p[k] = -o.outputs[k].means[i]
		}
		points = append(points, p)
	}
	return points
}

// onFront returns the positions of feasible trials on the front of several objectives, both ends and
// others evenly along the first, at most so many. Of one objective it returns none.
func (h *history) onFront(objectives, most int) (out []int) {
	if objectives == 1 {
		return nil
	}
	var at []int
	var points [][]float64
	for i, feasible := range h.feasible {
		if !feasible {
			continue
		}
		p := make([]float64, objectives)
		for k := range p {
			p[k] = h.values[k][i]
		}
		at, points = append(at, i), append(points, p)
	}
	on := front(points)
	for k := range min(len(on), most) {
		if len(on) > most {
			out = append(out, at[on[k*(len(on)-1)/(most-1)]])
		} else {
			out = append(out, at[on[k]])
		}
	}
	return out
}

// incumbent is the highest mean of the first score at feasible points and, so that a batch does not
// gather where the first of it is, at pending ones.
func (o *optimizer) incumbent() float64 {
	best := math.Inf(-1)
	for i, v := range o.outputs[0].means {
		if i >= o.n || o.feasible[i] {
			best = max(best, v)
		}
	}
	return best
}

// best returns told points worth a search about them, at most n: feasible ones of the highest mean
// first, then those that are infeasible with the least violation.
func (o *optimizer) best(n int) []float64 {
	d := len(o.encoding.axes)
	order := make([]int, o.n)
	for i := range order {
		order[i] = i
	}
	rank := o.rank()
	slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(rank[i], rank[j]) })
	var out []float64
	for _, i := range order[:min(n, len(order))] {
		out = append(out, o.rows[i*d:(i+1)*d]...)
	}
	return out
}

// rank returns how bad each told point is.
func (o *optimizer) rank() []float64 {
	out := make([]float64, o.n)
	several := o.problem.Objectives > 1
	if several {
		points := make([][]float64, o.n)
		for i := range points {
			for _, objective := range o.outputs[:o.problem.Objectives] {
				points[i] = append(points[i], -objective.means[i])
			}
		}
		for i, r := range ranks(points) {
			out[i] = float64(r)
		}
	}
	for i := range out {
		if !several {
			out[i] = -o.outputs[0].means[i]
		}
		if !o.feasible[i] {
			out[i] = 1e6
			for _, c := range o.outputs[o.problem.Objectives:] {
				out[i] += max(0, c.means[i]-c.limit)
			}
		}
	}
	return out
}
