package evolution

import (
	"slices"

	"github.com/tuned-hpo/tuned/algorithms"
	"github.com/tuned-hpo/tuned/internal/elementary"
	"github.com/tuned-hpo/tuned/pkg/searchspace"
)

// leastExamples is the fewest trials that say where to start: one in ten of them is taken as good.
const leastExamples = 10

// example is a trial that was not drawn here.
type example struct {
	point searchspace.Point
	standing
}

func (o *optimizer) example(t *algorithms.Trial) example {
	return example{slices.Clone(t.Point), standingOf(t, o.problem.Constraints)}
}

// begin makes the first distributions: about the middle of the space, or, where there are trials of earlier
// experiments or of another algorithm, about the best tenth of each (Nomura, Watanabe, Akimoto, Ozaki and
// Onishi 2021, Warm starting CMA-ES for hyperparameter optimization, arXiv:2012.06932).
func (o *optimizer) begin() {
	n := len(o.coding.numbers)
	mean := make([]float64, n)
	for j := range mean {
		mean[j] = 0.5
	}
	o.categories = newCategories(o.coding.counts)
	if best := o.examples(); len(best) > 0 {
		o.start(o.startAt(best, mean))
		return
	}
	o.start(newStrategy(mean, o.runs.sigma, o.runs.lambda, o.runs.separable))
}

// examples returns the best tenth of the trials of each source, those of many trials.
func (o *optimizer) examples() (best []example) {
	sources := [][]example{o.foreign}
	for _, prior := range o.problem.Priors {
		var of []example
		for i := range prior.Trials {
			if t := &prior.Trials[i]; o.problem.Space.Contains(t.Point) == nil {
				of = append(of, o.example(t))
			}
		}
		sources = append(sources, of)
	}
	for _, all := range sources {
		good := slices.DeleteFunc(slices.Clone(all), func(e example) bool { return e.class == failed })
		slices.SortStableFunc(good, func(a, b example) int { return a.compare(b.standing) })
		best = append(best, good[:len(good)/leastExamples]...)
	}
	return best
}

// startAt returns the normal distribution that is nearest to normal distributions of deviation 0.1 about the
// examples, and counts labels.
func (o *optimizer) startAt(best []example, middle []float64) *strategy {
	const alpha = 0.1 // unit cube
	n := len(middle)
	ys, weights := rows(len(best), n), make([]float64, len(best))
	labels := make([]int, len(o.coding.lists))
	mean := make([]float64, n)
	for i, e := range best {
		weights[i] = 1 / float64(len(best))
		o.coding.encode(e.point, middle, ys[i], labels)
		o.categories.count(labels, weights[i])
		for j, x := range ys[i] {
			mean[j] += float64(weights[i] * x)
		}
	}
	for _, y := range ys {
		for j := range y {
			y[j] -= mean[j]
		}
	}
	s := newStrategy(mean, 1, o.runs.lambda, o.runs.separable)
	s.shape.update(alpha*alpha, 0, s.pC, weights, ys)
	logSigma := s.shape.logDet() / float64(2*n)
	s.sigma = elementary.Exp(logSigma)
	s.shape.update(elementary.Exp(float64(-2*logSigma)), 0, s.pC, nil, nil)
	o.categories.keepMargin()
	return s
}

// count moves half of the probability of a parameter's labels to those that good trials have.
func (c *categories) count(labels []int, weight float64) {
	for i, k := range labels {
		if k < 0 {
			continue
		}
		for l := range c.q[i] {
			c.q[i][l] -= float64(weight / 2 / float64(len(c.q[i])))
		}
		c.q[i][k] += float64(weight / 2)
	}
}
