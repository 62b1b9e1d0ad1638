package bayes

import (
	"math"
	"slices"

	"github.com/tuned-hpo/tuned/internal/elementary"
	"github.com/tuned-hpo/tuned/pkg/searchspace"
)

// What fails is not tried again near by, and where most fails is left: failures that the model of the
// losses has as bad scores see to the second themselves, and of those that it leaves out success does.

// success is the probability that a trial succeeds, by how those near it ended: the mean of a Beta
// distribution of which the counts are weights of a Gaussian kernel (Nadaraya-Watson), and which has
// the share of successes everywhere as its prior, worth one trial.
type success struct {
	*encoding
	rows   []float64 // k by d, features
	failed []bool    // k
	share  float64   // of trials that succeeded, by the rule of succession
}

// take makes s what the newest trials of a history say.
func (s *success) take(h *history, e *encoding) {
	d := len(e.axes)
	from := max(0, h.n-newestTrials)
	s.encoding, s.rows, s.failed = e, h.rows[from*d:h.n*d], s.failed[:0]
	succeeded := 1.0
	for i := from; i < h.n; i++ {
		s.failed = append(s.failed, h.isFailed(i))
		if !h.isFailed(i) {
			succeeded++
		}
	}
	s.share = succeeded / float64(h.n-from+2)
}

// log returns the logarithm of the probability at x, and adds its derivatives to gradient unless
// that is nil.
func (s *success) log(x, gradient []float64) float64 {
	const (
		width = 0.05 // of the kernel, in the root mean square of the distances along the axes
		prior = 3    // trials that the prior is worth
		far   = 40   // exponents, from which on a weight is nothing
	)
	d := len(s.axes)
	scale := 1 / (width * width * float64(d))
	var sums [2]float64 // of the weights of trials that succeeded, and of those that failed
	var slopes [2][]float64
	if gradient != nil {
		slopes = [2][]float64{make([]float64, d), make([]float64, d)}
	}
	for i, failed := range s.failed {
		row := s.rows[i*d : (i+1)*d]
		exponent := scale * s.square(x, row) / 2
		if exponent > far {
			continue
		}
		kind := 0
		if failed {
			kind = 1
		}
		weight := elementary.Exp(-exponent)
		sums[kind] += weight
		for k := range gradient {
			if gap := x[k] - row[k]; !math.IsNaN(gap) && !s.axes[k].labels {
				slopes[kind][k] -= float64(weight * scale * gap)
			}
		}
	}
	above, below := sums[0]+float64(prior*s.share), sums[0]+sums[1]+prior
	for k := range gradient {
		gradient[k] += slopes[0][k]/above - (slopes[0][k]+slopes[1][k])/below
	}
	return elementary.Log(above / below)
}

// likely is a rater that wants success too: what it rates is in logarithms or in standard deviations
// of the score, either of which the logarithm of a probability is added to.
type likely struct {
	rater
	*success
}

func (l likely) rateAll(x, values []float64) {
	l.rater.rateAll(x, values)
	d := len(l.axes)
	for i := range values {
		values[i] += l.log(x[i*d:(i+1)*d], nil)
	}
}

func (l likely) rate(x, gradient []float64) float64 {
	value := l.rater.rate(x, gradient)
	return value + l.log(x, gradient)
}

// avoid returns p, or where that is near a trial that failed a random point that is not.
func (o *optimizer) avoid(p searchspace.Point) searchspace.Point {
	const redraws = 50 // half of the space at least is not near
	for range redraws {
		if !o.isNearFailed(p) {
			break
		}
		p = o.draws.Point()
	}
	return p
}

// isNearFailed tells whether a point is as good as one that failed: no farther from it along any axis
// than a thousandth, less where so many failed that half of a space of one axis would be near.
func (o *optimizer) isNearFailed(p searchspace.Point) bool {
	const near, room = 1e-3, 0.25
	d := len(p)
	if len(o.failed) == 0 {
		return false
	}
	within := min(near, room*float64(d)/float64(len(o.failed)))
	x := make([]float64, d)
	o.encoding.features(p, x)
	for row := range slices.Chunk(o.failed, d) {
		if o.encoding.most(x, row) <= within {
			return true
		}
	}
	return false
}

// square is the square of the distance of two rows of features, where labels that differ are 1 apart,
// and so is what is active in one alone.
func (e *encoding) square(a, b []float64) float64 {
	sum := 0.0
	for k := range a {
		gap := e.apart(k, a[k], b[k])
		sum += float64(gap * gap)
	}
	return sum
}

// most is the greatest distance along an axis, by the same rule.
func (e *encoding) most(a, b []float64) float64 {
	most := 0.0
	for k := range a {
		most = max(most, e.apart(k, a[k], b[k]))
	}
	return most
}

// apart is how far two features of an axis are from each other.
func (e *encoding) apart(k int, a, b float64) float64 {
	switch {
	case a == b || a != a && b != b:
		return 0
	case a != a || b != b || e.axes[k].labels:
		return 1
	}
	return math.Abs(a - b)
}
