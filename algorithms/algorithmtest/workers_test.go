package algorithmtest

import (
	"math/rand/v2"
	"testing"

	"github.com/tuned-hpo/tuned/algorithms"
	"github.com/tuned-hpo/tuned/pkg/searchspace"
)

// TestWorkers wants a correct algorithm to be played to the end, and those mutants found that the order of events shows.
func TestWorkers(t *testing.T) {
	space, err := searchspace.New([]searchspace.Parameter{{Name: "x", Kind: searchspace.Double, Max: 1e6}})
	if err != nil {
		t.Fatal(err)
	}
	problem := algorithms.Problem{Space: space, Objectives: 1, Seed: 1, Parallel: 4}
	play := check{"workers", func(s *subject) {
		w := Workers{
			T: s, N: 4, Random: rand.New(rand.NewPCG(1, 2)),
			New: func() algorithms.Suggester {
				l, err := s.def.New(problem, algorithms.Values{})
				if err != nil {
					s.Fatalf("%v", err)
				}
				return l
			},
			Begin: func(algorithms.Suggestion) float64 { return 1 },
			End: func(t *algorithms.Trial) {
				t.State, t.Losses = algorithms.Succeeded, []float64{t.Point[0]}
			},
		}
		w.Play(60)
		if w.Last != 60 || w.Ended || w.Waited > 0 || len(w.Running) > 0 {
			s.Errorf("%d trials, %d questions had to wait, it ended: %t, %d run", w.Last, w.Waited, w.Ended, len(w.Running))
		}
	}}
	if f := failure(play, learnerDefinition("")); f != "" {
		t.Error(f)
	}
	for _, m := range []string{"draws from a global source", "counts its questions", "heeds the order of pending trials", "answers one too few"} {
		if failure(play, learnerDefinition(m)) == "" {
			t.Errorf("workers pass the mutant that %s", m)
		}
	}
}
