// Package random holds the algorithms that do not learn: random draws, Sobol' points and the grid.
package random

import (
	"github.com/tuned-hpo/tuned/algorithms"
	"github.com/tuned-hpo/tuned/algorithms/sampling"
)

// Random describes random search: independent draws from the parameters' distributions.
//
// No point is drawn twice while the space has another one left. In a space with fewer points than
// the budget the draws repeat afterwards, so that a budget is always used up, and a noisy
// objective is measured again; use grid to stop after one visit each.
func Random() algorithms.Definition {
	return algorithms.Definition{
		Name:       "random",
		Summary:    "independent draws from the parameters' distributions",
		Reference:  "Bergstra and Bengio 2012, Random search for hyper-parameter optimization, JMLR 13",
		Settings:   []algorithms.Setting{sampling.SeedSetting()},
		Objectives: true, Constraints: true,
		New: func(p algorithms.Problem, v algorithms.Values) (algorithms.Suggester, error) {
			return &sampler{visits: sampling.NewVisits(p.Space), draws: sampling.NewDraws(p.Space, sampling.Seed(p, v))}, nil
		},
	}
}

// sampler draws the point of a trial from a generator seeded by the trial's ID.
type sampler struct {
	visits sampling.Visits
	draws  sampling.Draws
}

func (s *sampler) Tell(finished []algorithms.Trial) { s.visits.Tell(finished) }

func (s *sampler) Ask(ids []uint64, pending []algorithms.Trial) ([]algorithms.Suggestion, error) {
	s.visits.Open(pending)
	out := make([]algorithms.Suggestion, len(ids))
	for i, id := range ids {
		s.draws.Begin(id)
		out[i] = algorithms.Suggestion{ID: id, Point: s.visits.Next(s.draws.Point(), &s.draws)}
	}
	return out, nil
}
