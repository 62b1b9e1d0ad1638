package evolution

import (
	"math"
	"slices"
)

// referenceDirections returns the directions from the ideal point of so many objectives to the points of Das and
// Dennis 1998, Normal-boundary intersection: the corners of a lattice that divides each objective into equal parts.
// Without a number of parts it is the greatest with at most so many points; where that leaves the middle empty, a
// smaller lattice is laid inside of the first (Deb and Jain 2014, section V).
func referenceDirections(objectives, divisions, most int) [][]float64 {
	if divisions > 0 {
		return directions(lattice(objectives, divisions), 1)
	}
	outer := divisionsFor(objectives, most)
	points := directions(lattice(objectives, outer), 1)
	if outer >= objectives || objectives < 3 {
		return points
	}
	if inner := min(outer-1, divisionsFor(objectives, most-len(points))); inner > 0 {
		points = append(points, directions(lattice(objectives, inner), 0.5)...)
	}
	return points
}

// divisionsFor is the greatest number of parts with at most so many points, 0 where there is none; of more than a
// hundred parts nobody has use.
func divisionsFor(objectives, most int) int {
	const finest = 100
	p := 0
	for p < finest && directionCount(objectives, p+1) <= most {
		p++
	}
	return p
}

// directionCount is the number of points of a lattice, (objectives+divisions-1 over divisions), or one above 10^6.
func directionCount(objectives, divisions int) int {
	n := 1
	for i := 1; i <= divisions && n < 1e6; i++ {
		n = n * (objectives - 1 + i) / i
	}
	return n
}

// lattice lists the points of whole numbers that sum to the number of divisions.
func lattice(objectives, divisions int) [][]int {
	if objectives == 1 {
		return [][]int{{divisions}}
	}
	var out [][]int
	for first := range divisions + 1 {
		for _, rest := range lattice(objectives-1, divisions-first) {
			out = append(out, append([]int{first}, rest...))
		}
	}
	return out
}

// directions returns points of a lattice, drawn together about its middle by a factor, at length 1.
func directions(points [][]int, factor float64) [][]float64 {
	out := make([][]float64, len(points))
	for i, p := range points {
		sum := 0
		for _, k := range p {
			sum += k
		}
		out[i] = make([]float64, len(p))
		for j, k := range p {
			part := 1.0 // of one division or none
			if sum > 0 {
				part = float64(k) / float64(sum)
			}
			out[i][j] = float64(factor*part) + (1-factor)/float64(len(p))
		}
		length := math.Sqrt(dot(out[i], out[i]))
		for j := range out[i] {
			out[i][j] /= length
		}
	}
	return out
}

// scale makes losses comparable: 0 at the best value of each seen so far, and 1 where the plane through the
// population's extreme points meets the axis (Deb and Jain 2014, algorithm 2).
type scale struct {
	ideal   []float64
	extreme [][]float64 // losses, by axis; nil while there is none
	length  []float64   // of each axis, by half
	fresh   []float64   // scratch
	plane   [][]float64 // scratch
}

func newScale(m int) scale {
	s := scale{
		ideal: slices.Repeat([]float64{math.Inf(1)}, m), extreme: make([][]float64, m), length: make([]float64, m),
		fresh: make([]float64, m), plane: rows(m, m+1),
	}
	return s
}

// fit takes in a population that has a member that succeeded, and tells whether the scale has changed.
func (s *scale) fit(f *fronts) bool {
	changed := false
	for _, x := range f.members {
		for k, v := range x.losses {
			if x.class == succeeded && v < s.ideal[k] {
				s.ideal[k], changed = v, true
			}
		}
	}
	for axis := range s.extreme {
		changed = s.findExtreme(f, axis) || changed
	}
	s.intercepts(f)
	if slices.Equal(s.fresh, s.length) {
		return changed
	}
	copy(s.length, s.fresh)
	return true
}

// above is half of how far a loss is from its ideal; the difference of halves cannot overflow.
func (s *scale) above(k int, v float64) float64 { return float64(v/2) - float64(s.ideal[k]/2) }

// findExtreme finds the member, or the former extreme point, whose losses but one are the least, and tells whether
// it is another one.
func (s *scale) findExtreme(f *fronts, axis int) bool {
	least := math.Inf(1)
	if s.extreme[axis] != nil {
		least = s.offAxis(axis, s.extreme[axis])
	}
	var found *solution
	for _, x := range f.members {
		if x.class != succeeded {
			continue
		}
		if off := s.offAxis(axis, x.losses); off < least || found == nil && s.extreme[axis] == nil {
			least, found = off, x
		}
	}
	if found == nil {
		return false
	}
	s.extreme[axis] = append(s.extreme[axis][:0], found.losses...)
	return true
}

// offAxis is the achievement scalarizing function of a direction along an axis, where other axes weigh 10^6 times as
// much (Deb and Jain 2014, eq. 4).
func (s *scale) offAxis(axis int, losses []float64) float64 {
	const weight = 1e6
	most := 0.0
	for k, v := range losses {
		off := s.above(k, v)
		if k != axis {
			off *= weight
		}
		most = max(most, off)
	}
	return most
}

// intercepts sets fresh to where the plane through the extreme points meets the axes. Where there is no such plane,
// or it meets one of them behind the ideal point or beyond all members, the range of the first front stands for it,
// and where that is none the range of the population.
func (s *scale) intercepts(f *fronts) {
	const least = 1e-6 // of the range of the population
	plane := s.solve()
	for k := range s.fresh {
		front, all := s.widest(f.of[0], k), s.widest(f.members, k)
		if all == 0 {
			all = 0.5
		}
		v := 0.0
		if plane {
			v = s.fresh[k]
		}
		if !(v > least*all && v <= all) {
			v = front
		}
		if !(v > least*all) {
			v = all
		}
		s.fresh[k] = v
	}
}

// widest is how far above the ideal members are at most, by half.
func (s *scale) widest(members []*solution, k int) float64 {
	most := 0.0
	for _, x := range members {
		if x.class == succeeded {
			most = max(most, s.above(k, x.losses[k]))
		}
	}
	return most
}

// solve sets fresh to the intercepts of the plane through the extreme points, and tells whether there is one, by
// elimination with the greatest pivot of each column.
func (s *scale) solve() bool {
	m := len(s.plane)
	for i, row := range s.plane {
		for k, v := range s.extreme[i] {
			row[k] = s.above(k, v)
		}
		row[m] = 1
	}
	for k := range m {
		pivot := k
		for i := k + 1; i < m; i++ {
			if math.Abs(s.plane[i][k]) > math.Abs(s.plane[pivot][k]) {
				pivot = i
			}
		}
		s.plane[k], s.plane[pivot] = s.plane[pivot], s.plane[k]
		for i, row := range s.plane {
			factor := row[k] / s.plane[k][k] // NaN where the plane has no pivot, which spreads to all
			for j := k; j <= m && i != k; j++ {
				row[j] -= float64(factor * s.plane[k][j])
			}
		}
	}
	for k, row := range s.plane {
		s.fresh[k] = row[k] / row[m]
		if !(s.fresh[k] > 0) || math.IsInf(s.fresh[k], 1) {
			return false
		}
	}
	return true
}

// apply writes the scaled losses to u.
func (s *scale) apply(losses, u []float64) {
	for k, v := range losses {
		u[k] = s.above(k, v) / s.length[k]
	}
}
