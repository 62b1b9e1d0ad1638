package sampling

import (
	"math/bits"
	"math/rand/v2"
	"testing"
)

// TestSobolIsStratified wants one of the first 2^k points in each interval [i/2^k, (i+1)/2^k) of
// each axis, for each k, up to the last axis there is.
func TestSobolIsStratified(t *testing.T) {
	const most = 10
	s := NewSobol(MaxDimensions, 3)
	for d := range s.axes {
		for k := range most + 1 {
			var taken [1 << most]bool
			for n := range uint64(1) << k {
				cell := s.axes[d].at(n) >> 1 >> (63 - k)
				if taken[cell] {
					t.Fatalf("axis %d: two of the first 2^%d points are in cell %d", d, k, cell)
				}
				taken[cell] = true
			}
		}
	}
}

// TestSobolPlanes bounds the quality parameter t of the planes of the first axes, before and after
// scrambling, which must keep it.
func TestSobolPlanes(t *testing.T) {
	const axes, m = 10, 10
	s := NewSobol(axes, 3)
	plain := directionNumbers(axes)
	sum, worst := 0, 0
	for i := range axes {
		for j := range i {
			q := planeT(&plain[i], &plain[j], m)
			if scrambled := planeT(&s.axes[i].directions, &s.axes[j].directions, m); scrambled != q {
				t.Errorf("axes %d and %d: t is %d, scrambled %d", j, i, q, scrambled)
			}
			sum, worst = sum+q, max(worst, q)
		}
	}
	if first := planeT(&plain[0], &plain[1], m); first != 0 {
		t.Errorf("the first plane has t = %d, want 0 (Sobol' 1967)", first)
	}
	// Initial numbers that are not searched give planes of t = 1.9 on the average and 4 at worst.
	if mean := float64(sum) / (axes * (axes - 1) / 2); mean > 1.7 || worst > 3 {
		t.Errorf("t is %.2f on the average and %d at worst", mean, worst)
	}
}

// TestPlaneT counts points in boxes, which is what t means.
func TestPlaneT(t *testing.T) {
	const m = 6
	d := directionNumbers(8)
	for i := range d {
		for j := range i {
			want := 0
			for ; !isNet(&d[i], &d[j], m, want); want++ {
			}
			if got := planeT(&d[i], &d[j], m); got != want {
				t.Errorf("axes %d and %d: got %d, want %d", j, i, got, want)
			}
		}
	}
}

// isNet reports whether each box of area 2^(t-m) with sides 2^-a and 2^-b holds 2^t of the first
// 2^m points.
func isNet(v, w *[64]uint64, m, t int) bool {
	x, y := scrambled{directions: *v}, scrambled{directions: *w}
	for a := range m - t + 1 {
		b := m - t - a
		count := make(map[[2]uint64]int)
		for n := range uint64(1) << m {
			count[[2]uint64{x.at(n) >> 1 >> (63 - a), y.at(n) >> 1 >> (63 - b)}]++
		}
		for _, c := range count {
			if c != 1<<t {
				return false
			}
		}
	}
	return true
}

// TestPrimitive counts primitive polynomials: there are phi(2^s - 1)/s of degree s, phi Euler's.
func TestPrimitive(t *testing.T) {
	for s, want := range map[int]int{1: 1, 2: 1, 3: 2, 4: 2, 5: 6, 6: 6, 7: 18, 8: 16, 9: 48, 10: 60} {
		got := 0
		for p := uint64(1) << s; p < 2<<s; p++ {
			if primitive(p) {
				got++
			}
		}
		if got != want {
			t.Errorf("degree %d: got %d, want %d", s, got, want)
		}
	}
}

// TestDirectionsAreOdd wants the diagonal of each generator matrix set and nothing below.
func TestDirectionsAreOdd(t *testing.T) {
	for d, v := range directionNumbers(MaxDimensions) {
		for k, x := range v {
			if bits.TrailingZeros64(x) != 63-k {
				t.Fatalf("axis %d: number %d is %#x", d, k, x)
			}
		}
	}
}

func BenchmarkSobolNew(b *testing.B) {
	for b.Loop() {
		NewSobol(5, rand.Uint64())
	}
}
