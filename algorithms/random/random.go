// Package random holds the algorithms that do not learn: random draws, Sobol' points and the grid.
package random

import (
	"math/rand/v2"

	"github.com/tuned-hpo/tuned/algorithms"
	"github.com/tuned-hpo/tuned/pkg/searchspace"
)

// Random describes random search: independent draws from the parameters' distributions.
//
// No point is drawn twice while the space has another one left. In a space with fewer points than
// the budget the draws repeat afterwards, so that a budget is always used up, and a noisy
// objective is measured again; use grid to stop after one visit each.
func Random() algorithms.Definition {
	return algorithms.Definition{
		Name:      "random",
		Summary:   "independent draws from the parameters' distributions",
		Reference: "Bergstra and Bengio 2012, Random search for hyper-parameter optimization, JMLR 13",
		Settings:  []algorithms.Setting{SeedSetting()},
		New: func(p algorithms.Problem, v algorithms.Values) (algorithms.Suggester, error) {
			return &sampler{visits: newVisits(p.Space), draws: newDraws(p.Space, seed(p, v))}, nil
		},
	}
}

// SeedSetting describes the setting by which Katib's users seed an algorithm.
func SeedSetting() algorithms.Setting {
	return algorithms.Setting{
		Name: "random_state", Type: algorithms.IntSetting, Max: algorithms.Unbounded,
		Help: "seed of this algorithm, instead of the experiment's",
	}
}

func seed(p algorithms.Problem, v algorithms.Values) uint64 {
	if s, ok := v["random_state"].(int64); ok {
		return uint64(s)
	}
	return p.Seed
}

// sampler draws the point of a trial from a generator seeded by the trial's ID.
type sampler struct {
	visits visits
	draws  draws
}

func (s *sampler) Tell(finished []algorithms.Trial) { s.visits.tell(finished) }

func (s *sampler) Ask(ids []uint64, pending []algorithms.Trial) ([]algorithms.Suggestion, error) {
	s.visits.open(pending)
	out := make([]algorithms.Suggestion, len(ids))
	for i, id := range ids {
		s.draws.begin(id)
		out[i] = algorithms.Suggestion{ID: id, Point: s.visits.next(s.draws.point(), &s.draws)}
	}
	return out, nil
}

// draws is the stream of random points of one trial after the other.
type draws struct {
	space  *searchspace.Space
	seed   uint64
	source rand.PCG
	u      []float64 // scratch, unit cube
}

func newDraws(space *searchspace.Space, seed uint64) draws {
	return draws{space: space, seed: seed, u: make([]float64, space.Len())}
}

// begin starts the stream of a trial.
func (d *draws) begin(id uint64) { d.source.Seed(d.seed, id) }

func (d *draws) point() searchspace.Point {
	for i := range d.u {
		d.u[i] = unit(d.source.Uint64())
	}
	return d.space.Decode(d.u)
}

// unit maps 64 random bits to the middle of one of 2^53 equal parts of the unit interval.
func unit(bits uint64) float64 { return (float64(bits>>11) + 0.5) * 0x1p-53 }
