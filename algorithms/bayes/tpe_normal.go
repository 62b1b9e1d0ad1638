package bayes

import (
	"math"

	"github.com/tuned-hpo/tuned/internal/elementary"
)

// The functions below are fast, and give the same bits on every machine: the conversions
// float64(x*y) keep compilers from fusing a product with a sum.

// expSteps is the number of values of 2^x tabulated in [0, 1).
const expSteps = 128

var expTable = func() (t [expSteps]float64) {
	for i := range t {
		t[i] = elementary.Exp(float64(i) * (math.Ln2 / expSteps))
	}
	return t
}()

// fastExp returns e^x for x in [-700, 700] with a relative error below 1e-13: 2^(k/128), tabulated,
// times a polynomial of what is left, at most ln(2)/256, of which the fifth power is dropped.
func fastExp(x float64) float64 {
	const shift = 3 << 51 // adding it rounds to a whole number
	k := float64(x*(expSteps/math.Ln2)) + shift
	i := int64(math.Float64bits(k)<<12) >> 12 // the low bits, with their sign
	k -= shift
	r := x - float64(k*(math.Ln2/expSteps))
	p := 1 + float64(r*(1+float64(r*(0.5+float64(r*(1.0/6+float64(r*(1.0/24))))))))
	i -= 1 << 51
	return p * expTable[i&(expSteps-1)] * math.Float64frombits(uint64(i>>7+1023)<<52)
}

// Nodes of the normal distribution function.
const (
	cdfStep = 1.0 / 32
	cdfEnd  = 10 // beyond it the function is below 1e-23
)

var cdfNodes = func() (t [2*cdfEnd/cdfStep + 1]struct{ cdf, pdf float64 }) {
	for i := range t {
		x := float64(float64(i)*cdfStep) - cdfEnd
		t[i].pdf = fastExp(logPDF(x))
		t[i].cdf = 0.5 * elementary.Erfc(-x/math.Sqrt2)
	}
	return t
}()

// fastCDF returns the normal distribution function, 0 below -10 and 1 above 10, with an absolute
// error below 1e-11 and a relative one below 1e-6: Taylor's polynomial of the fourth degree about the
// nearest node.
func fastCDF(x float64) float64 {
	if x <= -cdfEnd {
		return 0
	}
	if x >= cdfEnd {
		return 1
	}
	i := int(float64((x+cdfEnd)*(1/cdfStep)) + 0.5)
	z := float64(float64(i)*cdfStep) - cdfEnd
	t := x - z
	node := &cdfNodes[i]
	z2 := float64(z * z)
	// The derivatives of the density are the Hermite polynomials times it.
	p := 1 + float64(t*(float64(-z/2)+float64(t*((z2-1)/6+float64(t*float64(z*(3-z2))/24)))))
	return node.cdf + float64(node.pdf*float64(t*p))
}
