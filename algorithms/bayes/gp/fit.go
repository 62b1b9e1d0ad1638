package gp

import (
	"math"
	"math/rand/v2"
	"slices"

	"github.com/tuned-hpo/tuned/internal/elementary"
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

// Sample returns samples of theta from the posterior density, one after each sweep of slice sampling
// over the coordinates (Neal 2003, figures 3 and 5) that begins at start. It is a function of the
// seed and the observations alone. Samples are correlated: take a start that Fit found, and drop the
// first few.
func (l *Likelihood) Sample(start []float64, samples int, seed uint64) [][]float64 {
	source := rand.New(rand.NewPCG(seed, uint64(len(l.y))))
	x := slices.Clone(start)
	lower, upper := l.model.Bounds()
	for i := range x {
		x[i] = min(max(x[i], lower[i]), upper[i])
	}
	loss := l.Loss(x, nil)
	out := make([][]float64, samples)
	for i := range out {
		for k := range x {
			loss = l.slice(x, k, loss, source)
		}
		out[i] = slices.Clone(x)
	}
	return out
}

// slice moves coordinate k of x to a sample of its conditional density and returns the loss there.
// loss is that at x.
func (l *Likelihood) slice(x []float64, k int, loss float64, source *rand.Rand) float64 {
	const (
		width = 1.0 // natural logarithm
		steps = 8   // how far it steps out on either side
	)
	level := loss - elementary.Log(1-source.Float64()) // an exponential number more
	old := x[k]
	at := func(v float64) float64 {
		x[k] = v
		return l.Loss(x, nil)
	}
	least, greatest := l.model.lower[k], l.model.upper[k]
	left := old - float64(width*source.Float64())
	right := left + width
	for range steps {
		if left <= least || at(left) > level {
			break
		}
		left -= width
	}
	for range steps {
		if right >= greatest || at(right) > level {
			break
		}
		right += width
	}
	left, right = max(left, least), min(right, greatest)
	for range 100 {
		v := left + float64((right-left)*source.Float64())
		if now := at(v); now <= level {
			return now
		}
		if v < old {
			left = v
		} else {
			right = v
		}
	}
	x[k] = old
	return loss
}
