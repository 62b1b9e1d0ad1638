package bayes

import "github.com/tuned-hpo/tuned/internal/elementary"

// criterion is what the next point maximizes.
type criterion uint8

const (
	upperBound  criterion = iota // mean + beta sd (Srinivas et al. 2010)
	logEI                        // ln of the expected improvement over best
	logPI                        // ln of the probability to improve on best
	exploration                  // sd where the upper bound is good enough: PE of Google Vizier
)

// What exploration takes for good enough, in standard deviations above the mean, and what it costs
// not to be (Song et al. 2024, arXiv:2408.11527, section 3.4).
const optimism, penalty = 0.5, 10

// acquisition rates points by the posterior of the score there, which is to be maximized.
type acquisition struct {
	criterion criterion
	beta      float64 // upperBound
	best      float64 // logEI and logPI: the incumbent; exploration: the threshold
}

// rate returns the value of a point where the score has the given mean and standard deviation, and
// its derivatives by both.
func (a acquisition) rate(mean, sd float64) (value, byMean, bySD float64) {
	switch a.criterion {
	case logEI:
		z := (mean - a.best) / sd
		h, slope := logH(z)
		return elementary.Log(sd) + h, slope / sd, (1 - float64(z*slope)) / sd
	case logPI:
		z := (mean - a.best) / sd
		p, slope := logCDF(z)
		return p, slope / sd, -z * slope / sd
	case exploration:
		if violation := mean + float64(optimism*sd) - a.best; violation < 0 {
			return sd + float64(penalty*violation), penalty, 1 + penalty*optimism
		}
		return sd, 0, 1
	default:
		return mean + float64(a.beta*sd), 1, a.beta
	}
}
