package elementary

import (
	"math"
	"math/big"
	"sync"
	"testing"
)

// halfRootPi is sqrt(pi)/2 to 1800 bits, pi as 16 arctan(1/5) - 4 arctan(1/239) (Machin 1706).
var halfRootPi = sync.OnceValue(func() *big.Float {
	of := func(x float64) *big.Float { return new(big.Float).SetPrec(1800).SetFloat64(x) }
	arctan := func(n float64) *big.Float {
		power, sum := of(1), of(0)
		power.Quo(power, of(n))
		for k := 1.0; power.MantExp(nil) > -1800; k += 2 {
			term := of(0).Quo(power, of(k))
			if math.Mod(k, 4) == 3 {
				term.Neg(term)
			}
			sum.Add(sum, term)
			power.Quo(power, of(n*n))
		}
		return sum
	}
	pi := of(0).Sub(of(0).Mul(of(16), arctan(5)), of(0).Mul(of(4), arctan(239)))
	return pi.Sqrt(pi).Quo(pi, of(2))
})

// bigErf returns erf x and erfc x to 200 bits: exp(-x^2) 2/sqrt(pi) (x + 2 x^3/3 + 4 x^5/(3 5) + ...)
// (Abramowitz and Stegun 7.1.6).
func bigErf(v float64) (erf, erfc *big.Float) {
	precision := uint(200 + 1.5*v*v) // erfc is about 2^(-1.44 x^2)
	of := func(x float64) *big.Float { return new(big.Float).SetPrec(precision).SetFloat64(x) }
	x := of(v)
	square := of(0).Mul(x, x)
	term, sum := of(v), of(v)
	for k := 3.0; k < 2*v*v || term.Sign() != 0 && sum.MantExp(nil)-term.MantExp(nil) < int(precision); k += 2 {
		term.Mul(term, square).Quo(term, of(k/2))
		sum.Add(sum, term)
	}
	erf = sum.Mul(sum, bigExp(square.Neg(square)))
	erf.Quo(erf, halfRootPi())
	return erf, of(0).Sub(of(1), erf)
}

// points calls f with numbers from 0 to most, more of them near 0.
func points(most float64, f func(x float64)) {
	const n = 400
	for i := range n {
		u := float64(i) / n
		f(most * u * u)
	}
}

func TestErf(t *testing.T) {
	points(6, func(x float64) {
		for _, v := range []float64{x, -x} {
			want, _ := bigErf(v)
			if u := units(Erf(v), want); u > 4 {
				t.Errorf("Erf(%v) is off by %v units", v, u)
			}
		}
	})
}

func TestErfc(t *testing.T) {
	points(26.5, func(x float64) { // beyond, it is subnormal
		_, want := bigErf(x)
		if u := units(Erfc(x), want); u > 6 {
			t.Errorf("Erfc(%v) is off by %v units", x, u)
		}
		_, want = bigErf(-x)
		if u := units(Erfc(-x), want); u > 6 {
			t.Errorf("Erfc(%v) is off by %v units", -x, u)
		}
	})
}

func TestErfcx(t *testing.T) {
	points(26.5, func(x float64) {
		_, want := bigErf(x)
		square := new(big.Float).SetPrec(200).Mul(number(x), number(x))
		want.Mul(want, bigExp(square))
		if u := units(Erfcx(x), want); u > 6 {
			t.Errorf("Erfcx(%v) is off by %v units", x, u)
		}
	})
	// The first term of the asymptotic series; the next one is 1/2x^2 of it.
	for _, x := range []float64{1e8, 1e20, 1e300} {
		if got, want := Erfcx(x), 1/(x*math.SqrtPi); math.Abs(got-want) > 1e-15*want {
			t.Errorf("Erfcx(%v): got %v, want %v", x, got, want)
		}
	}
}

// TestErfinv compares with a step of Newton's method from the result, which squares its error.
func TestErfinv(t *testing.T) {
	check := func(x float64) {
		got := Erfinv(x)
		erf, _ := bigErf(got)
		step := new(big.Float).Sub(number(x), erf)
		step.Mul(step, bigExp(new(big.Float).Mul(number(got), number(got)))).Mul(step, halfRootPi())
		if u := units(got, step.Add(step, number(got))); u > 8 {
			t.Errorf("Erfinv(%v) is off by %v units", x, u)
		}
	}
	points(1, check)
	points(1, func(x float64) { check(-x) })
	for k := range 52 {
		check(1 - math.Ldexp(1, -k-2))
	}
}
