package tuner

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tuned-hpo/tuned/algorithms/builtin"
	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/store"
	"github.com/tuned-hpo/tuned/pkg/store/storetest"
	"github.com/tuned-hpo/tuned/pkg/trialrunner"
)

// refused asserts an error of a kind that says something.
func refused(t *testing.T, what string, err, kind error, says string) {
	t.Helper()
	if !errors.Is(err, kind) || !strings.Contains(err.Error(), says) {
		t.Errorf("%s: got %v, want %v, ...%s...", what, err, kind, says)
	}
}

func TestCreate(t *testing.T) {
	r := newRig(t, builtin.Registry())
	first, err := r.Create(t.Context(), clientsOwn("e", 1, 3))
	r.must(err)
	again, err := r.Create(t.Context(), clientsOwn("e", 1, 3))
	if err != nil || again.Metadata.UID != first.Metadata.UID {
		t.Errorf("the same again: got %+v, %v; want it as it stands", again, err)
	}
	_, err = r.Create(t.Context(), clientsOwn("e", 1, 4))
	refused(t, "another", err, ErrExists, "spec.maxTrialCount was 3, now 4")
	refused(t, "another", err, ErrConflict, "")
	elsewhere := clientsOwn("e", 1, 4)
	elsewhere.Metadata.Namespace = "team"
	if _, err := r.Create(t.Context(), elsewhere); err != nil {
		t.Errorf("the same name in another namespace: %v", err)
	}
}

// TestAnEditBesideTheDriver: what was computed from an experiment that an edit has changed since is done anew.
func TestAnEditBesideTheDriver(t *testing.T) {
	r := newRig(t, builtin.Registry())
	key := r.create(clientsOwn("e", 1, 9))
	for name, act := range map[string]func() error{
		"pause":  func() error { return r.Pause(t.Context(), key) },
		"resume": func() error { return r.Resume(t.Context(), key) },
		"enqueue": func() error {
			_, err := r.Enqueue(t.Context(), key, []experiment.Pair{{Name: "x", Value: "0.25"}}, "", "")
			return err
		},
	} {
		r.must(r.with(t.Context(), key, func(*driver) error {
			e, err := r.store.Get(t.Context(), key)
			if err != nil {
				return err
			}
			_, err = r.store.Commit(t.Context(), key, store.Change{Revision: e.Revision, Local: &experiment.Local{Dir: name}})
			return err
		}))
		if err := act(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestPauseKeepsWhatRuns(t *testing.T) {
	r := newRig(t, builtin.Registry())
	r.submit(wanted(1, 3))
	first := <-r.runner.started
	r.must(r.Pause(t.Context(), r.key))
	r.must(r.Pause(t.Context(), r.key)) // again: nothing
	r.runner.end(first, completed, 0.5)
	s := r.until("first ended", func(s Snapshot) bool { return s.Trials[0].State.Final() })
	if !s.Paused || len(s.Trials) != 1 || s.Experiment.Status.Completed() {
		t.Errorf("paused: got %+v", s)
	}
	r.must(r.Resume(t.Context(), r.key))
	r.runner.end(<-r.runner.started, completed, 0.4)
	r.runner.end(<-r.runner.started, completed, 0.3)
	s = r.until("settled", settled)
	if s.Paused {
		t.Error("it is paused after its end")
	}
	refused(t, "pause", r.Pause(t.Context(), r.key), ErrConflict, "ExperimentMaxTrialsReached")
}

// TestWhoNoLongerWaitsLeavesTheLine: else slots would be kept for nobody.
func TestWhoNoLongerWaitsLeavesTheLine(t *testing.T) {
	for name, act := range map[string]func(r *rig) error{
		"pause":  func(r *rig) error { return r.Pause(t.Context(), r.key) },
		"stop":   func(r *rig) error { return r.Stop(t.Context(), r.key, true) },
		"delete": func(r *rig) error { return r.Delete(t.Context(), r.key, "") },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, builtin.Registry())
			busy := make(chan struct{}, 100)
			r.runner.startOf = func(trialrunner.Spec) error { busy <- struct{}{}; return trialrunner.ErrBusy }
			r.submit(wanted(2, 9))
			<-busy
			r.must(act(r))
			if err := r.with(t.Context(), r.key, func(*driver) error { return nil }); err != nil && !errors.Is(err, ErrNotFound) {
				t.Fatal(err)
			}
			r.runner.mu.Lock()
			defer r.runner.mu.Unlock()
			if r.runner.left == 0 {
				t.Error("it is in the line still")
			}
		})
	}
}

func TestPauseHandsOutNothing(t *testing.T) {
	r := newRig(t, builtin.Registry())
	key := r.create(clientsOwn("e", 3, 3))
	r.must(r.Pause(t.Context(), key))
	if trials, done, err := r.Ask(t.Context(), key, 1, "x"); err != nil || done || len(trials) != 0 {
		t.Errorf("ask while paused: got %v, %t, %v", trials, done, err)
	}
	r.must(r.Resume(t.Context(), key))
	if trials, _, err := r.Ask(t.Context(), key, 1, "x"); err != nil || len(trials) != 1 {
		t.Errorf("the same request after that: got %v, %v", trials, err)
	}
}

func TestStop(t *testing.T) {
	tests := []struct {
		name    string
		told    bool // a trial has a result
		drain   bool
		state   experiment.ConditionType
		running experiment.TrialState // of the trial that runs
	}{
		{"drain with a result", true, true, experiment.Succeeded, experiment.TrialRunning},
		{"drain without", false, true, experiment.Failed, experiment.TrialRunning},
		{"at once with a result", true, false, experiment.Succeeded, experiment.TrialKilled},
		{"at once without", false, false, experiment.Failed, experiment.TrialKilled},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, builtin.Registry())
			key := r.create(clientsOwn("e", 3, 9))
			if tt.told {
				r.tell(key, r.ask1(key).Name, "0.5")
			}
			runs := r.ask1(key)
			waits, err := r.Enqueue(t.Context(), key, []experiment.Pair{{Name: "x", Value: "0.25"}}, "", "")
			r.must(err)
			r.must(r.Stop(t.Context(), key, tt.drain))
			s := r.load(key)
			if got := s.Experiment.Status; got.State() != tt.state || got.Reason() != "ExperimentStopped" {
				t.Errorf("got %s, %s; want %s, ExperimentStopped", got.State(), got.Reason(), tt.state)
			}
			r.until1(key, "ends", func(s Snapshot) bool {
				return s.Trials[runs.Number-1].State == tt.running && s.Trials[waits.Number-1].State == experiment.TrialKilled
			})
			if tt.drain {
				r.tell(key, runs.Name, "0.1")
			}
			if s := r.until1(key, "settled", settled); s.Experiment.Status.State() != tt.state {
				t.Errorf("in the end: got %s, want %s", s.Experiment.Status.State(), tt.state)
			}
		})
	}
}

// until1 is until, of another experiment than the rig's own.
func (r *rig) until1(key experiment.Key, what string, ok func(Snapshot) bool) Snapshot {
	r.t.Helper()
	other := *r
	other.key = key
	return other.until(what, ok)
}

// TestStopOfWhatRunsHere: draining lets workloads end, stopping at once ends them, also later on.
func TestStopOfWhatRunsHere(t *testing.T) {
	r := newRig(t, builtin.Registry())
	r.submit(wanted(2, 9))
	first, second := <-r.runner.started, <-r.runner.started
	r.must(r.Stop(t.Context(), r.key, true))
	r.runner.end(first, completed, 0.5)
	s := r.until("first ended", func(s Snapshot) bool { return s.Trials[0].State.Final() })
	if s.Settled || s.Trials[0].State != experiment.TrialSucceeded || s.Trials[1].State != experiment.TrialRunning {
		t.Errorf("draining: got %+v", s.Trials)
	}
	r.must(r.Stop(t.Context(), r.key, false))
	s = r.until("settled", settled)
	if got := s.Trials[1]; got.Name != second || got.State != experiment.TrialKilled || len(s.Trials) != 2 {
		t.Errorf("got %+v, want the second killed", s.Trials)
	}
}

func TestResumeAfterTheEnd(t *testing.T) {
	goal := func(e *experiment.Experiment) { e.Spec.Objective.Goal = new(0.3) }
	failures := func(e *experiment.Experiment) { e.Spec.MaxFailedTrialCount = new(int32(1)) }
	none := func(*experiment.Experiment) {}
	value := func(text string) func(*rig, experiment.Key) {
		return func(r *rig, key experiment.Key) { r.tell(key, r.ask1(key).Name, text) }
	}
	fails := func(r *rig, key experiment.Key) {
		_, err := r.Tell(t.Context(), key, Result{Trial: r.ask1(key).Name, Failed: true, Message: "no"})
		r.must(err)
	}
	tests := []struct {
		name   string
		spec   func(*experiment.Experiment)
		end    func(*rig, experiment.Key)
		reason string
		again  func(*rig, experiment.Key) // what would have ended it before
	}{
		{"goal", goal, value("0.2"), "ExperimentGoalReached", value("0.1")},
		{"failed", failures, fails, "ExperimentFailed", value("0.5")},
		{"stopped", none, func(r *rig, key experiment.Key) { r.must(r.Stop(t.Context(), key, true)) }, "ExperimentStopped", value("0.5")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, builtin.Registry())
			e := clientsOwn("e", 1, 4)
			e.Spec.ResumePolicy = experiment.Never // which is about edits
			tt.spec(e)
			key := r.create(e)
			tt.end(r, key)
			before := r.load(key)
			if got := before.Experiment.Status.Reason(); got != tt.reason {
				t.Fatalf("ended by %s, want %s", got, tt.reason)
			}
			r.must(r.Resume(t.Context(), key))
			tt.again(r, key)
			if s := r.load(key); s.Experiment.Status.State() != experiment.Running {
				t.Errorf("after one more: got %s, %s; want Running", s.Experiment.Status.State(), s.Experiment.Status.Reason())
			}
			for len(r.load(key).Trials) < 4 {
				value("0.5")(r, key)
			}
			s := r.load(key)
			if got := s.Experiment.Status.Reason(); got != "ExperimentMaxTrialsReached" {
				t.Errorf("in the end: got %s", got)
			}
			for i, was := range before.Trials {
				if !equal(was, s.Trials[i]) {
					t.Errorf("trial %d changed: %+v, %+v", i+1, was, s.Trials[i])
				}
			}
			refused(t, "resume", r.Resume(t.Context(), key), ErrConflict, "all of its 4 trials are used up; extend maxTrialCount")
		})
	}
}

func TestANewFailureEndsAResumedExperiment(t *testing.T) {
	r := newRig(t, builtin.Registry())
	e := clientsOwn("e", 1, 9)
	e.Spec.MaxFailedTrialCount = new(int32(2))
	key := r.create(e)
	for round := range 2 {
		for range 2 {
			_, err := r.Tell(t.Context(), key, Result{Trial: r.ask1(key).Name, Failed: true})
			r.must(err)
		}
		if got := r.load(key).Experiment.Status.Reason(); got != "ExperimentFailed" {
			t.Errorf("round %d: got %s, want ExperimentFailed", round, got)
		}
		r.must(r.Resume(t.Context(), key))
	}
}

func TestExtend(t *testing.T) {
	r := newRig(t, builtin.Registry())
	e := clientsOwn("e", 1, 1)
	e.Spec.ResumePolicy = experiment.Never
	key := r.create(e)
	r.tell(key, r.ask1(key).Name, "0.5")
	r.must(r.Extend(t.Context(), key, Budget{MaxTrials: new(int32(3)), Parallel: new(int32(2))}))
	second, third := r.ask1(key), r.ask1(key)
	r.must(r.Extend(t.Context(), key, Budget{MaxTrials: new(int32(2))})) // below what there is: nothing is lost
	r.tell(key, second.Name, "0.4")
	if got := r.load(key); got.Experiment.Status.Completed() != true || got.Trials[2].State != experiment.TrialRunning {
		t.Errorf("lowered: got %s, trial 3 %s; want it ended, and draining", got.Experiment.Status.State(), got.Trials[2].State)
	}
	r.tell(key, third.Name, "0.3")
	s := r.load(key)
	if !s.Settled || s.Best.Number != 3 || s.Experiment.Status.Trials != 3 {
		t.Errorf("in the end: got %+v", s)
	}
	for _, tt := range []struct {
		name string
		b    Budget
		says string
	}{
		{"none at all", Budget{MaxTrials: new(int32(0))}, "spec.maxTrialCount"},
		{"negative", Budget{MaxFailed: new(int32(-1))}, "spec.maxFailedTrialCount"},
		{"more at a time than there may be", Budget{Parallel: new(int32(99))}, "spec.parallelTrialCount"},
		{"no time", Budget{Duration: new(time.Duration(0))}, "spec.tuned.maxDuration"},
		{"cost of nothing", Budget{Cost: new(1.0)}, "how costs are counted"},
	} {
		refused(t, tt.name, r.Extend(t.Context(), key, tt.b), ErrInvalid, tt.says)
	}
	if again := r.load(key); !equal(again.Experiment.Spec, s.Experiment.Spec) {
		t.Error("a refused budget changed the spec")
	}
}

func TestExtendAfterAnotherEnd(t *testing.T) {
	r := newRig(t, builtin.Registry())
	e := clientsOwn("e", 1, 3)
	e.Spec.Objective.Goal = new(0.3)
	key := r.create(e)
	r.tell(key, r.ask1(key).Name, "0.1")
	r.must(r.Extend(t.Context(), key, Budget{MaxTrials: new(int32(5))}))
	if got := r.load(key).Experiment.Status.Reason(); got != "ExperimentGoalReached" {
		t.Errorf("got %s, want its goal to end it until it is resumed", got)
	}
	failing := clientsOwn("failing", 1, 5)
	failing.Spec.MaxFailedTrialCount = new(int32(1))
	key = r.create(failing)
	_, err := r.Tell(t.Context(), key, Result{Trial: r.ask1(key).Name, Failed: true})
	r.must(err)
	r.must(r.Extend(t.Context(), key, Budget{MaxFailed: new(int32(2))}))
	if got := r.load(key).Experiment.Status.State(); got != experiment.Restarting && got != experiment.Running {
		t.Errorf("more failures allowed: got %s, want it to go on", got)
	}
}

func TestDelete(t *testing.T) {
	r := newRig(t, builtin.Registry())
	r.submit(wanted(2, 9))
	<-r.runner.started
	<-r.runner.started
	was := r.load(r.key)
	r.must(r.Annotate(t.Context(), r.key, "1", Note{Text: new("mine")}))
	refused(t, "wrong uid", r.Delete(t.Context(), r.key, "nobody's"), ErrConflict, "nobody's")
	changes, err := r.Feed(t.Context(), "")
	r.must(err)
	r.must(r.Delete(t.Context(), r.key, was.Experiment.Metadata.UID))
	for c := range changes {
		if c.Deleted {
			break
		}
	}
	_, err = r.Load(t.Context(), r.key)
	refused(t, "load", err, ErrNotFound, "")
	if stop, err := r.ShouldStop(t.Context(), r.key, was.Trials[0].Name); err != nil || !stop.Stop {
		t.Errorf("should stop: got %+v, %v", stop, err)
	}
	if len(r.runner.world.workloads) != 0 || r.runner.world.purged != 1 {
		t.Errorf("left: %v, purged %d times", r.runner.world.workloads, r.runner.world.purged)
	}
	refused(t, "again", r.Delete(t.Context(), r.key, ""), ErrNotFound, "")

	r.submit(wanted(2, 9)) // of the same name
	<-r.runner.started
	<-r.runner.started
	is := r.load(r.key)
	if is.Experiment.Metadata.UID == was.Experiment.Metadata.UID || is.Trials[0].Name == was.Trials[0].Name || is.Trials[0].Note.Text != "" {
		t.Errorf("the new one has something of the old one: %+v", is)
	}
	_, _, err = r.Stream(t.Context(), Reporter{
		Experiment: r.key, UID: was.Experiment.Metadata.UID, Trial: was.Trials[0].Name, Attempt: 1, Source: "agent",
	})
	refused(t, "an agent of the old one", err, ErrConflict, "earlier")
}

// TestDeleteGoesOnAfterACrash deletes with a daemon that dies at the n-th call of its runner and store.
func TestDeleteGoesOnAfterACrash(t *testing.T) {
	for n := 1; n <= 8; n++ {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			s := newSimulated(t, wanted(2, 9))
			s.settle()
			s.world.left, s.world.after = n, n%2 == 0
			err := s.driver.amend(t.Context(), func(d *draft) error { d.e.Control.Deleting = true; return nil })
			if err != nil {
				s.boot()
				if err := s.driver.amend(t.Context(), func(d *draft) error { d.e.Control.Deleting = true; return nil }); err != nil {
					t.Fatal(err)
				}
			}
			for range 20 {
				err := s.driver.settle(t.Context())
				if errors.Is(err, errGone) {
					break
				}
				if err == nil {
					continue
				}
				if s.world.left = -1; s.load() {
					continue
				}
				break
			}
			if _, err := s.store.Get(t.Context(), s.driver.key); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("get: got %v, want %v", err, store.ErrNotFound)
			}
			if len(s.world.workloads) > 0 || s.world.purged == 0 {
				t.Errorf("left: %v, purged %d times", s.world.workloads, s.world.purged)
			}
		})
	}
}

func TestStopTrial(t *testing.T) {
	r := newRig(t, builtin.Registry())
	r.submit(wanted(2, 3))
	first, second := <-r.runner.started, <-r.runner.started
	got, err := r.StopTrial(t.Context(), r.key, "1")
	if err != nil || got.Name != first || !got.Stopping {
		t.Errorf("stop: got %+v, %v", got, err)
	}
	if stop, err := r.ShouldStop(t.Context(), r.key, first); err != nil || !stop.Stop {
		t.Errorf("should stop: got %+v, %v", stop, err)
	}
	s := r.until("stopped", func(s Snapshot) bool { return s.Trials[0].State.Final() })
	if got := s.Trials[0]; got.State != experiment.TrialKilled || got.Attempt != 1 || got.Message != "stopped on request" {
		t.Errorf("got %+v, want it killed and not started anew", got)
	}
	r.runner.end(<-r.runner.started, completed, 0.5)
	r.runner.end(second, completed, 0.4)
	r.until("settled", settled)
	if again, err := r.StopTrial(t.Context(), r.key, first); err != nil || again.State != experiment.TrialKilled {
		t.Errorf("again: got %+v, %v", again, err)
	}
	_, err = r.StopTrial(t.Context(), r.key, "nobody")
	refused(t, "nobody", err, ErrNotFound, "")
}

func TestStopTrialOfAClient(t *testing.T) {
	r := newRig(t, builtin.Registry())
	key := r.create(clientsOwn("e", 1, 2))
	first := r.ask1(key)
	_, _, err := r.ReportTrial(t.Context(), key, first.Name, loss("0.7"))
	r.must(err)
	got, err := r.StopTrial(t.Context(), key, first.Name)
	if err != nil || got.State != experiment.TrialEarlyStopped || len(got.Observation.Metrics) == 0 || got.Observation.Metrics[0].Latest != "0.7" {
		t.Errorf("got %+v, %v; want it stopped early with what it measured", got, err)
	}
	acked, stop, err := r.ReportTrial(t.Context(), key, first.Name, loss("0.6"))
	if err != nil || acked != 1 || !stop.Stop {
		t.Errorf("report after that: got %d, %+v, %v", acked, stop, err)
	}
	_, err = r.Tell(t.Context(), key, Result{Trial: first.Name, Measurements: loss("0.6")})
	refused(t, "tell after that", err, ErrConflict, "EarlyStopped")
	r.ask1(key) // its place is free
}

func TestAWorkloadThatIsLostWhileItIsStopped(t *testing.T) {
	e := running(1, 4)
	stopping := trials(experiment.TrialRunning)
	stopping[0].Stopping = true
	lost := workload("a", 1, trialrunner.Lost, "")
	got := Plan(View{Experiment: e, Trials: stopping, Workloads: []trialrunner.Workload{lost}})
	if len(got.Finish) != 1 || len(got.Retry) != 0 {
		t.Errorf("got %+v, want it to end", got)
	}
	if o := judge(stopping[0], lost, experiment.Observation{}, 0, &e.Spec); o.state != experiment.TrialKilled {
		t.Errorf("got %+v, want Killed", o)
	}
}

// vanishing is a store in which another experiment has the name, once, and is deleted right then.
type vanishing struct {
	store.Store
	seen atomic.Bool
}

func (v *vanishing) Create(ctx context.Context, e *experiment.Experiment) error {
	if !v.seen.Swap(true) {
		return fmt.Errorf("create: %w", store.ErrConflict)
	}
	return v.Store.Create(ctx, e)
}

// TestCreateBesideDelete: who creates what is being deleted just then has it created.
func TestCreateBesideDelete(t *testing.T) {
	r, stop, ended := startRig(t, &vanishing{Store: storetest.NewMemory()}, builtin.Registry())
	defer func() { stop(); r.must(<-ended) }()
	if e, err := r.Create(t.Context(), clientsOwn("e", 1, 3)); err != nil || e.Metadata.UID == "" {
		t.Errorf("got %v, %v", e, err)
	}
}
