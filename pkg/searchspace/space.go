package searchspace

import (
	"errors"
	"fmt"
	"math"
	"slices"
)

// Space is a checked list of parameters. It is immutable, and may be used concurrently.
type Space struct {
	params []Parameter
	axes   []axis         // parallel to params
	index  map[string]int // name to position
	order  []int          // positions, each parent before its children
	tree   tree
}

// New checks params and makes a Space of them. It reports every fault at once: the error joins one
// *Fault per fault. The parameters are copied.
func New(params []Parameter) (*Space, error) {
	s := &Space{params: make([]Parameter, len(params)), axes: make([]axis, len(params)), index: make(map[string]int, len(params))}
	for i, p := range params {
		s.params[i] = clone(p)
	}
	c := checker{space: s}
	c.check()
	if len(c.faults) > 0 {
		return nil, errors.Join(c.faults...)
	}
	s.plant()
	return s, nil
}

// Len is the number of parameters, and so the length of a Point and of its coding.
func (s *Space) Len() int { return len(s.params) }

// Parameters returns a copy of the parameters, in the Space's order.
func (s *Space) Parameters() []Parameter {
	out := make([]Parameter, len(s.params))
	for i, p := range s.params {
		out[i] = clone(p)
	}
	return out
}

// Index returns the position of the named parameter.
func (s *Space) Index(name string) (int, bool) {
	i, ok := s.index[name]
	return i, ok
}

// Decode returns the feasible point that u, of length Len and in the unit cube, stands for: for u
// uniform in the cube, each parameter follows its distribution. Values of a grid or a list are
// cells, equally wide under Uniform, in ascending order along the axis. A coordinate outside
// [0, 1] is taken as the nearer end, NaN as 0. Parameters whose condition is not met are NaN.
// The point is the same on every machine; only values of Normal and LogNormal may differ in the
// last digit between processor families.
func (s *Space) Decode(u []float64) Point {
	p := make(Point, len(s.params))
	for _, i := range s.order {
		if !s.active(i, p) {
			p[i] = math.NaN()
			continue
		}
		p[i] = s.axes[i].decode(clampUnit(u[i]))
	}
	return p
}

// Encode returns the coordinates of a point of the Space in the unit cube: the inverse of Decode,
// exactly for grids and lists, whose values are coded as the centre of their cell, and up to
// rounding for continuous parameters. A parameter that is not active is coded as 0.5.
func (s *Space) Encode(p Point) []float64 {
	u := make([]float64, len(s.params))
	for i, v := range p {
		if math.IsNaN(v) {
			u[i] = 0.5
			continue
		}
		u[i] = s.axes[i].encode(v)
	}
	return u
}

// Span returns the part of the unit interval that decodes to value v of parameter i: the cell of a
// value of a grid or list, of one length for all cells but on a logarithmic or normal grid, and the
// code itself for a continuous parameter.
func (s *Space) Span(i int, v float64) (low, high float64) { return s.axes[i].span(v) }

// Contains reports why p is not a point of the Space: a value out of range, off its grid or not of
// its list, a parameter that should be active but is NaN, or the reverse. All faults are joined.
func (s *Space) Contains(p Point) error {
	if len(p) != len(s.params) {
		return fmt.Errorf("point has %d coordinates, space has %d parameters", len(p), len(s.params))
	}
	var faults []error
	for i, v := range p {
		if err := s.holds(i, v, p); err != nil {
			faults = append(faults, fmt.Errorf("parameters[%d] (%s): %w", i, s.params[i].Name, err))
		}
	}
	return errors.Join(faults...)
}

func (s *Space) holds(i int, v float64, p Point) error {
	switch active := s.active(i, p); {
	case active && math.IsNaN(v):
		return errors.New("active, but has no value")
	case !active && !math.IsNaN(v):
		return fmt.Errorf("not active while %s has this value, but is set", s.params[i].ActiveWhen.Parent)
	case !active:
		return nil
	}
	return s.axes[i].contains(v)
}

// active tells whether parameter i takes part in p, of which its ancestors are set already.
func (s *Space) active(i int, p Point) bool {
	b := s.tree.branch[i]
	return b.parent < 0 || slices.Contains(b.when, p[b.parent])
}

func clampUnit(u float64) float64 {
	if math.IsNaN(u) {
		return 0
	}
	return max(0, min(u, 1))
}

func clone(p Parameter) Parameter {
	p.Values = slices.Clone(p.Values)
	p.Numbers = slices.Clone(p.Numbers)
	if p.ActiveWhen != nil {
		p.ActiveWhen = &Condition{Parent: p.ActiveWhen.Parent, Values: slices.Clone(p.ActiveWhen.Values)}
	}
	return p
}
