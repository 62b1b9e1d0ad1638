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
// an axis are free but for being odd: those of axes in the list chosen are the best of some random
// choices, and others the first.
func nextDirections(found [][64]uint64) [64]uint64 {
	if len(found) == 0 {
		return vanDerCorput()
	}
	polynomial := nextPrimitive()
	source := rand.NewPCG(uint64(len(found)), polynomial)
	v := recur(polynomial, source)
	if len(found) < len(chosen) {
		for range chosen[len(found)] {
			v = recur(polynomial, source)
		}
	}
	return v
}

// chosen holds, by axis, which of 25 random choices of initial numbers has the least planeQuality,
// the first of equals.
var chosen = [64]uint8{
	0, 0, 0, 1, 5, 9, 19, 5, 9, 6, 9, 8, 14, 19, 9, 7,
	3, 19, 14, 5, 18, 7, 6, 14, 22, 7, 17, 13, 1, 4, 19, 6,
	14, 18, 10, 13, 12, 11, 14, 18, 19, 13, 8, 5, 6, 10, 22, 17,
	0, 0, 5, 22, 11, 17, 8, 3, 21, 1, 0, 4, 1, 6, 13, 22,
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
