package bayes

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/tuned-hpo/tuned/algorithms"
	"github.com/tuned-hpo/tuned/algorithms/sampling"
	"github.com/tuned-hpo/tuned/pkg/searchspace"
)

// tpe suggests the most promising of some candidates that are drawn from the density of good trials:
// the one where that density is greatest in relation to the density of bad trials. All that it keeps
// follows from the trials told.
type tpe struct {
	fits
	gamma      float64 // share of good trials
	startup    int     // random trials before the model is used
	candidates []tpeCandidate
	seed       uint64

	space    *tpeSpace
	history  tpeHistory
	familiar []searchspace.Point // the best of earlier experiments
	met      []int               // positions of trials told at familiar points
	models   []*tpeModel         // by block
	visits   sampling.Visits
	draws    sampling.Draws
	source   rand.PCG
	random   *rand.Rand
	x, u     []float64 // scratch, one coordinate per parameter
}

// tpeCandidate is values of the parameters of a block.
type tpeCandidate struct {
	x     []float64 // one coordinate per parameter, of which those of the block count
	ratio float64
}

func newTPE(p algorithms.Problem, v algorithms.Values) *tpe {
	const most = 10_000 // candidates, beyond which nothing is gained
	seed, d := sampling.Seed(p, v), p.Space.Len()
	s := &tpe{
		gamma: v.Float("gamma", 0.1), startup: int(v.Int("n_startup_trials", 10)),
		candidates: make([]tpeCandidate, min(max(1, v.Int("n_EI_candidates", v.Int("n_ei_candidates", 24))), most)),
		seed:       seed, space: newTPESpace(p.Space),
		history: tpeHistory{objectives: p.Objectives, constraints: p.Constraints},
		visits:  sampling.NewVisits(p.Space), draws: sampling.NewDraws(p.Space, seed),
		x: make([]float64, d), u: make([]float64, d),
	}
	s.familiar = familiar(p, s.startup/2)
	s.random = rand.New(&s.source)
	for i := range s.candidates {
		s.candidates[i].x = make([]float64, d)
	}
	for b := range s.space.blocks {
		s.models = append(s.models, newTPEModel(s.space, &s.space.blocks[b], v.Float("prior_weight", 1)))
	}
	return s
}

func (s *tpe) Tell(finished []algorithms.Trial) {
	s.visits.Tell(finished)
	for _, t := range finished {
		if s.space.space.Contains(t.Point) != nil {
			continue
		}
		x, at := s.space.encode(t.Point), len(s.history.marks)
		s.history.add(t)
		for _, m := range s.models {
			m.tell(&s.history, at, x)
		}
		if slices.ContainsFunc(s.familiar, func(p searchspace.Point) bool { return equalRows(p, t.Point) }) {
			s.met = append(s.met, at)
		}
	}
}

// Ask takes pending trials for bad ones, so that suggestions keep away from them and from each other
// (Ginsbourger, Le Riche and Carraro 2010, the constant liar).
func (s *tpe) Ask(ids []uint64, pending []algorithms.Trial) ([]algorithms.Suggestion, error) {
	s.visits.Open(pending)
	lies := s.lies(pending)
	out := make([]algorithms.Suggestion, len(ids))
	for i, id := range ids {
		known := len(s.history.marks) + len(lies)
		if known >= s.startup {
			s.fit(lies)
		}
		out[i] = algorithms.Suggestion{ID: id, Point: s.suggest(id, known)}
		lies = append(lies, s.space.encode(out[i].Point))
	}
	return out, nil
}

// fit makes the models those of what is known.
func (s *tpe) fit(lies [][]float64) {
	defer s.fitting()()
	for _, m := range s.models {
		m.refresh(&s.history, s.gamma, lies)
	}
}

// lies returns the coordinates of pending trials by ascending ID.
func (s *tpe) lies(pending []algorithms.Trial) [][]float64 {
	sorted := slices.Clone(pending)
	slices.SortFunc(sorted, func(a, b algorithms.Trial) int { return cmp.Compare(a.ID, b.ID) })
	var out [][]float64
	for _, t := range sorted {
		if s.space.space.Contains(t.Point) == nil {
			out = append(out, s.space.encode(t.Point))
		}
	}
	return out
}

// suggest returns the point of a trial and takes it into the batch.
func (s *tpe) suggest(id uint64, known int) searchspace.Point {
	s.draws.Begin(id)
	if known < s.startup {
		p := s.draws.Point()
		if known%2 == 0 && known/2 < len(s.familiar) && s.trusts() {
			p = slices.Clone(s.familiar[known/2])
		}
		return s.visits.Next(p, &s.draws)
	}
	s.source.Seed(^s.seed, id) // another stream than that of the draws
	p := s.best(0)
	for rank := 1; rank < len(s.candidates) && !s.visits.IsNew(p); rank++ {
		p = s.best(rank)
	}
	return s.visits.Next(p, &s.draws)
}

// trusts tells whether familiar points are worth a trial: none was told, or the best of those told is
// in the better half of all.
func (s *tpe) trusts() bool {
	at := slices.IndexFunc(s.history.ranked(s.history.order), func(i int) bool { return slices.Contains(s.met, i) })
	return len(s.met) == 0 || at >= 0 && 2*at < len(s.history.order)
}

// best puts together the best candidates of the blocks, or those of a lower rank.
func (s *tpe) best(rank int) searchspace.Point {
	for i := range s.x {
		s.x[i] = math.NaN()
	}
	for _, m := range s.models {
		if m.block.conditional && math.IsNaN(s.space.decode(s.x, s.u)[m.block.dims[0]]) {
			continue
		}
		if rank == 0 || len(s.models) > 1 {
			for i := range s.candidates {
				m.draw(s.random, s.candidates[i].x)
			}
		}
		if rank <= 1 || len(s.models) > 1 { // else the candidates are in order since rank 1
			s.sort(m, rank)
		}
		for _, d := range m.block.dims {
			s.x[d] = s.candidates[rank].x[d]
		}
	}
	return s.space.decode(s.x, s.u)
}

// sort sorts the candidates for a block. Those above the rank need not be in order.
func (s *tpe) sort(m *tpeModel, rank int) {
	least := math.Inf(-1)
	for i := range s.candidates {
		c := &s.candidates[i]
		c.ratio = m.ratio(c.x, least)
		if rank == 0 {
			least = max(least, c.ratio) // what is below it is not the best
		}
	}
	slices.SortStableFunc(s.candidates, func(a, b tpeCandidate) int { return cmp.Compare(b.ratio, a.ratio) })
}
