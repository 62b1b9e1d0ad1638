package bayes

import (
	"math"
	"math/rand/v2"
)

// condition makes the scores, and the posterior of told trials, once per Ask.
func (o *optimizer) condition(id uint64) {
	if o.ready && o.centre == nil {
		return
	}
	defer o.fitting()()
	o.ready = true
	o.choose(id)
	fit := o.memo.theta == nil || o.stale(o.told.n) && (!math.IsInf(o.radius, 1) || o.problem.Objectives > 1)
	cold := o.memo.theta == nil || o.told.n < 30 || o.told.n <= often && o.told.n%10 == 0
	each := len(o.lower) / len(o.outputs)
	var theta []float64
	for k, out := range o.outputs {
		out.score(o.values[k], o.pruned)
		if out.lift != nil {
			out.lift.explain(o.rows, out.scores)
		}
		var own []float64
		if o.memo.theta != nil {
			own = o.memo.theta[k*each : (k+1)*each]
		}
		if fit {
			own = out.surrogate.fit(o.rows, out.scores, own, cold)
		}
		theta = append(theta, own...)
		out.surrogate.condition(own, o.rows, out.scores)
	}
	if fit {
		o.memo.fitted = o.told.n
	}
	o.memo.told, o.memo.theta = o.told.n, theta
}

// choose sets the history that is modelled: all telling trials, or of many some about the best one and, now
// and then, some of everywhere.
func (o *optimizer) choose(id uint64) {
	// A fit takes time that grows with the cube of the trials, so that there is a limit, and a model of
	// a part starts where that leaves out more than a few. Of the part most are local, as in Eriksson et
	// al. 2019, Scalable global optimization via local Bayesian optimization; every tenth suggestion
	// looks for another valley. The numbers are choices, not tuned.
	const most, some, broadly = 320, 256, 10
	all := o.telling
	o.centre = nil
	if all.n <= most {
		o.history, o.radius = *all, 0
		return
	}
	o.history = o.part
	if id%broadly == 0 || o.problem.Objectives > 1 { // a front is everywhere
		o.take(all, all.broad(o.problem.Objectives, some))
		o.centre, o.radius = all.rows, math.Inf(1)
	} else {
		positions, best, radius := all.local(o.encoding, o.problem.Objectives, some)
		o.take(all, positions)
		d := len(o.encoding.axes)
		o.centre, o.radius = all.rows[best*d:(best+1)*d], radius
	}
	o.part = o.history
}

// region returns where the next point is sought.
func (o *optimizer) region() trust {
	d := len(o.encoding.axes)
	t := newTrust(o.encoding, o.known, len(o.known)/d, o.settings.radius, o.settings.growth)
	if o.centre != nil {
		t.radius, t.rows = o.radius, o.centre[:d]
	}
	return t
}

// often is the number of trials up to which each new one is followed by a fit.
const often = 100

// stale tells whether the hyperparameters should be fitted anew to n trials.
func (o *optimizer) stale(n int) bool {
	since := n - o.memo.fitted
	return since > 0 && (n <= often || since >= (n+49)/50)
}

// assess takes in the pending points, and predicts the outputs at all known points, pending ones
// last.
func (o *optimizer) assess() {
	d := len(o.encoding.axes)
	o.known = append(append(o.known[:0], o.rows...), o.pending...)
	for _, out := range o.outputs {
		out.assess(o.known, o.n, d)
	}
}

// acquisition draws what to maximize of one objective.
func (o *optimizer) acquisition(random *rand.Rand) acquisition {
	// Without a new result three suggestions of four explore, the others maximize as ever: UCB-PE, with
	// the share that Google Vizier (Song et al. 2024, arXiv:2408.11527) has by default. With one, but
	// others to come, the share grows: where the optimum is, more of a batch can be found out.
	const exploring = 0.75
	share := 0.0
	switch {
	case o.sure:
		share = exploring
	case len(o.pending) > 0:
		share = o.grown(o.settings.explore)
	}
	a := acquisition{criterion: upperBound, beta: o.settings.beta}
	switch coin := random.Float64(); {
	case coin < share:
		a.criterion, a.best = exploration, o.threshold()
	case o.settings.acquisition == alwaysPI:
		a.criterion, a.best = logPI, o.incumbent()
	case o.settings.acquisition == alwaysEI, o.settings.acquisition == mixed && random.Float64() >= o.grown(o.settings.bounds):
		a.criterion, a.best = logEI, o.incumbent()
	}
	o.sure = true // those that follow in this Ask have seen the same results
	return a
}

// threshold is the mean of the first score at the pending or feasible point of the highest upper
// bound.
func (o *optimizer) threshold() float64 {
	top, threshold := math.Inf(-1), 0.0
	out := o.outputs[0]
	for i, m := range out.means {
		if v := m + float64(o.settings.beta*deviation(out.variances[i])); v > top && (i >= o.n || o.feasible[i]) {
			top, threshold = v, m
		}
	}
	return threshold
}

// grown is the part of a share that there is after as many trials. With few of them, bounds are
// highest in the corners of the space.
func (o *optimizer) grown(share float64) float64 {
	return share * min(1, float64(o.told.n)/(o.settings.ramp*float64(len(o.encoding.axes)+1)))
}
