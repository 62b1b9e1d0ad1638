package bayes

import (
	"math"
	"slices"
)

// output is one quantity that is modelled: the loss of an objective, or a constraint.
type output struct {
	constraint bool
	surrogate  *surrogate
	warper     warper

	values []float64 // told trials: NaN when failed
	pruned []bool    // told trials: the value is the last known one

	cleaned          []float64
	scores           []float64 // told trials: what the model learns
	means, variances []float64 // of the scores at known points, pending ones last
}

func (o *output) tell(value float64, pruned bool) {
	o.values, o.pruned = append(o.values, value), append(o.pruned, pruned)
}

// score turns the values told into scores.
func (o *output) score() {
	o.scores = grow(o.scores, len(o.values))
	o.clean()
	o.warper.warp(o.cleaned, o.scores)
}

// clean writes the losses to model. A pruned trial counts as no better than the median of those
// that succeeded.
func (o *output) clean() {
	o.cleaned = o.cleaned[:0]
	for i, v := range o.values {
		if !o.pruned[i] && isFinite(v) {
			o.cleaned = append(o.cleaned, v)
		}
	}
	slices.Sort(o.cleaned)
	median := math.Inf(-1)
	if n := len(o.cleaned); n > 0 {
		median = o.cleaned[n/2]/2 + o.cleaned[(n-1)/2]/2
	}
	o.cleaned = append(o.cleaned[:0], o.values...)
	for i, v := range o.cleaned {
		if o.pruned[i] && v < median {
			o.cleaned[i] = median
		}
	}
}

// assess makes the points after the first n pending, and predicts the scores at all: known is k by
// d, features.
func (o *output) assess(known []float64, n, d int) {
	p := o.surrogate.posterior
	p.Truncate(n)
	for k := n * d; k < len(known); k += d {
		p.Append(known[k:k+d], 0)
	}
	o.means, o.variances = grow(o.means, len(known)/d), grow(o.variances, len(known)/d)
	p.PredictBatch(known, o.means, o.variances)
}

// isFinite tells whether v is neither NaN nor infinite.
func isFinite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }
