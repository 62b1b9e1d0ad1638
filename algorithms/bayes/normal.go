package bayes

import (
	"math"
	"math/rand/v2"

	"github.com/tuned-hpo/tuned/internal/elementary"
)

const logRoot2Pi = 0.918938533204672741780329736405617639861397 // ln(2 pi)/2

// normalQuantile is the inverse of the normal distribution function Phi.
func normalQuantile(p float64) float64 { return math.Sqrt2 * elementary.Erfinv(float64(2*p)-1) }

// drawNormal draws from the normal distribution, with the same bits on every processor, which
// rand.NormFloat64 does not have far out.
func drawNormal(r *rand.Rand) float64 {
	const steps = 1 << 52 // of either sign; in the middle of one, never at an end of [-1, 1]
	step := float64(int64(r.Uint64()) >> 11)
	return math.Sqrt2 * elementary.Erfinv((step+0.5)/steps)
}

// mills returns Mills' ratio Phi(-x)/phi(x), x >= 0.
func mills(x float64) float64 {
	const rootHalfPi = math.SqrtPi / math.Sqrt2
	return rootHalfPi * elementary.Erfcx(x/math.Sqrt2)
}

// logPDF is ln phi(z).
func logPDF(z float64) float64 { return -float64(0.5*z*z) - logRoot2Pi }

// farTail is where logH goes over to a continued fraction: phi(z) + z Phi(z) has lost a factor of 12
// by cancellation there, and the fraction converges in few terms.
const farTail = -3

// millsTail returns c = 1/(x + 2/(x + 3/(x + ...))) for x >= 3. Mills' ratio is 1/(x+c) (Laplace 1805;
// Abramowitz and Stegun 26.2.14).
func millsTail(x float64) float64 {
	// From the fixed point of the step at the last term on, 40 terms are exact at x = 3.
	const terms = 40
	c := 0.5 * (x + math.Sqrt(float64(x*x)+4*terms))
	for k := terms; k >= 2; k-- {
		c = x + float64(k)/c
	}
	return 1 / c
}

// logH returns ln(phi(z) + z Phi(z)) and its derivative Phi(z)/(phi(z) + z Phi(z)), accurate also
// where the sum underflows (the need for which is shown by Ament et al. 2023, Unexpected improvements
// to expected improvement, NeurIPS 36). With x = -z the sum is phi(x) c/(x+c), without cancellation.
func logH(z float64) (value, slope float64) {
	switch {
	case z > 0:
		pdf := elementary.Exp(logPDF(z))
		cdf := 1 - float64(pdf*mills(z))
		h := pdf + float64(z*cdf)
		return elementary.Log(h), cdf / h
	case z > farTail:
		m := mills(-z)
		h := 1 + float64(z*m) // over phi(z)
		return logPDF(z) + elementary.Log(h), m / h
	}
	c := millsTail(-z)
	return logPDF(z) + elementary.Log(c) - elementary.Log(c-z), 1 / c
}

// logCDF returns ln Phi(z) and its derivative phi(z)/Phi(z).
func logCDF(z float64) (value, slope float64) {
	if z > 0 {
		pdf := elementary.Exp(logPDF(z))
		rest := float64(pdf * mills(z))
		return elementary.Log1p(-rest), pdf / (1 - rest)
	}
	m := mills(-z)
	return logPDF(z) + elementary.Log(m), 1 / m
}
