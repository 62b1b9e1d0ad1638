package algorithmtest

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/tuned-hpo/tuned/algorithms"
)

// play lets a history of the given number of steps happen to a suggester, and returns the
// suggestions.
func play(h *history, sug algorithms.Suggester, steps int) []algorithms.Suggestion {
	h.Helper()
	var all []algorithms.Suggestion
	for range steps {
		if h.random.IntN(2) == 0 && len(h.pending) < 12 {
			all = append(all, h.ask(sug, h.ids(1+h.random.IntN(4)))...)
			continue
		}
		sug.Tell(h.finish())
	}
	return all
}

// checkAnswers wants points of the space, for the IDs asked, that differ from pending ones.
func checkAnswers(s *subject) {
	for _, p := range s.problems() {
		for seed := range uint64(3) {
			play(newHistory(s, p.Problem, seed), s.make(p.Problem), 60)
		}
	}
}

// checkRebuild drops and rebuilds suggesters: the rebuilt one must answer as the kept one.
func checkRebuild(s *subject) {
	for _, p := range s.problems() {
		for seed := range uint64(3) {
			s.rebuild(p, seed)
		}
	}
}

// rebuild lets a history happen, at some points of which the kept suggester and one that is rebuilt,
// and is given the pending trials in another order, must answer alike.
func (s *subject) rebuild(p namedProblem, seed uint64) {
	s.Helper()
	h := newHistory(s, p.Problem, seed)
	kept := s.make(p.Problem)
	for range 12 {
		play(h, kept, 1+h.random.IntN(8))
		rebuilt := s.make(p.Problem)
		rebuilt.Tell(copyTrials(h.finished))
		ids := h.ids(1 + h.random.IntN(4))
		pending := copyTrials(h.pending)
		rand.New(rand.NewPCG(seed, h.lastID)).Shuffle(len(pending), func(i, j int) { pending[i], pending[j] = pending[j], pending[i] })
		want, wantErr := rebuilt.Ask(slices.Clone(ids), pending)
		if got := h.ask(kept, ids); !sameSuggestions(got, want) || h.ended != errors.Is(wantErr, algorithms.ErrExhausted) {
			s.Errorf("%s: after %d trials told and %d pending, kept and rebuilt differ:\n%v\n%v, %v", p.name, len(h.finished), len(h.pending)-len(got), got, want, wantErr)
			break
		}
	}
}

// checkBatches asks for several suggestions at once and for the same ones singly, those before it
// pending: the answers must be alike.
func checkBatches(s *subject) {
	for _, p := range s.problems() {
		h := newHistory(s, p.Problem, 7)
		kept := s.make(p.Problem)
		for range 8 {
			play(h, kept, 1+h.random.IntN(8))
			single := s.make(p.Problem)
			single.Tell(copyTrials(h.finished))
			pending := copyTrials(h.pending)
			batch := h.ask(kept, h.ids(3))
			for _, want := range batch {
				got, _ := single.Ask([]uint64{want.ID}, copyTrials(pending))
				if !sameSuggestions(got, []algorithms.Suggestion{want}) {
					s.Errorf("%s: trial %d is %v when asked for singly, %v in a batch", p.name, want.ID, got, want)
					return
				}
				pending = append(pending, algorithms.Trial{ID: want.ID, Point: want.Point, Memo: want.Memo, Losses: h.noLosses()})
			}
		}
	}
}

// checkSeed wants the same suggestions for the same seed, and other ones for another, unless the
// algorithm declares itself Seedless.
func checkSeed(s *subject) {
	for _, p := range s.problems() {
		first := func(seed uint64) []algorithms.Suggestion {
			q := p.Problem
			q.Seed = seed
			return play(newHistory(s, q, 5), s.make(q), 40)
		}
		if !sameSuggestions(first(1), first(1)) {
			s.Errorf("%s: suggestions differ for the same seed", p.name)
		}
		if same := sameSuggestions(first(1), first(2)); same != s.def.Seedless {
			s.Errorf("%s: suggestions for seeds 1 and 2 are the same: %t, Seedless is %t", p.name, same, s.def.Seedless)
		}
	}
}

// checkExhaustion asks for more points than a small space has. An algorithm may repeat points or
// end; when it ends it must not have repeated any before, and stay at its end.
func checkExhaustion(s *subject) {
	for _, p := range s.problems() {
		cells, finite := p.Space.Cells()
		if !finite || cells > 100 {
			continue
		}
		h := newHistory(s, p.Problem, 3)
		sug := s.make(p.Problem)
		var points []algorithms.Suggestion
		for range 2*cells + 5 {
			points = append(points, h.ask(sug, h.ids(2))...)
			for len(h.pending) > 1 {
				sug.Tell(h.finish())
			}
		}
		if !h.ended {
			continue
		}
		for i, a := range points {
			for _, b := range points[:i] {
				if samePoint(a.Point, b.Point) {
					s.Errorf("%s: it ended, but trials %d and %d are the same point", p.name, b.ID, a.ID)
				}
			}
		}
	}
}

// checkSlices writes over all slices that went in and came out: an algorithm that keeps one of
// them answers differently from one that was left alone. It also wants arguments unchanged.
func checkSlices(s *subject) {
	for _, p := range s.problems() {
		left, spoilt := s.make(p.Problem), s.make(p.Problem)
		h := newHistory(s, p.Problem, 4)
		for range 15 {
			ids := h.ids(3)
			asked, pending := slices.Clone(ids), copyTrials(h.pending)
			out, _ := spoilt.Ask(asked, pending)
			if !slices.Equal(asked, ids) || !sameTrials(pending, h.pending) {
				s.Errorf("%s: Ask changes its arguments", p.name)
			}
			got := copySuggestions(out)
			spoilTrials(pending)
			for i := range asked {
				asked[i] = 1e6
			}
			for _, o := range out {
				spoil(o.Point, math.MaxFloat64)
				spoil(o.Memo, 'x')
			}
			if want := h.ask(left, ids); !sameSuggestions(got, want) {
				s.Errorf("%s: the caller's slices are kept, got %v, want %v", p.name, got, want)
			}
			told := slices.Concat(h.finish(), h.finish())
			left.Tell(copyTrials(told))
			before := copyTrials(told)
			spoilt.Tell(told)
			if !sameTrials(told, before) {
				s.Errorf("%s: Tell changes its argument", p.name)
			}
			spoilTrials(told)
		}
	}
}

func spoilTrials(trials []algorithms.Trial) {
	for i := range trials {
		t := &trials[i]
		spoil(t.Point, math.MaxFloat64)
		spoil(t.Losses, -1e9)
		spoil(t.Constraints, 1e9)
		spoil(t.Curve, algorithms.Measurement{Step: 1, Loss: -1e9})
		spoil(t.Memo, 'x')
		*t = algorithms.Trial{ID: 1e6, State: algorithms.Failed}
	}
}

func spoil[E any](s []E, v E) {
	for i := range s {
		s[i] = v
	}
}

// checkObjectives wants answers, and the same ones after a rebuild, also with several objectives and
// constraints.
func checkObjectives(s *subject) {
	for _, p := range s.problems() {
		p.Objectives, p.Constraints = 3, 2
		s.rebuild(p, 6)
	}
}

// checkPriors wants answers, and the same ones after a rebuild, also where there are earlier
// experiments, which must stay as they are. Whether they make a difference must be as declared.
func checkPriors(s *subject) {
	differs := false
	for _, p := range s.problems() {
		without := play(newHistory(s, p.Problem, 8), s.make(p.Problem), 30)
		p.Priors = s.priors(p.Problem)
		with := play(newHistory(s, p.Problem, 8), s.make(p.Problem), 30)
		differs = differs || !sameSuggestions(with, without)
		s.rebuild(p, 9)
		for i, prior := range s.priors(p.Problem) {
			if !sameTrials(prior.Trials, p.Priors[i].Trials) {
				s.Errorf("%s: the trials of an earlier experiment are changed", p.name)
			}
		}
	}
	if differs != s.def.Priors {
		s.Errorf("earlier experiments make a difference: %t, Priors is %t", differs, s.def.Priors)
	}
}

// priors returns earlier experiments: one like the problem, one on another scale, one without
// trials and one whose trials are of another space.
func (s *subject) priors(p algorithms.Problem) []algorithms.Prior {
	s.Helper()
	one, other := newHistory(s, p, 10), newHistory(s, p, 11)
	u := make([]float64, p.Space.Len())
	for id := range uint64(20) {
		for _, h := range []*history{one, other} {
			for i := range u {
				u[i] = h.random.Float64()
			}
			h.pending = append(h.pending, algorithms.Trial{ID: id + 1, Point: p.Space.Decode(u), Losses: h.noLosses()})
			h.finish()
		}
	}
	for _, t := range other.finished {
		t.Losses[0] = 1e6 - 1e3*t.Losses[0]
	}
	foreign := algorithms.Trial{ID: 1, State: algorithms.Succeeded, Point: []float64{1, 2, 3, 4, 5, 6, 7, 8, 9}, Losses: []float64{1}}
	return []algorithms.Prior{{Name: "one", Trials: one.finished}, {Name: "other", Trials: other.finished}, {Name: "none"}, {Name: "foreign", Trials: []algorithms.Trial{foreign}}}
}

// checkOddQuestions asks for nothing and for the greatest ID, tells nothing, and tells trials that
// no algorithm can use, and such as have more values than the problem, or fewer.
func checkOddQuestions(s *subject) {
	for _, p := range s.problems() {
		sug := s.make(p.Problem)
		sug.Tell(nil)
		sug.Tell([]algorithms.Trial{
			{ID: 1, State: algorithms.Succeeded, Point: []float64{1, 2, 3, 4, 5, 6, 7, 8, 9}, Losses: []float64{1}},
			{ID: 2, State: algorithms.Succeeded, Losses: []float64{0}},
			{ID: 3, State: algorithms.Failed},
		})
		if out, err := sug.Ask(nil, nil); len(out) != 0 || err != nil && !errors.Is(err, algorithms.ErrExhausted) {
			s.Errorf("%s: asked for nothing, got %v, %v", p.name, out, err)
		}
		newHistory(s, p.Problem, 1).ask(sug, []uint64{math.MaxUint64})
		s.askOddLengths(p.Problem)
	}
}

// askOddLengths asks after trials that all have too many values, and after others with too few.
func (s *subject) askOddLengths(p algorithms.Problem) {
	s.Helper()
	p.Objectives, p.Constraints = 2, 1
	few := []algorithms.Trial{{}, {Losses: []float64{1}}, {Losses: []float64{1, 2}}, {Constraints: []float64{-1}}}
	many := []algorithms.Trial{{Losses: []float64{1, 2, 3}, Constraints: []float64{-1}}, {Losses: []float64{1, 2}, Constraints: []float64{-1, 1, 1}}}
	for _, kinds := range [][]algorithms.Trial{few, many} {
		s.askAfter(p, kinds)
	}
	p.Objectives, p.Constraints = 1, 0
	s.askAfter(p, many)
}

// askAfter asks a new suggester after trials with the values of the given ones in turn.
func (s *subject) askAfter(p algorithms.Problem, kinds []algorithms.Trial) {
	s.Helper()
	h, sug := newHistory(s, p, 12), s.make(p)
	for k := range 12 {
		h.ask(sug, h.ids(1))
		if len(h.pending) == 0 {
			return // the space is used up
		}
		t := h.pending[0]
		h.pending = h.pending[1:]
		t.State, t.Losses, t.Constraints = algorithms.Succeeded, kinds[k%len(kinds)].Losses, kinds[k%len(kinds)].Constraints
		sug.Tell(copyTrials([]algorithms.Trial{t}))
	}
}
