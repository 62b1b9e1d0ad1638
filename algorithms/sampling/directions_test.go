package sampling

import (
	"math"
	"math/bits"
	"math/rand/v2"
	"testing"
)

// TestChosen searches for the best choices anew. Joe and Kuo (2008) search by a like criterion.
func TestChosen(t *testing.T) {
	const choices = 25
	found := directionNumbers(len(chosen))
	polynomial := uint64(1)
	for axis := 1; axis < len(chosen); axis++ {
		for polynomial++; !primitive(polynomial); polynomial++ {
		}
		source := rand.NewPCG(uint64(axis), polynomial)
		best, least := 0, math.MaxInt
		for k := range choices {
			v := recur(polynomial, source)
			if q := planeQuality(&v, found[:axis]); q < least {
				best, least = k, q
			}
		}
		if int(chosen[axis]) != best {
			t.Errorf("axis %d: choice %d is the best, listed is %d", axis, best, chosen[axis])
		}
	}
}

// planeQuality sums the quality parameters t of the planes that an axis spans with the last few
// axes found and the first few, for the first 2^m points of several m. 0 is perfect.
func planeQuality(v *[64]uint64, found [][64]uint64) int {
	const few = 8
	sum := 0
	for i := range found {
		if i >= few && i < len(found)-few {
			continue
		}
		for _, m := range [...]int{4, 6, 8, 10} {
			sum += planeT(v, &found[i], m)
		}
	}
	return sum
}

// planeT is the quality parameter t of the first 2^m points of a plane: every box of area 2^(t-m)
// whose sides are whole fractions 2^-a and 2^-b holds exactly 2^t points. It is m less the
// greatest k for which the leading a rows of one generator matrix and b of the other are linearly
// independent for all a + b = k (Niederreiter 1992, theorem 4.28).
func planeT(v, w *[64]uint64, m int) int {
	left, right := rows(v, m), rows(w, m)
	for k := 1; k <= m; k++ {
		for a := range k + 1 {
			var basis [64]uint64
			if !independent(&basis, left[:a]) || !independent(&basis, right[:k-a]) {
				return m - (k - 1)
			}
		}
	}
	return 0
}

// rows returns the leading m rows of the generator matrix whose columns are the direction numbers.
func rows(v *[64]uint64, m int) (out [16]uint64) {
	for i := range m {
		for k := range m {
			out[i] |= v[k] >> (63 - i) & 1 << k
		}
	}
	return out
}

// independent adds vectors over GF(2) to a basis, indexed by leading bit, and reports whether each
// was independent of it.
func independent(basis *[64]uint64, vectors []uint64) bool {
	for _, x := range vectors {
		for x != 0 {
			lead := bits.Len64(x) - 1
			if basis[lead] == 0 {
				basis[lead] = x
				break
			}
			x ^= basis[lead]
		}
		if x == 0 {
			return false
		}
	}
	return true
}
