package tuner

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
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

// errCrash is what a call gets during which the daemon dies.
var errCrash = errors.New("the daemon died here")

// fuse makes the daemon die at the n-th call of its store or runner, before or after the call
// took effect.
type fuse struct {
	left  int // calls until it blows; negative: never
	after bool
}

func (f *fuse) around(act func() error) error {
	f.left--
	if f.left == 0 && !f.after {
		return errCrash
	}
	if err := act(); err != nil {
		return err
	}
	if f.left == 0 {
		return errCrash
	}
	return nil
}

// fusedStore is a store whose writes may be the daemon's last.
type fusedStore struct {
	store.Store
	*fuse
}

func (s fusedStore) Commit(ctx context.Context, k experiment.Key, c store.Change) (revision uint64, err error) {
	err = s.around(func() error { revision, err = s.Store.Commit(ctx, k, c); return err })
	return revision, err
}

func (s fusedStore) Append(ctx context.Context, stream experiment.Stream, ms []experiment.Measurement) (acked uint64, err error) {
	err = s.around(func() error { acked, err = s.Store.Append(ctx, stream, ms); return err })
	return acked, err
}

func (s fusedStore) Delete(ctx context.Context, k experiment.Key) error {
	return s.around(func() error { return s.Store.Delete(ctx, k) })
}

// world is what outlives the daemon: workloads and what they measured.
type world struct {
	*fuse
	changed   bool // a workload ended that was told to
	damaged   bool // more was measured than can be read
	workloads map[Target]*trialrunner.Workload
	order     []Target
	measured  map[Target][]experiment.Measurement
	started   map[Target]bool
	ended     map[string]bool // trials with an attempt that ended by itself
	twice     []string        // violations
	purged    int
}

func (w *world) Start(_ context.Context, s trialrunner.Spec) error {
	return w.around(func() error {
		target := Target{s.Trial, s.Attempt}
		if w.workloads[target] != nil {
			return nil
		}
		if w.started[target] || w.ended[s.Trial] {
			w.twice = append(w.twice, fmt.Sprintf("%v started again", target))
		}
		for other, o := range w.workloads {
			if other.Trial == s.Trial && o.Phase == trialrunner.Running {
				w.twice = append(w.twice, fmt.Sprintf("%v started beside %v", target, other))
			}
		}
		w.started[target] = true
		w.workloads[target] = &trialrunner.Workload{Trial: s.Trial, Attempt: s.Attempt, Phase: trialrunner.Running}
		w.order = append(w.order, target)
		return nil
	})
}

func (w *world) Stop(_ context.Context, _ experiment.Key, trial string, attempt int) error {
	return w.around(func() error {
		if l := w.workloads[Target{trial, attempt}]; l != nil && l.Phase == trialrunner.Running {
			l.Phase, l.Exit = trialrunner.Exited, trialrunner.Exit{Code: -1, Signal: "terminated", Reason: "Stopped"}
			w.changed = true
		}
		return nil
	})
}

func (w *world) List(context.Context, experiment.Key) (out []trialrunner.Workload, err error) {
	for _, target := range w.order {
		if l := w.workloads[target]; l != nil {
			out = append(out, *l)
		}
	}
	return out, nil
}

func (w *world) Leftover(_ context.Context, _ experiment.Key, trial string, attempt int, after uint64) ([]experiment.Measurement, error) {
	return w.measured[Target{trial, attempt}][after:], nil
}

func (w *world) Remove(_ context.Context, _ experiment.Key, trial string, attempt int) error {
	return w.around(func() error { delete(w.workloads, Target{trial, attempt}); return nil })
}

func (w *world) Changed() <-chan experiment.Key { return nil }
func (w *world) Close() error                   { return nil }

// alive returns the targets that run, in the order of starting.
func (w *world) alive() (out []Target) {
	for _, target := range w.order {
		if l := w.workloads[target]; l != nil && l.Phase == trialrunner.Running {
			out = append(out, target)
		}
	}
	return out
}

// host is the test that a simulation runs in.
type host interface {
	rapid.TB
	Context() context.Context
}

// simulation is one experiment in a world where the daemon dies now and then.
type simulation struct {
	t      *rapid.T // nil when nothing is drawn
	tb     host
	store  store.Store
	world  *world
	driver *driver
	final  map[uint64]experiment.Trial // as first seen final
	clock  time.Time
}

func (s *simulation) spec(algorithm string) *experiment.Experiment {
	e := running(int32(rapid.IntRange(1, 4).Draw(s.t, "parallel")), int32(rapid.IntRange(1, 12).Draw(s.t, "budget")))
	e.Metadata = experiment.Metadata{Name: "sim", Namespace: "default"}
	e.Status = experiment.Status{}
	e.Spec.Objective.MetricStrategies = []experiment.MetricStrategy{{Name: "loss", Value: "min"}}
	if rapid.Bool().Draw(s.t, "several goals") {
		e.Spec.Tuned = &experiment.Extension{
			Objectives:  []experiment.FurtherObjective{{MetricName: "speed", Type: "maximize"}},
			Constraints: []experiment.Constraint{{MetricName: "size", Max: new(0.5)}},
		}
	}
	experiment.SetDefaults(e)
	if rapid.Bool().Draw(s.t, "goal") {
		goal := 0.1
		e.Spec.Objective.Goal = &goal
	}
	if rapid.Bool().Draw(s.t, "failures end it") {
		failed := int32(2)
		e.Spec.MaxFailedTrialCount = &failed
	}
	e.Spec.Algorithm = &experiment.Algorithm{AlgorithmName: algorithm}
	e.Spec.Parameters = []experiment.ParameterSpec{{
		Name: "x", ParameterType: "int",
		FeasibleSpace: experiment.FeasibleSpace{Min: "1", Max: "8"},
	}}
	e.Local.Command = []string{"train", "${trialParameters.x}"}
	return e
}

// newSimulated returns a simulation of an experiment, in which nothing is drawn.
func newSimulated(t host, e *experiment.Experiment) *simulation {
	s := &simulation{
		tb: t, store: storetest.NewMemory(), final: map[uint64]experiment.Trial{}, clock: time.Unix(1e9, 0),
		world: &world{
			fuse: &fuse{left: -1}, workloads: map[Target]*trialrunner.Workload{},
			measured: map[Target][]experiment.Measurement{}, started: map[Target]bool{}, ended: map[string]bool{},
		},
	}
	e.Metadata.UID = "u1"
	e.Status = experiment.NewStatus(s.clock)
	if err := s.store.Create(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	s.boot()
	return s
}

// load has the daemon read the experiment; false when it is gone.
func (s *simulation) load() bool {
	err := s.driver.load(s.tb.Context())
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		s.tb.Fatal(err)
	}
	return err == nil
}

// boot starts the daemon anew.
func (s *simulation) boot() {
	s.world.left = -1
	t, err := New(Config{
		Store: fusedStore{s.store, s.world.fuse}, Runner: s.world, Algorithms: builtin.Registry(),
		Now: func() time.Time { s.clock = s.clock.Add(time.Second); return s.clock }, Log: zerolog.Nop(),
	})
	if err != nil {
		s.tb.Fatal(err)
	}
	s.driver = t.newDriver(experiment.Key{Namespace: "default", Name: "sim"})
	if err := s.driver.load(s.tb.Context()); err != nil {
		s.tb.Fatal(err)
	}
}

// settle lets the daemon work; when it dies it is started again until it gets through.
func (s *simulation) settle() {
	for {
		s.world.changed = false
		err := s.driver.settle(s.tb.Context())
		if err == nil && s.driver.thinking != nil {
			<-s.driver.thinking.done
			s.world.changed = true
			err = s.driver.take(s.tb.Context())
		}
		if err == nil && !s.world.changed {
			break
		}
		if err == nil {
			continue
		}
		if !errors.Is(err, errCrash) {
			s.tb.Fatalf("settle: %v", err)
		}
		s.boot()
	}
	if again := Plan(s.view()); !again.Empty() {
		s.tb.Fatalf("a second plan asks for more: %+v", again)
	}
}

func (s *simulation) view() View {
	ws, _ := s.world.List(s.tb.Context(), s.driver.key)
	return s.driver.view(ws)
}

// end ends one running workload in some way.
func (s *simulation) end() {
	alive := s.world.alive()
	if len(alive) == 0 {
		return
	}
	target := rapid.SampledFrom(alive).Draw(s.t, "ends")
	l := s.world.workloads[target]
	s.measure(target, l)
	switch rapid.SampledFrom([]string{"ok", "ok", "ok", "failed", "lost"}).Draw(s.t, "how") {
	case "ok":
		l.Phase, l.Exit = trialrunner.Exited, trialrunner.Exit{Reason: "Completed"}
		s.world.ended[target.Trial] = true
	case "failed":
		l.Phase, l.Exit = trialrunner.Exited, trialrunner.Exit{Code: 1, Reason: "ExitCode", Message: "exit code 1"}
		s.world.ended[target.Trial] = true
	case "lost":
		l.Phase = trialrunner.Lost
	}
}

// measure gives a workload some values, NaN among them, of which none to all were delivered.
func (s *simulation) measure(target Target, l *trialrunner.Workload) {
	values := rapid.SliceOfN(rapid.SampledFrom([]float64{0.05, 0.3, 0.7, math.NaN()}), 0, 6).Draw(s.t, "values")
	var ms []experiment.Measurement
	for i, v := range values {
		metric := rapid.SampledFrom([]string{"loss", "loss", "speed", "size"}).Draw(s.t, "metric")
		ms = append(ms, experiment.Measurement{Seq: uint64(i + 1), Metric: metric, Value: v, Text: strconv.FormatFloat(v, 'g', -1, 64)})
	}
	s.world.measured[target] = ms
	l.LastSeq = uint64(len(ms))
	delivered := ms[:rapid.IntRange(0, len(ms)).Draw(s.t, "delivered")]
	if len(delivered) == 0 {
		return
	}
	number := uint64(0)
	for i := range s.driver.trials {
		if s.driver.trials[i].Name == target.Trial {
			number = s.driver.trials[i].Number
		}
	}
	stream := experiment.Stream{Experiment: s.driver.key, Number: number, Attempt: target.Attempt, Source: "agent"}
	if _, err := s.store.Append(s.t.Context(), stream, delivered); err != nil {
		s.t.Fatalf("deliver to %v: %v", target, err)
	}
}

// check asserts what must hold at any moment.
func (s *simulation) check() {
	e := s.driver.e
	if len(s.world.twice) > 0 {
		s.t.Fatalf("a trial ran twice: %v", s.world.twice)
	}
	if n := len(s.world.alive()); n > parallel(&e.Spec) {
		s.t.Fatalf("%d workloads run, want at most %d", n, parallel(&e.Spec))
	}
	stored, err := s.store.Trials(s.t.Context(), s.driver.key)
	if err != nil {
		s.t.Fatal(err)
	}
	if len(stored) > int(*e.Spec.MaxTrialCount) {
		s.t.Fatalf("%d trials created, budget %d", len(stored), *e.Spec.MaxTrialCount)
	}
	for _, trial := range stored {
		first, seen := s.final[trial.Number]
		if !seen && trial.State.Final() {
			s.final[trial.Number] = trial
		}
		if seen && !equal(first, trial) {
			s.t.Fatalf("final trial changed:\n%+v\n%+v", first, trial)
		}
		if trial.State.Final() {
			s.checkMeasured(trial)
		}
	}
	s.checkBest(stored)
}

// checkBest asserts that what the status says of the best is what the stored trials say.
func (s *simulation) checkBest(stored []experiment.Trial) {
	spec, status := &s.driver.e.Spec, &s.driver.e.Status
	tally := experiment.NewTally(spec, stored)
	best, ok := tally.Best()
	if o := status.CurrentOptimalTrial; (o != nil) != ok || ok && o.BestTrialName != best.Name {
		s.t.Fatalf("status names %+v as the best, want %s", o, best.Name)
	}
	if ok && !spec.Feasible(spec.ValueOf(&best)) {
		s.t.Fatalf("the best does not keep the constraints: %+v", best)
	}
	if x := status.Tuned; (x != nil) != (spec.Tuned != nil) || x != nil && int(x.TrialsOnFront+x.TrialsInfeasible) != len(tally.Front())+tally.Infeasible() {
		s.t.Fatalf("status says %+v, want %d on the front, %d infeasible", x, len(tally.Front()), tally.Infeasible())
	}
}

// checkMeasured asserts that a finished trial kept all that its workload measured.
func (s *simulation) checkMeasured(trial experiment.Trial) {
	ms, err := s.driver.measurements(s.t.Context(), trial.Number, trial.Attempt)
	if err != nil {
		s.t.Fatal(err)
	}
	if got, want := len(ms), len(s.world.measured[Target{trial.Name, trial.Attempt}]); got != want {
		s.t.Fatalf("trial %s kept %d measurements, want %d", trial.Name, got, want)
	}
}

// TestSimulation drives experiments through random ends of trials and deaths of the daemon at
// every call of its store and runner.
func TestSimulation(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		drawn := &simulation{t: t}
		s := newSimulated(t, drawn.spec(rapid.SampledFrom([]string{"random", "sobol", "grid"}).Draw(t, "algorithm")))
		s.t = t
		for range 200 {
			s.world.left = rapid.IntRange(-1, 6).Draw(t, "dies at call")
			s.world.after = rapid.Bool().Draw(t, "after its effect")
			s.settle()
			s.check()
			if s.driver.e.Status.Completed() && len(s.world.alive()) == 0 {
				break
			}
			s.end()
		}
		s.world.left = -1
		s.settle()
		s.checkEnd()
	})
}

// checkEnd asserts that the experiment ended, for a reason that holds.
func (s *simulation) checkEnd() {
	e := s.driver.e
	if !e.Status.Completed() {
		s.t.Fatalf("not completed: %+v", e.Status)
	}
	if len(s.world.workloads) > 0 {
		s.t.Fatalf("workloads left: %v", s.world.workloads)
	}
	for _, trial := range s.driver.trials {
		if !trial.State.Final() {
			s.t.Fatalf("trial %s is still %s", trial.Name, trial.State)
		}
	}
	reason := e.Status.Conditions[len(e.Status.Conditions)-1].Reason
	if reason == "ExperimentMaxTrialsReached" && len(s.driver.trials) != int(*e.Spec.MaxTrialCount) {
		s.t.Fatalf("%d trials, budget %d", len(s.driver.trials), *e.Spec.MaxTrialCount)
	}
}

func (w *world) Leave(experiment.Key) {}

func (w *world) Log(context.Context, experiment.Key, string, int, int64, bool) (io.ReadCloser, error) {
	return io.NopCloser(strings.NewReader("printed\n")), nil
}

func (w *world) Purge(context.Context, experiment.Key) error {
	return w.around(func() error { w.purged++; return nil })
}
