package evolution

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// near is some rounding of n^3 sums of numbers about 1.
const near = 1e-9

// reference adapts a distribution by the formulas as they stand in Hansen 2016, with whole matrices. The
// inverse square root of C is that of its Cholesky factor.
type reference struct {
	k                  constants
	n                  float64
	m, pSigma, pC      []float64
	sigma              float64
	c                  [][]float64
	generation, stalls int
}

func (r *reference) adapt(points [][]float64) {
	k, n := r.k, len(r.m)
	a := cholesky(r.c)
	ys, zs := make([][]float64, k.lambda), make([][]float64, k.lambda)
	yW, zW := make([]float64, n), make([]float64, n)
	for i, x := range points {
		ys[i] = make([]float64, n)
		for j := range n {
			ys[i][j] = (x[j] - r.m[j]) / r.sigma
		}
		zs[i] = forward(a, ys[i])
		for j := range n {
			yW[j] += max(0, k.weights[i]) * ys[i][j]
			zW[j] += max(0, k.weights[i]) * zs[i][j]
		}
	}
	norm, h := 0.0, 1.0
	for j := range n {
		r.m[j] += r.sigma * yW[j]
		r.pSigma[j] = (1-k.cSigma)*r.pSigma[j] + math.Sqrt(k.cSigma*(2-k.cSigma)*k.muEff)*zW[j]
		norm += r.pSigma[j] * r.pSigma[j]
	}
	norm = math.Sqrt(norm)
	if norm/math.Sqrt(1-math.Pow(1-k.cSigma, 2*float64(r.generation+1))) >= (1.4+2/(r.n+1))*k.chiN {
		h = 0
		r.stalls++
	}
	sum := 0.0
	for _, w := range k.weights {
		sum += w
	}
	for j := range n {
		r.pC[j] = (1-k.cC)*r.pC[j] + h*math.Sqrt(k.cC*(2-k.cC)*k.muEff)*yW[j]
	}
	for i := range n {
		for j := range n {
			v := (1 + k.c1*(1-h)*k.cC*(2-k.cC) - k.c1 - k.cMu*sum) * r.c[i][j]
			v += k.c1 * r.pC[i] * r.pC[j]
			for l, w := range k.weights {
				if w < 0 {
					w *= r.n / dot(zs[l], zs[l])
				}
				v += k.cMu * w * ys[l][i] * ys[l][j]
			}
			r.c[i][j] = v
		}
	}
	r.sigma *= math.Exp(min(1, k.cSigma/k.dSigma*(norm/k.chiN-1)))
	r.generation++
}

func cholesky(c [][]float64) [][]float64 {
	a := rows(len(c), len(c))
	for i := range c {
		for j := range i + 1 {
			v := c[i][j]
			for k := range j {
				v -= a[i][k] * a[j][k]
			}
			if a[i][j] = v / a[j][j]; i == j {
				a[i][i] = math.Sqrt(v)
			}
		}
	}
	return a
}

// forward solves A z = y.
func forward(a [][]float64, y []float64) []float64 {
	z := slices.Clone(y)
	for i := range z {
		for k := range i {
			z[i] -= a[i][k] * z[k]
		}
		z[i] /= a[i][i]
	}
	return z
}

func TestAdaptIsAsInThePaper(t *testing.T) {
	const n, lambda = 6, 9
	identity := rows(n, n)
	for j := range identity {
		identity[j][j] = 1
	}
	s := newStrategy(make([]float64, n), 0.3, lambda, false)
	r := reference{
		k: s.constants, n: n, m: make([]float64, n), pSigma: make([]float64, n), pC: make([]float64, n), sigma: 0.3, c: identity,
	}
	source := rand.New(rand.NewPCG(1, 1))
	points := rows(lambda, n)
	for generation := range 60 {
		for _, x := range points {
			for j := range x {
				x[j] = source.NormFloat64()
			}
			s.sample(slices.Clone(x), x)
		}
		far := func(x []float64) float64 { return math.Abs(x[0]-50) + float64(generation%7)*math.Abs(x[1]) } // so that paths grow
		slices.SortFunc(points, func(a, b []float64) int { return standing{value: far(a)}.compare(standing{value: far(b)}) })
		for k, x := range points {
			s.place(k, x, s.generation)
		}
		r.adapt(points)
		s.adapt()
		full := s.shape.(*full)
		for i := range n {
			if d := math.Abs(s.mean[i]-r.m[i]) / r.sigma; !(d < near) {
				t.Fatalf("generation %d: mean[%d] is %g, want %g", generation, i, s.mean[i], r.m[i])
			}
			for j := range i + 1 {
				if scale := math.Sqrt(r.c[i][i] * r.c[j][j]); !(math.Abs(full.c[i*n+j]-r.c[i][j]) < near*scale) {
					t.Fatalf("generation %d: C[%d,%d] is %g, want %g", generation, i, j, full.c[i*n+j], r.c[i][j])
				}
			}
		}
		if !(math.Abs(s.sigma/r.sigma-1) < near) {
			t.Fatalf("generation %d: sigma is %g, want %g", generation, s.sigma, r.sigma)
		}
	}
	if r.stalls == 0 || r.stalls == r.generation {
		t.Errorf("h_sigma was 0 in %d of %d generations; both cases are to be seen", r.stalls, r.generation)
	}
}

// TestDiagonalOfFull wants the diagonal shape to be the diagonal of the full one where that is all there is.
func TestDiagonalOfFull(t *testing.T) {
	f, d := newFull(3), newDiagonal(3)
	p, w, ys := []float64{0, 2, 0}, []float64{0.1, -0.05}, [][]float64{{0, 0, 3}, {1, 0, 0}}
	for range 3 {
		if !f.update(0.8, 0.1, p, w, ys) || !d.update(0.8, 0.1, p, w, ys) {
			t.Fatal("no longer positive definite")
		}
	}
	y, a, b := []float64{1, -2, 3}, make([]float64, 3), make([]float64, 3)
	f.whiten(y, a)
	d.whiten(y, b)
	for j := range y {
		if f.variance(j) != d.variance(j) || a[j] != b[j] {
			t.Errorf("coordinate %d: variances %g and %g, whitened %g and %g", j, f.variance(j), d.variance(j), a[j], b[j])
		}
	}
	if math.Abs(f.logDet()-d.logDet()) > near {
		t.Errorf("logarithms of determinants %g and %g", f.logDet(), d.logDet())
	}
}

// TestLostMatrix wants the identity where rounding or overflow leaves no covariance matrix.
func TestLostMatrix(t *testing.T) {
	for _, s := range []shape{newFull(2), newDiagonal(2)} {
		for _, p := range []float64{math.NaN(), math.Inf(1), 1e200} {
			if s.update(1, -1, []float64{p, 0}, nil, nil) || s.variance(0) != 1 || s.variance(1) != 1 || s.condition() != 1 {
				t.Errorf("%T, path %g: variances %g, %g", s, p, s.variance(0), s.variance(1))
			}
		}
	}
}

// TestConstants wants what Hansen 2016, table 1, says of weights, and of n = 10 what can be looked up elsewhere.
func TestConstants(t *testing.T) {
	for _, n := range []int{2, 3, 10, 100, 1000} {
		for _, lambda := range []int{4, 5, 10, 1001} {
			for _, diagonal := range []bool{false, true} {
				k := newConstants(n, lambda, diagonal)
				plus := 0.0
				for i, w := range k.weights {
					plus += max(0, w)
					if (w > 0) != (i < k.mu) {
						t.Errorf("n %d, lambda %d: weight %d is %g, mu is %d", n, lambda, i, w, k.mu)
					}
				}
				if math.Abs(plus-1) > near || !(k.c1 > 0 && k.cMu >= 0 && k.c1+k.cMu <= 1 && k.cSigma < 1 && k.cC < 1) {
					t.Errorf("n %d, lambda %d: positive weights sum to %g, c1 %g, cMu %g", n, lambda, plus, k.c1, k.cMu)
				}
			}
		}
	}
	if got := []int{defaultLambda(2), defaultLambda(5), defaultLambda(10), defaultLambda(100)}; !slices.Equal(got, []int{6, 8, 10, 17}) {
		t.Errorf("lambda of 2, 5, 10 and 100 dimensions is %d", got)
	}
	if k := newConstants(10, 10, false); math.Abs(k.muEff-3.167) > 5e-4 { // sum of ln(5.5/i), i to 5, squared, over the sum of squares
		t.Errorf("muEff of lambda 10 is %g", k.muEff)
	}
}

// TestInjected wants steps of other generations cut to a likely length, and those of this one left alone.
func TestInjected(t *testing.T) {
	const n = 4
	far := slices.Repeat([]float64{100}, n)
	s := newStrategy(make([]float64, n), 0.5, 4, false)
	s.generation = 3
	for _, tt := range []struct {
		drawn uint64
		want  float64 // length of the whitened step
	}{{3, 400}, {2, 2 + 8./6}, {never, 2 + 8./6}} {
		s.place(0, far, tt.drawn)
		if got := math.Sqrt(dot(s.z[0], s.z[0])); math.Abs(got-tt.want) > near*tt.want || s.y[0][0] != s.z[0][0] {
			t.Errorf("drawn in generation %d: length %g, want %g", tt.drawn, got, tt.want)
		}
	}
}
