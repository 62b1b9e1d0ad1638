package bayes

import (
	"math"
	"math/rand/v2"
	"slices"

	"github.com/tuned-hpo/tuned/algorithms"
	"github.com/tuned-hpo/tuned/algorithms/bayes/gp"
	"github.com/tuned-hpo/tuned/algorithms/sampling"
	"github.com/tuned-hpo/tuned/pkg/searchspace"
)

// optimizer suggests the point that a Gaussian process of the losses finds most promising.
//
// Every fit starts from the hyperparameters in the newest memo, so that an optimizer that is rebuilt
// from history walks the same path as one that was kept.
type optimizer struct {
	problem  algorithms.Problem
	settings settings
	seed     uint64

	encoding *encoding
	visits   sampling.Visits
	draws    sampling.Draws
	design   sampling.Sobol
	search   *search

	rows   []float64 // told trials: n by d, features
	losses []float64 // told trials: n, NaN when failed
	pruned []bool
	newest newest

	surrogate    *surrogate
	lower, upper []float64 // of theta
	warper       warper
	cleaned      []float64
	scores       []float64

	// Of the Ask at hand.
	pending []float64 // k by d, features
	memo    memo
	ready   bool
	sure    bool // no result is newer than the newest pending trial

	means, variances []float64 // of known points, pending ones last
	known            []float64
}

func newOptimizer(p algorithms.Problem, s settings, seed uint64) *optimizer {
	e := newEncoding(p.Space)
	model := gp.New(s.config(e))
	o := &optimizer{
		problem: p, settings: s, seed: seed, encoding: e,
		visits: sampling.NewVisits(p.Space), draws: sampling.NewDraws(p.Space, seed),
		search: newSearch(e, seed), surrogate: newSurrogate(model, p.Space.Len()),
		warper: warper{off: !s.warp},
	}
	o.lower, o.upper = model.Bounds()
	return o
}

// Tell implements [algorithms.Suggester].
func (o *optimizer) Tell(finished []algorithms.Trial) {
	o.visits.Tell(finished)
	o.newest.see(finished)
	for _, t := range finished {
		if o.problem.Space.Contains(t.Point) != nil {
			continue
		}
		o.rows = slices.Grow(o.rows, len(t.Point))[:len(o.rows)+len(t.Point)]
		o.encoding.features(t.Point, o.rows[len(o.rows)-len(t.Point):])
		loss := math.NaN()
		if t.State != algorithms.Failed && len(t.Losses) > 0 {
			loss = t.Losses[0]
		}
		o.losses = append(o.losses, loss)
		o.pruned = append(o.pruned, t.State == algorithms.Pruned)
	}
}

// Ask implements [algorithms.Suggester].
func (o *optimizer) Ask(ids []uint64, pending []algorithms.Trial) ([]algorithms.Suggestion, error) {
	o.open(pending)
	out := make([]algorithms.Suggestion, len(ids))
	for i, id := range ids {
		o.draws.Begin(id)
		var point searchspace.Point
		var carried []byte
		if k := len(o.losses) + len(o.pending)/max(1, len(o.encoding.axes)); k < o.settings.initial || o.successes() < 2 || len(o.encoding.axes) == 0 {
			point = o.initial(k)
		} else {
			point = o.promising(id)
			carried = o.memo.encode()
		}
		point = o.visits.Next(point, &o.draws)
		o.addPending(point)
		out[i] = algorithms.Suggestion{ID: id, Point: point, Memo: carried}
	}
	return out, nil
}

// open begins an Ask.
func (o *optimizer) open(pending []algorithms.Trial) {
	o.visits.Open(pending)
	o.ready, o.sure = false, false
	o.pending = o.pending[:0]
	for _, t := range pending {
		if o.problem.Space.Contains(t.Point) == nil {
			o.addPending(t.Point)
		}
	}
	latest := o.newest
	latest.see(pending)
	o.memo, _ = decodeMemo(latest.memo, o.lower, o.upper)
	if o.memo.told > len(o.losses) {
		o.memo = memo{}
	}
	o.sure = len(pending) > 0 && o.memo.told == len(o.losses) && o.memo.theta != nil
}

func (o *optimizer) addPending(p searchspace.Point) {
	at := len(o.pending)
	o.pending = slices.Grow(o.pending, len(p))[:at+len(p)]
	o.encoding.features(p, o.pending[at:])
}

// successes is the number of told trials with a loss, counted up to 2.
func (o *optimizer) successes() int {
	n := 0
	for _, v := range o.losses {
		if !math.IsNaN(v) && !math.IsInf(v, 0) {
			n++
		}
		if n == 2 {
			break
		}
	}
	return n
}

// initial returns point k of the design: the centre, then a Sobol' sequence.
func (o *optimizer) initial(k int) searchspace.Point {
	u := make([]float64, o.problem.Space.Len())
	for i := range u {
		u[i] = 0.5
	}
	if k == 0 || len(u) > sampling.MaxDimensions {
		if k == 0 {
			return o.problem.Space.Decode(u)
		}
		return o.draws.Point()
	}
	o.search.sobol.At(uint64(k-1), u)
	return o.problem.Space.Decode(u)
}

// promising returns the point that the model finds most promising.
func (o *optimizer) promising(id uint64) searchspace.Point {
	random := rand.New(rand.NewPCG(o.seed, id))
	o.condition()
	d := len(o.encoding.axes)
	post := o.surrogate.posterior
	post.Truncate(len(o.rows) / d)
	for k := 0; k < len(o.pending); k += d {
		post.Append(o.pending[k:k+d], 0)
	}
	o.assess()

	s := o.search
	s.rater = &acquired{posterior: post, acquisition: o.acquisition(random), dMean: make([]float64, d), dVariance: make([]float64, d)}
	s.random = random
	s.trust = newTrust(o.encoding, o.known, len(o.known)/d)
	if !o.settings.trust {
		s.trust.radius = math.Inf(1)
	}
	s.spread, s.about, s.starts = o.settings.spread, o.settings.about, o.settings.starts
	s.promising = o.best(5)
	spots := s.run()
	var first searchspace.Point
	for _, p := range spots {
		q := o.encoding.point(p.latent)
		if first == nil {
			first = q
		}
		if o.visits.IsNew(q) {
			return q
		}
	}
	return first
}

// condition makes the scores, and the posterior of told trials, once per Ask.
func (o *optimizer) condition() {
	if o.ready {
		return
	}
	o.ready = true
	n := len(o.losses)
	o.scores = grow(o.scores, n)
	o.clean()
	o.warper.warp(o.cleaned, o.scores)
	if o.memo.theta == nil || o.stale(n) {
		cold := n < 30 || n%10 == 0
		o.memo.theta = o.surrogate.fit(o.rows, o.scores, o.memo.theta, cold)
		o.memo.fitted = n
	}
	o.memo.told = n
	o.surrogate.condition(o.memo.theta, o.rows, o.scores)
}

// stale tells whether the hyperparameters should be fitted anew to n trials.
func (o *optimizer) stale(n int) bool {
	const often = 100
	since := n - o.memo.fitted
	return since > 0 && (n <= often || since >= (n+49)/50)
}

// clean writes the losses to model. A pruned trial counts as no better than the median of those
// that succeeded.
func (o *optimizer) clean() {
	o.cleaned = o.cleaned[:0]
	for i, v := range o.losses {
		if !o.pruned[i] && !math.IsNaN(v) && !math.IsInf(v, 0) {
			o.cleaned = append(o.cleaned, v)
		}
	}
	slices.Sort(o.cleaned)
	median := math.Inf(-1)
	if n := len(o.cleaned); n > 0 {
		median = o.cleaned[n/2]/2 + o.cleaned[(n-1)/2]/2
	}
	o.cleaned = append(o.cleaned[:0], o.losses...)
	for i, v := range o.cleaned {
		if o.pruned[i] && v < median {
			o.cleaned[i] = median
		}
	}
}

// assess predicts the score at all known points, pending ones last.
func (o *optimizer) assess() {
	d := len(o.encoding.axes)
	o.known = append(append(o.known[:0], o.rows...), o.pending...)
	k := len(o.known) / d
	o.means, o.variances = grow(o.means, k), grow(o.variances, k)
	o.surrogate.posterior.PredictBatch(o.known, o.means, o.variances)
}

// acquisition draws what to maximize.
func (o *optimizer) acquisition(random *rand.Rand) acquisition {
	coin := random.Float64()
	a := acquisition{criterion: upperBound, beta: o.settings.beta}
	switch {
	case o.sure && coin < 0.75 || !o.sure && coin < -1:
		a.criterion = exploration
		top := math.Inf(-1)
		for i, m := range o.means {
			if v := m + a.beta*math.Sqrt(max(o.variances[i], 0)); v > top {
				top, a.best = v, m
			}
		}
	case o.settings.acquisition == "ei", o.settings.acquisition == "mix" && random.Float64() >= o.settings.mix:
		a.criterion = logEI
		a.best = slices.Max(o.means[:len(o.losses)])
	}
	o.sure = true // those that follow in this Ask have seen the same results
	return a
}

// best returns the n known points of the highest mean, best first.
func (o *optimizer) best(n int) []float64 {
	d := len(o.encoding.axes)
	order := make([]int, len(o.losses))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int {
		switch {
		case o.means[i] > o.means[j]:
			return -1
		case o.means[i] < o.means[j]:
			return 1
		}
		return 0
	})
	var out []float64
	for _, i := range order[:min(n, len(order))] {
		out = append(out, o.rows[i*d:(i+1)*d]...)
	}
	return out
}

// acquired rates points by the posterior of one score.
type acquired struct {
	posterior        *gp.Posterior
	acquisition      acquisition
	dMean, dVariance []float64
	mean, variance   []float64
}

func (a *acquired) rateAll(x, values []float64) {
	a.mean, a.variance = grow(a.mean, len(values)), grow(a.variance, len(values))
	a.posterior.PredictBatch(x, a.mean, a.variance)
	for i := range values {
		values[i], _, _ = a.acquisition.rate(a.mean[i], deviation(a.variance[i]))
	}
}

func (a *acquired) rate(x, gradient []float64) float64 {
	mean, variance := a.posterior.PredictGradient(x, a.dMean, a.dVariance)
	sd := deviation(variance)
	value, byMean, bySD := a.acquisition.rate(mean, sd)
	for i := range gradient {
		gradient[i] = byMean*a.dMean[i] + bySD*a.dVariance[i]/(2*sd)
	}
	return value
}

// deviation is the square root of a variance that rounding may have made negative.
func deviation(variance float64) float64 { return math.Sqrt(max(variance, 1e-12)) }
