package evolution

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/tuned-hpo/tuned/algorithms"
)

// world runs trials on workers: some take twenty times as long as others, some fail, diverge or are stopped early, and some questions
// come late. The suggester is lost at any moment, and rebuilt. A world is a function of its seed.
type world struct {
	*testing.T
	problem algorithms.Problem
	raw     []algorithms.RawSetting
	random  *rand.Rand

	suggester algorithms.Suggester
	now       float64
	last      uint64
	running   []run
	finished  []algorithms.Trial
	best      float64
}

// run is a trial and when it ends.
type run struct {
	algorithms.Trial
	end float64
}

// play runs n trials.
func (w *world) play(n uint64) {
	w.suggester = newStudy(w, w.problem, w.raw...)
	w.best = math.Inf(1)
	for w.last < n || len(w.running) > 0 {
		if w.random.IntN(4) == 0 {
			w.suggester = w.rebuilt()
		}
		if idle := min(w.problem.Parallel-len(w.running), int(n-w.last)); idle > 0 {
			w.ask(idle)
		}
		for range 1 + w.random.IntN(3)*w.random.IntN(2) {
			if len(w.running) > 0 {
				w.finish()
			}
		}
	}
}

// rebuilt returns a suggester made of the history.
func (w *world) rebuilt() algorithms.Suggester {
	s := newStudy(w, w.problem, w.raw...)
	s.Tell(w.finished)
	return s
}

// ask asks for n idle workers, also of a rebuilt suggester, which must answer alike. None ever waits.
func (w *world) ask(n int) {
	var ids []uint64
	for range n {
		w.last++
		ids = append(ids, w.last)
	}
	var pending []algorithms.Trial
	for _, r := range w.running {
		pending = append(pending, r.Trial)
	}
	out, err := w.suggester.Ask(ids, pending)
	w.random.Shuffle(len(pending), func(i, j int) { pending[i], pending[j] = pending[j], pending[i] })
	again, againErr := w.rebuilt().Ask(ids, pending)
	if err != nil || len(out) != n || fmt.Sprint(out, err) != fmt.Sprint(again, againErr) {
		w.Fatalf("asked for %d\nkept: %v, %v\nrebuilt: %v, %v", n, out, err, again, againErr)
	}
	for _, o := range out {
		for _, r := range w.running {
			if slices.Equal(r.Point, o.Point) {
				w.Fatalf("trials %d and %d run at the same point", r.ID, o.ID)
			}
		}
		r := run{Trial: algorithms.Trial{ID: o.ID, Point: o.Point, Memo: o.Memo}, end: w.now + 0.5 + w.random.Float64()}
		if w.random.IntN(15) == 0 {
			r.end += 20
		}
		w.running = append(w.running, r)
	}
}

// finish ends the trial that is first to end.
func (w *world) finish() {
	first := 0
	for i := range w.running {
		if w.running[i].end < w.running[first].end {
			first = i
		}
	}
	r := w.running[first]
	w.running = slices.Delete(w.running, first, first+1)
	w.now, r.State, r.Losses = r.end, algorithms.Succeeded, []float64{bowl(w.problem.Space.Encode(r.Point))}
	switch w.random.IntN(16) {
	case 0:
		r.State, r.Losses = algorithms.Failed, []float64{math.NaN()}
	case 1:
		r.Losses[0] = math.NaN()
	case 2:
		r.State = algorithms.Pruned
		r.Losses[0]++
	default:
		w.best = min(w.best, r.Losses[0])
	}
	w.finished = append(w.finished, r.Trial)
	w.suggester.Tell([]algorithms.Trial{r.Trial})
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
				w := world{
					T: t, raw: tt.raw, random: rand.New(rand.NewPCG(uint64(workers), 1)),
					problem: algorithms.Problem{Space: doubles(t, 3), Objectives: 1, Seed: 1, MaxTrials: 300, Parallel: workers},
				}
				w.play(300)
				// A ball of the squared radius 5e-4 takes 4.7e-5 of the cube, so that one of 300 random points is in it with a probability of 1.4 %.
				if w.best > 5e-4 {
					t.Errorf("the best loss of 300 trials is %g", w.best)
				}
			})
		}
	}
}
