package random

import (
	"fmt"
	"math/bits"
	"math/rand/v2"

	"github.com/tuned-hpo/tuned/algorithms"
	"github.com/tuned-hpo/tuned/pkg/searchspace"
)

// Sobol describes search by the points of a scrambled Sobol' sequence, which fill the space more
// evenly than random ones: of the first 2^k points, each interval [i/2^k, (i+1)/2^k) of each
// parameter's axis holds exactly one. Trial i gets point i-1. In a space of few points a point that
// was tried before is replaced by a random new one while there is one, as in Random.
func Sobol() algorithms.Definition {
	return algorithms.Definition{
		Name:      "sobol",
		Summary:   "evenly spread points of a scrambled Sobol' sequence",
		Reference: "Sobol' 1967; Bratley and Fox 1988, Algorithm 659, ACM TOMS 14; Matousek 1998, J. Complexity 14",
		Settings:  []algorithms.Setting{SeedSetting()},
		Check: func(p algorithms.Problem, _ algorithms.Values) error {
			if p.Space.Len() > maxDimensions {
				return fmt.Errorf("space has %d parameters, a Sobol' sequence at most %d", p.Space.Len(), maxDimensions)
			}
			return nil
		},
		New: func(p algorithms.Problem, v algorithms.Values) (algorithms.Suggester, error) {
			return newSobol(p, seed(p, v)), nil
		},
	}
}

type sobol struct {
	visits visits
	draws  draws // for points that were tried before
	axes   []scrambled
}

func newSobol(p algorithms.Problem, seed uint64) *sobol {
	s := &sobol{visits: newVisits(p.Space), draws: newDraws(p.Space, seed), axes: make([]scrambled, p.Space.Len())}
	for d, directions := range directionNumbers(p.Space.Len()) {
		s.axes[d] = scramble(directions, rand.NewPCG(seed, uint64(d)))
	}
	return s
}

func (s *sobol) Tell(finished []algorithms.Trial) { s.visits.tell(finished) }

func (s *sobol) Ask(ids []uint64, pending []algorithms.Trial) ([]algorithms.Suggestion, error) {
	s.visits.open(pending)
	out := make([]algorithms.Suggestion, len(ids))
	for i, id := range ids {
		s.draws.begin(id)
		out[i] = algorithms.Suggestion{ID: id, Point: s.visits.next(s.point(id-1), &s.draws)}
	}
	return out, nil
}

// point returns point n of the sequence.
func (s *sobol) point(n uint64) searchspace.Point {
	for k := range s.axes {
		s.draws.u[k] = unit(s.axes[k].at(n))
	}
	return s.draws.space.Decode(s.draws.u)
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
