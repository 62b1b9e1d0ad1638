package bayes

import "slices"

// hypervolume returns the volume that points dominate below the reference point, which is worse
// than the points of interest: those that are not better than it in every objective add nothing.
// It is exact in any number of objectives, by the recursion of While, Bradstreet and Barone 2012
// (WFG), whose time grows with the number of objectives as a power of the number of points.
func hypervolume(points [][]float64, reference []float64) float64 {
	inside := make([][]float64, 0, len(points))
	for _, p := range points {
		if below(p, reference) {
			inside = append(inside, p)
		}
	}
	inside = pick(inside, front(inside))
	if len(reference) == 2 {
		return area(inside, reference)
	}
	sum := 0.0
	for i, p := range inside {
		sum += exclusive(p, inside[i+1:], reference)
	}
	return sum
}

// below tells whether p is better than the reference point in every objective.
func below(p, reference []float64) bool {
	for k, v := range p {
		if !(v < reference[k]) {
			return false
		}
	}
	return true
}

// area is the hypervolume of a front of two objectives in ascending order of the first.
func area(front [][]float64, reference []float64) float64 {
	sum, top := 0.0, reference[1]
	for _, p := range front {
		sum += float64((reference[0] - p[0]) * (top - p[1]))
		top = p[1]
	}
	return sum
}

// exclusive returns the volume that p dominates and others do not. p is below the reference point.
func exclusive(p []float64, others [][]float64, reference []float64) float64 {
	volume := 1.0
	for k, v := range p {
		volume *= reference[k] - v
	}
	if len(others) == 0 {
		return volume
	}
	limited := make([][]float64, len(others)) // what others dominate of what p dominates
	for i, q := range others {
		limited[i] = slices.Clone(q)
		for k, v := range p {
			limited[i][k] = max(q[k], v)
		}
	}
	return volume - hypervolume(limited, reference)
}

// referencePoint returns the point that bounds the hypervolume of a front with at least one point:
// in each objective its worst value and a tenth of its range (Ishibuchi et al. 2018 show that the
// ends of a front are lost when the reference is at its worst values). Where a front has no range,
// the range of all points stands for it, and 1 where that is none either.
func referencePoint(points [][]float64) []float64 {
	const margin = 0.1
	best := pick(points, front(points))
	out := make([]float64, len(best[0]))
	for k := range out {
		low, high := extent(best, k)
		span := high - low
		if span == 0 {
			all, top := extent(points, k)
			span = top - all
		}
		if span == 0 {
			span = 1
		}
		out[k] = high + float64(margin*span)
	}
	return out
}

// extent returns the least and the greatest value of objective k. NaN is passed over.
func extent(points [][]float64, k int) (low, high float64) {
	low, high = points[0][k], points[0][k]
	for _, p := range points {
		// The comparisons are false for NaN, but for one that stands first.
		if p[k] < low || low != low {
			low = p[k]
		}
		if p[k] > high || high != high {
			high = p[k]
		}
	}
	return low, high
}
