package gp

import (
	"math"
	"slices"
)

// Fit minimises Loss from each start, moved into the bounds, and returns the theta of the least and
// its loss. Among equal losses the earlier start wins.
func (l *Likelihood) Fit(starts [][]float64, o Options) (theta []float64, loss float64) {
	loss = math.Inf(1)
	lower, upper := l.model.Bounds()
	for _, start := range starts {
		x := slices.Clone(start)
		r := l.minimize.Minimize(l.Loss, x, lower, upper, o)
		if theta == nil || r.Value < loss {
			theta, loss = x, r.Value
		}
	}
	return theta, loss
}
