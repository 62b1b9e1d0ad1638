package bayes

import (
	"math"
	"slices"

	"github.com/tuned-hpo/tuned/internal/elementary"
)

// output is one quantity that is modelled: the loss of an objective, or a constraint.
type output struct {
	constraint bool
	surrogate  *surrogate
	warper     warper
	lift       *lift   // nil without earlier experiments
	limit      float64 // of a constraint: the score of 0

	cleaned          []float64
	scores           []float64 // of the trials modelled: what the model learns
	means, variances []float64 // of the scores at known points, pending ones last
}

// score turns the values of the trials modelled into scores; of those pruned they are the last known
// ones.
func (o *output) score(values []float64, pruned []bool) {
	o.scores = grow(o.scores, len(values))
	if o.constraint {
		o.limit = scoreConstraint(values, o.scores)
		return
	}
	o.clean(values, pruned)
	o.warper.warp(o.cleaned, o.scores)
}

// clean writes the losses to model. A pruned trial counts as no better than the median of those
// that succeeded.
func (o *output) clean(values []float64, pruned []bool) {
	o.cleaned = o.cleaned[:0]
	for i, v := range values {
		if !pruned[i] && isFinite(v) {
			o.cleaned = append(o.cleaned, v)
		}
	}
	slices.Sort(o.cleaned)
	median := math.Inf(-1)
	if n := len(o.cleaned); n > 0 {
		median = float64(o.cleaned[n/2]/2) + float64(o.cleaned[(n-1)/2]/2)
	}
	o.cleaned = append(o.cleaned[:0], values...)
	for i, v := range o.cleaned {
		if pruned[i] && v < median {
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
	o.predict(known, o.means, o.variances)
}

// predict writes the mean and variance of the score at k points: x is k by d.
func (o *output) predict(x, mean, variance []float64) {
	o.surrogate.posterior.PredictBatch(x, mean, variance)
	if o.lift != nil {
		o.lift.addAll(x, mean)
	}
}

// predictGradient returns the mean and variance of the score at a point, and writes their
// derivatives.
func (o *output) predictGradient(x, dMean, dVariance []float64) (mean, variance float64) {
	mean, variance = o.surrogate.posterior.PredictGradient(x, dMean, dVariance)
	if o.lift != nil {
		mean += o.lift.add(x, dMean)
	}
	return mean, variance
}

// isFinite tells whether v is neither NaN nor infinite.
func isFinite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// scoreConstraint writes the scores of the values of a constraint, the lower the better, and returns
// that of 0. Scores have mean 0 and variance 1; a logarithm on both sides of 0 tells values near it
// apart where others are large (Eriksson and Poloczek 2021, Scalable constrained Bayesian
// optimization, section 3). A value that is missing counts as the mean, an infinite one as the worst
// or the best.
func scoreConstraint(values, scores []float64) (limit float64) {
	scale := typicalSize(values)
	least, most, sum, n := 0.0, 0.0, 0.0, 0.0
	for i, v := range values {
		if isFinite(v) {
			size := elementary.Log1p(math.Abs(v) / scale)
			if math.IsInf(size, 1) { // beyond float64, where 1 does not count
				size = elementary.Log(math.Abs(v)) - elementary.Log(scale)
			}
			scores[i] = math.Copysign(size, v)
			least, most = min(least, scores[i]), max(most, scores[i])
			sum += scores[i]
			n++
		}
	}
	for i, v := range values {
		switch {
		case math.IsInf(v, 1):
			scores[i] = most
		case math.IsInf(v, -1):
			scores[i] = least
		case math.IsNaN(v):
			scores[i] = sum / max(n, 1)
		}
	}
	center := average(scores)
	sd := rms(scores, center)
	if sd == 0 {
		sd = 1
	}
	for i, v := range scores {
		scores[i] = (v - center) / sd
	}
	return -center / sd
}

// typicalSize is the median of the sizes of values that are finite and not 0, 1 where there are none.
func typicalSize(values []float64) float64 {
	var sizes []float64
	for _, v := range values {
		if isFinite(v) && v != 0 {
			sizes = append(sizes, math.Abs(v))
		}
	}
	if len(sizes) == 0 {
		return 1
	}
	slices.Sort(sizes)
	return sizes[len(sizes)/2]
}
