package auto

import (
	"slices"

	"github.com/tuned-hpo/tuned/algorithms"
	"github.com/tuned-hpo/tuned/algorithms/sampling"
)

// suggester passes questions to the algorithm of the present stage. Those of later stages are told of all trials
// from the first one on, so that they need no history when their time comes; those of earlier ones are dropped.
//
// A memo carries the mark of the algorithm that it is of, and is shown to that one alone.
type suggester struct {
	stages []stage
	parts  []algorithms.Suggester // by stage; nil when the stage is over
	told   int                    // trials
}

func newSuggester(p algorithms.Problem, v algorithms.Values, stages []stage) (*suggester, error) {
	s := &suggester{stages: stages}
	p.Seed = sampling.Seed(p, v)
	for _, stage := range stages {
		values, err := algorithms.Parse(stage.def, stage.settings, "")
		if err != nil {
			return nil, err
		}
		part, err := algorithms.New(stage.def, p, values)
		if err != nil {
			return nil, err
		}
		s.parts = append(s.parts, part)
	}
	return s, nil
}

// OnFit implements [algorithms.Fitter].
func (s *suggester) OnFit(begin func() (end func())) {
	for _, part := range s.parts {
		if f, ok := part.(algorithms.Fitter); ok {
			f.OnFit(begin)
		}
	}
}

// Tell implements [algorithms.Suggester].
func (s *suggester) Tell(finished []algorithms.Trial) {
	s.told += len(finished)
	at := current(s.stages, s.told)
	clear(s.parts[:at])
	for i := at; i < len(s.parts); i++ {
		s.parts[i].Tell(s.stages[i].own(finished))
	}
}

// Ask implements [algorithms.Suggester].
func (s *suggester) Ask(ids []uint64, pending []algorithms.Trial) ([]algorithms.Suggestion, error) {
	at := current(s.stages, s.told)
	out, err := s.parts[at].Ask(ids, s.stages[at].own(pending))
	for i := range out {
		if len(out[i].Memo) > 0 {
			out[i].Memo = append([]byte{s.stages[at].mark}, out[i].Memo...)
		}
	}
	return out, err
}

// own returns trials as the algorithm of the stage knows them: without memos of others, and without the mark.
func (s *stage) own(trials []algorithms.Trial) []algorithms.Trial {
	out := slices.Clone(trials)
	for i := range out {
		if memo := out[i].Memo; len(memo) > 1 && memo[0] == s.mark {
			out[i].Memo = memo[1:]
		} else {
			out[i].Memo = nil
		}
	}
	return out
}
