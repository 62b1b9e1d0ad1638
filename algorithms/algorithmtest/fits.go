package algorithmtest

import "github.com/tuned-hpo/tuned/algorithms"

// checkFits listens to an algorithm that fits a model: fits come one after the other, each has ended when the
// algorithm answers, and it suggests the same when nobody listens.
func checkFits(s *subject) {
	for _, p := range s.problems() {
		heard := s.make(p.Problem)
		fitter, ok := heard.(algorithms.Fitter)
		if !ok {
			return
		}
		under := 0 // way: fits
		fitter.OnFit(func() func() {
			if under++; under > 1 {
				s.Errorf("%s: a fit begins before the last one has ended", p.name)
			}
			return func() { under-- }
		})
		h := newHistory(s, p.Problem, 7)
		var got []algorithms.Suggestion
		for range 40 {
			got = append(got, play(h, heard, 1)...)
			if under != 0 {
				s.Fatalf("%s: %d fits are under way when the algorithm has answered", p.name, under)
			}
		}
		if want := play(newHistory(s, p.Problem, 7), s.make(p.Problem), 40); !sameSuggestions(got, want) {
			s.Errorf("%s: suggestions differ when somebody listens to fits", p.name)
		}
	}
}
