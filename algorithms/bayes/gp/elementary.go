package gp

import "math"

// The standard library's functions round differently on different processors. These do not.

const (
	ln2    = 0x1.62e42fefa39efp-1
	ln2Low = 0x1.abc9e3b39803fp-56 // what ln2 lacks
)

// exp returns e^x for |x| <= 700, within one unit in the last place: the series on [-ln2/2, ln2/2],
// scaled by a power of 2.
func exp(x float64) float64 {
	const shift = 3 << 51 // adding it rounds to a whole number, which then stands in the lowest bits
	t := math.FMA(x, math.Log2E, shift)
	n := t - shift
	r := math.FMA(n, -ln2, x)
	r = math.FMA(n, -ln2Low, r)
	p := inverseFactorials[0]
	for _, c := range inverseFactorials[1:] {
		p = math.FMA(p, r, c)
	}
	return math.Float64frombits(math.Float64bits(p) + math.Float64bits(t)<<52)
}

// inverseFactorials are 1/13!, ..., 1/1!, 1/0!. The term after them is 4e-18 at most.
var inverseFactorials = [14]float64{
	1.0 / 6227020800, 1.0 / 479001600, 1.0 / 39916800, 1.0 / 3628800, 1.0 / 362880, 1.0 / 40320,
	1.0 / 5040, 1.0 / 720, 1.0 / 120, 1.0 / 24, 1.0 / 6, 1.0 / 2, 1, 1,
}

// log returns the natural logarithm of f 2^e, f in [0.5, 1), within two units in the last place: with
// s = (f-1)/(f+1), log f is 2 (s + s^3/3 + s^5/5 + ...).
func log(f float64, e int) float64 {
	if f < math.Sqrt2/2 {
		f, e = 2*f, e-1
	}
	s := (f - 1) / (f + 1)
	s2 := s * s
	sum := 0.0
	for k := 23.0; k > 1; k -= 2 { // the next term is 0.172^24/25, 2e-20
		sum = math.FMA(sum, s2, 1/k)
	}
	sum = math.FMA(float64(sum*s2), s, s)
	return math.FMA(float64(e), ln2, math.FMA(float64(e), ln2Low, 2*sum))
}
