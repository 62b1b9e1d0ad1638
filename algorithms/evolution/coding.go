package evolution

import (
	"math"
	"slices"

	"github.com/tuned-hpo/tuned/pkg/searchspace"
)

// fine is the number of steps from which on a parameter is as good as continuous.
const fine = 1000

// coding maps points to the coordinates of the numbers, in the unit cube, and the labels of the
// categorical parameters, and back.
type coding struct {
	space   *searchspace.Space
	numbers []int       // positions of the parameters that are numbers
	edges   [][]float64 // parallel to numbers: ends of steps, one more than steps; nil when continuous
	lists   []int       // positions of the categorical parameters
	counts  []int       // parallel to lists: number of labels
	nowhere []float64   // parallel to numbers: NaN
	u       []float64   // scratch
}

func newCoding(space *searchspace.Space) *coding {
	c := &coding{space: space, u: make([]float64, space.Len())}
	for i, p := range space.Parameters() {
		if p.Kind == searchspace.Categorical {
			c.lists = append(c.lists, i)
			c.counts = append(c.counts, len(p.Values))
			continue
		}
		c.numbers = append(c.numbers, i)
		c.edges = append(c.edges, edgesOf(space, i, p))
		c.nowhere = append(c.nowhere, math.NaN())
	}
	return c
}

// edgesOf returns the ends of the steps of parameter i.
func edgesOf(space *searchspace.Space, i int, p searchspace.Parameter) []float64 {
	p.ActiveWhen = nil
	alone, err := searchspace.New([]searchspace.Parameter{p})
	if err != nil {
		panic(err) // it is a parameter of a checked space
	}
	cells, finite := alone.Cells()
	if !finite || cells > fine {
		return nil
	}
	edges := make([]float64, cells+1)
	for k := range cells {
		edges[k], edges[k+1] = space.Span(i, alone.Cell(k)[0])
	}
	return edges
}

// step returns the ends of the step that coordinate j is in at v, infinite at the ends of the axis.
func (c *coding) step(j int, v float64) (low, high float64) {
	edges := c.edges[j]
	k, found := slices.BinarySearch(edges, v)
	if !found {
		k--
	}
	last := len(edges) - 2
	k = max(0, min(k, last))
	low, high = edges[k], edges[k+1]
	if k == 0 {
		low = math.Inf(-1)
	}
	if k == last {
		high = math.Inf(1)
	}
	return low, high
}

// move returns coordinate j after a move from x to y, which leaves the step that x is in: a move that is too
// short for it ends in the middle of the next one on its side, or at an end of the axis on the other.
func (c *coding) move(j int, x, y float64) float64 {
	edges := c.edges[j]
	if len(edges) < 3 {
		return y
	}
	low, high := c.step(j, x)
	if y < low || y >= high {
		return y
	}
	up := y > x && !math.IsInf(high, 1) || math.IsInf(low, -1)
	if up {
		k, _ := slices.BinarySearch(edges, high)
		return (edges[k] + edges[k+1]) / 2
	}
	k, _ := slices.BinarySearch(edges, low)
	return (edges[k-1] + edges[k]) / 2
}

// clip moves the continuous coordinates of v into the unit cube: optima at an end of a range are common. In
// steps, what is beyond the last one belongs to it.
func (c *coding) clip(v []float64) {
	for j, x := range v {
		if c.edges[j] == nil {
			v[j] = max(0, min(x, 1))
		}
	}
}

// decode returns the point of coordinates v and labels.
func (c *coding) decode(v []float64, labels []int) searchspace.Point {
	for j, i := range c.numbers {
		c.u[i] = v[j]
	}
	for k, i := range c.lists {
		c.u[i] = (float64(labels[k]) + 0.5) / float64(c.counts[k])
	}
	return c.space.Decode(c.u)
}

// encode writes the coordinates and labels of a point: of a parameter that is not active the mean, and the
// label -1.
func (c *coding) encode(p searchspace.Point, mean, v []float64, labels []int) {
	u := c.space.Encode(p)
	for j, i := range c.numbers {
		v[j] = u[i]
		if math.IsNaN(p[i]) {
			v[j] = mean[j]
		}
	}
	c.label(p, labels)
}

// label writes the labels of a point.
func (c *coding) label(p searchspace.Point, labels []int) {
	for k, i := range c.lists {
		labels[k] = -1
		if !math.IsNaN(p[i]) {
			labels[k] = int(p[i])
		}
	}
}
