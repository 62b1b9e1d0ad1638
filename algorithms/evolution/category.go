package evolution

import (
	"math"

	"github.com/tuned-hpo/tuned/internal/elementary"
)

// categories are the distributions of the categorical parameters: a probability for each label, adapted
// by the natural gradient with a step size of its own (Hamano, Saito, Nomura, Uchida and Shirakawa 2024,
// CatCMA, arXiv:2405.09962; the step size is that of Akimoto, Shirakawa, Yoshinari, Uchida, Saito and
// Nishida 2019, Adaptive stochastic natural gradient, ICML 36).
type categories struct {
	q     [][]float64 // by parameter, probabilities of its labels
	least []float64   // the margin: no label of a parameter is less probable

	delta  float64   // trust region
	growth float64   // by which delta has changed
	gamma  float64   // expected length of the path, squared
	path   []float64 // of normalized steps, one less per parameter than labels

	gradient [][]float64
	root     []float64 // the gradient times the root of the Fisher matrix, as long as path
}

// newCategories starts with equal probabilities.
func newCategories(counts []int) *categories {
	c := &categories{delta: 1, growth: 1}
	free := 0
	for _, n := range counts {
		q := make([]float64, n)
		for k := range q {
			q[k] = 1 / float64(n)
		}
		c.q = append(c.q, q)
		c.gradient = append(c.gradient, make([]float64, n))
		c.least = append(c.least, leastProbability(n, len(counts)))
		free += n - 1
	}
	c.path, c.root = make([]float64, free), make([]float64, free)
	return c
}

// leastProbability is such that all parameters keep the label that is certain but for the margin with
// probability 0.73, which is CatCMA's margin.
func leastProbability(labels, parameters int) float64 {
	if labels < 2 {
		return 0
	}
	return -elementary.Expm1(elementary.Log(0.73)/float64(parameters)) / float64(labels-1)
}

// draw returns the label of a parameter for u uniform in the unit interval.
func (c *categories) draw(i int, u float64) int {
	for k, q := range c.q[i] {
		if u -= q; u < 0 {
			return k
		}
	}
	return len(c.q[i]) - 1
}

// adapt moves the probabilities towards the labels of a generation, the best first, with the positive
// weights. A parameter that is not active in a trial has no label there, -1, and nothing is learnt of it.
func (c *categories) adapt(weights []float64, labels [][]int) {
	if len(c.path) == 0 {
		return
	}
	for i, g := range c.gradient {
		clear(g)
		for r, w := range weights {
			k := labels[r][i]
			if k < 0 {
				continue
			}
			g[k] += w
			for l, q := range c.q[i] {
				g[l] -= float64(w * q)
			}
		}
	}
	c.whiten()
	norm := math.Sqrt(dot(c.root, c.root))
	if norm == 0 {
		return
	}
	for i, g := range c.gradient {
		for k := range g {
			c.q[i][k] += float64(c.delta / norm * g[k])
		}
	}
	c.adaptDelta(norm)
	c.keepMargin()
}

// whiten multiplies the gradient by the root of the Fisher matrix (Akimoto et al. 2019, appendix B).
func (c *categories) whiten() {
	at := 0
	for i, g := range c.gradient {
		last := len(g) - 1
		sum := 0.0
		for _, v := range g[:last] {
			sum += v
		}
		tail := c.q[i][last] + math.Sqrt(c.q[i][last])
		for k, v := range g[:last] {
			rootQ := math.Sqrt(c.q[i][k])
			c.root[at] = v/rootQ + float64(rootQ*sum)/tail
			at++
		}
	}
}

// adaptDelta makes the trust region larger while steps agree, and smaller while they do not.
func (c *categories) adaptDelta(norm float64) {
	const alpha = 1.5
	c.delta = 1 / c.growth
	beta := c.delta / math.Sqrt(float64(len(c.path)))
	beta = min(beta, 1)
	gain := math.Sqrt(beta * (2 - beta))
	for k, v := range c.root {
		c.path[k] = float64((1-beta)*c.path[k]) + float64(gain*v/norm)
	}
	c.gamma = float64((1-beta)*(1-beta)*c.gamma) + float64(beta*(2-beta))
	c.growth *= elementary.Exp(beta * (c.gamma - dot(c.path, c.path)/alpha))
}

// keepMargin lifts probabilities below the margin to it, and lowers the others in proportion.
func (c *categories) keepMargin() {
	for i, q := range c.q {
		sum := 0.0
		for k := range q {
			q[k] = max(q[k], c.least[i])
			sum += q[k]
		}
		excess := sum - float64(c.least[i]*float64(len(q)))
		if len(q) < 2 || excess <= 0 {
			continue
		}
		for k := range q {
			q[k] -= (sum - 1) * (q[k] - c.least[i]) / excess
		}
	}
}
