package bayes

import (
	"math"
	"math/rand/v2"
	"slices"

	"github.com/tuned-hpo/tuned/algorithms"
	"github.com/tuned-hpo/tuned/algorithms/sampling"
	"github.com/tuned-hpo/tuned/pkg/searchspace"
)

// tpe is the suggester of both methods. All that it keeps follows from the trials told.
type tpe struct {
	config  tpeConfig
	seed    uint64
	space   *tpeSpace
	history tpeHistory
	visits  sampling.Visits
	draws   sampling.Draws
	source  rand.PCG
	random  *rand.Rand
	search  tpeSearch
	split   tpeSplit
}

// tpeConfig is the settings of a tpe.
type tpeConfig struct {
	gamma      float64 // share of good trials
	prior      float64 // weight of the prior, in trials
	startup    int
	candidates int
	joint      bool // one density for all parameters that are active together
	sweeps     int  // of the local search
}

func newTPE(p algorithms.Problem, v algorithms.Values, joint bool) *tpe {
	config := tpeConfig{
		gamma: v.Float("gamma", 0.1), prior: v.Float("prior_weight", 1),
		startup:    int(v.Int("n_startup_trials", 10)),
		candidates: int(max(1, v.Int("n_EI_candidates", v.Int("n_ei_candidates", 24)))),
		joint:      joint,
	}
	seed := sampling.Seed(p, v)
	s := &tpe{
		config: config, seed: seed, space: newTPESpace(p.Space, joint), draws: sampling.NewDraws(p.Space, seed),
		visits: sampling.NewVisits(p.Space), history: tpeHistory{objectives: p.Objectives, constraints: p.Constraints},
	}
	s.random = rand.New(&s.source)
	s.search = newTPESearch(s.space, config)
	return s
}

func (s *tpe) Tell(finished []algorithms.Trial) {
	s.visits.Tell(finished)
	for _, t := range finished {
		if s.space.space.Contains(t.Point) == nil {
			s.history.add(t, s.space)
		}
	}
}

func (s *tpe) Ask(ids []uint64, pending []algorithms.Trial) ([]algorithms.Suggestion, error) {
	s.visits.Open(pending)
	s.begin(pending)
	out := make([]algorithms.Suggestion, len(ids))
	for i, id := range ids {
		out[i] = algorithms.Suggestion{ID: id, Point: s.suggest(id)}
		s.split.lie(s.space, out[i].Point)
	}
	return out, nil
}

// begin splits the history and takes pending trials for bad ones, so that suggestions keep away from
// them (Ginsbourger, Le Riche and Carraro 2010, the constant liar). The order in which pending trials
// are listed does not matter.
func (s *tpe) begin(pending []algorithms.Trial) {
	s.split = s.history.split(s.config.gamma)
	sorted := slices.Clone(pending)
	slices.SortFunc(sorted, func(a, b algorithms.Trial) int { return compareID(a.ID, b.ID) })
	for _, t := range sorted {
		if s.space.space.Contains(t.Point) == nil {
			s.split.lie(s.space, t.Point)
		}
	}
}

func compareID(a, b uint64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// suggest returns the point of a trial and takes it into the batch.
func (s *tpe) suggest(id uint64) searchspace.Point {
	s.draws.Begin(id)
	if len(s.split.good)+len(s.split.bad) < s.config.startup {
		return s.visits.Next(s.draws.Point(), &s.draws)
	}
	s.source.Seed(^s.seed, id) // another stream than that of the draws
	return s.visits.Next(s.search.best(&s.split, s.random, s.visits.IsNew), &s.draws)
}

// lie adds a point to the bad trials.
func (s *tpeSplit) lie(space *tpeSpace, p searchspace.Point) {
	row := make([]float64, space.space.Len())
	space.encode(p, row)
	s.bad = append(s.bad, row)
}

func isActive(x float64) bool { return !math.IsNaN(x) }
