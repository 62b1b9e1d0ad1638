package server

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"time"

	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"
	"sigs.k8s.io/yaml"

	tunedv1 "github.com/tuned-hpo/tuned/api/tuned/v1"
	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/tuner"
)

// experimentMessage is an experiment as lists have it: without object and manifest.
func experimentMessage(e *experiment.Experiment) *tunedv1.Experiment {
	s := &e.Status
	m := &tunedv1.Experiment{
		Namespace: e.Metadata.Namespace, Name: e.Metadata.Name, Uid: e.Metadata.UID, Revision: e.Revision,
		State: string(s.State()), Reason: s.Reason(), Completed: s.Completed(), External: e.External(),
		Created: pointed(e.Metadata.Created), Finished: pointed(s.CompletionTime),
		Counts: &tunedv1.Counts{
			Trials: uint32(s.Trials), Pending: uint32(s.TrialsPending), Running: uint32(s.TrialsRunning),
			Succeeded: uint32(s.TrialsSucceeded), Failed: uint32(s.TrialsFailed), Killed: uint32(s.TrialsKilled),
			EarlyStopped: uint32(s.TrialsEarlyStopped), MetricsUnavailable: uint32(s.TrialMetricsUnavailable),
		},
		Budget: &tunedv1.Budget{
			MaxTrials: e.Spec.MaxTrialCount, MaxFailedTrials: e.Spec.MaxFailedTrialCount, ParallelTrials: e.Spec.ParallelTrialCount,
		},
		Objectives: objectives(&e.Spec),
	}
	if n := len(s.Conditions); n > 0 {
		m.Message = s.Conditions[n-1].Message
	}
	if e.Spec.Algorithm != nil {
		m.Algorithm = e.Spec.Algorithm.AlgorithmName
	}
	if s.Tuned != nil {
		m.Infeasible = uint32(s.Tuned.TrialsInfeasible)
	}
	return m
}

func objectives(s *experiment.Spec) []*tunedv1.Objective {
	if s.Objective == nil {
		return nil
	}
	out := []*tunedv1.Objective{{Metric: s.Objective.ObjectiveMetricName, Type: s.Objective.Type, Goal: s.Objective.Goal}}
	for _, further := range s.Objectives() {
		out = append(out, &tunedv1.Objective{Metric: further.MetricName, Type: further.Type})
	}
	return out
}

// wholeMessage is all that is known of an experiment.
func wholeMessage(s *tuner.Snapshot) (*tunedv1.Experiment, error) {
	e := s.Experiment
	m := experimentMessage(e)
	m.Settled, m.Trouble, m.Front, m.Infeasible = s.Settled, s.Trouble, s.Front, uint32(s.Infeasible)
	if s.Best != nil {
		m.Best = trialMessage(e, s.Best)
	}
	shown := *e
	shown.Priors = nil // large, and a consequence of the spec
	var err error
	if m.Object, err = structOf(&shown); err != nil {
		return nil, err
	}
	shown.Status, shown.Revision = experiment.Status{}, 0
	manifest, err := yaml.Marshal(&shown)
	m.Manifest = string(manifest)
	return m, err
}

func trialMessage(e *experiment.Experiment, t *experiment.Trial) *tunedv1.Trial {
	m := &tunedv1.Trial{
		Namespace: e.Metadata.Namespace, Experiment: e.Metadata.Name, Number: t.Number, Name: t.Name,
		Attempt: int32(t.Attempt), State: string(t.State), Reason: t.Reason, Message: t.Message,
		Created: stamp(t.Created), Started: stamp(t.Started), Finished: stamp(t.Finished), FinishNumber: t.FinishNo,
	}
	for _, p := range t.Assignment {
		m.Assignments = append(m.Assignments, &tunedv1.Assignment{Name: p.Name, Value: p.Value})
	}
	value := e.Spec.ValueOf(t)
	for i := range t.Observation.Metrics {
		x := &t.Observation.Metrics[i]
		m.Metrics = append(m.Metrics, &tunedv1.Metric{Name: x.Name, Min: x.Min, Max: x.Max, Latest: x.Latest, Value: value(x.Name)})
	}
	if !t.State.Final() || e.Spec.Objective == nil {
		return m
	}
	if v := value(e.Spec.Objective.ObjectiveMetricName); !math.IsNaN(v) {
		m.Value = &v
	}
	m.Values, m.Feasible = valuesOf(m, objectives(&e.Spec)), e.Spec.Feasible(value)
	return m
}

// valuesOf returns a trial's value of each objective, none unless it has all.
func valuesOf(m *tunedv1.Trial, objectives []*tunedv1.Objective) []float64 {
	var out []float64
	for _, o := range objectives {
		for _, x := range m.GetMetrics() {
			if x.GetName() == o.GetMetric() && !math.IsNaN(x.GetValue()) {
				out = append(out, x.GetValue())
				break
			}
		}
	}
	if len(out) < len(objectives) {
		return nil
	}
	return out
}

// structOf is a value as JSON has it. Integers that a double cannot hold become text.
func structOf(v any) (*structpb.Struct, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("convert to JSON: %w", err)
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var fields map[string]any
	if err := decoder.Decode(&fields); err != nil {
		return nil, fmt.Errorf("convert to JSON: %w", err)
	}
	return structpb.NewStruct(exactNumbers(fields).(map[string]any))
}

func exactNumbers(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for name := range v {
			v[name] = exactNumbers(v[name])
		}
	case []any:
		for i := range v {
			v[i] = exactNumbers(v[i])
		}
	case json.Number:
		f, err := v.Float64()
		if n, no := strconv.ParseUint(v.String(), 10, 64); err != nil || no == nil && n > 1<<53 {
			return v.String()
		}
		return f
	}
	return v
}

func stamp(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}

func pointed(t *time.Time) *timestamppb.Timestamp {
	if t == nil {
		return nil
	}
	return stamp(*t)
}
