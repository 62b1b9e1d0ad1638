package gp

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestVectors wants the bits of plain Go from the loops in use, for each length up to some vectors.
func TestVectors(t *testing.T) {
	const stride, width = 48, 5
	r := rand.New(rand.NewPCG(6, 6))
	numbers := func(n int) []float64 {
		x := make([]float64, n)
		for i := range x {
			x[i] = math.Round(4*r.NormFloat64()) / 3
		}
		return x
	}
	same := func(name string, n int, got, want []float64) {
		t.Helper()
		if !slices.Equal(got, want) {
			t.Errorf("%s of %d: got %v, want %v", name, n, got, want)
		}
	}
	for n := range 40 {
		a, b := numbers(width*stride), numbers(width*stride)
		same("dot", n, []float64{dot(a[:n], b[:n])}, []float64{plainDot(a[:n], b[:n])})

		var got, want [2 * lanes]float64
		dots(&got, roundDown(n), a, stride, b, stride)
		plainDots(&want, roundDown(n), a, stride, b, stride)
		same("dots", n, got[:], want[:])

		got1, want1 := slices.Clone(b), slices.Clone(b)
		axpy(0.3, a[:n], got1)
		plainAxpy(0.3, a[:n], want1)
		same("axpy", n, got1, want1)

		got1, want1 = slices.Clone(b), slices.Clone(b)
		axpys((*[lanes]float64)(b), a, stride, got1[:roundDown(n)])
		plainAxpys((*[lanes]float64)(b), a, stride, want1[:roundDown(n)])
		same("axpys", n, got1, want1)

		z, weights, r2 := numbers(width), numbers(width), numbers(stride)
		got1, want1 = slices.Clone(r2), slices.Clone(r2)
		squares(got1[:n], a, stride, z)
		plainSquares(want1[:n], a, stride, z)
		same("squares", n, got1[:n], want1[:n])
		unequal(got1[:n], a, stride, z, weights)
		plainUnequal(want1[:n], a, stride, z, weights)
		same("unequal", n, got1[:n], want1[:n])

		for i := range r2 {
			r2[i] *= r2[i] * math.Pow(10, float64(r.IntN(9)-4))
		}
		got1, want1 = slices.Clone(r2), slices.Clone(r2)
		gotSlope, wantSlope := make([]float64, stride), make([]float64, stride)
		matern(got1[:n], gotSlope, 1.7)
		plainMatern(want1[:n], wantSlope, 1.7)
		same("matern", n, got1[:n], want1[:n])
		same("its slope", n, gotSlope[:n], wantSlope[:n])

		clear(b[n:roundUp(n)])
		for name, f := range map[string][2]func(sums [][lanes]float64, weights, c []float64, stride int, z []float64){
			"pull":        {pull, plainPull},
			"pullSquares": {pullSquares, plainPullSquares},
			"pullUnequal": {pullUnequal, plainPullUnequal},
		} {
			got, want := make([][lanes]float64, width), make([][lanes]float64, width)
			f[0](got, b[:n], a, stride, z)
			f[1](want, b[:n], a, stride, z)
			if !slices.Equal(got, want) {
				t.Errorf("%s of %d: got %v, want %v", name, n, got, want)
			}
		}
	}
}
