package random

import (
	"fmt"

	"github.com/tuned-hpo/tuned/algorithms"
	"github.com/tuned-hpo/tuned/algorithms/sampling"
	"github.com/tuned-hpo/tuned/pkg/searchspace"
)

// Sobol describes search by the points of a scrambled Sobol' sequence, which fill the space more
// evenly than random ones: of the first 2^k points, each interval [i/2^k, (i+1)/2^k) of each
// parameter's axis holds exactly one. Trial i gets point i-1. In a space of few points a point that
// was tried before is replaced by a random new one while there is one, as in Random.
func Sobol() algorithms.Definition {
	return algorithms.Definition{
		Name:       "sobol",
		Summary:    "evenly spread points of a scrambled Sobol' sequence",
		Reference:  "Sobol' 1967; Bratley and Fox 1988, Algorithm 659, ACM TOMS 14; Matousek 1998, J. Complexity 14",
		Settings:   []algorithms.Setting{sampling.SeedSetting()},
		Objectives: true, Constraints: true,
		Check: func(p algorithms.Problem, _ algorithms.Values) error {
			if p.Space.Len() > sampling.MaxDimensions {
				return fmt.Errorf("space has %d parameters, a Sobol' sequence at most %d", p.Space.Len(), sampling.MaxDimensions)
			}
			return nil
		},
		New: func(p algorithms.Problem, v algorithms.Values) (algorithms.Suggester, error) {
			return newSobol(p, sampling.Seed(p, v)), nil
		},
	}
}

type sobol struct {
	visits   sampling.Visits
	draws    sampling.Draws // for points that were tried before
	space    *searchspace.Space
	sequence sampling.Sobol
	u        []float64 // scratch, unit cube
}

func newSobol(p algorithms.Problem, seed uint64) *sobol {
	return &sobol{
		visits: sampling.NewVisits(p.Space), draws: sampling.NewDraws(p.Space, seed),
		space: p.Space, sequence: sampling.NewSobol(p.Space.Len(), seed), u: make([]float64, p.Space.Len()),
	}
}

func (s *sobol) Tell(finished []algorithms.Trial) { s.visits.Tell(finished) }

func (s *sobol) Ask(ids []uint64, pending []algorithms.Trial) ([]algorithms.Suggestion, error) {
	s.visits.Open(pending)
	out := make([]algorithms.Suggestion, len(ids))
	for i, id := range ids {
		s.draws.Begin(id)
		s.sequence.At(id-1, s.u)
		out[i] = algorithms.Suggestion{ID: id, Point: s.visits.Next(s.space.Decode(s.u), &s.draws)}
	}
	return out, nil
}
