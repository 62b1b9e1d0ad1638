package metrics_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/rs/zerolog"

	"github.com/tuned-hpo/tuned/algorithms/builtin"
	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/metrics"
	"github.com/tuned-hpo/tuned/pkg/observe"
	"github.com/tuned-hpo/tuned/pkg/store"
	"github.com/tuned-hpo/tuned/pkg/store/storetest"
	"github.com/tuned-hpo/tuned/pkg/trialrunner"
	"github.com/tuned-hpo/tuned/pkg/tuner"
)

// instant is a runner whose workloads end at once: the second one of an experiment with exit code 1, the
// third one without a metric, the fourth one is lost in its first attempt, all others with three measurements.
type instant struct {
	trialrunner.Runner // nil: what is not called here

	mu      sync.Mutex
	started int
	work    []trialrunner.Workload
	changed chan experiment.Key
}

func (r *instant) Start(_ context.Context, s trialrunner.Spec) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	w := trialrunner.Workload{
		Trial: s.Trial, Attempt: s.Attempt, Phase: trialrunner.Exited, Started: now, Finished: now.Add(2 * time.Second),
		LastSeq: 3, Exit: trialrunner.Exit{Reason: "Completed"},
	}
	switch r.started {
	case 1:
		w.LastSeq, w.Exit = 0, trialrunner.Exit{Code: 1, Reason: "ExitCode"}
	case 2:
		w.LastSeq = 0
	case 3:
		w.LastSeq, w.Phase = 0, trialrunner.Lost
	}
	r.started++
	r.work = append(r.work, w)
	r.changed <- s.Experiment
	return nil
}

func (r *instant) List(context.Context, experiment.Key) ([]trialrunner.Workload, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]trialrunner.Workload(nil), r.work...), nil
}

func (r *instant) Leftover(_ context.Context, _ experiment.Key, trial string, attempt int, _ uint64) (out []experiment.Measurement, _ error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, w := range r.work {
		for seq := uint64(1); w.Trial == trial && w.Attempt == attempt && seq <= w.LastSeq; seq++ {
			out = append(out, experiment.Measurement{Seq: seq, Time: time.Unix(int64(seq), 0), Metric: "loss", Text: "0.5", Value: 0.5})
		}
	}
	return out, nil
}

func (*instant) Stop(context.Context, experiment.Key, string, int) error { return nil }

func (r *instant) Remove(_ context.Context, _ experiment.Key, trial string, attempt int) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.work = slices.DeleteFunc(r.work, func(w trialrunner.Workload) bool { return w.Trial == trial && w.Attempt == attempt })
	return nil
}

func (r *instant) Changed() <-chan experiment.Key { return r.changed }

func (*instant) Purge(context.Context, experiment.Key) error { return nil }

func (*instant) Leave(experiment.Key) {}

func wanted(name string, parallel, budget int32) *experiment.Experiment {
	failed := budget
	return &experiment.Experiment{
		Metadata: experiment.Metadata{Namespace: "team", Name: name},
		Spec: experiment.Spec{
			Objective: &experiment.Objective{
				Type: "minimize", ObjectiveMetricName: "loss",
				MetricStrategies: []experiment.MetricStrategy{{Name: "loss", Value: "min"}},
			},
			Algorithm: &experiment.Algorithm{AlgorithmName: "random"},
			Parameters: []experiment.ParameterSpec{{
				Name: "x", ParameterType: "categorical", FeasibleSpace: experiment.FeasibleSpace{List: []string{"a", "b"}},
			}},
			ParallelTrialCount: &parallel, MaxTrialCount: &budget, MaxFailedTrialCount: &failed,
			MetricsCollectorSpec: &experiment.MetricsCollectorSpec{Collector: &experiment.Collector{Kind: experiment.StdOut}},
		},
	}
}

// rig is a tuner at work that is observed.
type rig struct {
	*tuner.Tuner
	t        *testing.T
	store    store.Store
	metrics  *metrics.Metrics
	registry *prometheus.Registry
}

func newRig(t *testing.T, inner store.Store) *rig {
	t.Helper()
	r := &rig{t: t, registry: prometheus.NewPedanticRegistry()}
	var err error
	r.metrics, err = metrics.New(metrics.Config{
		Registerer: r.registry, Version: "v0",
		Slots:   func() map[string]metrics.Slots { return map[string]metrics.Slots{"cpu": {Used: 1, Total: 4}} },
		Storage: func() (metrics.Storage, error) { return metrics.Storage{Used: 7, Free: 9}, nil },
		Agents:  func() int { return 3 },

		CertificateEnd: func() time.Time { return time.Unix(1_900_000_000, 0) },
	})
	r.must(err)
	r.store, err = observe.New(t.Context(), inner, time.Now, r.metrics)
	r.must(err)
	r.Tuner, err = tuner.New(tuner.Config{
		Store: r.store, Runner: &instant{changed: make(chan experiment.Key, 100)}, Algorithms: builtin.Registry(), Pruners: builtin.Pruners(),
		Now: time.Now, Log: zerolog.Nop(), Suggested: r.metrics.Suggested,
	})
	r.must(err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("run: %v", err)
		}
	})
	return r
}

func (r *rig) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

// settle submits an experiment and waits for its end.
func (r *rig) settle(e *experiment.Experiment) {
	r.t.Helper()
	_, err := r.Submit(r.t.Context(), e)
	r.must(err)
	changes, cancel := r.Watch(e.Key())
	defer cancel()
	deadline := time.After(30 * time.Second)
	for {
		s, err := r.Snapshot(e.Key())
		r.must(err)
		if s.Settled {
			return
		}
		select {
		case <-changes:
		case <-deadline:
			r.t.Fatalf("%s is never settled: %+v", e.Key(), s.Experiment.Status)
		}
	}
}

// told runs an experiment whose three trials a client evaluates.
func (r *rig) told(name string) experiment.Key {
	r.t.Helper()
	e := wanted(name, 3, 3)
	_, err := r.Submit(r.t.Context(), e)
	r.must(err)
	trials, _, err := r.Ask(r.t.Context(), e.Key(), 3, "")
	r.must(err)
	for i, t := range trials {
		result := tuner.Result{Trial: t.Name, Failed: i == 2}
		if i < 2 {
			result.Measurements = []experiment.Measurement{{Seq: 1, Metric: "loss", Text: "1", Value: 1}}
		}
		_, err := r.Tell(r.t.Context(), e.Key(), result)
		r.must(err)
	}
	return e.Key()
}

// series returns the values of all metrics, "name{label="value"}", and of histograms how many there are.
func (r *rig) series() map[string]float64 {
	r.t.Helper()
	families, err := r.registry.Gather()
	r.must(err)
	out := map[string]float64{}
	for _, f := range families {
		for _, m := range f.Metric {
			name := f.GetName()
			for _, label := range m.Label {
				name += fmt.Sprintf("{%s=%s}", label.GetName(), label.GetValue())
			}
			out[name] = value(m)
		}
	}
	return out
}

func value(m *dto.Metric) float64 {
	switch {
	case m.Counter != nil:
		return m.Counter.GetValue()
	case m.Gauge != nil:
		return m.Gauge.GetValue()
	case m.Histogram != nil:
		return float64(m.Histogram.GetSampleCount())
	}
	return 0
}

const measured = "tuned_measurements_stored_total"

// stored counts what the store has, in the words of the metrics.
func (r *rig) stored() map[string]float64 {
	r.t.Helper()
	out := map[string]float64{}
	listed, err := r.store.List(r.t.Context())
	r.must(err)
	for _, e := range listed {
		out[fmt.Sprintf("tuned_experiments{state=%s}", e.Status.State())]++
		out[fmt.Sprintf("katib_experiments_current{namespace=team}{status=%s}", e.Status.State())]++
		trials, err := r.store.Trials(r.t.Context(), e.Key())
		r.must(err)
		for _, t := range trials {
			out[fmt.Sprintf("tuned_trials{state=%s}", t.State)]++
			out[fmt.Sprintf("katib_trials_current{namespace=team}{status=%s}", t.State)]++
			for attempt := 1; attempt <= t.Attempt; attempt++ {
				for _, source := range experiment.Sources {
					ms, err := r.store.Measurements(r.t.Context(), experiment.Stream{
						Experiment: e.Key(), Number: t.Number, Attempt: attempt, Source: source,
					}, 0, 0)
					r.must(err)
					out[measured] += float64(len(ms))
				}
			}
		}
	}
	return out
}

// compare checks series against what they should be.
func (r *rig) compare(what string, got, want map[string]float64) {
	r.t.Helper()
	for name, value := range want {
		if g, ok := got[name]; !ok || g != value {
			r.t.Errorf("%s: %s: got %v, want %v", what, name, g, value)
		}
	}
}

// pauses checks that an experiment that is paused is counted as such, where Katib has no word for it.
func (r *rig) pauses() {
	r.t.Helper()
	e := wanted("paused", 1, 3)
	_, err := r.Submit(r.t.Context(), e)
	r.must(err)
	_, _, err = r.Ask(r.t.Context(), e.Key(), 1, "")
	r.must(err)
	r.must(r.Pause(r.t.Context(), e.Key()))
	r.compare("paused", r.series(), map[string]float64{
		"tuned_experiments{state=Paused}": 1, "tuned_experiments{state=Running}": 0,
		"katib_experiments_current{namespace=team}{status=Running}": 1,
	})
	r.must(r.Resume(r.t.Context(), e.Key()))
	r.compare("resumed", r.series(), map[string]float64{"tuned_experiments{state=Paused}": 0, "tuned_experiments{state=Running}": 1})
	r.must(r.Delete(r.t.Context(), e.Key(), ""))
}

// TestFits: a question that needed no fit is not among those that did, and the algorithm has a series all the same.
func TestFits(t *testing.T) {
	r := newRig(t, storetest.NewMemory())
	for _, s := range []tuner.Suggested{
		{Algorithm: "tpe", Took: time.Second}, {Algorithm: "tpe", Took: time.Second, Fits: 3, Fitting: time.Second / 2}, {Algorithm: "random"},
	} {
		r.metrics.Suggested(s)
	}
	r.compare("counted", r.series(), map[string]float64{
		"tuned_suggestion_duration_seconds{algorithm=tpe}": 2, "tuned_fit_seconds{algorithm=tpe}": 1, "tuned_fit_seconds{algorithm=random}": 0,
	})
}

func TestValues(t *testing.T) {
	inner := storetest.NewMemory()
	r := newRig(t, inner)
	e := wanted("run", 1, 6)
	e.Local.Command = []string{"train"}
	r.settle(e)
	other := r.told("told")
	got := r.series()
	r.compare("stored", got, r.stored())
	r.compare("counted", got, map[string]float64{
		"katib_experiment_created_total{namespace=team}":         2,
		"katib_experiment_succeeded_total{namespace=team}":       2,
		"katib_experiment_failed_total{namespace=team}":          0,
		"katib_trial_created_total{namespace=team}":              9,
		"katib_trial_succeeded_total{namespace=team}":            6,
		"katib_trial_failed_total{namespace=team}":               2,
		"katib_trial_metrics_unavailable_total{namespace=team}":  1,
		"katib_trials_current{namespace=team}{status=Succeeded}": 6,
		"tuned_suggestions_total{algorithm=random}":              9,
		"tuned_trial_duration_seconds{state=Succeeded}":          6,
		"tuned_trial_duration_seconds{state=Failed}":             2,
		"tuned_trial_queue_duration_seconds":                     5, // not those that were asked for, not the one that was lost
		"tuned_trial_restarts_total{reason=lost}":                1,
		"tuned_trial_restarts_total{reason=interrupted}":         0,
		"tuned_store_write_duration_seconds{operation=create}":   2,
		"tuned_slots{resource=cpu}":                              4,
		"tuned_slots_used{resource=cpu}":                         1,
		"tuned_store_bytes":                                      7,
		"tuned_disk_free_bytes":                                  9,
		"tuned_agents_connected":                                 3,
		"tuned_tls_certificate_expiry_timestamp_seconds":         1_900_000_000,
	})
	if n := got["tuned_suggestions_duplicate_total{algorithm=random}"]; n < 5 { // nine points of two experiments with two values
		t.Errorf("duplicates: got %v, want at least 5", n)
	}
	r.pauses()
	r.must(r.Delete(t.Context(), other, ""))
	got = r.series()
	r.compare("after a deletion", got, map[string]float64{
		"katib_experiment_deleted_total{namespace=team}": 2,
		"katib_trial_deleted_total{namespace=team}":      4,
	})
	left := r.stored()
	delete(left, measured) // counts what was ever stored
	r.compare("stored after a deletion", got, left)

	again := newRig(t, inner) // counters begin anew, gauges tell what is there
	again.compare("after a restart", again.series(), left)
	again.compare("counted after a restart", again.series(), map[string]float64{"katib_experiment_created_total{namespace=team}": 0})
}

// TestLabelsAreBounded runs experiments and trials that must leave nothing behind in labels.
func TestLabelsAreBounded(t *testing.T) {
	r := newRig(t, storetest.NewMemory())
	r.must(r.store.Delete(t.Context(), r.told("first")))
	before := len(r.series())
	for i := range 20 {
		r.must(r.store.Delete(t.Context(), r.told(fmt.Sprint("e", i))))
	}
	if after := len(r.series()); after != before {
		t.Errorf("20 experiments more: %d series became %d", before, after)
	}
}
