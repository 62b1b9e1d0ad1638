package bayes

import (
	"math"
	"slices"

	"github.com/tuned-hpo/tuned/internal/elementary"
	"github.com/tuned-hpo/tuned/pkg/searchspace"
)

// What fails is not tried again near by, and where most fails is left: failures that the model of the
// losses has as bad scores see to the second themselves, and of those that it leaves out success does,
// unless chance explains them better.

// success is the probability that a trial succeeds, by how those near it ended: the mean of a Beta
// distribution of which the counts are weights of a Gaussian kernel (Nadaraya-Watson), and which has
// the share of successes everywhere as its prior.
type success struct {
	*encoding
	told     *history
	evidence float64 // logarithm of the Bayes factor for this, against the share of successes everywhere

	slopes [2][]float64 // room for the derivatives of counts
}

// counts are of trials that succeeded, and of those that failed.
type counts [2]float64

// mean is that of a Beta distribution which is worth so many trials before the counts.
func (c counts) mean(prior, share float64) float64 {
	return (c[0] + float64(prior*share)) / (c[0] + c[1] + prior)
}

// rate is the share of successes, by the rule of succession.
func (c counts) rate() float64 { return c.mean(2, 0.5) }

// see takes in the trial at a position, of which all before were seen: the evidence is how much better
// the ends of trials were foreseen by those near them (Dawid 1984, Prequential analysis).
func (s *success) see(i int) {
	const prior = 1 // bolder than where it is to advise, so that it is soon found out
	d := len(s.axes)
	near, all := s.around(s.told.rows[i*d:(i+1)*d], i, nil)
	local, share := near.mean(prior, all.rate()), all.rate()
	if s.told.isFailed(i) {
		local, share = 1-local, 1-share
	}
	s.evidence += elementary.Log(local / share)
}

// isLikely tells whether failures cluster, rather than that any trial fails with one probability.
func (s *success) isLikely() bool { return s.evidence > 0 }

// log returns the logarithm of the probability at x, and adds its derivatives to gradient unless
// that is nil.
func (s *success) log(x, gradient []float64) float64 {
	const prior = 3 // trials
	var slopes *[2][]float64
	if gradient != nil {
		for end := range s.slopes {
			s.slopes[end] = slices.Grow(s.slopes[end][:0], len(x))[:len(x)]
			clear(s.slopes[end])
		}
		slopes = &s.slopes
	}
	near, all := s.around(x, s.told.n, slopes)
	share := all.rate()
	above, below := near[0]+float64(prior*share), near[0]+near[1]+prior
	for k := range gradient {
		gradient[k] += slopes[0][k]/above - (slopes[0][k]+slopes[1][k])/below
	}
	return elementary.Log(near.mean(prior, share))
}

// around counts the newest trials before a position, by how near they are to x, and as they are. It
// adds the derivatives of the first to slopes unless that is nil.
func (s *success) around(x []float64, before int, slopes *[2][]float64) (near, all counts) {
	const (
		width = 0.05 // of the kernel, in the root mean square of the distances along the axes
		far   = 40   // exponents, from which on a weight is nothing
	)
	d := len(s.axes)
	scale := 1 / (width * width * float64(d))
	for i := max(0, before-newestTrials); i < before; i++ {
		end := 0
		if s.told.isFailed(i) {
			end = 1
		}
		all[end]++
		row := s.told.rows[i*d : (i+1)*d]
		exponent := scale * s.square(x, row) / 2
		if exponent > far {
			continue
		}
		weight := elementary.Exp(-exponent)
		near[end] += weight
		if slopes == nil {
			continue
		}
		for k := range d {
			if gap := x[k] - row[k]; !math.IsNaN(gap) && !s.axes[k].labels {
				slopes[end][k] -= float64(weight * scale * gap)
			}
		}
	}
	return near, all
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

// isNearFailed tells whether a point is as good as one that failed, not by chance: no farther from it along
// any axis than a thousandth, less where so many failed that half of a space of one axis would be near.
func (o *optimizer) isNearFailed(p searchspace.Point) bool {
	const near, room = 1e-3, 0.25
	d := len(p)
	if len(o.failed) == 0 || o.telling == &o.sound && !o.success.isLikely() {
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
