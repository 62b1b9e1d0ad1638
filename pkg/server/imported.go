package server

import (
	"cmp"
	"math"
	"slices"

	tunedv1 "github.com/tuned-hpo/tuned/api/tuned/v1"
	"github.com/tuned-hpo/tuned/pkg/experiment"
)

// importedTrial is a trial as a client sends it, by default with the given number.
func importedTrial(m *tunedv1.Trial, number uint64) experiment.Trial {
	t := experiment.Trial{
		Number: cmp.Or(m.GetNumber(), number), Name: m.GetName(), Attempt: max(1, int(m.GetAttempt())), FinishNo: m.GetFinishNumber(),
		State: experiment.TrialState(m.GetState()), Reason: m.GetReason(), Message: m.GetMessage(), Assignment: pairs(m.GetAssignments()),
		Note: experiment.Note{Text: m.GetNote(), Tags: m.GetTags()}, Parent: m.GetParent(),
	}
	if m.GetEnqueued() {
		t.Origin = experiment.Enqueued
	}
	if m.GetCreated() != nil {
		t.Created = m.GetCreated().AsTime()
	}
	if m.GetStarted() != nil {
		t.Started = m.GetStarted().AsTime()
	}
	if m.GetFinished() != nil {
		t.Finished = m.GetFinished().AsTime()
	}
	for _, x := range m.GetMetrics() {
		t.Observation.Metrics = append(t.Observation.Metrics, importedMetric(x))
	}
	return t
}

func importedMetric(m *tunedv1.Metric) experiment.Metric {
	out := experiment.Metric{
		Name: m.GetName(), Min: cmp.Or(m.GetMin(), m.GetLatest()), Max: cmp.Or(m.GetMax(), m.GetLatest()), Latest: m.GetLatest(),
	}
	if first := experiment.ParseValue(out.Min); math.IsNaN(first) && m.GetMin() != "" && !math.IsNaN(m.GetValue()) && m.GetValue() != 0 {
		out.Value = formatValue(m.GetValue()) // NaN came first, see experiment.Metric
	}
	return out
}

// finish fills in what follows from the trials.
func (in *incoming) finish() error {
	if in.Experiment == nil {
		return fail(reasonManifest, "nothing has come: the first message holds the manifest")
	}
	n := len(in.Trials)
	if n == 0 {
		return fail(reasonTrials, "it holds no trial")
	}
	spec := &in.Experiment.Spec
	if spec.MaxTrialCount == nil {
		spec.MaxTrialCount = new(int32(n))
		if parallel := spec.ParallelTrialCount; parallel != nil {
			spec.ParallelTrialCount = new(min(*parallel, int32(n)))
		}
	}
	ordered := slices.ContainsFunc(in.Trials, func(t experiment.Trial) bool { return t.FinishNo != 0 })
	for i := range in.Trials {
		t := &in.Trials[i]
		if !ordered {
			t.FinishNo = uint64(i) + 1
		}
		if ms := in.Measured[uint64(i)+1]; len(t.Observation.Metrics) == 0 && len(ms) > 0 {
			t.Observation = experiment.Observe(spec.Objective, ms)
		}
	}
	return nil
}
