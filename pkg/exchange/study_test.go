package exchange

import (
	"bytes"
	"math"
	"strconv"
	"testing"
	"time"

	"github.com/tuned-hpo/tuned/pkg/experiment"
)

const mixedYAML = `
apiVersion: kubeflow.org/v1beta1
kind: Experiment
metadata: {name: mixed, namespace: team}
spec:
  objective: {type: minimize, objectiveMetricName: loss, additionalMetricNames: [time]}
  algorithm: {algorithmName: random}
  parameters:
    - {name: lr, parameterType: double, feasibleSpace: {min: "1e-5", max: "1", distribution: logUniform}}
    - {name: drop, parameterType: double, feasibleSpace: {min: "0.1", max: "0.85", step: "0.2"}}
    - {name: layers, parameterType: int, feasibleSpace: {min: "1", max: "8"}}
    - {name: width, parameterType: int, feasibleSpace: {min: "16", max: "100", step: "16"}}
    - {name: batch, parameterType: discrete, feasibleSpace: {list: ["16", "32.5", "1e3"]}}
    - {name: opt, parameterType: categorical, feasibleSpace: {list: ["sgd", "1", "1.0", "=2+3", "größe \"x\", y", "-5"]}}
    - {name: momentum, parameterType: double, feasibleSpace: {min: "0", max: "1"}, activeWhen: {parameter: opt, values: ["sgd", "1"]}}
`

// read makes an experiment of YAML.
func read(t testing.TB, text string) *experiment.Experiment {
	t.Helper()
	r := experiment.Read("test.yaml", []byte(text), experiment.Options{})
	if len(r.Faults) > 0 {
		t.Fatal(r.Faults)
	}
	return r.Experiment
}

var epoch = time.Date(2026, 3, 1, 12, 0, 0, 123456789, time.UTC)

// trial makes one that ended with values of metrics, given as name and text in turn.
func trial(number uint64, state experiment.TrialState, values []string, pairs ...string) experiment.Trial {
	t := experiment.Trial{
		Number: number, Name: "mixed-" + strconv.FormatUint(number, 10) + "x", Attempt: 1, State: state,
		Created: epoch.Add(time.Duration(number) * time.Minute), FinishNo: number,
	}
	for i := 0; i < len(pairs); i += 2 {
		t.Assignment = append(t.Assignment, experiment.Pair{Name: pairs[i], Value: pairs[i+1]})
	}
	for i := 0; i < len(values); i += 2 {
		v := values[i+1]
		t.Observation.Metrics = append(t.Observation.Metrics, experiment.Metric{Name: values[i], Min: v, Max: v, Latest: v})
	}
	switch {
	case state.Final():
		t.Started, t.Finished = t.Created.Add(time.Second), t.Created.Add(3500*time.Millisecond)
	case state == experiment.TrialRunning:
		t.Started, t.FinishNo = t.Created.Add(time.Second), 0
	default:
		t.FinishNo = 0
	}
	return t
}

// mixed is a study with every kind of parameter, state and trouble.
func mixed(t testing.TB) *Study {
	at := func(lr, opt string, more ...string) []string {
		return append([]string{"lr", lr, "drop", "0.30000000000000004", "layers", "3", "width", "96", "batch", "32.5", "opt", opt}, more...)
	}
	drop := func(pairs []string) []string { pairs[3] = "0.3"; return pairs }
	trials := []experiment.Trial{
		trial(1, experiment.TrialSucceeded, []string{"loss", "0.30000000000000004", "time", "12"}, drop(at("0.1", "sgd", "momentum", "0.9"))...),
		trial(2, experiment.TrialSucceeded, []string{"loss", "0.1", "time", "7"}, drop(at("0.00001", "größe \"x\", y"))...),
		trial(3, experiment.TrialFailed, nil, drop(at("0.2", "1.0"))...),
		trial(4, experiment.TrialSucceeded, []string{"loss", "NaN", "time", "1"}, drop(at("0.3", "=2+3"))...),
		trial(5, experiment.TrialEarlyStopped, []string{"loss", "0.7", "time", "2"}, drop(at("0.4", "1", "momentum", "0"))...),
		trial(6, experiment.TrialSucceeded, []string{"loss", "-Inf", "time", "unavailable"}, drop(at("0.5", "-5"))...),
		trial(7, experiment.TrialMetricsUnavailable, []string{"loss", "unavailable", "time", "unavailable"}, drop(at("0.6", "-5"))...),
		trial(8, experiment.TrialKilled, nil, drop(at("0.6", "-5"))...),
		trial(9, experiment.TrialRunning, nil, drop(at("0.7", "-5"))...),
		trial(10, experiment.TrialPending, nil, drop(at("0.8", "1", "momentum", "0.5"))...),
	}
	trials[2].Reason, trials[2].Message = "ExitCode", "=cmd|' /C calc'!A0\nline \"two\", <script>"
	trials[4].Parent, trials[4].Algorithm = 1, "tpe"
	s := &Study{Experiment: read(t, mixedYAML), Trials: trials, Measured: map[uint64][]experiment.Measurement{}}
	s.Measured[1] = curve("loss", 0.9, math.NaN(), math.Inf(1), 0.30000000000000004)
	return s
}

func curve(metric string, values ...float64) (out []experiment.Measurement) {
	for i, v := range values {
		out = append(out, experiment.Measurement{
			Seq: uint64(i + 1), Time: epoch.Add(time.Duration(i) * time.Second), Step: int64(10 * i), Metric: metric, Value: v, Text: exact(v),
		})
	}
	return out
}

// written is a study in a format.
func written(t testing.TB, format string, s *Study) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, format, s); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

const frontYAML = `
apiVersion: kubeflow.org/v1beta1
kind: Experiment
metadata: {name: front}
spec:
  objective: {type: maximize, objectiveMetricName: acc}
  algorithm: {algorithmName: random}
  parameters:
    - {name: x, parameterType: double, feasibleSpace: {min: "0", max: "1"}}
  tuned:
    objectives: [{metricName: cost, type: minimize}]
    constraints: [{metricName: mem, max: 10}]
`
