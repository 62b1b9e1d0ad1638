package main

import (
	"encoding/json"
	"math"
	"strconv"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"
	"sigs.k8s.io/yaml"

	tunedv1 "github.com/tuned-hpo/tuned/api/tuned/v1"
	"github.com/tuned-hpo/tuned/pkg/experiment"
)

// experimentOf is an experiment that the daemon sent whole. The manifest has its numbers exactly.
func experimentOf(m *tunedv1.Experiment) (*experiment.Experiment, error) {
	e := &experiment.Experiment{}
	if err := yaml.Unmarshal([]byte(m.GetManifest()), e); err != nil {
		return nil, err
	}
	status, err := m.GetObject().GetFields()["status"].MarshalJSON()
	if err != nil {
		return nil, err
	}
	return e, json.Unmarshal(status, &e.Status)
}

// trialOf is a trial that the daemon sent.
func trialOf(m *tunedv1.Trial) experiment.Trial {
	t := experiment.Trial{
		Number: m.GetNumber(), Name: m.GetName(), Attempt: int(m.GetAttempt()), FinishNo: m.GetFinishNumber(),
		State: experiment.TrialState(m.GetState()), Reason: m.GetReason(), Message: m.GetMessage(),
		Created: instant(m.GetCreated()), Started: instant(m.GetStarted()), Finished: instant(m.GetFinished()),
		Note: experiment.Note{Text: m.GetNote(), Tags: m.GetTags()}, Algorithm: m.GetAlgorithm(), Parent: m.GetParent(),
	}
	for _, a := range m.GetAssignments() {
		t.Assignment = append(t.Assignment, experiment.Pair{Name: a.GetName(), Value: a.GetValue()})
	}
	for _, x := range m.GetMetrics() {
		metric := experiment.Metric{Name: x.GetName(), Min: x.GetMin(), Max: x.GetMax(), Latest: x.GetLatest()}
		if min, err := strconv.ParseFloat(x.GetMin(), 64); err == nil && math.IsNaN(min) && !math.IsNaN(x.GetValue()) {
			metric.Value = strconv.FormatFloat(x.GetValue(), 'g', -1, 64)
		}
		t.Observation.Metrics = append(t.Observation.Metrics, metric)
	}
	return t
}

func instant(t *timestamppb.Timestamp) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.AsTime()
}
