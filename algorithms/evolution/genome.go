package evolution

import (
	"math"

	"github.com/tuned-hpo/tuned/internal/elementary"
	"github.com/tuned-hpo/tuned/pkg/searchspace"
)

// genome is what points are bred by.
type genome struct {
	v      []float64 // coordinates of the numbers, unit cube; NaN where the parameter is not active
	labels []int     // of the categorical parameters; -1 where the parameter is not active
}

func newGenome(c *coding) genome {
	return genome{make([]float64, len(c.numbers)), make([]int, len(c.lists))}
}

// read makes it that of a point.
func (g genome) read(c *coding, p searchspace.Point) {
	c.encode(p, c.nowhere, g.v, g.labels)
}

// copyFrom makes it equal to another one.
func (g genome) copyFrom(other genome) {
	copy(g.v, other.v)
	copy(g.labels, other.labels)
}

// active is the number of its parameters that are.
func (g genome) active() int {
	n := 0
	for _, x := range g.v {
		if !math.IsNaN(x) {
			n++
		}
	}
	for _, k := range g.labels {
		if k >= 0 {
			n++
		}
	}
	return n
}

// complete draws the parameters that are not active: they may be in the point that it stands for.
func (g genome) complete(c *coding, source *draws) {
	for j, x := range g.v {
		if math.IsNaN(x) {
			g.v[j] = source.unit()
		}
	}
	for i, k := range g.labels {
		if k < 0 {
			g.labels[i] = source.below(c.counts[i])
		}
	}
}

// The distribution indices: the larger, the nearer are children to parents. Deb et al. 2002, section V, have 20 for
// both, with 25,000 trials; within 1,000 the bench wants mutations to reach further.
const (
	etaCrossover = 20
	etaMutation  = 5
)

// cross makes it a child of two: each number that both have is, with probability 1/2, one that simulated
// binary crossover draws, and else that of the first; each label is of either.
func (g genome) cross(one, two genome, source *draws) {
	for j := range g.v {
		x, y := one.v[j], two.v[j]
		switch {
		case math.IsNaN(x):
			x = y
		case !math.IsNaN(y) && source.unit() < 0.5:
			x = binaryCrossover(x, y, source)
		}
		g.v[j] = x
	}
	for i := range g.labels {
		k := one.labels[i]
		if k < 0 || two.labels[i] >= 0 && source.unit() < 0.5 {
			k = two.labels[i]
		}
		g.labels[i] = k
	}
}

// binaryCrossover draws about one of two numbers, at a distance in proportion to theirs, within the unit
// interval (Deb and Agrawal 1995, Simulated binary crossover for continuous search space, with the bounds of
// Deb and Agrawal 1999).
func binaryCrossover(x, y float64, source *draws) float64 {
	low, high := min(x, y), max(x, y)
	if high-low < 1e-14 {
		return x
	}
	room, upper := low, source.unit() < 0.5 // to the end of the interval on the child's side
	if upper {
		room = 1 - high
	}
	beta := 1 + float64(2*room)/(high-low)
	alpha := 2 - power(beta, -(etaCrossover+1))
	u := float64(alpha * source.unit())
	spread := power(u, 1./(etaCrossover+1))
	if u > 1 {
		spread = power(1/(2-u), 1./(etaCrossover+1))
	}
	middle, half := float64((low+high)/2), float64(spread*(high-low)/2)
	if upper {
		half = -half
	}
	return max(0, min(middle-half, 1))
}

// mutate changes each active parameter with a probability.
func (g genome) mutate(c *coding, rate float64, source *draws) {
	for j, x := range g.v {
		if !math.IsNaN(x) && source.unit() < rate {
			g.v[j] = c.move(j, x, polynomialMutation(x, source))
		}
	}
	for i, k := range g.labels {
		if k >= 0 && source.unit() < rate {
			g.labels[i] = source.other(k, c.counts[i])
		}
	}
}

// polynomialMutation draws about a number within the unit interval (Deb and Agrawal 1999, A niched-penalty
// approach for constraint handling in genetic algorithms).
func polynomialMutation(x float64, source *draws) float64 {
	u := source.unit()
	if u <= 0.5 {
		edge := power(1-x, etaMutation+1)
		return max(0, x+power(float64(2*u)+float64((1-float64(2*u))*edge), 1./(etaMutation+1))-1)
	}
	edge := power(x, etaMutation+1)
	return min(x+1-power(float64(2*(1-u))+float64((float64(2*u)-1)*edge), 1./(etaMutation+1)), 1)
}

// power returns x^p for x >= 0.
func power(x, p float64) float64 { return elementary.Exp(float64(p * elementary.Log(x))) }

// below draws one of the first n whole numbers, n at least 1.
func (d *draws) below(n int) int { return min(int(float64(d.unit()*float64(n))), n-1) }

// other draws one of the first n whole numbers that is not k, if there is one.
func (d *draws) other(k, n int) int {
	if n < 2 {
		return k
	}
	l := d.below(n - 1)
	if l >= k {
		l++
	}
	return l
}
