package tuner

import (
	"slices"
	"sync"
	"testing"

	"github.com/tuned-hpo/tuned/algorithms/builtin"
	"github.com/tuned-hpo/tuned/pkg/experiment"
)

// ear keeps what it is told of suggestions.
type ear struct {
	mu    sync.Mutex
	heard []Suggested
}

func (e *ear) hear(s Suggested) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.heard = append(e.heard, s)
}

func TestSuggested(t *testing.T) {
	var e ear
	r := newRig(t, builtin.Registry())
	r.Suggested = e.hear
	w := wanted(2, 6)
	w.Spec.Parameters = []experiment.ParameterSpec{{
		Name: "x", ParameterType: "categorical", FeasibleSpace: experiment.FeasibleSpace{List: []string{"a", "b"}},
	}}
	r.submit(w)
	for range 6 {
		r.runner.end(<-r.runner.started, completed, 0.3)
	}
	s := r.until("budget used", settled)
	seen, repeated := map[string]bool{}, 0
	for _, trial := range s.Trials {
		if seen[trial.Assignment[0].Value] {
			repeated++
		}
		seen[trial.Assignment[0].Value] = true
	}
	var numbers []uint64
	duplicates := 0
	for _, heard := range e.heard {
		numbers = append(numbers, heard.Numbers...)
		duplicates += heard.Duplicates
		if heard.Algorithm != "random" || heard.Experiment != r.key || heard.Failed || heard.Began.IsZero() || heard.Took < 0 {
			t.Errorf("told of %+v", heard)
		}
	}
	if !slices.Equal(numbers, []uint64{1, 2, 3, 4, 5, 6}) {
		t.Errorf("trials told of: got %v, want 1 to 6", numbers)
	}
	if duplicates != repeated || repeated < 4 { // six trials, two values
		t.Errorf("duplicates: got %d, want %d", duplicates, repeated)
	}
}

// TestSuggestedTellsOfFits: a question after the startup trials needs a model, one of an algorithm without a model none.
func TestSuggestedTellsOfFits(t *testing.T) {
	for algorithm, startup := range map[string]int{"tpe": 2, "random": 6} {
		t.Run(algorithm, func(t *testing.T) {
			var e ear
			r := newRig(t, builtin.Registry())
			r.Suggested = e.hear
			w := wanted(1, 6)
			w.Spec.Algorithm.AlgorithmName = algorithm
			if algorithm == "tpe" {
				w.Spec.Algorithm.AlgorithmSettings = []experiment.Setting{{Name: "n_startup_trials", Value: "2"}}
			}
			r.submit(w)
			for range 6 {
				r.runner.end(<-r.runner.started, completed, 0.3)
			}
			r.until("budget used", settled)
			for _, heard := range e.heard {
				if len(heard.Numbers) == 0 {
					continue
				}
				fits := heard.Numbers[0] > uint64(startup)
				if (heard.Fits > 0) != fits || heard.Fitting < 0 || heard.Fitting > heard.Took {
					t.Errorf("trial %d: %d fits in %v of %v, want some: %t", heard.Numbers[0], heard.Fits, heard.Fitting, heard.Took, fits)
				}
			}
		})
	}
}

func TestSuggestedTellsOfFailures(t *testing.T) {
	var e ear
	r := newRig(t, builtin.Registry())
	r.Suggested = e.hear
	w := wanted(1, 2)
	w.Spec.Algorithm.AlgorithmName = "unheard-of"
	r.submit(w)
	r.until("failed", func(s Snapshot) bool { return s.Experiment.Status.State() == experiment.Failed })
	if len(e.heard) != 1 || !e.heard[0].Failed || e.heard[0].Algorithm != "" {
		t.Errorf("told of %+v, want one failure of no algorithm", e.heard)
	}
}
