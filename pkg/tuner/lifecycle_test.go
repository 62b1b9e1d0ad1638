package tuner

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"pgregory.net/rapid"

	"github.com/tuned-hpo/tuned/algorithms/builtin"
	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/store"
	"github.com/tuned-hpo/tuned/pkg/store/storetest"
	"github.com/tuned-hpo/tuned/pkg/trialrunner"
)

// lifecycle is an experiment to which everything is done that can be, by a daemon that dies now and
// then, and what is known of it.
type lifecycle struct {
	t      *rapid.T
	ctx    context.Context
	r      *rig
	store  *brittle
	world  *world // which outlives the daemon
	stop   func() error
	feed   <-chan Change
	key    experiment.Key
	closed bool // it was seen completed, and nothing was done since that takes it on

	final    map[uint64]experiment.Trial
	asked    map[string][]uint64 // trials by request, as answered
	wished   map[string][]int    // how many were asked for by request, each time, also where the answer was lost
	count    map[string]int      // how many those trials were asked for as
	given    map[string]uint64
	told     map[uint64]string // text that was acknowledged
	reported map[uint64]int    // measurements that were acknowledged
	most     int               // greatest maxTrialCount
	widest   int               // greatest parallelTrialCount
	created  int               // trials when it was completed
}

// boot starts a daemon.
func (l *lifecycle) boot() {
	m := newManual()
	m.world, m.changed, m.started = *l.world, make(chan experiment.Key, 1000), make(chan string, 1000)
	m.world.fuse = &fuse{left: -1}
	l.store.light(-1, false)
	l.store.commits = nil
	tn, err := New(Config{Store: l.store, Runner: m, Algorithms: builtin.Registry(), Now: time.Now, Log: zerolog.Nop()})
	if err != nil {
		l.t.Fatal(err)
	}
	l.r = &rig{Tuner: tn, runner: m, store: l.store, key: l.key}
	ctx, cancel := context.WithCancel(l.ctx)
	done := make(chan error, 1)
	go func() { done <- tn.Run(ctx) }()
	if l.feed, err = tn.Feed(ctx, ""); err != nil {
		l.t.Fatal(err)
	}
	l.stop = func() error {
		cancel()
		err := <-done
		m.mu.Lock()
		defer m.mu.Unlock()
		*l.world = m.world
		return err
	}
	if err := tn.Start(l.ctx); err != nil {
		l.t.Fatal(err)
	}
}

// do carries out an act; when the daemon dies meanwhile there is another one. It reports whether the
// act was acknowledged; an error of one of the kinds is an answer, too.
func (l *lifecycle) do(what string, act func() error, kinds ...error) bool {
	err := act()
	if err == nil {
		l.sync()
		return true
	}
	for _, kind := range kinds {
		if errors.Is(err, kind) {
			l.sync()
			return false
		}
	}
	if !errors.Is(err, errCrash) && l.alive() {
		l.t.Fatalf("%s: %v", what, err)
	}
	l.again()
	return false
}

// alive reports whether the daemon has not died.
func (l *lifecycle) alive() bool {
	l.store.mu.Lock()
	defer l.store.mu.Unlock()
	return !l.store.blown
}

// sync waits until the daemon has nothing to do, or is dead, when there is another one.
func (l *lifecycle) sync() {
	for range 2 {
		err := l.r.with(l.ctx, l.key, func(d *driver) error {
			if d.thinking != nil {
				<-d.thinking.done
			}
			return nil
		})
		if err == nil {
			continue
		}
		if errors.Is(err, ErrNotFound) {
			return
		}
		if l.alive() {
			l.t.Fatalf("sync: %v", err)
		}
		l.again()
		return
	}
}

// again lets a dead daemon be followed by another one.
func (l *lifecycle) again() {
	err := l.stop()
	if err != nil && !errors.Is(err, errCrash) {
		l.t.Fatalf("run: %v", err)
	}
	l.boot()
	l.sync()
}

func (l *lifecycle) snapshot() Snapshot {
	s, err := l.r.Load(l.ctx, l.key)
	if err != nil {
		l.t.Fatal(err)
	}
	return s
}

func (l *lifecycle) someTrial() (experiment.Trial, bool) {
	s := l.snapshot()
	if len(s.Trials) == 0 {
		return experiment.Trial{}, false
	}
	return rapid.SampledFrom(s.Trials).Draw(l.t, "trial"), true
}

func (l *lifecycle) point() []experiment.Pair {
	return at(strconv.FormatFloat(float64(rapid.IntRange(0, 4).Draw(l.t, "x"))/4, 'g', -1, 64))
}

func (l *lifecycle) request() string {
	return rapid.SampledFrom([]string{"", "a", "b", "c"}).Draw(l.t, "request")
}

func (l *lifecycle) ask(*rapid.T) {
	request := l.request()
	count := rapid.IntRange(1, 3).Draw(l.t, "count")
	before := l.asked[request]
	kinds := []error{ErrInvalid}
	if request != "" && slices.ContainsFunc(l.wished[request], func(n int) bool { return n != count }) {
		kinds = append(kinds, ErrReused)
	}
	l.wished[request] = append(l.wished[request], count)
	var got []experiment.Trial
	ok := l.do("ask", func() (err error) {
		got, _, err = l.r.Ask(l.ctx, l.key, count, request)
		return err
	}, kinds...)
	if !ok || len(got) == 0 {
		return
	}
	var numbers []uint64
	for i := range got {
		numbers = append(numbers, got[i].Number)
	}
	if then, known := l.count[request]; request != "" && known && then != count {
		l.t.Fatalf("request %q asked for %d trials, and then got some for %d", request, then, count)
	}
	l.count[request] = count
	if request != "" && before != nil && fmt.Sprint(before) != fmt.Sprint(numbers) {
		l.t.Fatalf("request %q got %v, then %v", request, before, numbers)
	}
	l.asked[request] = numbers
}

func (l *lifecycle) tell(*rapid.T) {
	trial, ok := l.someTrial()
	if !ok {
		return
	}
	text := rapid.SampledFrom([]string{"0.5", "0.4", "0.05", "nan"}).Draw(l.t, "value")
	failed := rapid.IntRange(0, 4).Draw(l.t, "fails") == 0
	var got experiment.Trial
	ok = l.do("tell", func() (err error) {
		got, err = l.r.Tell(l.ctx, l.key, Result{Trial: trial.Name, Measurements: loss(text), Failed: failed})
		return err
	}, ErrInvalid, ErrConflict)
	if !ok {
		return
	}
	if was, again := l.told[trial.Number]; again && was != text || !got.State.Final() {
		l.t.Fatalf("trial %d was told %s, then %s: %+v", trial.Number, was, text, got)
	}
	l.told[trial.Number] = text
}

// give enqueues or tells a point.
func (l *lifecycle) give(tell bool) {
	point, request := l.point(), l.request()
	if request != "" {
		request += fmt.Sprint(tell)
	}
	var got experiment.Trial
	ok := l.do("give", func() (err error) {
		if tell {
			got, err = l.r.Tell(l.ctx, l.key, Result{Assignments: point, Measurements: loss("0.6"), Request: request})
		} else {
			got, err = l.r.Enqueue(l.ctx, l.key, point, "", request)
		}
		return err
	}, ErrConflict)
	if !ok {
		return
	}
	if was, again := l.given[request]; request != "" && again && was != got.Number {
		l.t.Fatalf("request %q made trial %d, then %d", request, was, got.Number)
	}
	if l.given[request] = got.Number; tell {
		l.told[got.Number] = "0.6"
	}
}

func (l *lifecycle) report(*rapid.T) {
	trial, ok := l.someTrial()
	if !ok {
		return
	}
	var acked uint64
	if l.do("report", func() (err error) {
		ms := loss("0.9")
		ms[0].Seq = uint64(l.reported[trial.Number] + 1)
		acked, _, err = l.r.ReportTrial(l.ctx, l.key, trial.Name, ms)
		return err
	}, ErrInvalid) && l.told[trial.Number] == "" {
		l.reported[trial.Number] = int(acked)
	}
}

func (l *lifecycle) stopTrial(*rapid.T) {
	if trial, ok := l.someTrial(); ok {
		l.do("stop trial", func() error { _, err := l.r.StopTrial(l.ctx, l.key, trial.Name); return err })
	}
}

func (l *lifecycle) annotate(*rapid.T) {
	if trial, ok := l.someTrial(); ok {
		text := rapid.SampledFrom([]string{"", "x"}).Draw(l.t, "note")
		l.do("annotate", func() error { return l.r.Annotate(l.ctx, l.key, trial.Name, Note{Text: &text}) })
	}
}

func (l *lifecycle) pause(*rapid.T) {
	l.do("pause", func() error { return l.r.Pause(l.ctx, l.key) }, ErrConflict)
}

func (l *lifecycle) resume(*rapid.T) {
	l.closed = false
	l.do("resume", func() error { return l.r.Resume(l.ctx, l.key) }, ErrConflict)
}

func (l *lifecycle) end(*rapid.T) {
	if rapid.IntRange(0, 3).Draw(l.t, "rare") == 0 {
		l.do("stop", func() error { return l.r.Stop(l.ctx, l.key, rapid.Bool().Draw(l.t, "drain")) })
	}
}

func (l *lifecycle) extend(*rapid.T) {
	l.closed = false
	b := Budget{MaxTrials: new(int32(rapid.IntRange(3, 15).Draw(l.t, "max"))), Parallel: new(int32(rapid.IntRange(1, 3).Draw(l.t, "parallel")))}
	l.most, l.widest = max(l.most, int(*b.MaxTrials)), max(l.widest, int(*b.Parallel))
	l.do("extend", func() error { return l.r.Extend(l.ctx, l.key, b) }, ErrInvalid)
}

// workload ends a workload in some way.
func (l *lifecycle) workload(*rapid.T) {
	m := l.r.runner
	m.mu.Lock()
	alive := m.world.alive()
	if len(alive) == 0 {
		m.mu.Unlock()
		return
	}
	target := rapid.SampledFrom(alive).Draw(l.t, "ends")
	w := m.world.workloads[target]
	switch rapid.SampledFrom([]string{"ok", "ok", "fails", "lost"}).Draw(l.t, "how") {
	case "ok":
		m.world.measured[target] = loss("0.3")
		w.Phase, w.Exit, w.LastSeq = trialrunner.Exited, completed, 1
		m.world.ended[target.Trial] = true
	case "fails":
		w.Phase, w.Exit = trialrunner.Exited, trialrunner.Exit{Code: 1, Reason: "ExitCode"}
		m.world.ended[target.Trial] = true
	case "lost":
		w.Phase = trialrunner.Lost
	}
	m.mu.Unlock()
	m.changed <- l.key
	l.sync()
}

// die lets the daemon die at one of its next writes.
func (l *lifecycle) die(*rapid.T) {
	l.store.light(rapid.IntRange(1, 4).Draw(l.t, "dies at write"), rapid.Bool().Draw(l.t, "after its effect"))
}

func (l *lifecycle) restart(*rapid.T) { l.again() }

// check asserts what must hold at any moment.
func (l *lifecycle) check(t *rapid.T) {
	l.sync()
	s := l.snapshot()
	if len(s.Trials) > l.most {
		t.Fatalf("%d trials, at most %d were allowed", len(s.Trials), l.most)
	}
	running := 0
	for _, trial := range s.Trials {
		if trial.State == experiment.TrialRunning {
			running++
		}
		l.checkTrial(t, trial)
	}
	l.r.runner.mu.Lock()
	alive, twice := len(l.r.runner.world.alive()), l.r.runner.world.twice
	l.r.runner.mu.Unlock()
	if running > l.widest || alive > l.widest || len(twice) > 0 {
		t.Fatalf("%d trials and %d workloads run, at most %d may; twice: %v", running, alive, l.widest, twice)
	}
	if l.closed && len(s.Trials) != l.created {
		t.Fatalf("it is completed, and has %d trials after %d", len(s.Trials), l.created)
	}
	l.closed, l.created = s.Experiment.Status.Completed(), len(s.Trials)
	l.checkStored(t)
	l.checkFeed(t)
}

func (l *lifecycle) checkTrial(t *rapid.T, trial experiment.Trial) {
	trial.Note = experiment.Note{}
	if was, seen := l.final[trial.Number]; seen && !equal(was, trial) {
		t.Fatalf("a final trial changed:\n%+v\n%+v", was, trial)
	}
	if trial.State.Final() {
		l.final[trial.Number] = trial
	}
	ms, _, err := l.r.Measurements(l.ctx, l.key, trial.Name, Mark{}, 1000)
	if err != nil {
		t.Fatal(err)
	}
	text, told := l.told[trial.Number]
	if told && (len(ms) == 0 || ms[len(ms)-1].Text != text) {
		t.Fatalf("trial %d was told %s, and has %v", trial.Number, text, ms)
	}
	if trial.Attempt == 1 && len(ms) < l.reported[trial.Number] {
		t.Fatalf("trial %d has %d measurements, %d were acknowledged", trial.Number, len(ms), l.reported[trial.Number])
	}
}

// checkStored looks again when something was committed meanwhile: an experiment and its trials are read one after
// the other.
func (l *lifecycle) checkStored(t *rapid.T) {
	for {
		before := l.revision(t)
		found, err := store.Check(l.ctx, l.store.Store, nil)
		if err != nil {
			t.Fatal(err)
		}
		if len(found) == 0 {
			return
		}
		if l.revision(t) == before {
			t.Fatalf("check: %s", found[0])
		}
	}
}

func (l *lifecycle) revision(t *rapid.T) uint64 {
	e, err := l.store.Get(l.ctx, l.key)
	if err != nil {
		t.Fatal(err)
	}
	return e.Revision
}

// checkFeed asserts that each commit of this life has come, in order.
func (l *lifecycle) checkFeed(t *rapid.T) {
	l.store.mu.Lock()
	want := l.store.commits
	l.store.commits = nil
	l.store.mu.Unlock()
	for _, w := range want {
		got, alive := l.next()
		for alive && got.Events == 0 && len(got.Trials) == 0 && (w.Events > 0 || len(w.Trials) > 0) {
			got, alive = l.next() // of time that was stored, or of trouble
		}
		if !alive {
			l.again() // it died after it had stored something, and before it could tell
			return
		}
		if got.Events != w.Events || fmt.Sprint(got.Trials) != fmt.Sprint(w.Trials) {
			t.Fatalf("feed: got %+v, want %+v", got, w)
		}
	}
}

// next returns what comes from the feed, unless the daemon dies.
func (l *lifecycle) next() (c Change, alive bool) {
	for {
		select {
		case c, alive = <-l.feed:
			return c, alive
		case <-time.After(10 * time.Millisecond):
			if !l.alive() {
				return c, false
			}
		}
	}
}

// TestLifecycle does all that can be done to an experiment, in any order.
func TestLifecycle(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		l := &lifecycle{
			t: rt, ctx: ctx, store: &brittle{Store: storetest.NewMemory()}, key: experiment.Key{Namespace: "default", Name: "sim"},
			world: &newManual().world, final: map[uint64]experiment.Trial{}, asked: map[string][]uint64{}, wished: map[string][]int{}, count: map[string]int{}, given: map[string]uint64{},
			told: map[uint64]string{}, reported: map[uint64]int{}, most: 6, widest: 2,
		}
		e := wanted(2, 6)
		if rapid.Bool().Draw(rt, "clients evaluate") {
			e.Local.Command = nil
		}
		if rapid.Bool().Draw(rt, "goal") {
			e.Spec.Objective.Goal = new(0.1)
		}
		if rapid.Bool().Draw(rt, "failures end it") {
			e.Spec.MaxFailedTrialCount = new(int32(2))
		}
		e.Spec.Tuned = &experiment.Extension{FirstPoints: []map[string]string{{"x": "0.125"}}}
		l.boot()
		if _, err := l.r.Create(ctx, e); err != nil {
			rt.Fatal(err)
		}
		<-l.feed // the creation
		rt.Repeat(map[string]func(*rapid.T){
			"": l.check, "ask": l.ask, "tell": l.tell, "ask ": l.ask, "tell ": l.tell, "report": l.report,
			"enqueue": func(*rapid.T) { l.give(false) }, "tell a point": func(*rapid.T) { l.give(true) },
			"stop trial": l.stopTrial, "annotate": l.annotate, "pause": l.pause, "resume": l.resume, "stop": l.end, "extend": l.extend,
			"workload": l.workload, "workload ": l.workload, "die": l.die, "restart": l.restart,
		})
		l.finish(rt)
	})
}

// finish ends the experiment, of which nothing is left to do then.
func (l *lifecycle) finish(t *rapid.T) {
	l.again()
	if err := l.r.Stop(l.ctx, l.key, false); err != nil {
		t.Fatalf("stop: %v", err)
	}
	for !l.snapshot().Settled || l.r.runner.busy() {
		l.sync()
		if l.ctx.Err() != nil {
			t.Fatalf("never settled: %+v", l.snapshot())
		}
	}
	l.check(t)
	if err := l.stop(); err != nil {
		t.Fatalf("run: %v", err)
	}
}
