package bayes

import (
	"math"
	"slices"

	"github.com/tuned-hpo/tuned/algorithms/bayes/gp"
)

// climber improves one point of a search at a time.
type climber struct {
	*search
	minimizer         gp.Minimizer
	options           gp.Options
	negative          func(x, gradient []float64) float64
	at                spot
	moving            []int     // axes along which gradients lead
	free              []float64 // parallel to moving
	to                []float64 // latent, where the gradients lead
	lower, upper      []float64 // d: limits of the features
	boxLow, boxHigh   []float64 // parallel to moving
	features, slope   []float64
	levels            []float64
	batch, batchValue []float64
}

func (c *climber) prepare(s *search) {
	d := len(s.axes)
	if c.search == nil {
		c.lower, c.upper = make([]float64, d), make([]float64, d)
		c.features, c.slope = make([]float64, d), make([]float64, d)
		c.negative = c.evaluate
		c.options = gp.Options{Iterations: 30, Gradient: 1e-4, Decrease: 1e-6}
	}
	c.search = s
}

// improve alternates gradients and steps until neither helps.
func (c *climber) improve(start spot) spot {
	const rounds = 3
	c.at = spot{latent: slices.Clone(start.latent), value: start.value}
	for i := range c.lower {
		c.lower[i], c.upper[i] = 0, 1
	}
	c.mask(c.at.latent, c.features)
	c.trust.box(c.features, c.lower, c.upper)
	for range rounds {
		c.descend()
		if !c.stepAll() {
			break
		}
	}
	return c.at
}

// smooth tells whether gradients lead along an axis.
func (a *axis) smooth() bool { return !a.labels && (a.cells == 0 || a.cells > exhaustive) }

// descend follows gradients along the active smooth axes, and rounds those that are grids.
func (c *climber) descend() {
	c.mask(c.at.latent, c.features)
	c.moving = c.moving[:0]
	c.free, c.boxLow, c.boxHigh = c.free[:0], c.boxLow[:0], c.boxHigh[:0]
	for i := range c.axes {
		if v := c.features[i]; c.axes[i].smooth() && !math.IsNaN(v) {
			c.moving = append(c.moving, i)
			c.free = append(c.free, v)
			c.boxLow, c.boxHigh = append(c.boxLow, c.lower[i]), append(c.boxHigh, c.upper[i])
		}
	}
	if len(c.moving) == 0 {
		return
	}
	c.minimizer.Minimize(c.negative, c.free, c.boxLow, c.boxHigh, c.options)
	c.to = append(c.to[:0], c.at.latent...)
	for k, i := range c.moving {
		c.to[i] = c.axes[i].snap(c.free[k])
	}
	c.mask(c.to, c.features) // parameters may be active at the end that were not before, or not any more
	if value := c.rater.rate(c.features, c.slope); value > c.at.value {
		c.at.value = value
		copy(c.at.latent, c.to)
	}
}

// evaluate is what the minimizer sees.
func (c *climber) evaluate(free, gradient []float64) float64 {
	for k, i := range c.moving {
		c.features[i] = free[k]
	}
	value := c.rater.rate(c.features, c.slope)
	for k, i := range c.moving {
		gradient[k] = -c.slope[i]
	}
	return -value
}

// stepAll tries other levels of each axis that has levels, and tells whether one was better.
func (c *climber) stepAll() bool {
	better := false
	for i := range c.axes {
		a := &c.axes[i]
		if a.cells <= 1 { // continuous, or with nothing to choose
			continue
		}
		c.mask(c.at.latent, c.features)
		if math.IsNaN(c.features[i]) {
			continue
		}
		better = c.stepOne(i) || better
	}
	return better
}

// stepOne moves along axis i to the best of its levels: all of a few, or those at a distance of a
// power of two.
func (c *climber) stepOne(i int) bool {
	c.levels = c.axes[i].around(c.at.latent[i], c.levels[:0])
	d := len(c.axes)
	c.batch = c.batch[:0]
	kept := 0
	old := c.at.latent[i]
	for _, v := range c.levels {
		if v == old || !c.axes[i].labels && (v < c.lower[i] || v > c.upper[i]) {
			continue
		}
		c.levels[kept] = v
		kept++
		c.at.latent[i] = v
		c.mask(c.at.latent, c.features)
		c.batch = append(c.batch, c.features...)
	}
	c.at.latent[i] = old
	if kept == 0 {
		return false
	}
	c.batchValue = grow(c.batchValue, len(c.batch)/d)
	c.rater.rateAll(c.batch, c.batchValue)
	better := false
	for k, v := range c.batchValue {
		if v > c.at.value {
			c.at.value, c.at.latent[i] = v, c.levels[k]
			better = true
		}
	}
	return better
}

// around appends the levels to try from v on.
func (a *axis) around(v float64, levels []float64) []float64 {
	switch {
	case a.cells <= exhaustive || a.labels:
		return append(levels, a.levels...)
	case a.levels != nil:
		k := a.nearest(v)
		for step := 1; step < len(a.levels); step *= 2 {
			if k-step >= 0 {
				levels = append(levels, a.levels[k-step])
			}
			if k+step < len(a.levels) {
				levels = append(levels, a.levels[k+step])
			}
		}
		return levels
	}
	cell := 1 / float64(a.cells)
	for step := cell; step < 1; step *= 4 {
		levels = append(levels, a.snap(max(0, v-step)), a.snap(min(1, v+step)))
	}
	return levels
}
