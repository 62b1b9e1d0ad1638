package tuner

import (
	"context"
	"io"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/tuned-hpo/tuned/algorithms"
	"github.com/tuned-hpo/tuned/algorithms/builtin"
	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/store"
	"github.com/tuned-hpo/tuned/pkg/store/storetest"
	"github.com/tuned-hpo/tuned/pkg/trialrunner"
)

// manual is a runner whose workloads end when the test says so. It is safe for concurrent use.
type manual struct {
	mu      sync.Mutex
	world   world
	changed chan experiment.Key
	startOf func(trialrunner.Spec) error // nil: starts
	started chan string
	left    int // calls of Leave
}

func newManual() *manual {
	return &manual{changed: make(chan experiment.Key, 100), started: make(chan string, 100), world: world{
		fuse: &fuse{left: -1}, workloads: map[Target]*trialrunner.Workload{}, started: map[Target]bool{},
		measured: map[Target][]experiment.Measurement{}, ended: map[string]bool{},
	}}
}

func (m *manual) Start(ctx context.Context, s trialrunner.Spec) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.startOf != nil {
		if err := m.startOf(s); err != nil {
			return err
		}
	}
	if err := m.world.Start(ctx, s); err != nil {
		return err
	}
	m.started <- s.Trial
	return nil
}

func (m *manual) Stop(ctx context.Context, k experiment.Key, trial string, attempt int) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.changed <- k
	return m.world.Stop(ctx, k, trial, attempt)
}

func (m *manual) List(ctx context.Context, k experiment.Key) ([]trialrunner.Workload, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.world.List(ctx, k)
}

func (m *manual) Leftover(ctx context.Context, k experiment.Key, trial string, attempt int, after uint64) ([]experiment.Measurement, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.world.Leftover(ctx, k, trial, attempt, after)
}

func (m *manual) Remove(ctx context.Context, k experiment.Key, trial string, attempt int) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.world.Remove(ctx, k, trial, attempt)
}

func (m *manual) Leave(experiment.Key) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.left++
}

func (m *manual) Log(ctx context.Context, k experiment.Key, trial string, attempt int, tail int64, follow bool) (io.ReadCloser, error) {
	return m.world.Log(ctx, k, trial, attempt, tail, follow)
}

func (m *manual) Purge(ctx context.Context, k experiment.Key) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.world.Purge(ctx, k)
}

func (m *manual) Changed() <-chan experiment.Key { return m.changed }
func (m *manual) Close() error                   { return nil }

// busy reports whether a workload runs.
func (m *manual) busy() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.world.alive()) > 0
}

// end ends a trial's workload with values of the objective.
func (m *manual) end(trial string, exit trialrunner.Exit, values ...float64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	target := Target{trial, 1}
	for i, v := range values {
		m.world.measured[target] = append(m.world.measured[target], experiment.Measurement{Seq: uint64(i + 1), Metric: "loss", Value: v, Text: strconv.FormatFloat(v, 'g', -1, 64)})
	}
	l := m.world.workloads[target]
	l.Phase, l.Exit = trialrunner.Exited, exit
	if !m.world.damaged {
		l.LastSeq = uint64(len(values))
	}
	m.changed <- experiment.Key{Namespace: "default", Name: "sim"}
}

// rig is a tuner at work.
type rig struct {
	*Tuner
	t      *testing.T
	runner *manual
	store  store.Store
	key    experiment.Key
}

func newRig(t *testing.T, registry *algorithms.Registry) *rig {
	t.Helper()
	r, stop, ended := startRig(t, storetest.NewMemory(), registry)
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("run: %v", err)
		}
	})
	return r
}

// startRig returns a rig on a store. stop ends its Run, and ended yields what that returned.
func startRig(t *testing.T, s store.Store, registry *algorithms.Registry) (r *rig, stop func(), ended <-chan error) {
	t.Helper()
	return startRigOn(t, s, newManual(), registry)
}

// startRigOn is startRig with a runner of an earlier life.
func startRigOn(t *testing.T, s store.Store, m *manual, registry *algorithms.Registry) (r *rig, stop func(), ended <-chan error) {
	t.Helper()
	return startRigAs(t, s, m, m, registry)
}

// startRigAs is startRigOn with what the tuner takes for the runner.
func startRigAs(t *testing.T, s store.Store, m *manual, as trialrunner.Runner, registry *algorithms.Registry) (r *rig, stop func(), ended <-chan error) {
	t.Helper()
	r = &rig{t: t, runner: m, store: s, key: experiment.Key{Namespace: "default", Name: "sim"}}
	tn, err := New(Config{Store: s, Runner: as, Algorithms: registry, Pruners: builtin.Pruners(), Now: time.Now, Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	r.Tuner = tn
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- tn.Run(ctx) }()
	return r, cancel, done
}

func wanted(parallel, budget int32) *experiment.Experiment {
	e := running(parallel, budget)
	e.Status = experiment.Status{}
	e.Metadata = experiment.Metadata{Name: "sim", Namespace: "default"}
	e.Spec.Objective.MetricStrategies = []experiment.MetricStrategy{{Name: "loss", Value: "min"}}
	e.Spec.Algorithm = &experiment.Algorithm{AlgorithmName: "random"}
	e.Spec.Parameters = []experiment.ParameterSpec{{
		Name: "x", ParameterType: "double",
		FeasibleSpace: experiment.FeasibleSpace{Min: "0", Max: "1"},
	}}
	e.Spec.ResumePolicy = experiment.LongRunning
	e.Spec.MetricsCollectorSpec = &experiment.MetricsCollectorSpec{Collector: &experiment.Collector{Kind: experiment.StdOut}}
	e.Local.Command = []string{"train", "${trialParameters.x}"}
	return e
}

func (r *rig) submit(e *experiment.Experiment) {
	r.t.Helper()
	if _, err := r.Submit(r.t.Context(), e); err != nil {
		r.t.Fatal(err)
	}
}

// patience bounds how long a test waits for what must happen, on the busiest of machines.
const patience = 5 * time.Minute

// until waits for a snapshot of which ok holds.
func (r *rig) until(what string, ok func(Snapshot) bool) Snapshot {
	r.t.Helper()
	changes, cancel := r.Watch(r.key)
	defer cancel()
	deadline := time.After(patience)
	for {
		s, err := r.Snapshot(r.key)
		if err != nil {
			r.t.Fatal(err)
		}
		if ok(s) {
			return s
		}
		select {
		case <-changes:
		case <-deadline:
			r.t.Fatalf("%s: never so; last %+v", what, s)
		}
	}
}

func settled(s Snapshot) bool { return s.Settled }

var completed = trialrunner.Exit{Reason: "Completed"}
