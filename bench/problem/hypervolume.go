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
	under := stairs{reference: reference}
	if last == 1 {
		for _, p := range inside {
			under.add(p)
		}
		return under.area
	}
	// Slices between neighbouring values of the last loss have the area of all points below.
	volume := 0.0
	for i, p := range inside {
		top := reference[last]
		if i+1 < len(inside) {
			top = inside[i+1][last]
		}
		under.add(p)
		volume += (top - p[last]) * under.area
	}
	return volume
}

// stairs is what points dominate in the first two losses.
type stairs struct {
	reference []float64
	points    [][]float64 // not dominated, ascending in the first
	area      float64
}

// add takes in a point: it adds a piece of area for each step that it covers.
func (s *stairs) add(p []float64) {
	from, _ := slices.BinarySearchFunc(s.points, p[0], func(q []float64, x float64) int { return cmp.Compare(q[0], x) })
	left, top := p[0], s.reference[1]
	if from > 0 {
		top = s.points[from-1][1]
	}
	to := from
	if top <= p[1] || to < len(s.points) && s.points[to][0] == p[0] && s.points[to][1] <= p[1] {
		return // dominated
	}
	for ; to < len(s.points) && s.points[to][1] >= p[1]; to++ {
		s.area += (s.points[to][0] - left) * (top - p[1])
		left, top = s.points[to][0], s.points[to][1]
	}
	right := s.reference[0]
	if to < len(s.points) {
		right = s.points[to][0]
	}
	s.area += (right - left) * (top - p[1])
	s.points = slices.Replace(s.points, from, to, p)
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
