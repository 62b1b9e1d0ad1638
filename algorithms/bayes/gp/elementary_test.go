package gp

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
)

// units returns how far got is from want, in units in the last place.
func units(got float64, want *big.Float) float64 {
	rounded, _ := want.Float64()
	unit := math.Nextafter(math.Abs(rounded), math.Inf(1)) - math.Abs(rounded)
	off := new(big.Float).Sub(want, big.NewFloat(got))
	u, _ := off.Quo(off, big.NewFloat(unit)).Float64()
	return math.Abs(u)
}

// TestExp compares with exp to 200 bits.
func TestExp(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 4))
	for i := range 4000 {
		x := 700 * (2*r.Float64() - 1)
		switch {
		case i < 400:
			x = (float64(i-200) + 0.5) * math.Ln2 // where the power of 2 changes
		case i < 2000:
			x *= math.Pow(10, -8*r.Float64())
		}
		if u := units(exp(x), bigExp(x)); u > 1 {
			t.Errorf("exp(%v) is off by %v units in the last place", x, u)
		}
	}
	for _, x := range []float64{0, math.Copysign(0, -1), 1e-300, -1e-300} {
		if got := exp(x); got != 1 {
			t.Errorf("exp(%v) is %v", x, got)
		}
	}
}

// bigExp returns exp(x) as the 2^12-th power of the series of exp(x/2^12).
func bigExp(q float64) *big.Float {
	x := big.NewFloat(q).SetPrec(200)
	x.SetMantExp(x, -12)
	sum, term := big.NewFloat(1).SetPrec(200), big.NewFloat(1).SetPrec(200)
	for k := 1; k < 40; k++ {
		term.Mul(term, x).Quo(term, big.NewFloat(float64(k)))
		sum.Add(sum, term)
	}
	for range 12 {
		sum.Mul(sum, sum)
	}
	return sum
}

// TestLog compares with a step of Newton's method from the logarithm of the standard library, which
// squares its error of 1e-16.
func TestLog(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 5))
	for i := range 4000 {
		v := math.Exp(1400*r.Float64() - 700)
		switch {
		case i < 1000:
			v = 1 + 0.3*r.NormFloat64()*math.Pow(10, -6*r.Float64())
		case i < 1010:
			v = math.Sqrt2/2 + float64(i-1005)*0x1p-53
		}
		if v <= 0 || v == 1 {
			continue
		}
		near := math.Log(v)
		want := new(big.Float).Mul(big.NewFloat(v).SetPrec(200), bigExp(-near))
		want.Sub(want, big.NewFloat(1)).Add(want, big.NewFloat(near))
		if u := units(log(math.Frexp(v)), want); u > 2 {
			t.Errorf("log(%v) is off by %v units in the last place", v, u)
		}
	}
	if got := log(0.5, 1); got != 0 {
		t.Errorf("log 1 is %v", got)
	}
}
