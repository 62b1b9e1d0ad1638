package multifidelity

import (
	"iter"
	"slices"

	"github.com/tuned-hpo/tuned/algorithms"
	"github.com/tuned-hpo/tuned/algorithms/sampling"
	"github.com/tuned-hpo/tuned/pkg/searchspace"
)

// schedule decides what runs next. What it keeps follows from the trials that have finished.
type schedule interface {
	// finish takes in a trial that has finished, after all that its place depends on.
	finish(place, result)
	// offers yields what may run next as the trial of an ID, the most wanted first, while others are pending.
	// Promotions that are pending may be among them.
	offers(id uint64, pending []place) iter.Seq[offer]
	// over tells whether there will be no more offers, whatever the results.
	over() bool
}

// offer is what may run next.
type offer struct {
	place
	level int
	from  *result // whose configuration goes on; nil for a new one
}

// source draws new configurations. What it keeps follows from the trials that have finished.
type source interface {
	tell(algorithms.Trial)
	// draw returns a configuration for the trial of an ID at a level, while others are pending.
	draw(id uint64, level int, pending []algorithms.Trial) searchspace.Point
}

// suggester runs a schedule.
type suggester struct {
	*fidelity
	constraints int
	schedule    schedule
	source      source

	pending []algorithms.Trial // of the question at hand, and those of its batch
	places  []place            // of those that have one
	busy    sampling.Visits    // their points
}

func newSuggester(f *fidelity, p algorithms.Problem, schedule schedule, source source) *suggester {
	return &suggester{fidelity: f, constraints: p.Constraints, schedule: schedule, source: source, busy: sampling.NewVisits(p.Space)}
}

func (s *suggester) Tell(finished []algorithms.Trial) {
	for i := range finished {
		t := &finished[i]
		if s.space.Contains(t.Point) != nil {
			continue
		}
		s.source.tell(*t)
		if at, ok := readMemo(t.Memo, t.ID); ok {
			s.schedule.finish(at, newResult(t, at.root, s.configuration(t.Point), s.constraints))
		}
	}
}

func (s *suggester) Ask(ids []uint64, pending []algorithms.Trial) ([]algorithms.Suggestion, error) {
	s.pending, s.places = s.pending[:0], s.places[:0]
	s.busy.Open(nil)
	for _, t := range pending {
		s.begin(t)
	}
	out := make([]algorithms.Suggestion, 0, len(ids))
	for _, id := range ids {
		next, ok := s.next(id)
		switch {
		case ok:
		case s.schedule.over():
			return out, algorithms.ErrExhausted
		default:
			return out, algorithms.ErrWait
		}
		out = append(out, next)
		s.begin(algorithms.Trial{ID: id, Point: slices.Clone(next.Point), Memo: next.Memo})
	}
	return out, nil
}

// begin takes in a trial that is under way.
func (s *suggester) begin(t algorithms.Trial) {
	if s.space.Contains(t.Point) != nil {
		return
	}
	s.pending = append(s.pending, t)
	s.busy.Take(t.Point)
	if at, ok := readMemo(t.Memo, t.ID); ok {
		s.places = append(s.places, at)
	}
}

// next returns the first offer that is not the point of a pending trial.
func (s *suggester) next(id uint64) (algorithms.Suggestion, bool) {
	for o := range s.schedule.offers(id, s.places) {
		next := algorithms.Suggestion{ID: id, Memo: o.memo()}
		if o.from != nil {
			next.Point, next.Parent = s.point(o.from.configuration, o.level), o.from.trial
		} else {
			next.Point = s.point(s.source.draw(id, o.level, s.pending), o.level)
		}
		if s.busy.IsNew(next.Point) {
			return next, true
		}
	}
	return algorithms.Suggestion{}, false
}
