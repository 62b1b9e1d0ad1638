package bayes

import (
	"math"
	"math/rand/v2"
)

// single wishes for one score.
type single struct{ acquisition }

func (w single) rate(mean, sd, byMean, bySD []float64) float64 {
	value, m, s := w.acquisition.rate(mean[0], sd[0])
	byMean[0], bySD[0] = m, s
	return value
}

// improvement wishes for hypervolume: the logarithm of its expected improvement over a front.
// Outputs are scores, higher is better.
type improvement struct {
	*ehvi            // over negative scores
	losses []float64 // scratch
}

func (w *improvement) rate(mean, sd, byMean, bySD []float64) float64 {
	for k, v := range mean {
		w.losses[k] = -v
	}
	value := w.log(w.losses, sd, byMean, bySD)
	for k := range byMean {
		byMean[k] = -byMean[k]
	}
	return value
}

// direction wishes for the greatest upper bound in one direction from a reference point that is
// worse than the front: the least of (mean_k + beta sd_k - reference_k)/weight_k. The average of
// such over all directions is the hypervolume, up to a power (Golovin and Zhang 2020, Random
// hypervolume scalarizations for provable multi-objective black box optimization, lemma 5).
type direction struct {
	weights, reference []float64 // of scores
	beta               float64
}

// newDirection draws a direction, uniformly from the positive part of the sphere.
func newDirection(random *rand.Rand, reference []float64, beta float64) *direction {
	w := &direction{weights: make([]float64, len(reference)), reference: reference, beta: beta}
	norm := 0.0
	for k := range w.weights {
		w.weights[k] = math.Abs(drawNormal(random))
		norm += float64(w.weights[k] * w.weights[k])
	}
	norm = math.Sqrt(norm)
	for k := range w.weights {
		w.weights[k] = max(w.weights[k]/norm, 1e-3) // an axis alone would forget the other objectives
	}
	return w
}

func (w *direction) rate(mean, sd, byMean, bySD []float64) float64 {
	least, at := math.Inf(1), 0
	for k := range mean {
		if v := (mean[k] + float64(w.beta*sd[k]) - w.reference[k]) / w.weights[k]; v < least {
			least, at = v, k
		}
	}
	clear(byMean)
	clear(bySD)
	byMean[at], bySD[at] = 1/w.weights[at], w.beta/w.weights[at]
	return least
}

// feasibly adds to a wish for the first outputs, or to none, the logarithm of the probability that
// each of the outputs after them is at most its threshold (Gardner et al. 2014, Bayesian
// optimization with inequality constraints, eq. 5).
type feasibly struct {
	wish       wish // nil for none
	objectives int
	thresholds []float64
	// exploring says that the wish is for exploration, where a probability would outweigh the small
	// differences of standard deviations: what may well be feasible is then as good as what is.
	exploring bool
}

func (w *feasibly) rate(mean, sd, byMean, bySD []float64) float64 {
	m := w.objectives
	clear(byMean)
	clear(bySD)
	value := 0.0
	if w.wish != nil {
		value = w.wish.rate(mean[:m], sd[:m], byMean[:m], bySD[:m])
	}
	for i, limit := range w.thresholds {
		k := m + i
		if !w.exploring {
			z := (limit - mean[k]) / sd[k]
			p, slope := logCDF(z)
			value += p
			byMean[k], bySD[k] = -slope/sd[k], -z*slope/sd[k]
		} else if violation := mean[k] - float64(optimism*sd[k]) - limit; violation > 0 {
			value -= float64(penalty * violation)
			byMean[k], bySD[k] = -penalty, penalty*optimism
		}
	}
	return value
}
