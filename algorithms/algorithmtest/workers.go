package algorithmtest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/tuned-hpo/tuned/algorithms"
)

// Workers run the trials of an algorithm in simulated time. Some trials take twenty times as long as others, and some
// questions come late. The suggester is lost at any moment, and rebuilt, and must answer as the one that was kept.
// What happens is a function of the random numbers.
type Workers struct {
	T
	N      int                         // workers
	New    func() algorithms.Suggester // one that was told nothing
	Random *rand.Rand

	// Begin is told of each trial before it is among those that run, and returns how long it is to take.
	Begin func(algorithms.Suggestion) float64
	// End sets what became of a trial.
	End func(*algorithms.Trial)

	Running []Running
	Last    uint64 // ID
	Ended   bool   // by ErrExhausted
	Waited  int    // questions that were answered by ErrWait

	suggester algorithms.Suggester
	now       float64
	finished  []algorithms.Trial
}

// Running is a trial and when it ends.
type Running struct {
	algorithms.Trial
	end float64
}

// Play runs n trials, or less if the algorithm ends.
func (w *Workers) Play(n uint64) {
	w.Helper()
	w.suggester = w.New()
	for !w.Ended && w.Last < n || len(w.Running) > 0 {
		if w.Random.IntN(4) == 0 {
			w.suggester = w.rebuilt()
		}
		if idle := min(w.N-len(w.Running), int(n-w.Last)); idle > 0 && !w.Ended {
			w.ask(idle)
		}
		for range 1 + w.Random.IntN(3)*w.Random.IntN(2) { // some questions come late
			if len(w.Running) > 0 {
				w.finish()
			}
		}
	}
}

// rebuilt returns a suggester made of the history.
func (w *Workers) rebuilt() algorithms.Suggester {
	s := w.New()
	s.Tell(w.finished)
	return s
}

// ask asks for n idle workers, also of a rebuilt suggester, which must answer alike.
func (w *Workers) ask(n int) {
	w.Helper()
	var ids []uint64
	for k := range n {
		ids = append(ids, w.Last+uint64(k)+1)
	}
	pending := make([]algorithms.Trial, len(w.Running))
	for i, r := range w.Running {
		pending[i] = r.Trial
	}
	out, err := w.suggester.Ask(ids, pending)
	w.Random.Shuffle(len(pending), func(i, j int) { pending[i], pending[j] = pending[j], pending[i] })
	again, againErr := w.rebuilt().Ask(ids, pending)
	if fmt.Sprint(out, err) != fmt.Sprint(again, againErr) {
		w.Fatalf("kept: %v, %v\nrebuilt: %v, %v", out, err, again, againErr)
	}
	for _, o := range out {
		w.begin(o)
	}
	switch {
	case err == nil && len(out) == n:
	case errors.Is(err, algorithms.ErrWait) && len(w.Running) > 0:
		w.Waited++
	case errors.Is(err, algorithms.ErrExhausted):
		w.Ended = true
	default:
		w.Fatalf("%d running, asked for %d, got %d, %v", len(w.Running), n, len(out), err)
	}
}

// begin gives a trial to a worker.
func (w *Workers) begin(o algorithms.Suggestion) {
	w.Last = o.ID
	length := w.Begin(o)
	r := Running{Trial: algorithms.Trial{ID: o.ID, Point: o.Point, Memo: o.Memo}, end: w.now + length*(0.5+w.Random.Float64())}
	if w.Random.IntN(15) == 0 {
		r.end += 20 * length
	}
	w.Running = append(w.Running, r)
}

// finish ends the trial that is first to end.
func (w *Workers) finish() {
	first := 0
	for i := range w.Running {
		if w.Running[i].end < w.Running[first].end {
			first = i
		}
	}
	r := w.Running[first]
	w.Running = slices.Delete(w.Running, first, first+1)
	w.now = r.end
	w.End(&r.Trial)
	w.finished = append(w.finished, r.Trial)
	w.suggester.Tell([]algorithms.Trial{r.Trial})
}
