// Package elementary has the elementary functions and the error function with the same bits on every
// processor. Those of package math have assembly for some processors, and compilers fuse the
// products and sums of the others where a processor has an instruction for it. Here each fused
// multiply-add is written as such, and math.FMA rounds once everywhere. Errors are given in units in
// the last place of the result, unless that is subnormal.
//
// Sqrt, Floor, Frexp, Ldexp and FMA of package math are exact, and need no substitute. Callers keep
// their own products from being fused with sums by a conversion: float64(x*y) + z.
package elementary

import "math"

// ln2 is rounded; ln2Low is what it lacks.
const (
	ln2    = 0x1.62e42fefa39efp-1
	ln2Low = 0x1.abc9e3b39803fp-56
)

// septic returns c[0] x^7 + c[1] x^6 + ... + c[7]. The odd and the even powers are summed by
// themselves, which takes half the time of one sum.
func septic(c *[8]float64, x float64) float64 {
	x2 := x * x
	odd := math.FMA(math.FMA(math.FMA(c[0], x2, c[2]), x2, c[4]), x2, c[6])
	even := math.FMA(math.FMA(math.FMA(c[1], x2, c[3]), x2, c[5]), x2, c[7])
	return math.FMA(odd, x, even)
}

// Exp returns e^x within one unit: the series on [-ln2/2, ln2/2], scaled by a power of 2.
func Exp(x float64) float64 {
	const near = 700                 // within it nothing overflows
	far := !(math.Abs(x) <= near)    // or NaN
	x = max(-3*near, min(x, 3*near)) // all beyond is 0 or +Inf
	const shift = 3 << 51            // adding it rounds to a whole number, which then stands in the lowest bits
	t := math.FMA(x, math.Log2E, shift)
	n := t - shift
	r := math.FMA(n, -ln2, x)
	r = math.FMA(n, -ln2Low, r)
	p := math.FMA(1.0/6227020800, r, 1.0/479001600) // 1/13! and 1/12!; the term of 1/14! is 4e-18 at most
	p = math.FMA(p, r, 1.0/39916800)
	p = math.FMA(p, r, 1.0/3628800)
	p = math.FMA(p, r, 1.0/362880)
	p = math.FMA(p, r, 1.0/40320)
	p = math.FMA(p, r, 1.0/5040)
	p = math.FMA(p, r, 1.0/720)
	p = math.FMA(p, r, 1.0/120)
	p = math.FMA(p, r, 1.0/24)
	p = math.FMA(p, r, 1.0/6)
	p = math.FMA(p, r, 1.0/2)
	p = math.FMA(p, r, 1)
	p = math.FMA(p, r, 1)
	if far {
		return math.Ldexp(p, int(n))
	}
	return math.Float64frombits(math.Float64bits(p) + math.Float64bits(t)<<52)
}

// Expm1 returns e^x - 1 within 4 units: where that cancels, times what the logarithm says of the
// rounding of e^x (Higham 2002, Accuracy and stability of numerical algorithms, section 1.14.1).
func Expm1(x float64) float64 {
	u := Exp(x)
	if u == 1 {
		return x
	}
	if math.Abs(u-1) < 0.5 {
		return (u - 1) * (x / Log(u))
	}
	return u - 1
}

// Log returns the natural logarithm of v within 2 units: with v = f 2^e, f in [sqrt(1/2), sqrt 2), and
// s = (f-1)/(f+1), that of f is 2 (s + s^3/3 + s^5/5 + ...).
func Log(v float64) float64 {
	e := 0.0
	if !(v >= 0x1p-1022 && v <= math.MaxFloat64) {
		switch {
		case v == 0:
			return math.Inf(-1)
		case !(v > 0): // or NaN
			return math.NaN()
		case v > 1:
			return v // +Inf
		}
		v, e = v*0x1p54, -54 // it was subnormal
	}
	const rootHalf = 0x3fe6a09e667f3bcd // the bits of sqrt(1/2)
	k := int64(math.Float64bits(v)-rootHalf) >> 52
	e += float64(k)
	f := math.Float64frombits(math.Float64bits(v) - uint64(k)<<52)
	s := (f - 1) / (f + 1)
	s2 := s * s
	s4 := s2 * s2
	// The next term is 0.172^26/27, 5e-22.
	odd := math.FMA(math.FMA(math.FMA(math.FMA(math.FMA(1.0/25, s4, 1.0/21), s4, 1.0/17), s4, 1.0/13), s4, 1.0/9), s4, 1.0/5)
	even := math.FMA(math.FMA(math.FMA(math.FMA(math.FMA(1.0/23, s4, 1.0/19), s4, 1.0/15), s4, 1.0/11), s4, 1.0/7), s4, 1.0/3)
	s = 2 * math.FMA(float64(s2*math.FMA(odd, s2, even)), s, s)
	return math.FMA(e, ln2, math.FMA(e, ln2Low, s))
}

// Log1p returns the natural logarithm of 1 + x within 4 units. What the sum loses by rounding is
// added to its logarithm.
func Log1p(x float64) float64 {
	u := 1 + x
	if !(u > 0 && u <= math.MaxFloat64) {
		return Log(u)
	}
	return Log(u) + (x-(u-1))/u
}
