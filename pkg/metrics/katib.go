package metrics

import "github.com/prometheus/client_golang/prometheus"

// katib are the counters of Katib's controller, with its names, labels and meanings.
type katib struct {
	experimentCreated, experimentSucceeded, experimentFailed, experimentDeleted *prometheus.CounterVec

	trialCreated, trialSucceeded, trialFailed, trialUnavailable, trialDeleted *prometheus.CounterVec
}

func newKatib() katib {
	return katib{
		experimentCreated:   counter("katib_experiment_created_total", "Experiments created.", "namespace"),
		experimentSucceeded: counter("katib_experiment_succeeded_total", "Experiments that have succeeded.", "namespace"),
		experimentFailed:    counter("katib_experiment_failed_total", "Experiments that have failed.", "namespace"),
		experimentDeleted:   counter("katib_experiment_deleted_total", "Experiments deleted.", "namespace"),
		trialCreated:        counter("katib_trial_created_total", "Trials created.", "namespace"),
		trialSucceeded:      counter("katib_trial_succeeded_total", "Trials that have succeeded.", "namespace"),
		trialFailed:         counter("katib_trial_failed_total", "Trials that have failed.", "namespace"),
		trialUnavailable:    counter("katib_trial_metrics_unavailable_total", "Trials that ended without a value of the objective.", "namespace"),
		trialDeleted:        counter("katib_trial_deleted_total", "Trials deleted, together with their experiments.", "namespace"),
	}
}

// touch makes all series of a namespace, so that their first increase is seen.
func (k *katib) touch(namespace string) {
	for _, c := range []*prometheus.CounterVec{
		k.experimentCreated, k.experimentSucceeded, k.experimentFailed, k.experimentDeleted,
		k.trialCreated, k.trialSucceeded, k.trialFailed, k.trialUnavailable, k.trialDeleted,
	} {
		c.WithLabelValues(namespace)
	}
}
