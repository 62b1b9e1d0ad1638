package evolution

import (
	"math"

	"github.com/tuned-hpo/tuned/internal/elementary"
)

// quantile returns how many standard deviations above the mean the probability p is left, for p up to 1/2.
func quantile(p float64) float64 { return float64(math.Sqrt2 * elementary.Erfinv(1-float64(2*p))) }

// below is the probability of less than x standard deviations above the mean.
func below(x float64) float64 { return float64(elementary.Erfc(-x/math.Sqrt2) / 2) }

// keepMargin sees to it that coordinate j, whose mean is in the step from low to high, leaves it with
// probability alpha at least: once all trials were in one step, none would ever leave it again (Hamano,
// Saito, Nomura and Shirakawa 2022, CMA-ES with margin, arXiv:2205.13482). The first step has
// no low end, -Inf, and the last no high one.
func (s *strategy) keepMargin(j int, low, high, alpha float64) {
	deviation := s.deviation(j)
	switch {
	case math.IsInf(low, -1):
		s.mean[j] = max(s.mean[j], high-float64(deviation*quantile(alpha)))
		return
	case math.IsInf(high, 1):
		s.mean[j] = min(s.mean[j], low+float64(deviation*quantile(alpha)))
		return
	}
	down, up := below((low-s.mean[j])/deviation), below((s.mean[j]-high)/deviation)
	if down >= alpha/2 && up >= alpha/2 {
		return
	}
	// The probabilities are lifted to the margin, and what is above it gives way so that all sum to 1.
	stay := 1 - down - up
	least := float64(alpha / 2)
	down, up = max(down, least), max(up, least)
	share := (1 - down - up - stay) / (down + up + stay - float64(1.5*alpha))
	down += float64(share * (down - least))
	up += float64(share * (up - least))
	a, b := quantile(down), quantile(up)
	weighted := float64(low*b) + float64(high*a)
	s.mean[j] = weighted / (a + b)
	s.margins[j] *= (high - low) / (a + b) / deviation
}
