package run

import "slices"

// insert adds a point to a set of which none dominates another, and drops those it dominates.
func insert(front [][]float64, p []float64) [][]float64 {
	for _, q := range front {
		if dominates(q, p) {
			return front
		}
	}
	front = slices.DeleteFunc(front, func(q []float64) bool { return dominates(p, q) })
	return append(front, slices.Clone(p))
}

// dominates tells whether p is at least as good as q in every objective.
func dominates(p, q []float64) bool {
	for i := range p {
		if !(p[i] <= q[i]) {
			return false
		}
	}
	return true
}
