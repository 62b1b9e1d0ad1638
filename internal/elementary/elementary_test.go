package elementary

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
)

// units returns how far got is from want, in units in the last place of want.
func units(got float64, want *big.Float) float64 {
	rounded, _ := want.Float64()
	if math.IsInf(rounded, 0) || math.IsInf(got, 0) {
		if got == rounded {
			return 0
		}
		return math.Inf(1)
	}
	unit := math.Nextafter(math.Abs(rounded), math.Inf(1)) - math.Abs(rounded)
	off := new(big.Float).Sub(want, big.NewFloat(got))
	u, _ := off.Quo(off, big.NewFloat(unit)).Float64()
	return math.Abs(u)
}

// number returns x to 200 bits.
func number(x float64) *big.Float { return new(big.Float).SetPrec(200).SetFloat64(x) }

// bigExp returns exp(x), x to 200 bits or more, as the 2^12-th power of the series of exp(x/2^12).
func bigExp(q *big.Float) *big.Float {
	const halvings = 12
	x := new(big.Float).SetMantExp(q, -halvings)
	sum, term := new(big.Float).SetPrec(x.Prec()).SetInt64(1), new(big.Float).SetPrec(x.Prec()).SetInt64(1)
	for k := 1.0; term.Sign() != 0 && sum.MantExp(nil)-term.MantExp(nil) < int(x.Prec()); k++ {
		term.Mul(term, x).Quo(term, big.NewFloat(k))
		sum.Add(sum, term)
	}
	for range halvings {
		sum.Mul(sum, sum)
	}
	return sum
}

// bigLog returns the logarithm of v: a step of Newton's method from that of the standard library,
// which squares its error of 1e-16.
func bigLog(v *big.Float) *big.Float {
	mantissa := new(big.Float)
	exponent := v.MantExp(mantissa)
	rounded, _ := mantissa.Float64()
	near := math.Log(rounded) + float64(exponent)*math.Ln2
	out := new(big.Float).Mul(v, bigExp(number(-near)))
	return out.Sub(out, number(1)).Add(out, number(near))
}

// spread calls f with numbers of either sign up to most: some evenly spread, some on the scale of
// their logarithms.
func spread(most float64, f func(x float64)) {
	r := rand.New(rand.NewPCG(4, 4))
	for i := range 4000 {
		x := most * (2*r.Float64() - 1)
		if i%2 == 0 {
			x *= math.Pow(10, -10*r.Float64())
		}
		f(x)
	}
}

func TestExp(t *testing.T) {
	check := func(x float64) {
		if u := units(Exp(x), bigExp(number(x))); u > 1 {
			t.Errorf("Exp(%v) is off by %v units", x, u)
		}
	}
	spread(708, check)
	for i := range 400 {
		check((float64(i-200) + 0.5) * math.Ln2) // where the power of 2 changes
	}
	for _, x := range []float64{0, math.Copysign(0, -1), 1e-300, -1e-300, 700.0000001, -700.0000001, 709.78, -745, -745.2, 709.79, -800, 800} {
		check(x)
	}
}

func TestExpm1(t *testing.T) {
	check := func(x float64) {
		want := new(big.Float).Sub(bigExp(number(x)), number(1))
		if u := units(Expm1(x), want); u > 4 {
			t.Errorf("Expm1(%v) is off by %v units", x, u)
		}
	}
	spread(1, check)
	spread(50, check)
	if got := Expm1(-1e-300); got != -1e-300 {
		t.Errorf("Expm1(-1e-300) is %v", got)
	}
}

func TestLog(t *testing.T) {
	check := func(v float64) {
		if v == 1 {
			return
		}
		if u := units(Log(v), bigLog(number(v))); u > 2 {
			t.Errorf("Log(%v) is off by %v units", v, u)
		}
	}
	spread(700, func(x float64) { check(math.Exp(x)) })
	for i := range 10 {
		check(math.Sqrt2/2 + float64(i-5)*0x1p-53)
	}
	for _, v := range []float64{5e-324, 0x1p-1022, 2, math.E, math.MaxFloat64} {
		check(v)
	}
}

func TestLog1p(t *testing.T) {
	check := func(x float64) {
		if x == 0 || x <= -1 {
			return
		}
		want := bigLog(new(big.Float).Add(number(x), number(1)))
		if math.Abs(x) < 1e-20 {
			want = number(x)
		}
		if u := units(Log1p(x), want); u > 4 {
			t.Errorf("Log1p(%v) is off by %v units", x, u)
		}
	}
	spread(1, check)
	spread(1e6, check)
	for _, x := range []float64{1e-300, -1e-300, -1 + 0x1p-53, 0x1p53, 1e300, math.MaxFloat64} {
		check(x)
	}
}

// TestEdges wants the values of the standard library where there is no rounding.
func TestEdges(t *testing.T) {
	zero, inf, nan := math.Copysign(0, -1), math.Inf(1), math.NaN()
	for name, f := range map[string][2]func(float64) float64{
		"Exp": {Exp, math.Exp}, "Expm1": {Expm1, math.Expm1}, "Log": {Log, math.Log}, "Log1p": {Log1p, math.Log1p},
		"Erf": {Erf, math.Erf}, "Erfc": {Erfc, math.Erfc}, "Erfinv": {Erfinv, math.Erfinv},
	} {
		for _, x := range []float64{0, zero, 1, -1, -2, inf, -inf, nan} {
			got, want := f[0](x), f[1](x)
			exact := want == 0 || want == math.Trunc(want) || math.IsNaN(want)
			if exact && got != want && !(math.IsNaN(got) && math.IsNaN(want)) {
				t.Errorf("%s(%v): got %v, want %v", name, x, got, want)
			}
		}
	}
	if got := Erfcx(inf); got != 0 {
		t.Errorf("Erfcx(+Inf): got %v, want 0", got)
	}
}
