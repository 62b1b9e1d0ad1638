package multifidelity

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"sort"

	"github.com/tuned-hpo/tuned/algorithms"
	"github.com/tuned-hpo/tuned/pkg/searchspace"
)

const (
	mostTrials = math.MaxInt32 // of a rung, far above what is ever run
	mostLevels = 2100          // of a resource: the range of float64 in powers of 2
)

// fidelity is a search space as configurations and levels of a resource.
type fidelity struct {
	space          *searchspace.Space // of points: a configuration and its resource
	at             int                // position of the resource in a point
	configurations *searchspace.Space // without the resource
	eta            int                // one configuration in eta goes on to the next level
	levels         []float64          // of the resource, ascending; the last is the most that a trial may use
}

// newFidelity reads the settings that all algorithms of this package share. It reports all that is wrong.
func newFidelity(p algorithms.Problem, v algorithms.Values) (*fidelity, error) {
	name := v.Text("resource_name", "")
	at, ok := p.Space.Index(name)
	eta, err := readEta(v)
	if !ok {
		return nil, errors.Join(fmt.Errorf("resource_name %q is no parameter", name), err)
	}
	params := p.Space.Parameters()
	scale, fault := newScale(params, at)
	if err = errors.Join(err, fault); err != nil {
		return nil, err
	}
	f := &fidelity{space: p.Space, at: at, eta: eta}
	if f.levels, err = readLevels(scale, eta, v); err != nil {
		return nil, err
	}
	if f.configurations, err = searchspace.New(slices.Delete(params, at, at+1)); err != nil {
		panic(err) // they are parameters of a checked space
	}
	return f, nil
}

// readEta reads eta as Katib's service does: as a whole number, and 3 for one below 1.
func readEta(v algorithms.Values) (int, error) {
	eta := math.Trunc(v.Float("eta", 3))
	switch {
	case eta < 1:
		return 3, nil
	case eta == 1:
		return 0, errors.New("eta must be at least 2, got 1")
	}
	return int(min(eta, mostTrials)), nil
}

// readLevels returns the levels of the resource, from r_l downwards, each 1/eta of the one above, as long as it is not below
// min_resource; rounded to values of the parameter.
func readLevels(s scale, eta int, v algorithms.Values) ([]float64, error) {
	most := v.Float("r_l", s.max)
	least := v.Float("min_resource", s.usualLeast(most))
	switch {
	case most > s.max:
		return nil, fmt.Errorf("r_l is %g, but %s is at most %g", most, s.name, s.max)
	case least <= 0:
		return nil, fmt.Errorf("min_resource must be set: %s may be %g, and r_l is no more than 1", s.name, s.min)
	}
	if least = s.atLeast(least); least > s.atMost(most) {
		return nil, fmt.Errorf("r_l is %g, but a trial takes %g of %s at least", most, least, s.name)
	}
	levels := []float64{s.atMost(most)}
	const rounding = 1e-9 // relative: 0.9/3 is not below 0.3
	for r := most / float64(eta); r >= least*(1-rounding); r /= float64(eta) {
		levels = append(levels, s.nearest(max(r, least)))
	}
	slices.Reverse(levels)
	return slices.Compact(levels), nil
}

// point returns a configuration with a level of the resource.
func (f *fidelity) point(configuration searchspace.Point, level int) searchspace.Point {
	return slices.Insert(slices.Clone(configuration), f.at, f.levels[level])
}

// configuration returns a point without its resource.
func (f *fidelity) configuration(p searchspace.Point) searchspace.Point {
	return slices.Delete(slices.Clone(p), f.at, f.at+1)
}

// level returns the level of a point; false when its resource is none of them.
func (f *fidelity) level(p searchspace.Point) (int, bool) {
	return slices.BinarySearch(f.levels, p[f.at])
}

// top is the highest level.
func (f *fidelity) top() int { return len(f.levels) - 1 }

// power returns eta^n; math.Pow is not the same on every machine.
func (f *fidelity) power(n int) float64 {
	product := 1.0
	for range n {
		product *= float64(f.eta)
	}
	return product
}

// scale is the values of the parameter that is the resource.
type scale struct {
	name     string
	alone    *searchspace.Space // of the parameter
	cells    int                // 0 when it is continuous
	min, max float64
}

// newScale returns the values of parameter at, which must be a number that depends on no other parameter, nor others on
// it.
func newScale(params []searchspace.Parameter, at int) (scale, error) {
	p := params[at]
	var faults []error
	if p.Kind == searchspace.Categorical {
		faults = append(faults, fmt.Errorf("resource_name: %s is categorical, not a number", p.Name))
	}
	if p.ActiveWhen != nil {
		faults = append(faults, fmt.Errorf("resource_name: %s must not depend on %s", p.Name, p.ActiveWhen.Parent))
	}
	for _, q := range params {
		if q.ActiveWhen != nil && q.ActiveWhen.Parent == p.Name {
			faults = append(faults, fmt.Errorf("resource_name: %s must not depend on %s", q.Name, p.Name))
		}
	}
	if len(params) == 1 {
		faults = append(faults, fmt.Errorf("there is no parameter but %s, so that nothing is to be searched", p.Name))
	}
	if len(faults) > 0 {
		return scale{}, errors.Join(faults...)
	}
	alone, err := searchspace.New([]searchspace.Parameter{p})
	if err != nil {
		panic(err) // it is a parameter of a checked space
	}
	s := scale{name: p.Name, alone: alone, min: p.Min, max: p.Max}
	if n, finite := alone.Cells(); finite {
		s.cells = int(n) // at most 2^53
		s.min, s.max = s.cell(0), s.cell(s.cells-1)
	}
	return s, nil
}

func (s scale) cell(i int) float64 { return s.alone.Cell(uint64(i))[0] }

// usualLeast is the least resource where none is set: 1, as in Katib, or the least value of the parameter, where that is
// above 1 or 1 would be all that there is.
func (s scale) usualLeast(most float64) float64 {
	if most > 1 {
		return max(s.min, 1)
	}
	return s.min
}

// index returns the position of the first value that is not below r.
func (s scale) index(r float64) int {
	return sort.Search(s.cells, func(i int) bool { return s.cell(i) >= r })
}

// atLeast returns the least value that is not below r, +Inf if there is none.
func (s scale) atLeast(r float64) float64 {
	if s.cells == 0 {
		if r > s.max {
			return math.Inf(1)
		}
		return max(r, s.min)
	}
	if i := s.index(r); i < s.cells {
		return s.cell(i)
	}
	return math.Inf(1)
}

// atMost returns the greatest value that is not above r, -Inf if there is none.
func (s scale) atMost(r float64) float64 {
	switch i := s.index(r); {
	case s.cells == 0 && r >= s.min:
		return min(r, s.max)
	case s.cells == 0:
	case i < s.cells && s.cell(i) == r:
		return r
	case i > 0:
		return s.cell(i - 1)
	}
	return math.Inf(-1)
}

// nearest returns the value nearest to r, which is in the range; of two the lower one.
func (s scale) nearest(r float64) float64 {
	low, high := s.atMost(r), s.atLeast(r)
	if r-low <= high-r {
		return low
	}
	return high
}
