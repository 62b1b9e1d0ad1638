package algorithmtest

import (
	"math"

	"github.com/tuned-hpo/tuned/algorithms"
)

// checkChoices wants of an algorithm that chooses among others a name and a reason at every number of finished trials,
// and that it says itself when the next one is chosen.
func checkChoices(s *subject) {
	if s.def.Chooses == nil {
		return
	}
	for _, p := range s.problems() {
		for _, p.MaxTrials = range []int{0, 1, 100, 20000} {
			for _, p.Objectives = range []int{1, 2} {
				s.choices(p)
			}
		}
	}
}

// choices walks from one choice to the next.
func (s *subject) choices(p namedProblem) {
	s.Helper()
	values := s.values()
	ask := func(finished int) algorithms.Choice { return s.def.Chooses(p.Problem, values, finished) }
	for from, stays := 0, 0; stays == 0; {
		c := ask(from)
		if c.Name == "" || c.Reason == "" || c.Until != 0 && c.Until <= from {
			s.Fatalf("%s: after %d trials the choice is %+v", p.name, from, c)
		}
		last := c.Until - 1
		if c.Until == 0 {
			last, stays = from+1000, 1
		}
		for _, finished := range []int{from, from + (last-from)/2, last} {
			if again := ask(finished); again != c {
				s.Fatalf("%s: after %d trials the choice is %+v, and after %d it is %+v", p.name, from, c, finished, again)
			}
		}
		if from = c.Until; stays == 0 && ask(from) == c {
			s.Fatalf("%s: after %d trials the choice is no other one", p.name, from)
		}
	}
}

// checkRemaining wants of an algorithm that says what further trials are expected to improve numbers that make sense, the
// same ones when asked again, and trials left as they are.
func checkRemaining(s *subject) {
	if s.def.Remaining == nil {
		return
	}
	const ahead = 3
	answered := false
	for _, p := range s.problems() {
		for _, p.Constraints = range []int{0, 1} {
			h := newHistory(s, p.Problem, 13)
			play(h, s.make(p.Problem), 60)
			before := copyTrials(h.finished)
			got, err := s.def.Remaining(p.Problem, s.values(), h.finished, ahead)
			if !sameTrials(before, h.finished) {
				s.Errorf("%s: Remaining changes the trials", p.name)
			}
			if err != nil {
				continue // too little to say
			}
			answered = true
			if again, err := s.def.Remaining(p.Problem, s.values(), h.finished, ahead); err != nil || again != got {
				s.Errorf("%s: %+v remain, and when asked again %+v, %v", p.name, got, again, err)
			}
			if got.Trials != ahead || !(got.Improvement >= 0) || math.IsInf(got.Improvement, 0) || !(got.Spread > 0) || math.IsInf(got.Spread, 0) {
				s.Errorf("%s: %+v remain of %d trials", p.name, got, ahead)
			}
		}
	}
	if !answered {
		s.Errorf("Remaining is an error for every history")
	}
}
