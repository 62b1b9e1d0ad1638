package bayes

import (
	"slices"

	"gonum.org/v1/gonum/floats"

	"github.com/tuned-hpo/tuned/algorithms"
	"github.com/tuned-hpo/tuned/algorithms/bayes/gp"
	"github.com/tuned-hpo/tuned/pkg/searchspace"
)

// source is an earlier experiment: a model for each of its outputs, of scores on their own scale.
type source struct {
	models []*gp.Posterior
	best   []float64 // features of its best trial
}

// newSources models earlier experiments over the space of the encoding. Those with too few trials
// of that space are left out, and of many the last ones count.
func newSources(p algorithms.Problem, s settings, e *encoding) []source {
	const most = 4
	var out []source
	for _, prior := range p.Priors[max(0, len(p.Priors)-most):] {
		one := p
		one.Priors = nil
		o := newOptimizer(one, s, 0)
		o.Tell(prior.Trials)
		if o.successes() < 2 || len(e.axes) == 0 {
			continue
		}
		out = append(out, o.source())
	}
	return out
}

// source makes one of what was told.
func (o *optimizer) source() source {
	const most = 150 // trials, enough for the shape of it
	o.model(most)
	d := len(o.encoding.axes)
	best := o.order(o.problem.Objectives)[0]
	s := source{best: slices.Clone(o.rows[best*d : (best+1)*d])}
	for _, out := range o.outputs {
		s.models = append(s.models, out.surrogate.posterior)
	}
	return s
}

// model makes models of what was told as such, without regard to a search: of all trials that did not
// fail, or the best and a sample of the others. It returns the positions of the trials modelled.
func (o *optimizer) model(most int) (positions []int) {
	positions = o.told.succeeded()
	if len(positions) > most {
		o.sound.take(&o.told, positions)
		kept := o.sound.broad(o.problem.Objectives, most)
		for k, i := range kept {
			positions[k] = positions[i] // i >= k
		}
		positions = positions[:len(kept)]
	}
	o.take(&o.told, positions)
	for k, out := range o.outputs {
		out.score(o.values[k], o.pruned)
		out.surrogate.condition(out.surrogate.fit(o.rows, out.scores, nil, true), o.rows, out.scores)
	}
	return positions
}

// lift is what earlier experiments say about an output: the means of their models, each with a
// weight by which it explains the scores at hand. The output's own model learns what is left (the
// residuals of Golovin et al. 2017, Google Vizier, section 3.4), so that with weights of 0 it is as if
// there were no earlier experiments.
type lift struct {
	models     []*gp.Posterior // of the output, one per source
	likelihood *gp.Likelihood  // at the median of the priors
	start      []float64

	weights []float64
	centers []float64 // averages of the models' means over the rows modelled
	offset  float64   // weighted sum of centers, which is not added
	means   []float64 // of the models at the rows modelled, less their averages: sources by n

	target, mean []float64 // scratch
	slope, spare []float64 // scratch
}

func newLift(model *gp.Model, sources []source, k int) *lift {
	if len(sources) == 0 {
		return nil
	}
	l := &lift{likelihood: gp.NewLikelihood(model), start: model.Start()}
	for _, s := range sources {
		l.models = append(l.models, s.models[k])
	}
	l.weights, l.centers = make([]float64, len(l.models)), make([]float64, len(l.models))
	return l
}

// explain sets the weights by the scores y at rows x (n by d), and subtracts from y what the
// sources explain.
func (l *lift) explain(x, y []float64) {
	// Trials of the experiment itself soon tell more than what resembles it. Weights that stay are
	// misled about the details: they cost .3 dex where the optimum is elsewhere.
	const gone = 3 // trials per dimension
	n, d := len(y), len(x)/len(y)
	l.offset = 0
	taper := 1 - float64(n)/float64(gone*(d+1))
	if taper <= 0 {
		clear(l.weights)
		return
	}
	l.center(x, n)
	l.weigh(x, y)
	for s := range l.weights {
		l.weights[s] *= taper
		l.offset += float64(l.weights[s] * l.centers[s])
		for i := range y {
			y[i] -= float64(l.weights[s] * l.means[s*n+i])
		}
	}
}

// center sets the means of the models at the n rows x, with an average of 0.
func (l *lift) center(x []float64, n int) {
	l.means = grow(l.means, n*len(l.models))
	for s, m := range l.models {
		means := l.means[s*n : (s+1)*n]
		m.Means(x, means)
		l.centers[s] = average(means)
		floats.AddConst(-l.centers[s], means)
	}
}

// weigh finds the weights w >= 0 that make the scores less the weighted means most likely, under a
// Gaussian process with the median hyperparameters of the priors and a normal prior of the weights.
// The logarithm of that is a parabola in w, which its values at unit vectors and their sums tell.
func (l *lift) weigh(x, y []float64) {
	m := len(l.models)
	trust := 1 / float64(m+1) // mean and standard deviation of a weight
	none := l.loss(x, y)
	b, q := make([]float64, m), make([]float64, m*m)
	up := make([]float64, m) // rise by a weight of 1
	for s := range m {
		up[s] = l.loss(x, y, s) - none
		for r := range s {
			cross := l.loss(x, y, s, r) - none - up[s] - up[r]
			q[s*m+r], q[r*m+s] = cross, cross
		}
		// Twice the weight doubles the slope and quadruples the curvature.
		curvature := l.loss(x, y, s, s) - none - float64(2*up[s])
		b[s] = float64(curvature/2) - up[s] + 1/trust
		q[s*m+s] = curvature + 1/(trust*trust)
	}
	nonNegative(q, b, l.weights)
}

// loss is the negative log posterior density of scores y less the centered means of sources.
func (l *lift) loss(x, y []float64, sources ...int) float64 {
	l.target = append(l.target[:0], y...)
	for _, s := range sources {
		floats.Sub(l.target, l.means[s*len(y):(s+1)*len(y)])
	}
	l.likelihood.Set(x, l.target, nil)
	return l.likelihood.Loss(l.start, nil)
}

// nonNegative writes the w >= 0 that minimises w'Qw/2 - b'w to w, by coordinates in turn.
func nonNegative(q, b, w []float64) {
	const rounds = 100
	m := len(b)
	clear(w)
	for range rounds {
		for s := range w {
			rest := b[s]
			for r := range w {
				if r != s {
					rest -= float64(q[s*m+r] * w[r])
				}
			}
			w[s] = max(0, rest/q[s*m+s])
		}
	}
}

// addAll adds to the means of k points what the sources say: x is k by d.
func (l *lift) addAll(x, means []float64) {
	l.mean = grow(l.mean, len(means))
	for s, m := range l.models {
		if l.weights[s] == 0 {
			continue
		}
		m.Means(x, l.mean)
		for i, v := range l.mean {
			means[i] += float64(l.weights[s] * v)
		}
	}
	for i := range means {
		means[i] -= l.offset
	}
}

// add returns what the sources add to the mean at a point, and adds to the gradient.
func (l *lift) add(x, gradient []float64) float64 {
	l.slope, l.spare = grow(l.slope, len(x)), grow(l.spare, len(x))
	sum := -l.offset
	for s, m := range l.models {
		if l.weights[s] == 0 {
			continue
		}
		v, _ := m.PredictGradient(x, l.slope, l.spare)
		sum += float64(l.weights[s] * v)
		for i := range gradient {
			gradient[i] += float64(l.weights[s] * l.slope[i])
		}
	}
	return sum
}

// familiar returns the n best points of earlier experiments: the best of each, then the second best
// of each, and so on, without those that are not of the space.
func familiar(p algorithms.Problem, n int) []searchspace.Point {
	var sources [][]searchspace.Point
	for _, prior := range p.Priors {
		h := tpeHistory{objectives: p.Objectives, constraints: p.Constraints}
		var points, best []searchspace.Point
		for _, t := range prior.Trials {
			if p.Space.Contains(t.Point) == nil {
				h.add(t)
				points = append(points, t.Point)
			}
		}
		for _, i := range h.ranked(h.order) {
			best = append(best, slices.Clone(points[i]))
		}
		sources = append(sources, best)
	}
	longest := 0
	for _, best := range sources {
		longest = max(longest, len(best))
	}
	var out []searchspace.Point
	for rank := range min(n, longest) {
		for _, best := range sources {
			if rank < len(best) && len(out) < n {
				out = append(out, best[rank])
			}
		}
	}
	return out
}
