package server

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"
	"sigs.k8s.io/yaml"

	"github.com/tuned-hpo/tuned/algorithms"
	tunedv1 "github.com/tuned-hpo/tuned/api/tuned/v1"
	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/tuner"
)

// experimentMessage is an experiment as lists have it: without object and manifest.
func experimentMessage(e *experiment.Experiment) *tunedv1.Experiment {
	s := &e.Status
	m := &tunedv1.Experiment{
		Namespace: e.Metadata.Namespace, Name: e.Metadata.Name, Uid: e.Metadata.UID, Revision: e.Revision,
		State: stateOf(e), Reason: s.Reason(), Completed: s.Completed(), External: e.External(), Algorithm: algorithmOf(e),
		Settled: s.Completed() && s.TrialsPending+s.TrialsRunning == 0,
		Created: pointed(e.Metadata.Created), Finished: pointed(s.CompletionTime),
		Counts: &tunedv1.Counts{
			Trials: uint32(s.Trials), Pending: uint32(s.TrialsPending), Running: uint32(s.TrialsRunning),
			Succeeded: uint32(s.TrialsSucceeded), Failed: uint32(s.TrialsFailed), Killed: uint32(s.TrialsKilled),
			EarlyStopped: uint32(s.TrialsEarlyStopped), MetricsUnavailable: uint32(s.TrialMetricsUnavailable),
		},
		Budget: budgetMessage(e), Objectives: objectives(&e.Spec), Best: optimalMessage(e),
		Note: e.Note.Text, Tags: e.Note.Tags,
	}
	if n := len(s.Conditions); n > 0 {
		m.Message = s.Conditions[n-1].Message
	}
	if m.GetState() == statePaused {
		m.Reason, m.Message = "ExperimentPaused", "no trial starts until it is resumed"
	}
	if s.Tuned != nil {
		m.Infeasible = uint32(s.Tuned.TrialsInfeasible)
	}
	return m
}

// statePaused stands for a state that is no condition of Katib's.
const statePaused = "Paused"

func stateOf(e *experiment.Experiment) string {
	if e.Control.Paused && !e.Status.Completed() {
		return statePaused
	}
	return string(e.Status.State())
}

func algorithmOf(e *experiment.Experiment) string {
	if e.Spec.Algorithm == nil {
		return ""
	}
	return e.Spec.Algorithm.AlgorithmName
}

func budgetMessage(e *experiment.Experiment) *tunedv1.Budget {
	b := &tunedv1.Budget{
		MaxTrials: e.Spec.MaxTrialCount, MaxFailedTrials: e.Spec.MaxFailedTrialCount, ParallelTrials: e.Spec.ParallelTrialCount,
		Duration: durationpb.New(time.Duration(e.Control.Elapsed)),
	}
	if x := e.Spec.Tuned; x != nil {
		b.MaxDuration = lasting(x.MaxDuration)
		if x.Cost != nil {
			b.MaxCost = x.Cost.Max
		}
	}
	return b
}

// optimalMessage is the best trial as far as the status knows it: with neither number nor times.
func optimalMessage(e *experiment.Experiment) *tunedv1.Trial {
	best := e.Status.CurrentOptimalTrial
	if best == nil {
		return nil
	}
	number, _ := e.TrialNumber(best.BestTrialName) // 0 when the name is none of its trials
	return trialMessage(e, &experiment.Trial{
		Number: number, Name: best.BestTrialName, State: experiment.TrialSucceeded,
		Assignment: best.ParameterAssignments, Observation: best.Observation,
	})
}

func objectives(s *experiment.Spec) []*tunedv1.Objective {
	if s.Objective == nil {
		return nil
	}
	out := []*tunedv1.Objective{{Metric: s.Objective.ObjectiveMetricName, Type: s.Objective.Type, Goal: s.Objective.Goal}}
	for _, further := range s.Objectives()[1:] {
		out = append(out, &tunedv1.Objective{Metric: further.MetricName, Type: further.Type})
	}
	return out
}

// standingMessage is an experiment as a list has it, with what a snapshot knows beyond that.
func standingMessage(s *tuner.Snapshot) *tunedv1.Experiment {
	m := experimentMessage(s.Experiment)
	m.Settled, m.Trouble, m.Front, m.Infeasible = s.Settled, s.Trouble, s.Front, uint32(s.Infeasible)
	m.Budget.Cost, m.Budget.Duration = s.Cost, durationpb.New(s.Elapsed)
	if s.Best != nil {
		m.Best = trialMessage(s.Experiment, s.Best)
	}
	return m
}

// wholeMessage is all that is known of an experiment. Secrets are masked.
func wholeMessage(s *tuner.Snapshot) (*tunedv1.Experiment, error) {
	m := standingMessage(s)
	shown := experiment.Masked(s.Experiment)
	shown.Priors = nil // large, and a consequence of the spec
	var err error
	if m.Object, err = structOf(shown); err != nil {
		return nil, err
	}
	if len(s.Experiment.Priors) > 0 {
		m.Object.Fields["warmStart"] = learnedFrom(s.Experiment.Priors)
	}
	shown.Status, shown.Revision, shown.Control, shown.Note = experiment.Status{}, 0, experiment.Control{}, experiment.Note{}
	m.Manifest, err = manifestOf(shown)
	return m, err
}

// learnedFrom says how much an experiment learned from each earlier one: of the trials that had finished with a
// result when it was created, those that fit.
func learnedFrom(priors []experiment.Prior) *structpb.Value {
	list := &structpb.ListValue{}
	for i := range priors {
		p := &priors[i]
		list.Values = append(list.Values, structpb.NewStructValue(&structpb.Struct{Fields: map[string]*structpb.Value{
			"namespace": structpb.NewStringValue(p.Namespace), "name": structpb.NewStringValue(p.Name),
			"finished": structpb.NewNumberValue(float64(p.Finished)), "learned": structpb.NewNumberValue(float64(len(p.Trials))),
		}}))
	}
	return structpb.NewListValue(list)
}

// manifestOf is an experiment as YAML, whatever characters its names and values have.
func manifestOf(e *experiment.Experiment) (string, error) {
	text, err := json.Marshal(e)
	if err != nil {
		return "", err
	}
	var quiet strings.Builder
	for _, r := range string(text) {
		if r >= 0x7f && r <= 0x9f || r == '\ufffe' || r == '\uffff' { // which JSON may have as they are, and YAML not
			fmt.Fprintf(&quiet, `\u%04x`, r)
		} else {
			quiet.WriteRune(r)
		}
	}
	manifest, err := yaml.JSONToYAML([]byte(quiet.String()))
	return string(manifest), err
}

func algorithmMessage(d *algorithms.Definition) *tunedv1.Algorithm {
	m := &tunedv1.Algorithm{Name: d.Name, Aliases: d.Aliases, Summary: d.Summary, Reference: d.Reference}
	for i := range d.Settings {
		x := &d.Settings[i]
		m.Settings = append(m.Settings, &tunedv1.Setting{
			Name: x.Name, Type: settingTypes[x.Type], DefaultValue: x.Default, Range: rangeOf(x), Help: x.Help,
		})
	}
	return m
}

var settingTypes = map[algorithms.SettingType]string{
	algorithms.IntSetting: "int", algorithms.FloatSetting: "double", algorithms.BoolSetting: "bool", algorithms.StringSetting: "string",
}

// rangeOf is what a setting takes: its choices, or an interval as mathematics writes it; "" for anything.
func rangeOf(x *algorithms.Setting) string {
	if len(x.Choices) > 0 {
		return strings.Join(x.Choices, ", ")
	}
	if x.Min == 0 && x.Max == 0 {
		return ""
	}
	left, right, most := "[", "]", formatValue(x.Max)
	if x.OpenMin {
		left = "("
	}
	if x.OpenMax || x.Max == algorithms.Unbounded {
		right = ")"
	}
	if x.Max == algorithms.Unbounded {
		most = "inf"
	}
	return left + formatValue(x.Min) + ", " + most + right
}

func eventMessage(number uint64, e *experiment.Event) *tunedv1.Event {
	return &tunedv1.Event{
		Number: number, Time: stamp(e.Time), Trial: e.Trial, Reason: e.Reason, Message: e.Message, Warning: e.Warning,
	}
}

func trialMessage(e *experiment.Experiment, t *experiment.Trial) *tunedv1.Trial {
	m := &tunedv1.Trial{
		Namespace: e.Metadata.Namespace, Experiment: e.Metadata.Name, Number: t.Number, Name: t.Name,
		Attempt: int32(t.Attempt), State: string(t.State), Reason: t.Reason, Message: t.Message,
		Created: stamp(t.Created), Started: stamp(t.Started), Finished: stamp(t.Finished), FinishNumber: t.FinishNo,
		Note: t.Note.Text, Tags: t.Note.Tags, Enqueued: t.Origin == experiment.Enqueued,
		Algorithm: t.Algorithm, Parent: t.Parent,
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
