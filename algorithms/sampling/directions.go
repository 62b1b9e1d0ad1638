package sampling

import (
	"math/bits"
	"math/rand/v2"
	"sync"
)

// MaxDimensions is the number of primitive polynomials over GF(2) up to degree 13, and the first
// axis, which needs none.
const MaxDimensions = 1111

// directions holds the direction numbers found so far. They are the same in every process, found
// when they are first asked for.
var directions struct {
	sync.Mutex
	found      [][64]uint64
	polynomial uint64 // the last one, bit k is the coefficient of x^k
}

// directionNumbers returns those of the first n axes, n at most MaxDimensions. Number k, of bit k
// of the index, is a fraction of 2^64.
func directionNumbers(n int) [][64]uint64 {
	directions.Lock()
	defer directions.Unlock()
	for len(directions.found) < n {
		directions.found = append(directions.found, nextDirections(directions.found))
	}
	return directions.found[:n:n]
}

// nextDirections finds the direction numbers of the axis after those found. The initial numbers of
// an axis are free but for being odd; of several random choices it takes the one whose planes with
// other axes have the least sum of quality parameters t. Joe and Kuo (2008) search by a like
// criterion.
func nextDirections(found [][64]uint64) [64]uint64 {
	const (
		searched = 64 // axes after these take the first choice
		choices  = 24
	)
	if len(found) == 0 {
		return vanDerCorput()
	}
	polynomial := nextPrimitive()
	source := rand.NewPCG(uint64(len(found)), polynomial)
	best := recur(polynomial, source)
	if len(found) >= searched {
		return best
	}
	least := planeQuality(&best, found)
	for range choices {
		next := recur(polynomial, source)
		if q := planeQuality(&next, found); q < least {
			best, least = next, q
		}
	}
	return best
}

// vanDerCorput returns the numbers of the first axis, 1/2, 1/4, ...
func vanDerCorput() (v [64]uint64) {
	for k := range v {
		v[k] = 1 << (63 - k)
	}
	return v
}

// recur draws initial numbers and continues them by the recurrence of a primitive polynomial
// x^s + a1 x^(s-1) + ... + 1:
//
//	v[k] = a1 v[k-1] ^ a2 v[k-2] ^ ... ^ v[k-s] ^ (v[k-s] >> s)
//
// (Bratley and Fox 1988, eq. 2).
func recur(polynomial uint64, source rand.Source) (v [64]uint64) {
	s := bits.Len64(polynomial) - 1
	for k := range v {
		if k < s {
			odd := source.Uint64()>>(63-k) | 1 // below 2^(k+1)
			v[k] = odd << (63 - k)
			continue
		}
		v[k] = v[k-s] ^ v[k-s]>>s
		for i := 1; i < s; i++ {
			if polynomial>>(s-i)&1 == 1 {
				v[k] ^= v[k-i]
			}
		}
	}
	return v
}

// nextPrimitive returns the next primitive polynomial by degree and value.
func nextPrimitive() uint64 {
	p := max(directions.polynomial, 1)
	for p++; !primitive(p); p++ {
	}
	directions.polynomial = p
	return p
}

// primitive reports whether x generates the field GF(2)[x]/p, that is whether the powers of x
// modulo p repeat only after 2^s - 1, s the degree of p.
func primitive(p uint64) bool {
	if p&1 == 0 { // x divides it
		return false
	}
	s := bits.Len64(p) - 1
	x := uint64(1)
	for k := range uint64(1)<<s - 1 {
		if k > 0 && x == 1 {
			return false
		}
		x <<= 1
		if x>>s == 1 {
			x ^= p
		}
	}
	return x == 1
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
