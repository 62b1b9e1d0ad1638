package tuner

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/tuned-hpo/tuned/algorithms/builtin"
	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/store"
	"github.com/tuned-hpo/tuned/pkg/store/storetest"
)

// clocks are set by a test.
type clocks struct {
	wall   atomic.Int64 // nanoseconds by which the wall clock is off
	uptime atomic.Int64 // nanoseconds
}

// timed returns a rig whose clocks are set by the test. stop ends it.
func timed(t *testing.T, s store.Store) (r *rig, c *clocks, stop func()) {
	t.Helper()
	return timedOn(t, s, newManual())
}

// timedOn is timed with a runner of an earlier life.
func timedOn(t *testing.T, s store.Store, m *manual) (r *rig, c *clocks, stop func()) {
	t.Helper()
	c = &clocks{}
	r = &rig{t: t, runner: m, store: s, key: experiment.Key{Namespace: "default", Name: "sim"}}
	var err error
	r.Tuner, err = New(Config{
		Store: s, Runner: r.runner, Algorithms: builtin.Registry(), Log: zerolog.Nop(),
		Now:    func() time.Time { return time.Now().Add(time.Duration(c.wall.Load())) },
		Uptime: func() time.Duration { return time.Duration(c.uptime.Load()) },
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	return r, c, func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("run: %v", err)
		}
	}
}

// pass lets time pass for an experiment, which its driver sees.
func (r *rig) pass(c *clocks, key experiment.Key, by time.Duration) {
	r.t.Helper()
	c.uptime.Add(int64(by))
	r.must(r.with(r.t.Context(), key, func(*driver) error { return nil }))
	r.must(r.with(r.t.Context(), key, func(*driver) error { return nil })) // when this runs, the first was looked at
}

// TestMaxDurationWithoutTrials: time is used up though nobody has ever asked for a trial.
func TestMaxDurationWithoutTrials(t *testing.T) {
	r, c, stop := timed(t, storetest.NewMemory())
	defer stop()
	e := clientsOwn("e", 1, 9)
	e.Spec.Tuned = &experiment.Extension{MaxDuration: new(experiment.Duration(time.Hour))}
	key := r.create(e)
	r.pass(c, key, 59*time.Minute)
	if s := r.load(key); s.Experiment.Status.State() != experiment.Created {
		t.Errorf("before its time is up: got %s, want it %s", s.Experiment.Status.State(), experiment.Created)
	}
	r.pass(c, key, time.Minute)
	if s := r.load(key); s.Experiment.Status.Reason() != "ExperimentMaxDurationReached" {
		t.Errorf("its time is up: got %s, want its end", s.Experiment.Status.Reason())
	}
}

func TestMaxDuration(t *testing.T) {
	s := storetest.NewMemory()
	r, c, stop := timed(t, s)
	e := clientsOwn("e", 1, 9)
	e.Spec.Tuned = &experiment.Extension{MaxDuration: new(experiment.Duration(time.Hour))}
	key := r.create(e)
	first := r.ask1(key)
	r.pass(c, key, 30*time.Minute)
	for _, day := range []time.Duration{24 * time.Hour, -48 * time.Hour} {
		c.wall.Add(int64(day)) // nobody's time passes
		r.pass(c, key, 0)
	}
	r.must(r.Pause(t.Context(), key))
	r.pass(c, key, 10*time.Hour)
	if s := r.load(key); !s.Paused || s.Elapsed != 30*time.Minute || s.Experiment.Status.Completed() {
		t.Errorf("paused: got %s, %s; want 30m and no end", s.Elapsed, s.Experiment.Status.State())
	}
	r.must(r.Resume(t.Context(), key))
	stop()

	r, c, stop = timed(t, s) // hours later: while it is down, no time passes
	defer stop()
	r.must(r.Start(t.Context()))
	r.pass(c, key, 29*time.Minute)
	if s := r.load(key); s.Elapsed != 59*time.Minute || s.Experiment.Status.Completed() {
		t.Errorf("after a restart: got %s, %s; want 59m and no end", s.Elapsed, s.Experiment.Status.State())
	}
	r.pass(c, key, time.Minute)
	if s := r.load(key); s.Experiment.Status.Reason() != "ExperimentMaxDurationReached" || s.Trials[0].State != experiment.TrialRunning {
		t.Errorf("after an hour: got %s, trial %s; want the end of it, draining", s.Experiment.Status.Reason(), s.Trials[0].State)
	}
	r.tell(key, first.Name, "0.5")
	refused(t, "resume", r.Resume(t.Context(), key), ErrConflict, "time of 1h0m0s is used up; extend maxDuration")
	r.must(r.Extend(t.Context(), key, Budget{Duration: new(2 * time.Hour)}))
	r.ask1(key)
	r.pass(c, key, time.Hour)
	if s := r.load(key); !s.Experiment.Status.Succeeded() || s.Elapsed != 2*time.Hour {
		t.Errorf("after two: got %s, %s", s.Experiment.Status.State(), s.Elapsed)
	}
}

// TestTimeIsStored: a daemon that is shut down forgets no time, one that is killed little.
func TestTimeIsStored(t *testing.T) {
	for name, x := range map[string]*experiment.Extension{
		"duration": {MaxDuration: new(experiment.Duration(time.Hour))},
		"cost":     {Cost: &experiment.Cost{PerHour: new(2.0)}},
		"shown":    nil,
	} {
		t.Run(name, func(t *testing.T) {
			s := storetest.NewMemory()
			e := clientsOwn("e", 1, 9)
			e.Spec.Tuned = x
			lost := saveTime(&e.Spec)
			var used time.Duration
			for life := range 3 {
				r, c, stop := timed(t, s)
				key := e.Key()
				if life == 0 {
					key = r.create(e)
					r.ask1(key)
				}
				r.must(r.Start(t.Context()))
				for _, by := range []time.Duration{time.Millisecond, 700 * time.Millisecond, 3 * time.Second, time.Second, 100 * time.Second, time.Second} {
					r.pass(c, key, by)
					used += by
					if got, is := storedOf(t, s, key), r.load(key); is.Elapsed != used || got.Elapsed <= used-lost || got.Cost > is.Cost {
						t.Fatalf("stored %s (a cost of %g), shown %s (%g), used %s: want what is used, and at most %s less stored",
							got.Elapsed, got.Cost, is.Elapsed, is.Cost, used, lost)
					}
				}
				stop()
				if got := storedOf(t, s, key); got.Elapsed != used || time.Duration(got.Experiment.Control.TrialTime) != used {
					t.Fatalf("after a shutdown: got %s, trials %s; want %s", got.Elapsed, time.Duration(got.Experiment.Control.TrialTime), used)
				}
			}
		})
	}
}

// storedOf is what a daemon finds that is started after a kill.
func storedOf(t *testing.T, s store.Store, key experiment.Key) Snapshot {
	t.Helper()
	is, err := importer(t, s).Snapshot(key)
	if err != nil {
		t.Fatal(err)
	}
	return is
}

// TestTimeUnderAgents: a trial that runs on while no daemon is there costs as if one were.
func TestTimeUnderAgents(t *testing.T) {
	s, m := storetest.NewMemory(), newManual()
	e := wanted(2, 2)
	e.Spec.Tuned = &experiment.Extension{MaxDuration: new(experiment.Duration(9 * time.Hour)), Cost: &experiment.Cost{PerHour: new(1.0)}}
	r, c, stop := timedOn(t, s, m)
	r.submit(e)
	ended, runs := <-m.started, <-m.started
	r.until("both run", func(s Snapshot) bool { return s.Experiment.Status.TrialsRunning == 2 })
	r.pass(c, r.key, time.Second)
	stop()

	begin := storedOf(t, s, r.key).Experiment.Control.Saved
	m.mu.Lock()
	m.world.workloads[Target{runs, 1}].Started = begin.Add(-time.Hour) // which is counted already
	m.world.workloads[Target{ended, 1}].Started = begin.Add(-time.Hour)
	m.world.workloads[Target{ended, 1}].Finished = begin.Add(time.Hour)
	m.mu.Unlock()
	m.end(ended, completed, 0.5)
	r, c, stop = timedOn(t, s, m)
	defer stop()
	c.wall.Add(int64(3 * time.Hour))
	r.must(r.Start(t.Context()))
	after := r.until("one has ended", func(s Snapshot) bool { return s.Experiment.Status.TrialsSucceeded == 1 })
	// One ran for an hour, the other one for three; the test itself took well under 0.1 h.
	if after.Cost < 4 || after.Cost > 4.1 || after.Elapsed != time.Second {
		t.Errorf("got a cost of %g, driven for %s; want 4 and 1s", after.Cost, after.Elapsed)
	}
	m.end(runs, completed, 0.4)
	if last := r.until("both have ended", settled); last.Cost < after.Cost || last.Cost > 4.1 {
		t.Errorf("in the end a cost of %g, want it counted once, %g", last.Cost, after.Cost)
	}
}

// TestTimeWakesTheDriver: nothing but time happens.
func TestTimeWakesTheDriver(t *testing.T) {
	r := newRig(t, builtin.Registry())
	e := wanted(1, 9)
	e.Spec.Tuned = &experiment.Extension{
		MaxDuration: new(experiment.Duration(50 * time.Millisecond)), OnCompletion: experiment.Kill,
	}
	r.submit(e)
	s := r.until("ended", settled)
	if s.Experiment.Status.Reason() != "ExperimentMaxDurationReached" || s.Trials[0].State != experiment.TrialKilled {
		t.Errorf("got %s, trial %s", s.Experiment.Status.Reason(), s.Trials[0].State)
	}
}

func TestCostByTheHour(t *testing.T) {
	r, c, stop := timed(t, storetest.NewMemory())
	defer stop()
	e := clientsOwn("e", 2, 9)
	e.Spec.Tuned = &experiment.Extension{Cost: &experiment.Cost{Max: new(10.0), PerHour: new(2.0)}}
	key := r.create(e)
	r.pass(c, key, 100*time.Hour) // no trial runs
	first, second := r.ask1(key), r.ask1(key)
	r.pass(c, key, time.Hour)
	r.tell(key, first.Name, "0.5")
	r.must(r.Pause(t.Context(), key)) // what runs costs
	r.pass(c, key, 2*time.Hour)
	if s := r.load(key); s.Cost != 8 || s.Experiment.Status.Completed() {
		t.Errorf("got a cost of %g, %s; want 8", s.Cost, s.Experiment.Status.State())
	}
	r.pass(c, key, time.Hour)
	if s := r.load(key); s.Cost != 10 || s.Experiment.Status.Reason() != "ExperimentMaxCostReached" {
		t.Errorf("got a cost of %g, %s; want 10 and the end", s.Cost, s.Experiment.Status.Reason())
	}
	r.tell(key, second.Name, "0.4")
	r.must(r.Extend(t.Context(), key, Budget{Cost: new(11.0)}))
	r.ask1(key)
}

func TestCostByAMetric(t *testing.T) {
	r := newRig(t, builtin.Registry())
	e := clientsOwn("e", 1, 9)
	e.Spec.Objective.MetricStrategies = nil
	e.Spec.Tuned = &experiment.Extension{Cost: &experiment.Cost{Max: new(5.0), Metric: "euros"}}
	experiment.SetDefaults(e)
	key := r.create(e)
	for _, euros := range []string{"1", "NaN", "-3", "2.5"} {
		ms := append(loss("0.5"), experiment.Measurement{Seq: 2, Metric: "euros", Text: "0"}, experiment.Measurement{Seq: 3, Metric: "euros", Text: euros})
		_, err := r.Tell(t.Context(), key, Result{Trial: r.ask1(key).Name, Measurements: ms})
		r.must(err)
	}
	if s := r.load(key); s.Cost != 3.5 || s.Experiment.Status.Completed() {
		t.Errorf("got a cost of %g, %s; want 3.5", s.Cost, s.Experiment.Status.State())
	}
	ms := append(loss("0.5"), experiment.Measurement{Seq: 2, Metric: "euros", Text: "1.5"})
	_, err := r.Tell(t.Context(), key, Result{Trial: r.ask1(key).Name, Failed: true, Measurements: ms})
	r.must(err)
	if s := r.load(key); s.Experiment.Status.Reason() != "ExperimentMaxCostReached" {
		t.Errorf("got a cost of %g, %s; want the end", s.Cost, s.Experiment.Status.Reason())
	}
}

// TestClocksThatJump: no trial of a client ends because the clock was set.
func TestClocksThatJump(t *testing.T) {
	r, c, stop := timed(t, storetest.NewMemory())
	defer stop()
	e := clientsOwn("e", 2, 9)
	e.Spec.Tuned = &experiment.Extension{TrialTimeout: new(experiment.Duration(time.Hour))}
	key := r.create(e)
	r.ask1(key)
	second := r.ask1(key)
	for _, day := range []time.Duration{24 * time.Hour, -48 * time.Hour} {
		c.wall.Add(int64(day))
		r.pass(c, key, time.Minute)
	}
	if got := r.tell(key, second.Name, "0.5"); got.Finished.Before(got.Started) || got.Started.Before(got.Created) {
		t.Errorf("created %s, started %s, finished %s: want them in order", got.Created, got.Started, got.Finished)
	}
	if got := r.load(key).Trials[0].State; got != experiment.TrialRunning {
		t.Errorf("after jumps: got %s, want Running", got)
	}
	r.pass(c, key, time.Hour)
	if got := r.load(key).Trials[0]; got.Reason != "TimedOut" {
		t.Errorf("after an hour: got %s, %s; want TimedOut", got.State, got.Reason)
	}
}
