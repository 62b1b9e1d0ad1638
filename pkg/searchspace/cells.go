package searchspace

import (
	"math"
	"math/bits"
	"slices"
	"strings"
)

// tree is the parameters in the order in which cells are counted: children stand under the value
// of their parent that makes them active, so a parameter that is not active multiplies nothing.
type tree struct {
	branch []branch // parallel to the Space's parameters
	roots  []int    // parameters without a condition, by name
}

// branch is one parameter's place in the tree.
type branch struct {
	parent   int       // position of the parent, -1 for a root
	when     []float64 // the parent's values under which it is active
	children []int     // by name
	forks    []fork    // the values under which children are active, ascending
	size     uint64    // distinct cells of the parameter and all below it, math.MaxUint64 when more
}

// fork is one value of a parameter under which children are active.
type fork struct {
	cell     uint64
	children []int // by name
	size     uint64
}

// Cells returns the number of distinct points, math.MaxUint64 when there are that many or more.
// A Space with a continuous parameter has no finite number; a Space without parameters has one.
func (s *Space) Cells() (n uint64, finite bool) {
	for _, a := range s.axes {
		if a.cells == 0 {
			return 0, false
		}
	}
	return s.product(s.tree.roots), true
}

// Cell returns point i of a finite Space, for i below Cells: parameters by name, the last one
// varying fastest, values in ascending order or as listed. The parameters that a value makes
// active vary within that value.
func (s *Space) Cell(i uint64) Point {
	p := make(Point, len(s.params))
	for k := range p {
		p[k] = math.NaN()
	}
	s.place(p, s.tree.roots, i)
	return p
}

// place sets the given parameters, and all below them, to cell i of their product.
func (s *Space) place(p Point, params []int, i uint64) {
	for _, k := range slices.Backward(params) {
		size := s.tree.branch[k].size
		s.placeOne(p, k, i%size)
		i /= size
	}
}

// placeOne sets parameter k, and all below it, to cell i of its branch.
func (s *Space) placeOne(p Point, k int, i uint64) {
	passed := uint64(0) // values before the fork at hand
	for _, f := range s.tree.branch[k].forks {
		if i < f.cell-passed {
			break
		}
		i -= f.cell - passed
		if i < f.size {
			p[k] = s.axes[k].at(f.cell)
			s.place(p, f.children, i)
			return
		}
		i -= f.size
		passed = f.cell + 1
	}
	p[k] = s.axes[k].at(passed + i)
}

// plant fills what of the tree depends on all parameters: forks, and sizes from the leaves up.
func (s *Space) plant() {
	byName := func(a, b int) int { return strings.Compare(s.params[a].Name, s.params[b].Name) }
	slices.SortFunc(s.tree.roots, byName)
	for _, k := range slices.Backward(s.order) {
		b := &s.tree.branch[k]
		slices.SortFunc(b.children, byName)
		b.forks = s.forks(k)
		b.size = s.axes[k].cells
		for _, f := range b.forks {
			b.size = saturatingAdd(b.size, f.size-1)
		}
	}
}

func (s *Space) forks(k int) []fork {
	var out []fork
	for _, c := range s.tree.branch[k].children {
		for _, v := range s.tree.branch[c].when {
			cell := s.axes[k].cellOf(v)
			i, found := slices.BinarySearchFunc(out, cell, func(f fork, cell uint64) int {
				return int(int64(f.cell) - int64(cell))
			})
			if !found {
				out = slices.Insert(out, i, fork{cell: cell})
			}
			out[i].children = append(out[i].children, c)
		}
	}
	for i := range out {
		out[i].size = s.product(out[i].children)
	}
	return out
}

// product is the number of cells of independent parameters. A continuous one has size 0, for which
// the product means nothing.
func (s *Space) product(params []int) uint64 {
	n := uint64(1)
	for _, k := range params {
		hi, lo := bits.Mul64(n, s.tree.branch[k].size)
		if hi != 0 {
			return math.MaxUint64
		}
		n = lo
	}
	return n
}

func saturatingAdd(a, b uint64) uint64 {
	sum, carry := bits.Add64(a, b, 0)
	if carry != 0 {
		return math.MaxUint64
	}
	return sum
}
