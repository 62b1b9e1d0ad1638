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
	c = &clocks{}
	r = &rig{t: t, runner: newManual(), store: s, key: experiment.Key{Namespace: "default", Name: "sim"}}
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
