package bayes

import (
	"cmp"
	"math"
	"slices"
)

// dominates tells whether a is at least as good as b in every objective and better in one. Losses
// are minimised. A NaN neither dominates nor is dominated.
func dominates(a, b []float64) bool {
	better := false
	for k, v := range a {
		if !(v <= b[k]) {
			return false
		}
		better = better || v < b[k]
	}
	return better
}

// ranks returns the non-domination rank of each point: 0 for those that none dominates, 1 for those
// that only points of rank 0 dominate, and so on (Deb et al. 2002, section III.A). A point with a
// NaN ranks behind all that have none.
func ranks(points [][]float64) []int {
	out := make([]int, len(points))
	order := lexical(points)
	worst := 0
	for at, i := range order {
		// What dominates i comes before it in lexical order, and so has its rank already.
		for _, j := range order[:at] {
			if out[j] >= out[i] && dominates(points[j], points[i]) {
				out[i] = out[j] + 1
			}
		}
		worst = max(worst, out[i])
	}
	for i, p := range points {
		if slices.ContainsFunc(p, math.IsNaN) {
			out[i] = worst + 1
		}
	}
	return out
}

// front returns the positions of the points that none dominates, in lexical order of the points.
// Of equal points it takes the first; points with a NaN are left out.
func front(points [][]float64) []int {
	var out []int
	for _, i := range lexical(points) {
		p := points[i]
		if slices.ContainsFunc(p, math.IsNaN) || slices.ContainsFunc(out, func(j int) bool {
			return dominates(points[j], p) || slices.Equal(points[j], p)
		}) {
			continue
		}
		out = append(out, i)
	}
	return out
}

// lexical returns the positions of the points in ascending order of the first objective, of equals
// by the next.
func lexical(points [][]float64) []int {
	order := make([]int, len(points))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int {
		return slices.CompareFunc(points[i], points[j], cmp.Compare[float64])
	})
	return order
}

// pick returns the points at the given positions.
func pick(points [][]float64, at []int) [][]float64 {
	out := make([][]float64, len(at))
	for k, i := range at {
		out[k] = points[i]
	}
	return out
}
