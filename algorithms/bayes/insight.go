package bayes

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/tuned-hpo/tuned/algorithms"
	"github.com/tuned-hpo/tuned/algorithms/bayes/gp"
	"github.com/tuned-hpo/tuned/internal/elementary"
)

// insight is [algorithms.Definition.Insight] of a Gaussian process with the given settings. The model
// is that of a search, but fitted to all trials that did not fail, of many to a sample of them and the best.
// Earlier experiments do not count.
func insight(p algorithms.Problem, s settings, finished []algorithms.Trial) (algorithms.Insight, error) {
	const enough = 3
	p.Priors = nil
	o := newOptimizer(p, s, 0)
	o.Tell(finished)
	n := 0
	for _, f := range o.told.values[0] {
		if isFinite(f) {
			n++
		}
	}
	if n < enough || p.Space.Len() == 0 {
		return algorithms.Insight{}, fmt.Errorf("%d trials with a loss make no model, it takes %d", n, enough)
	}
	var known []algorithms.Trial
	for _, t := range finished {
		if p.Space.Contains(t.Point) == nil {
			known = append(known, t)
		}
	}
	const most = 300
	positions := o.model(most)
	best := o.told.centre(p.Objectives, known)
	v := newViewer(o, best)
	out := algorithms.Insight{Trials: o.n, At: slices.Clone(best.Point), Promise: v.promise()}
	for k := range o.outputs {
		out.Outputs = append(out.Outputs, v.output(k, func(i int) uint64 { return known[positions[i]].ID }))
	}
	return out, nil
}

// centre returns the trial to look about: the best one, or of the front that with the least sum of places. Of
// equals it is the one with the lowest ID, as it is for who asks for the best. The trials are those of h.
func (h *history) centre(objectives int, trials []algorithms.Trial) algorithms.Trial {
	order := h.order(objectives)
	best := order[0]
	// Where losses are equal, places are not: the first of the order may be dominated.
	if on := h.onFront(objectives, h.n); len(on) > 0 {
		best = order[slices.IndexFunc(order, func(i int) bool { return slices.Contains(on, i) })]
	}
	for i := range trials {
		if h.feasible[i] && trials[i].ID < trials[best].ID && slices.Equal(trials[i].Losses, trials[best].Losses) {
			best = i
		}
	}
	return trials[best]
}

// viewer looks at the model of an optimizer along axes through a point.
type viewer struct {
	*optimizer
	latent []float64   // the point, with a value for every axis
	values [][]float64 // features at which each axis is looked at; none where it is not active
}

func newViewer(o *optimizer, best algorithms.Trial) *viewer {
	v := &viewer{optimizer: o, latent: make([]float64, len(o.encoding.axes))}
	o.encoding.features(best.Point, v.latent)
	for i := range o.encoding.axes {
		a := &o.encoding.axes[i]
		if math.IsNaN(v.latent[i]) {
			v.latent[i] = a.snap(0.5)
			v.values = append(v.values, nil)
			continue
		}
		v.values = append(v.values, a.sample(33))
	}
	return v
}

// sample returns features of an axis in ascending order: all of its labels, or as many as most that
// are spread evenly.
func (a *axis) sample(most int) []float64 {
	if a.labels || a.levels != nil && len(a.levels) <= most {
		return slices.Clone(a.levels)
	}
	var out []float64
	for k := range most {
		out = append(out, a.snap(float64(k)/float64(most-1)))
	}
	return slices.Compact(out)
}

// value is the coordinate of a point for a feature of the axis.
func (a *axis) value(feature float64) float64 {
	if a.labels {
		return feature
	}
	return a.alone.Decode([]float64{a.straighten(feature)})[0]
}

// output looks at output k. The IDs are of the rows modelled.
func (v *viewer) output(k int, id func(row int) uint64) (out algorithms.OutputInsight) {
	b := v.newBander(k)
	out.Importance = v.importance(k)
	for i, values := range v.values {
		var slice []algorithms.Slice
		for j, band := range b.at(v.line(i)) {
			slice = append(slice, algorithms.Slice{Value: v.encoding.axes[i].value(values[j]), Band: band})
		}
		out.Slices = append(out.Slices, slice)
	}
	for _, pair := range v.pairs(out.Importance) {
		out.Planes = append(out.Planes, v.plane(pair, b))
	}
	means, variances := make([]float64, v.n), make([]float64, v.n)
	v.outputs[k].surrogate.posterior.LeaveOneOut(means, variances)
	for i, value := range v.history.values[k] {
		if !isFinite(value) {
			continue
		}
		sd := math.Sqrt(variances[i])
		out.LeftOut = append(out.LeftOut, algorithms.LeftOut{
			ID: id(i), Value: value, Band: b.band(means[i], sd),
			Residual: b.sign * (v.outputs[k].scores[i] - means[i]) / sd,
		})
	}
	return out
}

// line returns the features of the points along axis i, one row each.
func (v *viewer) line(i int) []float64 {
	d := len(v.latent)
	at := slices.Clone(v.latent)
	x := make([]float64, d*len(v.values[i]))
	for j, value := range v.values[i] {
		at[i] = value
		v.encoding.mask(at, x[j*d:(j+1)*d])
	}
	return x
}

// pairs returns the pairs of the three active parameters that matter most.
func (v *viewer) pairs(importance []algorithms.Importance) (out [][2]int) {
	const planes = 3
	var order []int
	for i, values := range v.values {
		if len(values) > 1 {
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(importance[j].Total, importance[i].Total) })
	order = order[:min(planes, len(order))]
	slices.Sort(order)
	for a, i := range order {
		for _, j := range order[a+1:] {
			out = append(out, [2]int{i, j})
		}
	}
	return out
}

// plane looks at an output over two axes.
func (v *viewer) plane(pair [2]int, b *bander) algorithms.Plane {
	const most = 17 // values of an axis that is not labels
	out := algorithms.Plane{Parameters: pair}
	var features [2][]float64
	for side, i := range pair {
		a := &v.encoding.axes[i]
		features[side] = a.sample(most)
		for _, f := range features[side] {
			out.Values[side] = append(out.Values[side], a.value(f))
		}
	}
	d := len(v.latent)
	at := slices.Clone(v.latent)
	x := make([]float64, d*len(features[1]))
	for _, first := range features[0] {
		for j, second := range features[1] {
			at[pair[0]], at[pair[1]] = first, second
			v.encoding.mask(at, x[j*d:(j+1)*d])
		}
		out.Bands = append(out.Bands, b.at(x))
	}
	return out
}

// importance returns how much each parameter matters to the score of output k, whose outliers do
// not count for more than the rest.
func (v *viewer) importance(k int) []algorithms.Importance {
	d := len(v.latent)
	latent, x := make([]float64, d), make([]float64, 0)
	return importances(func(u, out []float64) {
		x = grow(x, len(u))
		for at := 0; at < len(u); at += d {
			for i := range latent {
				latent[i] = v.encoding.axes[i].snap(u[at+i])
			}
			v.encoding.mask(latent, x[at:at+d])
		}
		v.outputs[k].surrogate.posterior.Means(x, out)
	}, d)
}

// promise rates the points along each axis by the logarithm of the expected improvement.
func (v *viewer) promise() [][]float64 {
	if !slices.Contains(v.feasible, true) {
		return nil
	}
	v.assess()
	f := &feasibly{objectives: v.problem.Objectives, wish: single{acquisition{criterion: logEI, best: v.incumbent()}}}
	if f.objectives > 1 {
		points := v.front()
		reference := v.reference(points, true)
		f.wish = &improvement{newEHVI(points, reference), make([]float64, len(reference))}
	}
	for _, out := range v.outputs[f.objectives:] {
		f.thresholds = append(f.thresholds, out.limit)
	}
	j := newJoint(f, v.outputs, len(v.latent))
	out := make([][]float64, len(v.latent))
	for i, values := range v.values {
		out[i] = make([]float64, len(values))
		j.rateAll(v.line(i), out[i])
	}
	return out
}

// bander predicts values of an output.
type bander struct {
	output   *output
	noise    float64 // variance of a score
	sign     float64 // of values by scores: -1 for losses
	unwarper unwarper
}

func (v *viewer) newBander(k int) *bander {
	out := v.outputs[k]
	b := &bander{output: out, noise: elementary.Exp(out.surrogate.theta[1]) + gp.Floor, sign: -1}
	values := out.cleaned
	if out.constraint {
		values, b.sign = v.history.values[k], 1
	}
	b.unwarper = newUnwarper(values, out.scores)
	return b
}

// at predicts values at points, one row of features each.
func (b *bander) at(x []float64) []algorithms.Band {
	d := b.output.surrogate.d
	means, variances := make([]float64, len(x)/d), make([]float64, len(x)/d)
	b.output.predict(x, means, variances)
	out := make([]algorithms.Band, len(means))
	for i, m := range means {
		out[i] = b.band(m, math.Sqrt(variances[i]+b.noise))
	}
	return out
}

// band returns the median and the central 95 % of values for a normal score. Quantiles go through
// any monotone map.
func (b *bander) band(mean, sd float64) algorithms.Band {
	const z = 1.959963984540054 // Phi(z) = 0.975
	low, high := b.unwarper.value(mean-float64(z*sd)), b.unwarper.value(mean+float64(z*sd))
	return algorithms.Band{Mean: b.unwarper.value(mean), Low: min(low, high), High: max(low, high)}
}
