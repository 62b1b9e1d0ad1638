package bayes

import "math"

const logRoot2Pi = 0.918938533204672741780329736405617639861397 // ln(2 pi)/2

// farTail is where the functions below go over from erfc to a continued fraction: phi(z) + z Phi(z)
// has lost a factor of 12 by cancellation there, and the fraction converges in few terms.
const farTail = -3

// normalCDF is Phi(z).
func normalCDF(z float64) float64 { return 0.5 * math.Erfc(-z/math.Sqrt2) }

// normalPDF is phi(z).
func normalPDF(z float64) float64 { return math.Exp(-0.5*z*z - logRoot2Pi) }

// normalQuantile is the inverse of normalCDF.
func normalQuantile(p float64) float64 { return math.Sqrt2 * math.Erfinv(2*p-1) }

// millsTail returns c = 1/(x + 2/(x + 3/(x + ...))) for x >= 3. Mills' ratio Phi(-x)/phi(x) is
// 1/(x+c) (Laplace 1805; Abramowitz and Stegun 26.2.14).
func millsTail(x float64) float64 {
	// From the fixed point of the step at the last term on, 40 terms are exact at x = 3.
	const terms = 40
	c := 0.5 * (x + math.Sqrt(x*x+4*terms))
	for k := terms; k >= 2; k-- {
		c = x + float64(k)/c
	}
	return 1 / c
}

// logH returns ln(phi(z) + z Phi(z)) and its derivative Phi(z)/(phi(z) + z Phi(z)), accurate also
// where the sum underflows (the need for which is shown by Ament et al. 2023, Unexpected improvements
// to expected improvement, NeurIPS 36). With x = -z the sum is phi(x) c/(x+c), without cancellation.
func logH(z float64) (value, slope float64) {
	if z > farTail {
		cdf := normalCDF(z)
		h := normalPDF(z) + z*cdf
		return math.Log(h), cdf / h
	}
	c := millsTail(-z)
	return -0.5*z*z - logRoot2Pi + math.Log(c) - math.Log(c-z), 1 / c
}

// logCDF returns ln Phi(z) and its derivative phi(z)/Phi(z).
func logCDF(z float64) (value, slope float64) {
	if z > farTail {
		cdf := normalCDF(z)
		return math.Log(cdf), normalPDF(z) / cdf
	}
	c := millsTail(-z)
	return -0.5*z*z - logRoot2Pi - math.Log(c-z), c - z
}
