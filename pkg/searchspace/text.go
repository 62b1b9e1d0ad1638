package searchspace

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Format writes a point of the Space as text: numbers in the shortest decimal form that reads back
// as the same float64, values of lists as they were written, parameters that are not active left
// out.
func (s *Space) Format(p Point) Assignment {
	out := make(Assignment, 0, len(p))
	for i, v := range p {
		if !math.IsNaN(v) {
			out = append(out, Pair{Name: s.params[i].Name, Value: s.axes[i].format(v)})
		}
	}
	return out
}

// Parse is the inverse of Format. Pairs may come in any order and numbers in any decimal spelling, on a
// grid up to rounding; values of lists must be spelt as in the list. It reports every fault at once: an unknown name, a
// name given twice, a value that is not in the Space, an active parameter that is missing, one
// that is given though it is not active.
func (s *Space) Parse(a Assignment) (Point, error) {
	p := make(Point, len(s.params))
	for i := range p {
		p[i] = math.NaN()
	}
	given := make([]bool, len(p))
	var faults []error
	for _, pair := range a {
		i, ok := s.index[pair.Name]
		switch {
		case !ok:
			faults = append(faults, fmt.Errorf("parameter %q is not in the space", pair.Name))
			continue
		case given[i]:
			faults = append(faults, fmt.Errorf("parameter %q is given twice", pair.Name))
			continue
		}
		given[i] = true
		v, err := s.axes[i].parse(pair.Value)
		if err != nil {
			faults = append(faults, fmt.Errorf("parameter %q: %w", pair.Name, err))
		}
		p[i] = v
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	if err := s.Contains(p); err != nil {
		return nil, err
	}
	return p, nil
}

// Project returns the point that an assignment of another space stands for in this one: unknown
// names, and values of parameters that are not active here, are left out. The error says which
// values are missing, no values of their parameter, or out of range.
func (s *Space) Project(a Assignment) (Point, error) {
	p := make(Point, len(s.params))
	for i := range p {
		p[i] = math.NaN()
	}
	unread := make([]error, len(p))
	for _, pair := range a {
		if i, ok := s.index[pair.Name]; ok {
			p[i], unread[i] = s.axes[i].parse(pair.Value)
		}
	}
	var faults []error
	for _, i := range s.order {
		switch {
		case !s.active(i, p):
			p[i] = math.NaN()
		case unread[i] != nil:
			p[i] = math.NaN()
			faults = append(faults, fmt.Errorf("parameter %q: %w", s.params[i].Name, unread[i]))
		}
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	return p, s.Contains(p)
}

func (a *axis) format(v float64) string {
	switch {
	case a.labels != nil:
		return a.labels[a.cellOf(v)]
	case a.whole:
		return strconv.FormatInt(int64(v), 10)
	}
	return number(v)
}

// parse reads the text of one value. A number that is off a value of the grid by rounding alone is that
// value. Whether a number is in the range is not looked at.
func (a *axis) parse(text string) (float64, error) {
	if a.labels != nil {
		k := slices.Index(a.labels, text)
		if k < 0 {
			return 0, fmt.Errorf("%q is not in the list", text)
		}
		return a.list[k], nil
	}
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(v) || strings.ContainsAny(text, "xX_") {
		return 0, fmt.Errorf("%q is no decimal number", text)
	}
	return a.settle(v) + 0, nil // -0 + 0 is 0
}

// settle returns the value of the grid from which v differs by rounding alone, else v: others compute the
// third value from 0.1 by 0.1 as 0.1 + 2*0.1, which is 0.30000000000000004.
func (a *axis) settle(v float64) float64 {
	const rounding = 1e-8 // of a step
	if a.cells == 0 {
		return v
	}
	if near := a.at(a.nearest(v)); math.Abs(v-near) <= rounding*a.step {
		return near
	}
	return v
}
