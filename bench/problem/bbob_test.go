package problem

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// TestBBOBMinima checks that the optimum is where a function says it is, that it is in the domain,
// and that nothing found from there or from random points is below.
func TestBBOBMinima(t *testing.T) {
	for number := 1; number <= 24; number++ {
		for _, d := range []int{2, 3, 5, 10, 20} {
			for instance := uint64(1); instance <= 3; instance++ {
				t.Run(fmt.Sprintf("f%d/d%d/i%d", number, d, instance), func(t *testing.T) {
					checkMinimum(t, newBBOB(number, d, instance))
				})
			}
		}
	}
}

func checkMinimum(t *testing.T, b *bbob) {
	t.Helper()
	for i, v := range b.xopt {
		if !(math.Abs(v) <= bbobDomain) {
			t.Errorf("xopt[%d] is %g, outside of the domain", i, v)
		}
	}
	// Rotations round to 1e-15, of which f13 takes the norm times 100, and f17 and f18 a root.
	const rounding = 1e-9
	// The constant of schwefel is rounded to 1e-10 by the figures of xopt.
	if got := b.excess(b.xopt); !(math.Abs(got) <= rounding) {
		t.Errorf("excess at the optimum is %g, want 0", got)
	}
	source := rand.New(rand.NewPCG(1, uint64(b.d)))
	x := make([]float64, b.d)
	for k := range 200 {
		reach := math.Pow(10, -float64(k%8)) // from all over the domain to close by
		for i := range x {
			x[i] = b.xopt[i] + reach*bbobDomain*(2*source.Float64()-1)
			x[i] = max(-bbobDomain, min(x[i], bbobDomain))
		}
		if got := b.excess(x); !(got >= -rounding) {
			t.Fatalf("excess at %v is %g, below the optimum", x, got)
		}
	}
}

func TestRotationIsOrthogonal(t *testing.T) {
	const d = 20
	m := rotation(d, rand.New(rand.NewPCG(3, 4)))
	for i := range d {
		for j := range d {
			want := 0.0
			if i == j {
				want = 1
			}
			// Gram and Schmidt's loss of orthogonality is eps times the condition, some hundreds.
			if got := dot(m[i*d:i*d+d], m[j*d:j*d+d]); math.Abs(got-want) > 1e-11 {
				t.Errorf("rows %d and %d have product %g, want %g", i, j, got, want)
			}
		}
	}
}

func TestInstancesDiffer(t *testing.T) {
	x := []float64{1, -2, 3}
	for number := 1; number <= 24; number++ {
		seen := map[float64]uint64{}
		for instance := uint64(1); instance <= 100; instance++ {
			v := newBBOB(number, 3, instance).excess(x)
			if other, twice := seen[v]; twice && number != 5 && number != 20 { // these have 2^d instances
				t.Errorf("f%d has value %g in instances %d and %d", number, v, other, instance)
			}
			seen[v] = instance
		}
	}
}
