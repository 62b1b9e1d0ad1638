package searchspace

import "math"

// The functions below give the same bits on every machine, so that a seed gives the same points:
// math.Exp and math.Log have assembly for some processors and use what these offer. The
// conversions float64(x*y) keep compilers from fusing a product with a sum.

// ln2 in two parts, of which the first has 21 zero bits at its end: up to 2^20 times it is exact.
const (
	ln2Head = 0x1.62e42fefp-1
	ln2Tail = 0x1.473de6af278edp-34
)

// exp returns e^x within 2 ulp, 0 or +Inf beyond float64.
func exp(x float64) float64 {
	x = max(-2000, min(x, 2000)) // well beyond float64, well within int
	k := math.Round(x / math.Ln2)
	r := x - float64(k*ln2Head) - float64(k*ln2Tail) // within ln(2)/2
	// Taylor's series from the 14th term, which is below 2^-57, to the first.
	sum := 1.0
	for n := 14.0; n >= 1; n-- {
		sum = 1 + float64(r*sum)/n
	}
	return math.Ldexp(sum, int(k))
}

// ln returns the natural logarithm of v > 0 within 2 ulp.
func ln(v float64) float64 {
	m, k := math.Frexp(v)
	if m < math.Sqrt2/2 {
		m, k = 2*m, k-1
	}
	// ln m = 2 artanh(s), of which the series ends before s^27, below 2^-68.
	s := (m - 1) / (m + 1)
	square := float64(s * s)
	sum := 0.0
	for n := 25.0; n >= 3; n -= 2 {
		sum = square * (1/n + sum)
	}
	e := float64(k)
	return float64(e*ln2Head) + (float64(e*ln2Tail) + 2*(s+float64(s*sum)))
}
