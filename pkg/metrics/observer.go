package metrics

import (
	"time"

	"github.com/tuned-hpo/tuned/pkg/experiment"
)

// Reasons of a new attempt.
const (
	lost        = "lost"        // the workload disappeared
	interrupted = "interrupted" // it was told to stop, and its trial goes on
)

// Found takes an experiment into account that was stored before.
func (m *Metrics) Found(e *experiment.Experiment) { m.note(e) }

// Experiment counts what an experiment has come to.
func (m *Metrics) Experiment(before, after *experiment.Experiment) {
	switch {
	case before == nil:
		m.note(after)
		m.experimentCreated.WithLabelValues(after.Metadata.Namespace).Inc()
	case after == nil:
		m.drop(before.Key())
		m.experimentDeleted.WithLabelValues(before.Metadata.Namespace).Inc()
		m.trialDeleted.WithLabelValues(before.Metadata.Namespace).Add(float64(before.Status.Trials))
	default:
		m.note(after)
		m.completed(before, after)
	}
}

func (m *Metrics) completed(before, after *experiment.Experiment) {
	if before.Status.Completed() || !after.Status.Completed() {
		return
	}
	if after.Status.Succeeded() {
		m.experimentSucceeded.WithLabelValues(after.Metadata.Namespace).Inc()
	} else {
		m.experimentFailed.WithLabelValues(after.Metadata.Namespace).Inc()
	}
}

// Trial counts and times what a trial has come to.
func (m *Metrics) Trial(e *experiment.Experiment, before, after *experiment.Trial) {
	if before == nil {
		m.trialCreated.WithLabelValues(e.Metadata.Namespace).Inc()
	} else {
		m.queued(before, after)
	}
	if after.State.Final() && (before == nil || !before.State.Final()) {
		m.ended(e.Metadata.Namespace, after)
	}
}

// queued times how long a trial waited for its first start, and counts the others. A trial that a
// client asked for has not waited.
func (m *Metrics) queued(before, after *experiment.Trial) {
	if before.Attempt < after.Attempt {
		reason := interrupted
		if before.Lost < after.Lost {
			reason = lost
		}
		m.restarts.WithLabelValues(reason).Inc()
	}
	if before.State == experiment.TrialPending && after.State != experiment.TrialPending && after.Attempt == 1 && !after.Started.IsZero() {
		m.queue.WithLabelValues().Observe(seconds(after.Created, after.Started))
	}
}

func (m *Metrics) ended(namespace string, t *experiment.Trial) {
	switch t.State {
	case experiment.TrialSucceeded:
		m.trialSucceeded.WithLabelValues(namespace).Inc()
	case experiment.TrialFailed:
		m.trialFailed.WithLabelValues(namespace).Inc()
	case experiment.TrialMetricsUnavailable:
		m.trialUnavailable.WithLabelValues(namespace).Inc()
	}
	if !t.Started.IsZero() && !t.Finished.IsZero() {
		m.trial.WithLabelValues(string(t.State)).Observe(seconds(t.Started, t.Finished))
	}
}

// seconds returns the time between two moments; a clock that was set back makes it 0.
func seconds(from, to time.Time) float64 { return max(0, to.Sub(from)).Seconds() }

// Measured counts measurements.
func (m *Metrics) Measured(_ experiment.Stream, _ uint64, n int) { m.measurements.Add(float64(n)) }

// Events has nothing to count.
func (m *Metrics) Events(experiment.Key, int) {}

// Wrote times a write.
func (m *Metrics) Wrote(operation string, took time.Duration) {
	m.write.WithLabelValues(operation).Observe(took.Seconds())
}
