package bayes

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/tuned-hpo/tuned/algorithms"
	"github.com/tuned-hpo/tuned/internal/elementary"
)

// remaining is [algorithms.Definition.Remaining] of a Gaussian process with the given settings, of which the model is
// that of insight. The trials ahead are where the improvement expected on the best one is greatest, each with those
// before it pending, as a search would place them at once (the greedy batch of Ginsbourger, Le Riche and Carraro 2010,
// Kriging is well-suited to parallelize optimization, section 4). The sum of what is expected of each bounds what is
// expected of all, for an improvement of several is no more than their sum.
func remaining(p algorithms.Problem, s settings, finished []algorithms.Trial, ahead int) (algorithms.Remaining, error) {
	const most = 300 // trials modelled
	if p.Objectives > 1 {
		return algorithms.Remaining{}, errors.New("several objectives have no best trial to improve on")
	}
	p.Priors = nil
	o := newOptimizer(p, s, 0)
	o.Tell(finished)
	spread, err := o.told.spread()
	switch {
	case err != nil:
		return algorithms.Remaining{}, err
	case p.Space.Len() == 0:
		return algorithms.Remaining{}, errors.New("there is no parameter to change")
	}
	o.model(most)
	if !slices.Contains(o.feasible, true) {
		return algorithms.Remaining{}, errors.New("no trial is feasible yet")
	}
	out := algorithms.Remaining{Trials: ahead, Spread: spread}
	random := rand.New(rand.NewPCG(0, uint64(o.told.n)))
	for range ahead {
		out.Improvement += o.next(random)
	}
	return out, nil
}

// spread is the interquartile range of the finite losses, or their whole range where that is 0.
func (h *history) spread() (float64, error) {
	const enough = 4
	var losses []float64
	for i, v := range h.values[0] {
		if isFinite(v) && !h.pruned[i] {
			losses = append(losses, v)
		}
	}
	n := len(losses)
	if n < enough {
		return 0, fmt.Errorf("%d trials with a loss are too few, it takes %d", n, enough)
	}
	slices.Sort(losses)
	for _, low := range []int{n / 4, 0} {
		if r := losses[n-1-low] - losses[low]; r > 0 && isFinite(r) {
			return r, nil
		}
	}
	return 0, errors.New("all losses are the same, or farther apart than numbers go")
}

// next adds the point where the greatest improvement is expected to the pending ones, and returns how much that is, in
// units of the loss.
func (o *optimizer) next(random *rand.Rand) float64 {
	o.assess()
	best := o.incumbent()
	f := &feasibly{objectives: 1, wish: single{acquisition{criterion: logEI, best: best}}}
	for _, out := range o.outputs[1:] {
		f.thresholds = append(f.thresholds, out.limit)
	}
	s := o.search
	s.rater = newJoint(f, o.outputs, len(o.encoding.axes))
	s.random, s.trust = random, o.region()
	s.spread, s.about, s.starts = o.settings.spread, o.settings.about, o.settings.starts
	s.promising = o.best(5)
	x := make([]float64, len(o.encoding.axes))
	o.encoding.mask(s.run()[0].latent, x)
	gain := o.gain(x, best)
	o.pending = append(o.pending, x...)
	return gain
}

// gain is the improvement of the loss on that of the score best that is expected at a point: that of the score, through
// the warp, times the probability that all constraints are kept.
func (o *optimizer) gain(x []float64, best float64) float64 {
	mean, variance := make([]float64, 1), make([]float64, 1)
	out := o.outputs[0]
	out.predict(x, mean, variance)
	sd := deviation(variance[0])
	u := newUnwarper(out.cleaned, out.scores)
	// The midpoints of equal parts of the probability to improve. Quantiles of the upper tail are those of the lower
	// one, where no digits are lost.
	const parts = 64
	const never = 1e-12 // the probability of an improvement that is none
	log, _ := logCDF((mean[0] - best) / sd)
	tail, sum := elementary.Exp(log), 0.0
	if !(tail > never) {
		return 0
	}
	for k := range parts {
		below := normalQuantile(float64(tail * (float64(k) + 0.5) / parts))
		sum += max(0, u.value(best)-u.value(mean[0]-float64(sd*below)))
	}
	gain := float64(tail * (sum / parts))
	for _, c := range o.outputs[1:] {
		c.predict(x, mean, variance)
		kept, _ := logCDF((c.limit - mean[0]) / deviation(variance[0]))
		gain *= elementary.Exp(kept)
	}
	if math.IsNaN(gain) || math.IsInf(gain, 0) {
		return 0 // losses farther apart than numbers go
	}
	return gain
}
