package elementary

import "math"

// erfEnd is where Erf and Erfc go over from the series about 0 to Erfcx.
const erfEnd = 0.65

// Erf returns the error function within 4 units.
func Erf(x float64) float64 {
	if a := math.Abs(x); !(a < erfEnd) {
		return math.Copysign(1-Erfc(a), x)
	}
	x2 := x * x
	x4 := x2 * x2
	x8 := x4 * x4
	return x * math.FMA(septic(&erfSeries[0], x2), x8*x8, septic(&erfSeries[1], x2))
}

// erfSeries are 2/sqrt(pi) times (-1)^n/(n! (2n+1)), n from 15 to 0. The next term is 2e-21 at most
// (Abramowitz and Stegun 7.1.5).
var erfSeries = [2][8]float64{
	{
		-2 / math.SqrtPi / (1307674368000 * 31), 2 / math.SqrtPi / (87178291200 * 29), -2 / math.SqrtPi / (6227020800 * 27),
		2 / math.SqrtPi / (479001600 * 25), -2 / math.SqrtPi / (39916800 * 23), 2 / math.SqrtPi / (3628800 * 21),
		-2 / math.SqrtPi / (362880 * 19), 2 / math.SqrtPi / (40320 * 17),
	},
	{
		-2 / math.SqrtPi / (5040 * 15), 2 / math.SqrtPi / (720 * 13), -2 / math.SqrtPi / (120 * 11),
		2 / math.SqrtPi / (24 * 9), -2 / math.SqrtPi / (6 * 7), 2 / math.SqrtPi / (2 * 5),
		-2 / math.SqrtPi / 3, 2 / math.SqrtPi,
	},
}

// Erfc returns 1 - erf x within 6 units, also where that is tiny.
func Erfc(x float64) float64 {
	const gone = 28 // where it is below float64
	switch {
	case math.Abs(x) < erfEnd:
		return 1 - Erf(x)
	case x < 0:
		return 2 - Erfc(-x)
	case x > gone:
		return 0
	}
	square := x * x
	e := Exp(-square)
	e = math.FMA(-math.FMA(x, x, -square), e, e) // for what the square has lost
	return e * Erfcx(x)
}

// Erfcx returns exp(x^2) erfc(x) for x >= 0 within 6 units: times 1 + 2x it is smooth in t =
// (x-3.5)/(x+3.5), from -1 to 1 (Shepherd and Laframboise 1981, Chebyshev approximation of
// (1+2x)exp(x^2)erfc x in 0 <= x < infinity, Math. Comp. 36).
func Erfcx(x float64) float64 {
	t := 1 - 7/(x+3.5)
	t4 := (t * t) * (t * t)
	t8 := t4 * t4
	p := math.FMA(septic(&erfcxSeries[0], t), t8, septic(&erfcxSeries[1], t))
	p = math.FMA(p, t8, septic(&erfcxSeries[2], t))
	return p / (1 + float64(2*x))
}

// erfcxSeries is the Chebyshev series up to t^23, from 60 digits, written in powers of t. The terms
// left out are 3e-17 at most.
var erfcxSeries = [3][8]float64{
	{
		-0x1.406aa617fb329p-30, 0x1.09a8bf1ab7ccbp-34, 0x1.d421ddb5ecc9ap-27, 0x1.6db1173fda30dp-31,
		-0x1.9e0963786431fp-24, -0x1.27e42f4266242p-27, 0x1.42eb1c09ddffap-21, -0x1.722921ed381c5p-25,
	},
	{
		-0x1.ffe8797b263b0p-19, 0x1.385e7b901a919p-19, 0x1.97053306b92a0p-16, -0x1.66e11645605dcp-15,
		-0x1.fda8a5777da87p-14, 0x1.27e65fbfa9e67p-11, -0x1.3cf36f98105c2p-12, -0x1.143c4c891e642p-8,
	},
	{
		0x1.38ec667477473p-6, -0x1.8ff5ef77381b3p-5, 0x1.686106045eed1p-4, -0x1.d76830c35056ap-4,
		0x1.8f702ec6b3bb9p-4, -0x1.59e2c284b1971p-7, -0x1.1ebd220ea5946p-3, 0x1.3e0a99a0ee914p+0,
	},
}

// Erfinv returns the inverse of Erf within 8 units: the quantile of the normal distribution at (1+x)/2,
// over sqrt 2, by three rational functions (Wichura 1988, Algorithm AS 241, routine PPND16).
func Erfinv(x float64) float64 {
	q := x / 2
	if math.Abs(q) <= 0.425 {
		r := math.FMA(-q, q, 0.425*0.425)
		return math.Sqrt2 / 2 * q * septic(&wichuraA, r) / septic(&wichuraB, r)
	}
	rest := 0.5 - math.Abs(q)
	if rest == 0 {
		return math.Copysign(math.Inf(1), x)
	}
	r := math.Sqrt(-Log(rest))
	if r <= 5 {
		r = septic(&wichuraC, r-1.6) / septic(&wichuraD, r-1.6)
	} else {
		r = septic(&wichuraE, r-5) / septic(&wichuraF, r-5)
	}
	return math.Copysign(math.Sqrt2/2*r, x)
}

// Coefficients of Wichura 1988, from the highest power down.
var (
	wichuraA = [8]float64{
		2.5090809287301226727e3, 3.3430575583588128105e4, 6.7265770927008700853e4, 4.5921953931549871457e4,
		1.3731693765509461125e4, 1.9715909503065514427e3, 1.3314166789178437745e2, 3.3871328727963666080e0,
	}
	wichuraB = [8]float64{
		5.2264952788528545610e3, 2.8729085735721942674e4, 3.9307895800092710610e4, 2.1213794301586595867e4,
		5.3941960214247511077e3, 6.8718700749205790830e2, 4.2313330701600911252e1, 1,
	}
	wichuraC = [8]float64{
		7.74545014278341407640e-4, 2.27238449892691845833e-2, 2.41780725177450611770e-1, 1.27045825245236838258e0,
		3.64784832476320460504e0, 5.76949722146069140550e0, 4.63033784615654529590e0, 1.42343711074968357734e0,
	}
	wichuraD = [8]float64{
		1.05075007164441684324e-9, 5.47593808499534494600e-4, 1.51986665636164571966e-2, 1.48103976427480074590e-1,
		6.89767334985100004550e-1, 1.67638483018380384940e0, 2.05319162663775882187e0, 1,
	}
	wichuraE = [8]float64{
		2.01033439929228813265e-7, 2.71155556874348757815e-5, 1.24266094738807843860e-3, 2.65321895265761230930e-2,
		2.96560571828504891230e-1, 1.78482653991729133580e0, 5.46378491116411436990e0, 6.65790464350110377720e0,
	}
	wichuraF = [8]float64{
		2.04426310338993978564e-15, 1.42151175831644588870e-7, 1.84631831751005468180e-5, 7.86869131145613259100e-4,
		1.48753612908506148525e-2, 1.36929880922735805310e-1, 5.99832206555887937690e-1, 1,
	}
)
