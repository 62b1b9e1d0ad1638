package problem

import (
	"cmp"
	"slices"
)

// Hypervolume returns the volume that is dominated by points, each one loss per objective, within
// the box below the reference point: exactly, for two or three objectives. Points that do not lie
// below the reference in every loss count for nothing.
func Hypervolume(points [][]float64, reference []float64) float64 {
	var inside [][]float64
	for _, p := range points {
		if below(p, reference) {
			inside = append(inside, p)
		}
	}
	last := len(reference) - 1
	slices.SortFunc(inside, func(a, b []float64) int { return cmp.Compare(a[last], b[last]) })
	if last == 1 {
		return area(inside, reference)
	}
	// Slices between neighbouring values of the last loss have the area of all points below.
	volume := 0.0
	for i, p := range inside {
		top := reference[last]
		if i+1 < len(inside) {
			top = inside[i+1][last]
		}
		if top > p[last] {
			slab := slices.Clone(inside[:i+1])
			slices.SortFunc(slab, func(a, b []float64) int { return cmp.Compare(a[1], b[1]) })
			volume += (top - p[last]) * area(slab, reference)
		}
	}
	return volume
}

// area is the area dominated in the first two losses by points that ascend in the second.
func area(points [][]float64, reference []float64) float64 {
	sum, left := 0.0, reference[0]
	for _, p := range points {
		if p[0] < left {
			sum += (left - p[0]) * (reference[1] - p[1])
			left = p[0]
		}
	}
	return sum
}

// below is false, too, where a loss is NaN.
func below(p, reference []float64) bool {
	for i, r := range reference {
		if !(p[i] < r) {
			return false
		}
	}
	return true
}
