package evolution

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/tuned-hpo/tuned/algorithms"
	"github.com/tuned-hpo/tuned/algorithms/algorithmtest"
	"github.com/tuned-hpo/tuned/pkg/searchspace"
)

// world is an optimizer of a bowl whose trials run on workers, where some fail, diverge or are stopped early. No worker ever waits.
type world struct {
	algorithmtest.Workers
	space *searchspace.Space
	best  float64
}

func newWorld(t *testing.T, workers int, raw []algorithms.RawSetting) *world {
	p := algorithms.Problem{Space: doubles(t, 3), Objectives: 1, Seed: 1, MaxTrials: 300, Parallel: workers}
	w := &world{space: p.Space, best: math.Inf(1)}
	w.Workers = algorithmtest.Workers{
		T: t, N: workers, New: func() algorithms.Suggester { return newStudy(t, p, raw...) },
		Random: rand.New(rand.NewPCG(uint64(workers), 1)), Begin: w.begin, End: w.end,
	}
	return w
}

// begin wants no point to be run twice at a time.
func (w *world) begin(o algorithms.Suggestion) float64 {
	for _, r := range w.Running {
		if slices.Equal(r.Point, o.Point) {
			w.Fatalf("trials %d and %d run at the same point", r.ID, o.ID)
		}
	}
	return 1
}

// end draws what becomes of a trial.
func (w *world) end(t *algorithms.Trial) {
	t.State, t.Losses = algorithms.Succeeded, []float64{bowl(w.space.Encode(t.Point))}
	switch w.Random.IntN(16) {
	case 0:
		t.State, t.Losses = algorithms.Failed, []float64{math.NaN()}
	case 1:
		t.Losses[0] = math.NaN()
	case 2:
		t.State = algorithms.Pruned
		t.Losses[0]++
	default:
		w.best = min(w.best, t.Losses[0])
	}
}

// TestAnyMoment plays with any number of workers. The optimum is found all the same.
func TestAnyMoment(t *testing.T) {
	setting := func(name, value string) algorithms.RawSetting { return algorithms.RawSetting{Name: name, Value: value} }
	for _, tt := range []struct {
		name string
		raw  []algorithms.RawSetting
	}{
		{"default", nil},
		{"separable", []algorithms.RawSetting{setting("separable", "true")}},
		{"ipop", []algorithms.RawSetting{setting("restart_strategy", "ipop"), setting("popsize", "4")}},
		{"bipop", []algorithms.RawSetting{setting("restart_strategy", "bipop"), setting("popsize", "4"), setting("refine", "false")}},
		{"learning rates", []algorithms.RawSetting{setting("lr_adapt", "true")}},
	} {
		for _, workers := range []int{1, 4, 16, 32} {
			t.Run(fmt.Sprintf("%s on %d", tt.name, workers), func(t *testing.T) {
				w := newWorld(t, workers, tt.raw)
				w.Play(300)
				if w.Last != 300 || w.Waited > 0 || w.Ended {
					t.Errorf("%d trials, %d questions had to wait, it ended: %t", w.Last, w.Waited, w.Ended)
				}
				// A ball of the squared radius 5e-4 takes 4.7e-5 of the cube, so that one of 300 random points is in it with a probability of 1.4 %.
				if w.best > 5e-4 {
					t.Errorf("the best loss of 300 trials is %g", w.best)
				}
			})
		}
	}
}
