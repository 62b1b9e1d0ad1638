package problem

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/tuned-hpo/tuned/pkg/searchspace"
)

// conditional is a function over a tree of parameters. Its loss is a sum of terms that are 0 at the
// optimum: one for the value of each switch, and one for each group of numbers that are active
// together, an ellipsoid with shallow waves around the group's target. Numbers at the root have a
// target that moves with the switches there, as the best learning rate does with the optimizer.
// Below the best values ellipsoids are steepest, so that at random points other values look better.
type conditional struct {
	space   *searchspace.Space
	params  []searchspace.Parameter
	optimum float64     // the loss there
	costs   [][]float64 // by parameter and value; nil for numbers
	drift   [][]float64 // by parameter and value of a switch at the root: added to targets at the root
	target  []float64   // unit cube
	groups  []group
}

// group is an ellipsoid over parameters that are active together.
type group struct {
	params []int
	root   bool
	axes   []float64 // a rotation, row-major
	slopes []float64 // by axis
}

// makeCond makes a problem of cond8.
func makeCond(member string, _ int, instance uint64) (*Problem, error) {
	c, err := newConditional(trees[member], uint64(slices.Index(sortedNames(trees), member)), instance)
	if err != nil {
		return nil, fmt.Errorf("cond8 %s: %w", member, err)
	}
	name := fmt.Sprintf("cond8/%s/i%d", member, instance)
	p := &Problem{
		Name:       name,
		Cluster:    "cond8/" + member,
		Space:      c.space,
		Objectives: 1,
		Eval:       func(p searchspace.Point, _, _ uint64) Result { return exactly(c.optimum + c.excess(p)) },
		Floor:      1e-4, // below it the means would count digits of the optimum, not choices in the tree
		Seconds:    logNormalSeconds(name),
	}
	p.setOptimum(c.optimum)
	return p, nil
}

func newConditional(params []searchspace.Parameter, number, instance uint64) (*conditional, error) {
	space, err := searchspace.New(params)
	if err != nil {
		return nil, err
	}
	source := rand.New(rand.NewPCG(number, instance))
	c := &conditional{
		space: space, params: params,
		optimum: math.Round(source.Float64()*2000-1000) / 100,
		costs:   make([][]float64, len(params)),
		drift:   make([][]float64, len(params)),
		target:  make([]float64, len(params)),
	}
	for i := range params {
		c.target[i] = 0.15 + 0.7*source.Float64()
		if c.isSwitch(i) {
			c.drawSwitch(i, source)
		}
	}
	c.drawGroups(source)
	return c, nil
}

// isSwitch reports whether values of a parameter are compared by cost alone: labels, and whatever
// others depend on.
func (c *conditional) isSwitch(i int) bool {
	return c.params[i].Kind == searchspace.Categorical || slices.ContainsFunc(c.params, func(q searchspace.Parameter) bool {
		return q.ActiveWhen != nil && q.ActiveWhen.Parent == c.params[i].Name
	})
}

// drawSwitch draws the costs of a switch: those of numbers rise from the best to both sides.
func (c *conditional) drawSwitch(i int, source *rand.Rand) {
	n := levelsOf(c.params)[i]
	best := source.IntN(n)
	c.costs[i], c.drift[i] = make([]float64, n), make([]float64, n)
	for k := range n {
		cost, drift := 0.05+0.45*source.Float64(), 0.4*source.Float64()-0.2
		switch {
		case k == best:
			cost = 0
		case c.params[i].Kind != searchspace.Categorical:
			cost = 0.12 * abs(float64(k-best))
		}
		c.costs[i][k] = cost
		if c.params[i].ActiveWhen == nil {
			c.drift[i][k] = drift
		}
	}
}

// drawGroups gathers numbers by their condition.
func (c *conditional) drawGroups(source *rand.Rand) {
	place := make(map[string]int)
	for i, q := range c.params {
		if c.costs[i] != nil {
			continue
		}
		condition := fmt.Sprint(q.ActiveWhen == nil)
		if q.ActiveWhen != nil {
			condition = fmt.Sprint(*q.ActiveWhen)
		}
		if _, found := place[condition]; !found {
			place[condition] = len(c.groups)
			c.groups = append(c.groups, group{root: q.ActiveWhen == nil})
		}
		g := &c.groups[place[condition]]
		g.params = append(g.params, i)
	}
	for k := range c.groups {
		g := &c.groups[k]
		weight := c.weight(c.params[g.params[0]].ActiveWhen)
		g.axes = rotation(len(g.params), source)
		for range g.params {
			g.slopes = append(g.slopes, weight*math.Pow(10, 2*source.Float64()-1))
		}
	}
}

// weight is the steepness below a condition.
func (c *conditional) weight(when *searchspace.Condition) float64 {
	if when == nil {
		return 1
	}
	parent, _ := c.space.Index(when.Parent)
	for k, cost := range c.costs[parent] {
		if cost == 0 && slices.Contains(when.Values, valueText(c.params[parent], k)) {
			return 3
		}
	}
	return 1
}

// excess is the loss at p less the optimum.
func (c *conditional) excess(p searchspace.Point) float64 {
	sum := 0.0
	moved := 0.0
	for i, costs := range c.costs {
		if costs != nil && !math.IsNaN(p[i]) {
			k := levelOf(c.params[i], p[i])
			sum += costs[k]
			moved += c.drift[i][k]
		}
	}
	at := c.space.Encode(p)
	target := c.reachable(at, moved)
	for _, g := range c.groups {
		if !math.IsNaN(p[g.params[0]]) {
			sum += g.excess(at, target)
		}
	}
	return sum
}

// reachable returns the targets as the values that are nearest to them have them, given the
// switches of the point at.
func (c *conditional) reachable(at []float64, moved float64) []float64 {
	target := slices.Clone(c.target)
	for i := range target {
		switch {
		case c.costs[i] != nil:
			target[i] = at[i]
		case c.params[i].ActiveWhen == nil:
			target[i] = max(0.05, min(target[i]+moved, 0.95))
		}
	}
	return c.space.Encode(c.space.Decode(target))
}

func (g *group) excess(at, target []float64) float64 {
	const waves, frequency = 0.01, 6 * math.Pi // four or so across the range
	sum := 0.0
	for k, slope := range g.slopes {
		z := 0.0
		for j, i := range g.params {
			z += g.axes[k*len(g.params)+j] * (at[i] - target[i])
		}
		sum += slope * (z*z + waves*(1-math.Cos(frequency*z)))
	}
	return sum
}
