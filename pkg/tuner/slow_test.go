package tuner

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"testing"

	"github.com/tuned-hpo/tuned/algorithms"
	"github.com/tuned-hpo/tuned/algorithms/builtin"
	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/searchspace"
	"github.com/tuned-hpo/tuned/pkg/store/storetest"
)

// ponderous is an algorithm that thinks until it is let go on.
type ponderous struct {
	asked chan []uint64 // it has begun to think
	let   chan struct{} // one answer for each
}

func newPonderous() ponderous {
	return ponderous{make(chan []uint64, 100), make(chan struct{}, 100)}
}

func (ponderous) Tell([]algorithms.Trial) {}

func (p ponderous) Ask(ids []uint64, _ []algorithms.Trial) (out []algorithms.Suggestion, err error) {
	p.asked <- ids
	<-p.let
	for _, id := range ids {
		out = append(out, algorithms.Suggestion{ID: id, Point: searchspace.Point{1 / float64(id)}})
	}
	return out, nil
}

// slowAndFast returns a rig with an algorithm that thinks, "random", and one that does not, "fast".
func slowAndFast(t *testing.T) (*rig, ponderous) {
	t.Helper()
	p := newPonderous()
	t.Cleanup(func() { close(p.let) })
	fast, err := builtin.Registry().Lookup("random")
	if err != nil {
		t.Fatal(err)
	}
	fast.Name, fast.Aliases = "fast", nil
	registry, err := algorithms.NewRegistry(fast, algorithms.Definition{
		Name: "random", Summary: "for a test",
		New: func(algorithms.Problem, algorithms.Values) (algorithms.Suggester, error) { return p, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	return newRig(t, registry), p
}

// clientsOwn is an experiment whose trials clients evaluate.
func clientsOwn(name string, parallel, budget int32) *experiment.Experiment {
	e := wanted(parallel, budget)
	e.Metadata.Name = name
	e.Local.Command = nil
	return e
}

func loss(text string) []experiment.Measurement {
	return []experiment.Measurement{{Seq: 1, Metric: "loss", Text: text, Value: experiment.ParseValue(text)}}
}

func (r *rig) create(e *experiment.Experiment) experiment.Key {
	r.t.Helper()
	if _, err := r.Create(r.t.Context(), e); err != nil {
		r.t.Fatal(err)
	}
	return e.Key()
}

// ask1 asks for one trial.
func (r *rig) ask1(key experiment.Key) experiment.Trial {
	r.t.Helper()
	trials, done, err := r.Ask(r.t.Context(), key, 1, "")
	if err != nil || done || len(trials) != 1 {
		r.t.Fatalf("ask: got %v, done %t, %v; want a trial", trials, done, err)
	}
	return trials[0]
}

func (r *rig) tell(key experiment.Key, trial, value string) experiment.Trial {
	r.t.Helper()
	got, err := r.Tell(r.t.Context(), key, Result{Trial: trial, Measurements: loss(value)})
	if err != nil {
		r.t.Fatalf("tell %s: %v", trial, err)
	}
	return got
}

func (r *rig) load(key experiment.Key) Snapshot {
	r.t.Helper()
	s, err := r.Load(r.t.Context(), key)
	if err != nil {
		r.t.Fatal(err)
	}
	return s
}

func (r *rig) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

// TestAnAlgorithmThatThinks: meanwhile others get on, and its own experiment is read, told, paused and
// stopped.
func TestAnAlgorithmThatThinks(t *testing.T) {
	r, p := slowAndFast(t)
	ctx := t.Context()
	slow := r.create(clientsOwn("slow", 2, 9))
	p.let <- struct{}{}
	first := r.ask1(slow)
	<-p.asked

	answered := make(chan error, 1)
	go func() {
		_, _, err := r.Ask(ctx, slow, 1, "second")
		answered <- err
	}()
	<-p.asked // it thinks from here on

	other := clientsOwn("quick", 2, 9)
	other.Spec.Algorithm.AlgorithmName = "fast"
	quick := r.create(other)
	for range 9 {
		r.tell(quick, r.ask1(quick).Name, "0.5")
	}
	if s := r.load(quick); !s.Experiment.Status.Succeeded() {
		t.Errorf("the quick experiment: got %s, want Succeeded", s.Experiment.Status.State())
	}

	if got, err := r.Trial(ctx, slow, first.Name); err != nil || got.State != experiment.TrialRunning {
		t.Errorf("trial: got %s, %v; want Running", got.State, err)
	}
	if acked, stop, err := r.ReportTrial(ctx, slow, first.Name, loss("0.9")); err != nil || acked != 1 || stop.Stop {
		t.Errorf("report: got %d, %+v, %v", acked, stop, err)
	}
	if got := r.tell(slow, first.Name, "0.5"); got.State != experiment.TrialSucceeded {
		t.Errorf("tell: got %s, want Succeeded", got.State)
	}
	r.must(r.Pause(ctx, slow))
	r.must(r.Resume(ctx, slow))
	s := r.load(slow)
	if s.Trials[0].State != experiment.TrialSucceeded || len(s.Trials) != 1 {
		t.Errorf("while it thinks: got %+v, want the trial that was told", s.Trials)
	}
	enqueued := make(chan experiment.Trial, 1)
	go func() {
		trial, err := r.Enqueue(ctx, slow, at("0.125"), "", "")
		if err != nil {
			t.Errorf("enqueue: %v", err)
		}
		enqueued <- trial
	}()
	for waiting := 0; waiting == 0; {
		r.must(r.with(ctx, slow, func(d *driver) error { waiting = len(d.queue); return nil }))
	}
	p.let <- struct{}{}
	if err := <-answered; err != nil {
		t.Errorf("ask: %v", err)
	}
	<-enqueued
	s = r.load(slow)
	if got := s.Trials[1]; len(s.Trials) != 3 || got.State != experiment.TrialRunning || got.Request != "second" || got.Assignment[0].Value != "0.5" {
		t.Errorf("afterwards: got %+v, want what was suggested for trial 2", s.Trials)
	}
	if got := s.Trials[2]; got.Origin != experiment.Enqueued {
		t.Errorf("afterwards: got %+v, want the enqueued one to come third", got)
	}
}

// TestStopWhileItThinks: whoever asked is answered at once.
func TestStopWhileItThinks(t *testing.T) {
	for _, end := range []struct {
		name string
		do   func(r *rig, key experiment.Key) error
		want error
	}{
		{"stop", func(r *rig, key experiment.Key) error { return r.Stop(t.Context(), key, true) }, nil},
		{"delete", func(r *rig, key experiment.Key) error { return r.Delete(t.Context(), key, "") }, ErrConflict},
	} {
		t.Run(end.name, func(t *testing.T) {
			r, p := slowAndFast(t)
			slow := r.create(clientsOwn("slow", 2, 9))
			type answer struct {
				n    int
				done bool
				err  error
			}
			answered := make(chan answer, 1)
			go func() {
				trials, done, err := r.Ask(context.WithoutCancel(t.Context()), slow, 1, "")
				answered <- answer{len(trials), done, err}
			}()
			<-p.asked
			r.must(end.do(r, slow))
			got := <-answered
			if got.n != 0 || got.done != (end.want == nil) || !errors.Is(got.err, end.want) {
				t.Errorf("ask: got %+v, want no trial and %v", got, end.want)
			}
		})
	}
}

// TestThinkingOfTheDaemonsOwnTrials: trials end while the algorithm thinks, and none is created twice.
func TestThinkingOfTheDaemonsOwnTrials(t *testing.T) {
	r, p := slowAndFast(t)
	r.submit(wanted(2, 3))
	p.let <- struct{}{}
	<-p.asked
	first, second := <-r.runner.started, <-r.runner.started
	r.runner.end(first, completed, 0.5)
	if ids := <-p.asked; len(ids) != 1 || ids[0] != 3 {
		t.Errorf("asked for %v, want 3", ids)
	}
	r.until("first ended", func(s Snapshot) bool { return s.Trials[0].State.Final() })
	r.runner.end(second, completed, 0.4)
	r.until("second ended", func(s Snapshot) bool { return s.Trials[1].State.Final() })
	p.let <- struct{}{}
	r.runner.end(<-r.runner.started, completed, 0.3)
	s := r.until("settled", settled)
	if len(s.Trials) != 3 || s.Best == nil || s.Best.Number != 3 {
		t.Errorf("got %d trials, best %+v; want 3, the third", len(s.Trials), s.Best)
	}
}

// TestAnAlgorithmThatWaitedForWhatHasEnded: a trial ends while the algorithm decides to wait for it.
func TestAnAlgorithmThatWaitedForWhatHasEnded(t *testing.T) {
	p := newPonderous()
	defer close(p.let)
	told := 0
	r := newRig(t, only(t, hesitant{p, pairs{&told}}, false))
	r.submit(wanted(2, 3))
	p.let <- struct{}{}
	<-p.asked
	first, second := <-r.runner.started, <-r.runner.started
	r.runner.end(first, completed, 0.5)
	<-p.asked // for the third, which it has not before both are told
	r.runner.end(second, completed, 0.5)
	r.until("both ended", func(s Snapshot) bool { return s.Trials[1].State.Final() })
	p.let <- struct{}{}
	<-p.asked // again
	p.let <- struct{}{}
	r.runner.end(<-r.runner.started, completed, 0.5)
	r.until("settled", settled)
}

// hesitant suggests as pairs does, and thinks before.
type hesitant struct {
	ponderous
	pairs
}

func (h hesitant) Tell(ts []algorithms.Trial) { h.pairs.Tell(ts) }

func (h hesitant) Ask(ids []uint64, pending []algorithms.Trial) ([]algorithms.Suggestion, error) {
	h.asked <- ids
	<-h.let
	return h.pairs.Ask(ids, pending)
}

// TestDriversAtRestEnd: completed experiments cost nothing but their records, and answer as ever.
func TestDriversAtRestEnd(t *testing.T) {
	r := newRig(t, builtin.Registry())
	var keys []experiment.Key
	before := runtime.NumGoroutine()
	for i := range 1000 {
		key := r.create(clientsOwn(fmt.Sprint("e", i), 1, 1))
		r.tell(key, r.ask1(key).Name, "0.5")
		keys = append(keys, key)
	}
	r.submit(wanted(1, 1))
	r.runner.end(<-r.runner.started, completed, 0.5)
	r.atRest()
	if n := runtime.NumGoroutine() - before; n > 10 { // of drivers that are about to end
		t.Errorf("%d goroutines are left of 1000 experiments", n)
	}
	for _, key := range keys[:3] {
		trials, done, err := r.Ask(t.Context(), key, 1, "")
		if err != nil || !done || len(trials) != 0 {
			t.Errorf("ask: got %v, %t, %v; want done", trials, done, err)
		}
		if s := r.load(key); !s.Settled || s.Best == nil {
			t.Errorf("load: got %+v, want it settled", s)
		}
		if got := r.tell(key, "1", "0.5"); got.State != experiment.TrialSucceeded {
			t.Errorf("tell again: got %s", got.State)
		}
	}
	r.atRest()
}

// atRest waits until no driver is left.
func (r *rig) atRest() {
	r.t.Helper()
	for {
		r.mu.Lock()
		var some *driver
		for _, d := range r.drivers {
			some = d
		}
		r.mu.Unlock()
		if some == nil {
			return
		}
		select {
		case <-some.done:
		case <-r.t.Context().Done():
			r.t.Fatalf("%s is driven still", some.key)
		}
	}
}

// TestStart: a daemon goes on with what an earlier one left, and with nothing else.
func TestStart(t *testing.T) {
	s := storetest.NewMemory()
	r, stop, ended := startRig(t, s, builtin.Registry())
	done, open := r.create(clientsOwn("done", 1, 1)), r.create(clientsOwn("open", 1, 2))
	r.tell(done, r.ask1(done).Name, "0.5")
	asked := r.ask1(open)
	stop()
	r.must(<-ended)

	r, stop, ended = startRig(t, s, builtin.Registry())
	r.must(r.Start(t.Context()))
	if r.driver(done) != nil || r.driver(open) == nil {
		t.Errorf("driven: done %t, open %t", r.driver(done) != nil, r.driver(open) != nil)
	}
	r.tell(open, asked.Name, "0.5")
	r.tell(open, r.ask1(open).Name, "0.5")
	r.atRest()
	stop()
	r.must(<-ended)
}
