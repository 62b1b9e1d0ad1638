package sampling

import (
	"math/bits"
	"math/rand/v2"
)

// Sobol is a scrambled Sobol' sequence: of its first 2^k points, each interval [i/2^k, (i+1)/2^k)
// of each axis holds exactly one.
type Sobol struct{ axes []scrambled }

// NewSobol returns the sequence of a seed, with at most MaxDimensions axes.
func NewSobol(axes int, seed uint64) Sobol {
	s := Sobol{make([]scrambled, axes)}
	for d, directions := range directionNumbers(axes) {
		s.axes[d] = scramble(directions, rand.NewPCG(seed, uint64(d)))
	}
	return s
}

// At writes point n, counted from 0, to u, which has one coordinate per axis.
func (s *Sobol) At(n uint64, u []float64) {
	for k := range s.axes {
		u[k] = Unit(s.axes[k].at(n))
	}
}

// scrambled is one axis of the sequence: direction numbers multiplied by a random matrix, and a
// random shift. Scrambling keeps the stratification, because the matrix is lower triangular: the
// leading k bits of a result depend on the leading k bits alone (Matousek 1998).
type scrambled struct {
	directions [64]uint64 // bit 63 is 1/2
	shift      uint64
}

func scramble(directions [64]uint64, source rand.Source) scrambled {
	var rows [64]uint64
	for i := range rows {
		diagonal := uint64(1) << 63 >> i
		above := ^(diagonal | (diagonal - 1)) // the more significant bits
		rows[i] = diagonal | source.Uint64()&above
	}
	s := scrambled{shift: source.Uint64()}
	for k, v := range directions {
		for i, row := range rows {
			parity := uint64(bits.OnesCount64(row&v) & 1)
			s.directions[k] |= parity << (63 - i)
		}
	}
	return s
}

// at returns point n of the axis as a fraction of 2^64.
func (s *scrambled) at(n uint64) uint64 {
	x := s.shift
	for ; n != 0; n &= n - 1 {
		x ^= s.directions[bits.TrailingZeros64(n)]
	}
	return x
}
