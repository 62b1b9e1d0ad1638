package bayes

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/tuned-hpo/tuned/pkg/searchspace"
)

// shortTable is the length up to which the levels of a grid have a table of kernels. Kernels on
// longer grids are taken as continuous: with a bandwidth of at least four cells the density in the
// middle of a cell differs from the mean over the cell by less than (1/4)^2/24, some 0.3 %.
const shortTable = 64

// tpeDim is one parameter as the densities see it. Its coordinate x is that of the unit cube, or the
// index of the level where edges are listed; NaN when it is not active.
type tpeDim struct {
	labels bool      // levels without order
	edges  []float64 // of levels in the unit interval, one more than levels; nil otherwise
}

func (d *tpeDim) levels() int { return max(0, len(d.edges)-1) }

// middle returns the middle of a level in the unit interval.
func (d *tpeDim) middle(level float64) float64 {
	return float64((d.edges[int(level)] + d.edges[int(level)+1]) / 2)
}

// level returns the level of which u is inside or at the lower edge.
func (d *tpeDim) level(u float64) int {
	k, found := slices.BinarySearch(d.edges, u)
	if !found {
		k--
	}
	return max(0, min(k, d.levels()-1))
}

// tpeSpace is the parameters in blocks, each of which has one density.
type tpeSpace struct {
	space  *searchspace.Space
	dims   []tpeDim
	blocks []tpeBlock // those of parents before those of their children
}

// tpeBlock is parameters with one joint density: those with the same condition, which are active
// together. What is in another block is independent, given what is active.
type tpeBlock struct {
	dims        []int
	conditional bool
}

// in tells whether the block is active in coordinates x.
func (b *tpeBlock) in(x []float64) bool { return !math.IsNaN(x[b.dims[0]]) }

func newTPESpace(space *searchspace.Space) *tpeSpace {
	s := &tpeSpace{space: space}
	params := space.Parameters()
	for i, p := range params {
		s.dims = append(s.dims, newTPEDim(space, i, p))
	}
	order := make([]int, len(params)) // parents before their children
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(depthOf(space, params, a), depthOf(space, params, b)) })
	byCondition := make(map[string]int)
	for _, i := range order {
		key := conditionKey(params[i].ActiveWhen)
		b, known := byCondition[key]
		if !known {
			b = len(s.blocks)
			byCondition[key] = b
			s.blocks = append(s.blocks, tpeBlock{conditional: params[i].ActiveWhen != nil})
		}
		s.blocks[b].dims = append(s.blocks[b].dims, i)
	}
	return s
}

// depthOf is the number of conditions above parameter i.
func depthOf(space *searchspace.Space, params []searchspace.Parameter, i int) int {
	depth := 0
	for params[i].ActiveWhen != nil {
		i, _ = space.Index(params[i].ActiveWhen.Parent)
		depth++
	}
	return depth
}

// conditionKey tells conditions apart.
func conditionKey(c *searchspace.Condition) string {
	if c == nil {
		return ""
	}
	values := slices.Clone(c.Values)
	slices.Sort(values)
	return fmt.Sprintf("%q%q", c.Parent, values)
}

func newTPEDim(space *searchspace.Space, i int, p searchspace.Parameter) tpeDim {
	d := tpeDim{labels: p.Kind == searchspace.Categorical}
	p.ActiveWhen = nil
	alone, err := searchspace.New([]searchspace.Parameter{p})
	if err != nil {
		panic(err) // it is a parameter of a checked space
	}
	n, finite := alone.Cells()
	if !finite || n > shortTable && !d.labels {
		return d
	}
	d.edges = make([]float64, n+1)
	for k := range n {
		low, high := space.Span(i, alone.Cell(k)[0])
		d.edges[k], d.edges[k+1] = low, high
	}
	return d
}

// encode returns the coordinates of a point.
func (s *tpeSpace) encode(p searchspace.Point) []float64 {
	x := s.space.Encode(p)
	for i := range s.dims {
		switch d := &s.dims[i]; {
		case math.IsNaN(p[i]):
			x[i] = math.NaN()
		case d.edges != nil:
			x[i] = float64(d.level(x[i]))
		}
	}
	return x
}

// decode returns the point of coordinates x. It uses u, which is as long.
func (s *tpeSpace) decode(x, u []float64) searchspace.Point {
	for i, v := range x {
		if d := &s.dims[i]; d.edges != nil && !math.IsNaN(v) {
			v = d.middle(v)
		}
		u[i] = v
	}
	return s.space.Decode(u)
}
