// Package metrics counts and times what happens in the daemon, for Prometheus: under the names that
// Katib's controller uses, and under names of ours. docs/monitoring.md explains each.
package metrics

import (
	"errors"
	"net/http"
	"runtime"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/tuner"
)

// Slots are places for trials on this machine.
type Slots struct{ Used, Total int }

// Storage is the room that a store takes and that is left to it, in bytes.
type Storage struct{ Used, Free uint64 }

// Config says where metrics go, and who knows what is looked up when they are read. What is nil is
// not shown. The functions are called concurrently.
type Config struct {
	Registerer prometheus.Registerer
	Version    string                  // of the daemon
	Slots      func() map[string]Slots // by resource: "cpu", "gpu"
	Storage    func() (Storage, error) // of the data directory
	Agents     func() int              // that are connected

	CertificateEnd func() time.Time // of the TLS certificate
}

// Metrics is an observe.Observer.
type Metrics struct {
	Config
	katib
	suggestion, fit, queue, trial, write        *prometheus.HistogramVec
	suggestions, duplicates, suggestionFailures *prometheus.CounterVec
	restarts, deliveries                        *prometheus.CounterVec
	measurements                                prometheus.Counter

	mu    sync.Mutex
	count map[experiment.Key]count
}

// New registers all metrics.
func New(c Config) (*Metrics, error) {
	m := &Metrics{Config: c, katib: newKatib(), count: map[experiment.Key]count{}}
	m.suggestion = histogram("tuned_suggestion_duration_seconds", "Time that one question to an algorithm took.", short, "algorithm")
	m.fit = histogram("tuned_fit_seconds", "Time that the fits of a model took which one question to an algorithm needed.", short, "algorithm")
	m.queue = histogram("tuned_trial_queue_duration_seconds", "Time from a trial's suggestion to its start.", long)
	m.trial = histogram("tuned_trial_duration_seconds", "Time from a trial's start to its end, by the state that it ended in.", long, "state")
	m.write = histogram("tuned_store_write_duration_seconds", "Time until a write was durable.", short, "operation")
	m.suggestions = counter("tuned_suggestions_total", "Suggestions made.", "algorithm")
	m.duplicates = counter("tuned_suggestions_duplicate_total", "Suggestions that repeat the values of an earlier trial of the experiment.", "algorithm")
	m.suggestionFailures = counter("tuned_suggestion_failures_total", "Questions that an algorithm could not answer.", "algorithm")
	m.restarts = counter("tuned_trial_restarts_total", "Attempts of trials that ended through no fault of the trial.", "reason")
	m.deliveries = counter("tuned_webhook_deliveries_total", "Attempts to deliver an event to a webhook.", "outcome")
	m.measurements = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "tuned_measurements_stored_total", Help: "Measurements of trials that were made durable.",
	})
	m.start()
	var faults []error
	for _, collector := range []prometheus.Collector{
		m.suggestion, m.fit, m.queue, m.trial, m.write, m.suggestions, m.duplicates, m.suggestionFailures,
		m.restarts, m.deliveries, m.measurements,
		m.experimentCreated, m.experimentSucceeded, m.experimentFailed, m.experimentDeleted,
		m.trialCreated, m.trialSucceeded, m.trialFailed, m.trialUnavailable, m.trialDeleted,
		build(c.Version),
		gauges{m},
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	} {
		faults = append(faults, c.Registerer.Register(collector))
	}
	return m, errors.Join(faults...)
}

// Handler answers what a Prometheus server reads.
func Handler(g prometheus.Gatherer) http.Handler {
	return promhttp.HandlerFor(g, promhttp.HandlerOpts{})
}

// Upper bounds of buckets, in seconds.
var (
	short = []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}
	long  = []float64{.01, .1, 1, 10, 60, 5 * 60, 15 * 60, 3600, 4 * 3600, 12 * 3600, 24 * 3600, 7 * 24 * 3600}
)

func histogram(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets}, labels)
}

func counter(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
}

// start makes those series that are known beforehand, so that their first increase is seen.
func (m *Metrics) start() {
	for _, reason := range []string{lost, interrupted} {
		m.restarts.WithLabelValues(reason)
	}
	for _, outcome := range []string{"delivered", "failed", "expired"} {
		m.deliveries.WithLabelValues(outcome)
	}
}

// build is a constant that carries the version.
func build(version string) prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "tuned_build_info", Help: "The version of the daemon and of Go that it was built with; the value is 1.",
		ConstLabels: prometheus.Labels{"version": version, "goversion": runtime.Version()},
	}, func() float64 { return 1 })
}

// Suggested counts a question to an algorithm. It is for tuner.Config.Suggested.
func (m *Metrics) Suggested(s tuner.Suggested) {
	if s.Algorithm == "" {
		s.Algorithm = "unknown"
	}
	m.suggestion.WithLabelValues(s.Algorithm).Observe(s.Took.Seconds())
	fit := m.fit.WithLabelValues(s.Algorithm)
	if s.Fits > 0 {
		fit.Observe(s.Fitting.Seconds())
	}
	m.suggestions.WithLabelValues(s.Algorithm).Add(float64(len(s.Numbers)))
	m.duplicates.WithLabelValues(s.Algorithm).Add(float64(s.Duplicates))
	failures := m.suggestionFailures.WithLabelValues(s.Algorithm)
	if s.Failed {
		failures.Inc()
	}
}

// Delivered counts an attempt to deliver an event to a webhook: "delivered", "failed" when it is to be
// tried again, "expired" when it was given up.
func (m *Metrics) Delivered(outcome string) { m.deliveries.WithLabelValues(outcome).Inc() }
