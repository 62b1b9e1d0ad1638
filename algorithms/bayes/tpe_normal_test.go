package bayes

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestFastExp(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for range 100_000 {
		x := r.Float64()*100 - 60
		// The bound of the comment; the reduction adds |x| half ulps.
		if got, want := fastExp(x), math.Exp(x); math.Abs(got/want-1) > 1e-13 {
			t.Fatalf("e^%v: got %v, want %v", x, got, want)
		}
	}
}

func TestFastCDF(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 100_000 {
		x := r.Float64()*22 - 11
		got, want := fastCDF(x), 0.5*math.Erfc(-x/math.Sqrt2)
		if math.Abs(got-want) > 1e-11 || x > -10 && math.Abs(got/want-1) > 1e-6 {
			t.Fatalf("Phi(%v): got %v, want %v", x, got, want)
		}
	}
}
