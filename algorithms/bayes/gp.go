package bayes

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/tuned-hpo/tuned/algorithms"
	"github.com/tuned-hpo/tuned/algorithms/sampling"
	"github.com/tuned-hpo/tuned/pkg/searchspace"
)

// optimizer suggests the point that a Gaussian process of the losses finds most promising.
//
// Every fit starts from the hyperparameters in the newest memo, so that an optimizer that is rebuilt
// from history walks the same path as one that was kept.
type optimizer struct {
	fits
	problem  algorithms.Problem
	settings settings
	seed     uint64

	encoding *encoding
	visits   sampling.Visits
	draws    sampling.Draws
	search   *search

	told    history
	sound   history   // scratch for told without failures
	telling *history  // told, or sound where failures tell nothing
	failed  []float64 // of told, all those that failed: k by d, features
	success success   // of told
	history           // those of telling that are modelled
	part    history   // scratch for history
	centre  []float64 // of a model of some, features; nil when all are modelled
	radius  float64   // about the centre
	outputs []*output // objectives, then constraints
	sources []source
	newest  newest

	lower, upper []float64 // of the hyperparameters of all outputs

	// Of the Ask at hand.
	pending []float64 // k by d, features
	memo    memo
	ready   bool
	sure    bool      // no result is newer than the newest pending trial
	known   []float64 // told and pending: k by d, features
}

func newOptimizer(p algorithms.Problem, s settings, seed uint64) *optimizer {
	e := newEncoding(p.Space)
	plain, skewed := s.models(e)
	o := &optimizer{
		problem: p, settings: s, seed: seed, encoding: e,
		visits: sampling.NewVisits(p.Space), draws: sampling.NewDraws(p.Space, seed),
		search: newSearch(e, seed),
	}
	o.success.encoding, o.success.told = e, &o.told
	if o.sources = newSources(p, s, e); len(o.sources) > 0 {
		o.settings.initial = min(o.settings.initial, 3)
	}
	lower, upper := skewed.Bounds()
	for k := range p.Objectives + p.Constraints {
		out := &output{surrogate: newSurrogate(plain, skewed, p.Space.Len()), constraint: k >= p.Objectives, warper: warper{off: !s.warp}}
		out.lift = newLift(plain, o.sources, k)
		o.outputs = append(o.outputs, out)
		o.told.values = append(o.told.values, nil)
		o.lower, o.upper = append(o.lower, lower...), append(o.upper, upper...)
	}
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
		h := &o.told
		h.n++
		h.rows = slices.Grow(h.rows, len(t.Point))[:len(h.rows)+len(t.Point)]
		o.encoding.features(t.Point, h.rows[len(h.rows)-len(t.Point):])
		h.feasible = append(h.feasible, o.isFeasible(t))
		h.pruned = append(h.pruned, t.State == algorithms.Pruned)
		for k := range o.outputs {
			h.values[k] = append(h.values[k], o.valueOf(t, k))
		}
		if h.isFailed(h.n - 1) {
			o.failed = append(o.failed, h.rows[len(h.rows)-len(t.Point):]...)
		}
		o.success.see(h.n - 1)
	}
}

// valueOf returns the value of output k of a trial, NaN for none.
func (o *optimizer) valueOf(t algorithms.Trial, k int) float64 {
	c := k - o.problem.Objectives
	switch {
	case t.State == algorithms.Failed:
		return math.NaN()
	case c < 0 && k < len(t.Losses):
		return t.Losses[k]
	case c >= 0 && c < len(t.Constraints):
		return t.Constraints[c]
	}
	return math.NaN()
}

// Ask implements [algorithms.Suggester].
func (o *optimizer) Ask(ids []uint64, pending []algorithms.Trial) ([]algorithms.Suggestion, error) {
	o.open(pending)
	out := make([]algorithms.Suggestion, len(ids))
	for i, id := range ids {
		o.draws.Begin(id)
		var point searchspace.Point
		var carried []byte
		k := o.told.n + len(o.pending)/max(1, len(o.encoding.axes))
		if k < o.settings.initial || o.successes() < 2 || len(o.encoding.axes) == 0 {
			point = o.initial(k)
		} else {
			point, carried = o.modelled(id)
		}
		point = o.visits.Next(o.avoid(point), &o.draws)
		o.addPending(point)
		out[i] = algorithms.Suggestion{ID: id, Point: point, Memo: carried}
	}
	return out, nil
}

// open begins an Ask. The order of the pending trials does not matter.
func (o *optimizer) open(pending []algorithms.Trial) {
	pending = slices.SortedFunc(slices.Values(pending), func(a, b algorithms.Trial) int { return cmp.Compare(a.ID, b.ID) })
	o.visits.Open(pending)
	o.ready, o.sure = false, false
	if o.telling = &o.told; o.told.failsAnywhere(o.encoding) {
		o.sound.take(&o.told, o.told.succeeded())
		o.telling = &o.sound
	}
	o.pending = o.pending[:0]
	for _, t := range pending {
		if o.problem.Space.Contains(t.Point) == nil {
			o.addPending(t.Point)
		}
	}
	latest := o.newest
	latest.see(pending)
	o.memo, _ = decodeMemo(latest.memo, o.lower, o.upper)
	if o.memo.told > o.told.n {
		o.memo = memo{}
	}
	o.sure = len(pending) > 0 && o.memo.told == o.told.n && o.memo.theta != nil
}

func (o *optimizer) addPending(p searchspace.Point) {
	at := len(o.pending)
	o.pending = slices.Grow(o.pending, len(p))[:at+len(p)]
	o.encoding.features(p, o.pending[at:])
}

// successes is the number of told trials with all losses, counted up to 2.
func (o *optimizer) successes() int {
	n := 0
	for i := 0; i < o.told.n && n < 2; i++ {
		if !slices.ContainsFunc(o.told.values[:o.problem.Objectives], func(v []float64) bool { return !isFinite(v[i]) }) {
			n++
		}
	}
	return n
}

// initial returns point k of the design: the best of each earlier experiment, the centre, then a
// Sobol' sequence.
func (o *optimizer) initial(k int) searchspace.Point {
	if k < len(o.sources) {
		return o.encoding.point(o.sources[k].best)
	}
	k -= len(o.sources)
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

// modelled returns the point to try by what was told so far, and its memo.
func (o *optimizer) modelled(id uint64) (searchspace.Point, []byte) {
	random := rand.New(rand.NewPCG(o.seed, id))
	if random.Float64() < o.settings.valleys {
		if point, found := o.valley(); found && o.isOpen(point) {
			return point, nil
		}
	}
	return o.promising(id, random), o.memo.encode()
}

// promising returns the point that the model finds most promising.
func (o *optimizer) promising(id uint64, random *rand.Rand) searchspace.Point {
	o.condition(id)
	d := len(o.encoding.axes)
	o.assess()

	s := o.search
	s.rater = newJoint(o.wish(random), o.outputs, d)
	if o.telling == &o.sound && o.success.isLikely() {
		s.rater = likely{s.rater, &o.success}
	}
	s.random = random
	s.trust = o.region()
	s.spread, s.about, s.starts = o.settings.spread, o.settings.about, o.settings.starts
	s.promising = o.best(5)
	spots := s.run()
	var first searchspace.Point
	for _, p := range spots {
		q := o.encoding.point(p.latent)
		if first == nil {
			first = q
		}
		if o.isOpen(q) {
			return q
		}
	}
	return first
}

// isOpen tells whether a point was not tried, nor anything as good as it that failed.
func (o *optimizer) isOpen(p searchspace.Point) bool {
	return o.visits.IsNew(p) && !o.isNearFailed(p)
}
