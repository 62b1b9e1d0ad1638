package main

import (
	"github.com/tuned-hpo/tuned/pkg/experiment"
)

// trialRecord is one trial as programs get it: from the trials command and as a line of progress.
type trialRecord struct {
	Event      string                `json:"event,omitempty"` // "trial" as a line of progress
	Experiment string                `json:"experiment"`
	Trial      string                `json:"trial"`
	Number     uint64                `json:"number"`
	Attempt    int                   `json:"attempt"`
	Parent     uint64                `json:"parent,omitempty"` // number of the trial whose checkpoint it goes on from
	State      experiment.TrialState `json:"state"`
	Reason     string                `json:"reason"`
	Message    string                `json:"message"`
	Value      number                `json:"value"`              // of the objective; null without one
	Metrics    map[string]number     `json:"metrics"`            // the objective and the additional metrics
	Parameters map[string]string     `json:"parameters"`         // as the trial got them
	Seconds    number                `json:"seconds"`            // null until it has run
	Latest     map[string]number     `json:"latest,omitempty"`   // of a trial that runs: the last value of each metric
	Tags       []string              `json:"tags,omitempty"`     // by tuned annotate
	Note       string                `json:"note,omitempty"`     // by tuned annotate
	Feasible   *bool                 `json:"feasible,omitempty"` // with constraints, once it has all values
	Front      *bool                 `json:"front,omitempty"`    // with several objectives: it is on the Pareto front

	pairs []experiment.Pair
}

func newTrialRecord(key experiment.Key, t *experiment.Trial, s *experiment.Spec) trialRecord {
	o := s.Objective
	r := trialRecord{
		Experiment: key.String(), Trial: t.Name, Number: t.Number, Attempt: t.Attempt, Parent: t.Parent,
		State: t.State, Reason: t.Reason, Message: t.Message, Value: number(objectiveOf(t, o)),
		Metrics: map[string]number{}, Parameters: parameterMap(t.Assignment), Seconds: notANumber, pairs: t.Assignment,
		Tags: t.Note.Tags, Note: t.Note.Text,
	}
	for _, metric := range metricNames(o) {
		r.Metrics[metric] = number(metricOf(t, metric, o))
	}
	if len(s.Constraints()) > 0 && hasResult(t, s) {
		r.Feasible = new(s.Feasible(s.ValueOf(t)))
	}
	if d, ok := duration(t); ok {
		r.Seconds = seconds(d)
	}
	return r
}

// metricNames returns all metrics, the objective first.
func metricNames(o *experiment.Objective) []string {
	return append([]string{o.ObjectiveMetricName}, o.AdditionalMetricNames...)
}

func parameterMap(pairs []experiment.Pair) map[string]string {
	m := make(map[string]string, len(pairs))
	for _, p := range pairs {
		m[p.Name] = p.Value
	}
	return m
}
