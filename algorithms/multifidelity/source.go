package multifidelity

import (
	"math/rand/v2"

	"github.com/tuned-hpo/tuned/algorithms"
	"github.com/tuned-hpo/tuned/algorithms/sampling"
	"github.com/tuned-hpo/tuned/pkg/searchspace"
)

// randomSource draws configurations that were not tried, while there are any.
type randomSource struct {
	*fidelity
	visits sampling.Visits
	draws  sampling.Draws
	here   []algorithms.Trial // scratch
}

func newRandomSource(f *fidelity, seed uint64) *randomSource {
	return &randomSource{
		fidelity: f, visits: sampling.NewVisits(f.configurations), draws: sampling.NewDraws(f.configurations, seed),
	}
}

func (s *randomSource) tell(t algorithms.Trial) {
	s.visits.Tell([]algorithms.Trial{{Point: s.configuration(t.Point)}})
}

func (s *randomSource) draw(id uint64, level int, pending []algorithms.Trial) searchspace.Point {
	s.draws.Begin(id)
	return s.next(s.draws.Point(), level, pending)
}

// next returns a configuration if it is new, else one that is. Where all were tried it may be any that is not pending at
// the level.
func (s *randomSource) next(configuration searchspace.Point, level int, pending []algorithms.Trial) searchspace.Point {
	s.here = s.here[:0]
	for i := range pending {
		if l, ok := s.level(pending[i].Point); ok && l == level {
			s.here = append(s.here, algorithms.Trial{Point: s.configuration(pending[i].Point)})
		}
	}
	s.visits.Open(s.here)
	return s.visits.Next(configuration, &s.draws)
}

// Model makes the suggester that BOHB and ASHA ask for configurations. Its problem is that of configurations, with one
// objective; it is told of the trials of one level of the resource.
type Model func(algorithms.Problem) (algorithms.Suggester, error)

// modelSource asks the model of the highest level that has enough results, or draws at random (Falkner, Klein and Hutter
// 2018, algorithm 2).
type modelSource struct {
	*randomSource
	problem algorithms.Problem
	share   float64 // rho, of random configurations
	models  []levelModel
	asked   []algorithms.Trial // scratch
}

// levelModel is the model of a level.
type levelModel struct {
	algorithms.Suggester
	results int // trials told that have a loss
}

func newModelSource(f *fidelity, p algorithms.Problem, seed uint64, share float64, model Model) (*modelSource, error) {
	s := &modelSource{
		randomSource: newRandomSource(f, seed), share: share,
		problem: algorithms.Problem{
			Space: f.configurations, Objectives: 1, Constraints: p.Constraints, Seed: seed,
			MaxTrials: p.MaxTrials, Parallel: p.Parallel, Maximized: p.Maximized,
		},
	}
	for range f.levels {
		m, err := model(s.problem)
		if err != nil {
			return nil, err
		}
		s.models = append(s.models, levelModel{Suggester: m})
	}
	return s, nil
}

func (s *modelSource) tell(t algorithms.Trial) {
	s.randomSource.tell(t)
	level, ok := s.level(t.Point)
	if !ok {
		return
	}
	m, t := &s.models[level], s.inner(t)
	if r := newResult(&t, 0, nil, s.problem.Constraints); r.class != failed {
		m.results++
	}
	m.Tell([]algorithms.Trial{t})
}

// inner returns a trial as the model sees it.
func (s *modelSource) inner(t algorithms.Trial) algorithms.Trial {
	t.Point, t.Memo = s.configuration(t.Point), nil
	t.Losses = t.Losses[:min(len(t.Losses), 1)]
	return t
}

func (s *modelSource) draw(id uint64, level int, pending []algorithms.Trial) searchspace.Point {
	m := s.model()
	const stream = 0x72616e646f6d // apart from what configurations are drawn with
	if m == nil || sampling.Unit(rand.NewPCG(s.problem.Seed^stream, id).Uint64()) < s.share {
		return s.randomSource.draw(id, level, pending)
	}
	s.asked = s.asked[:0]
	for _, t := range pending {
		if at, ok := readMemo(t.Memo, t.ID); !ok || at.rung == 0 { // what was promoted is known to be good
			s.asked = append(s.asked, s.inner(t))
		}
	}
	s.draws.Begin(id)
	out, err := m.Ask([]uint64{id}, s.asked)
	if err != nil { // it has no more: all was tried at its level
		return s.randomSource.draw(id, level, pending)
	}
	return s.next(out[0].Point, level, pending)
}

// model returns that of the highest level with enough results, nil while there is none.
func (s *modelSource) model() algorithms.Suggester {
	enough := s.configurations.Len() + 3 // N_min + 2, N_min = d + 1
	for i := len(s.models) - 1; i >= 0; i-- {
		if s.models[i].results >= enough {
			return s.models[i].Suggester
		}
	}
	return nil
}
