package gp

import "math"

// lanes is the width of the vectors that sums are defined by: a sum over i is that of four partial
// sums, one for each i mod 4, each in rising order and with one rounding per term (a fused
// multiply-add), and they are added as (0+1)+(2+3). So vector units and plain code give the same
// bits.
const lanes = 4

func roundUp(n int) int   { return (n + lanes - 1) &^ (lanes - 1) }
func roundDown(n int) int { return n &^ (lanes - 1) }

// dot returns the sum of a[i] b[i]. a and b are equally long.
func dot(a, b []float64) float64 {
	var s [lanes]float64
	n := roundDown(len(a))
	for i := 0; i < n; i += lanes {
		s[0] = math.FMA(a[i], b[i], s[0])
		s[1] = math.FMA(a[i+1], b[i+1], s[1])
		s[2] = math.FMA(a[i+2], b[i+2], s[2])
		s[3] = math.FMA(a[i+3], b[i+3], s[3])
	}
	for i := n; i < len(a); i++ {
		s[i-n] = math.FMA(a[i], b[i], s[i-n])
	}
	return (s[0] + s[1]) + (s[2] + s[3])
}

// dots writes the products of 2 rows b with 4 rows a, over n elements, n a multiple of 4:
// out[4r+c] is that of row r of b and row c of a. Rows begin aStride and bStride apart.
func dots(out *[8]float64, n int, a []float64, aStride int, b []float64, bStride int) {
	for r := range 2 {
		for c := range 4 {
			out[4*r+c] = dot(b[r*bStride:][:n], a[c*aStride:][:n])
		}
	}
}

// axpy adds f x to y. y is as long as x.
func axpy(f float64, x, y []float64) {
	y = y[:len(x)]
	for i, v := range x {
		y[i] = math.FMA(f, v, y[i])
	}
}

// distances writes r2 between z and the first len(dst) rows of c: real features by difference, then
// hamming ones by equality with their weights.
func distances(dst []float64, c *columns, z []float64, real int, weights []float64) {
	clear(dst)
	for k := range real {
		zk := z[k]
		for i, v := range c.values[k*c.stride:][:len(dst)] {
			t := v - zk
			dst[i] = math.FMA(t, t, dst[i])
		}
	}
	for h, w := range weights {
		zk := z[real+h]
		for i, v := range c.values[(real+h)*c.stride:][:len(dst)] {
			if v != zk {
				dst[i] += w
			}
		}
	}
}

// weightedSquares returns the sum of weights[i] (x[i]-z)^2.
func weightedSquares(weights, x []float64, z float64) float64 {
	var s [lanes]float64
	x = x[:len(weights)]
	for i, w := range weights {
		t := x[i] - z
		s[i%lanes] = math.FMA(float64(w*t), t, s[i%lanes])
	}
	return (s[0] + s[1]) + (s[2] + s[3])
}

// weightedUnequal returns the sum of weights[i] where x[i] is not z.
func weightedUnequal(weights, x []float64, z float64) float64 {
	var s [lanes]float64
	x = x[:len(weights)]
	for i, w := range weights {
		if x[i] != z {
			s[i%lanes] += w
		}
	}
	return (s[0] + s[1]) + (s[2] + s[3])
}

// matern replaces squared distances r2 by the kernel, and writes its derivative with respect to r2.
func matern(k, slope []float64, signal float64) {
	slope = slope[:len(k)]
	for i, r2 := range k {
		q := math.Sqrt(5 * r2)
		e := signal * expNegative(q)
		k[i] = e * math.FMA(q, math.FMA(q, 1.0/3, 1), 1)
		slope[i] = -5.0 / 6 * math.FMA(e, q, e)
	}
}

// expNegative returns exp(-q) for q >= 0, within one unit in the last place and never 0: beyond 700
// it is exp(-700). It is the series of exp on [-ln2/2, ln2/2], scaled by a power of 2.
func expNegative(q float64) float64 {
	const (
		shift  = 3 << 51 // adding it rounds to a whole number, which then stands in the lowest bits
		ln2    = 0x1.62e42fefa39efp-1
		ln2Low = 0x1.abc9e3b39803fp-56
	)
	x := -min(q, 700)
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
