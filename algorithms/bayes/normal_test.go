package bayes

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
)

// precision holds 2^-1200, the least probability below, and 300 bits more.
const precision = 1600

func number(x float64) *big.Float { return new(big.Float).SetPrec(precision).SetFloat64(x) }

// exact returns phi(z) and Phi(z) for |z| up to 40, by phi = exp(-z^2/2)/sqrt(2 pi) and Phi =
// 1/2 + phi (z + z^3/3 + z^5/(3 5) + ...) (Abramowitz and Stegun 26.2.11).
func exact(z float64) (pdf, cdf *big.Float) {
	square := number(0).Mul(number(z), number(z))
	pdf = number(0).Quo(expOf(number(0).Quo(square, number(-2))), number(0).Sqrt(number(0).Mul(number(2), pi())))
	term, sum := number(z), number(z)
	for k := 3.0; k < z*z || sum.MantExp(nil)-term.MantExp(nil) < precision && term.Sign() != 0; k += 2 {
		term.Quo(term.Mul(term, square), number(k))
		sum.Add(sum, term)
	}
	cdf = sum.Add(sum.Mul(sum, pdf), number(0.5))
	return pdf, cdf
}

// expOf is Taylor's series at x/2^12, squared 12 times.
func expOf(x *big.Float) *big.Float {
	const halvings = 12
	x = number(0).Quo(x, number(1<<halvings))
	term, sum := number(1), number(1)
	for k := 1.0; k < 300; k++ {
		term.Quo(term.Mul(term, x), number(k))
		sum.Add(sum, term)
	}
	for range halvings {
		sum.Mul(sum, sum)
	}
	return sum
}

// pi is 16 arctan(1/5) - 4 arctan(1/239) (Machin 1706).
func pi() *big.Float {
	arctan := func(n float64) *big.Float {
		power, sum := number(0).Quo(number(1), number(n)), number(0)
		for k := range 800 {
			term := number(0).Quo(power, number(float64(2*k+1)))
			if k%2 == 1 {
				term.Neg(term)
			}
			sum.Add(sum, term)
			power.Quo(power, number(n*n))
		}
		return sum
	}
	return number(0).Sub(number(0).Mul(number(16), arctan(5)), number(0).Mul(number(4), arctan(239)))
}

// logOf is the logarithm to within 1 ulp of the greatest term.
func logOf(x *big.Float) float64 {
	mantissa := new(big.Float)
	exp := x.MantExp(mantissa)
	m, _ := mantissa.Float64()
	return math.Log(m) + float64(exp)*math.Ln2
}

func TestLogarithms(t *testing.T) {
	for _, z := range []float64{-38, -20, -9, -5, -3.0000001, -3, -2.9999999, -2, -1, -0.3, 0, 1e-9, 0.7, 3, 8, 38} {
		pdf, cdf := exact(z)
		h := number(0).Add(pdf, number(0).Mul(number(z), cdf))
		hSlope, _ := number(0).Quo(cdf, h).Float64()
		cSlope, _ := number(0).Quo(pdf, cdf).Float64()
		gotH, gotHSlope := logH(z)
		gotC, gotCSlope := logCDF(z)
		for name, pair := range map[string][2]float64{
			"logH": {gotH, logOf(h)}, "its slope": {gotHSlope, hSlope},
			"logCDF": {gotC, logOf(cdf)}, "slope of logCDF": {gotCSlope, cSlope},
		} {
			// Erfcx errs by some ulp, which the cancellation at -3 multiplies by 12.
			if got, want := pair[0], pair[1]; math.Abs(got-want) > 1e-14*max(1, math.Abs(want)) {
				t.Errorf("%s at %g: got %.17g, want %.17g", name, z, got, want)
			}
		}
	}
}

// TestFarTails compares with the first terms of the asymptotic series, whose next term is below 1e-16.
func TestFarTails(t *testing.T) {
	for _, x := range []float64{1e4, 1e5, 1e8, 1e30, 1e150} { // x^2 is within float64
		base := -0.5*x*x - 0.5*math.Log(2*math.Pi) - math.Log(x)
		h, hSlope := logH(-x)
		c, cSlope := logCDF(-x)
		for name, pair := range map[string][2]float64{
			"logH": {h, base - math.Log(x) - 3/x/x}, "its slope": {hSlope, x + 2/x},
			"logCDF": {c, base - 1/x/x}, "slope of logCDF": {cSlope, x + 1/x},
		} {
			if got, want := pair[0], pair[1]; !(math.Abs(got-want) <= 1e-15*math.Abs(want)) {
				t.Errorf("%s at %g: got %.17g, want %.17g", name, -x, got, want)
			}
		}
	}
}

func TestNormalQuantile(t *testing.T) {
	for _, p := range []float64{1e-10, 0.01, 0.25, 0.5, 0.9} {
		if got := math.Erfc(-normalQuantile(p)/math.Sqrt2) / 2; math.Abs(got-p) > 1e-14 {
			t.Errorf("got %g, want %g", got, p)
		}
	}
}

// TestDrawNormal allows six standard deviations of each moment.
func TestDrawNormal(t *testing.T) {
	const n = 100_000
	r := rand.New(rand.NewPCG(3, 3))
	var mean, square, far float64
	for range n {
		x := drawNormal(r)
		mean += x / n
		square += x * x / n
		if math.Abs(x) > 3 {
			far += 1. / n
		}
	}
	const share = 0.0026997960632601866 // beyond three standard deviations
	if math.Abs(mean) > 6/math.Sqrt(n) || math.Abs(square-1) > 6*math.Sqrt(2./n) || math.Abs(far-share) > 6*math.Sqrt(share/n) {
		t.Errorf("mean %g, mean square %g, share beyond 3 %g, want 0, 1, %g", mean, square, far, share)
	}
}

var rateCases = []acquisition{
	{criterion: upperBound, beta: 1.8},
	{criterion: logEI, best: 0.5},
	{criterion: logEI, best: 40},
	{criterion: logPI, best: 0.5},
	{criterion: exploration, best: -5},
	{criterion: exploration, best: 5},
}

// TestRateSlopes compares with central differences, whose error is a third derivative, at most a few
// thousands here, times h^2/6, and rounding by 1e-16 of the value over h.
func TestRateSlopes(t *testing.T) {
	const h = 1e-6
	for _, a := range rateCases {
		for _, mean := range []float64{-2, 0, 0.4, 3} {
			for _, sd := range []float64{0.3, 1, 2} {
				value := func(m, s float64) float64 { v, _, _ := a.rate(m, s); return v }
				_, byMean, bySD := a.rate(mean, sd)
				wantMean := (value(mean+h, sd) - value(mean-h, sd)) / (2 * h)
				wantSD := (value(mean, sd+h) - value(mean, sd-h)) / (2 * h)
				if tolerance := 1e-4 * max(1, math.Abs(wantMean), math.Abs(wantSD)); math.Abs(byMean-wantMean) > tolerance || math.Abs(bySD-wantSD) > tolerance {
					t.Errorf("%+v at %g, %g: got %g, %g, want %g, %g", a, mean, sd, byMean, bySD, wantMean, wantSD)
				}
			}
		}
	}
}
