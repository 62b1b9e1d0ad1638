package experiment

import (
	"slices"
	"testing"
	"time"
)

func TestValidateTermination(t *testing.T) {
	const text = `
apiVersion: kubeflow.org/v1beta1
kind: Experiment
metadata: {name: e}
spec:
  objective: {type: minimize, objectiveMetricName: loss}
  maxTrialCount: 2
  parallelTrialCount: 1
  parameters:
  - {name: lr, parameterType: double, feasibleSpace: {min: "0.1", max: "1"}}
  tuned: `
	tests := []struct {
		name, tuned string
		want        []string // paths of faults
	}{
		{"all of it", `{termination: {minImprovement: 0.01, minTrials: 5, horizon: 100}}`, nil},
		{"the least", `{termination: {minImprovement: 1}}`, nil},
		{"nothing", `{termination: {}}`, []string{"spec.tuned.termination.minImprovement"}},
		{"no share", `{termination: {minImprovement: 0}}`, []string{"spec.tuned.termination.minImprovement"}},
		{"more than all", `{termination: {minImprovement: 1.5}}`, []string{"spec.tuned.termination.minImprovement"}},
		{"no number", `{termination: {minImprovement: .nan}}`, []string{"spec.tuned.termination.minImprovement"}},
		{"no trials", `{termination: {minImprovement: 0.1, minTrials: 0, horizon: 0}}`, []string{"spec.tuned.termination.horizon", "spec.tuned.termination.minTrials"}},
		{"far ahead", `{termination: {minImprovement: 0.1, horizon: 101}}`, []string{"spec.tuned.termination.horizon"}},
		{"several objectives", `{termination: {minImprovement: 0.1}, objectives: [{metricName: size, type: minimize}]}`, []string{"spec.tuned.termination"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, f := range Read("e.yaml", []byte(text+tt.tuned), Options{CommandGiven: true}).Faults {
				got = append(got, f.Path)
			}
			if slices.Sort(got); !slices.Equal(got, tt.want) {
				t.Errorf("faults at %v, want %v", got, tt.want)
			}
		})
	}
}

// TestDefaultAlgorithm: an experiment that names none gets one, by our rules alone.
func TestDefaultAlgorithm(t *testing.T) {
	const head, tail = `
apiVersion: kubeflow.org/v1beta1
kind: Experiment
metadata: {name: e}
spec:
  objective: {type: minimize, objectiveMetricName: loss}
`, `
  parameters:
  - {name: lr, parameterType: double, feasibleSpace: {min: "0.1", max: "1"}}
`
	tests := []struct {
		name, algorithm, want string
		katib                 bool
		fault                 string
	}{
		{"none", "", "auto", false, ""},
		{"empty", "  algorithm: {}", "auto", false, ""},
		{"null", "  algorithm:", "auto", false, ""},
		{"no name", `  algorithm: {algorithmName: ""}`, "auto", false, ""},
		{"named", "  algorithm: {algorithmName: random}", "random", false, ""},
		{"settings alone", `  algorithm: {algorithmSettings: [{name: gamma, value: "1"}]}`, "", false, "spec.algorithm.algorithmName"},
		{"Katib's rules", "", "", true, "spec.algorithm"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := Read("e.yaml", []byte(head+tt.algorithm+tail), Options{CommandGiven: true, Katib: tt.katib})
			got := ""
			if a := r.Experiment.Spec.Algorithm; a != nil {
				got = a.AlgorithmName
			}
			faulty := slices.ContainsFunc(r.Faults, func(f Fault) bool { return f.Path == tt.fault })
			if got != tt.want || faulty != (tt.fault != "") || !tt.katib && tt.fault == "" && len(r.Faults) > 0 {
				t.Errorf("got %q and %v, want %q and a fault at %q", got, r.Faults, tt.want, tt.fault)
			}
		})
	}
}

func TestConverge(t *testing.T) {
	now := time.Unix(100, 0)
	s := Converge(NewStatus(now), "enough", now)
	if !s.Succeeded() || s.Reason() != ReasonConverged || s.CompletionTime == nil {
		t.Errorf("got %+v", s)
	}
	e := &Experiment{Status: s, Spec: Spec{Objective: &Objective{Type: "minimize", ObjectiveMetricName: "loss"}, Tuned: &Extension{Termination: &Termination{}}}}
	if e.Termination() == nil {
		t.Error("no termination")
	}
	if err := Resume(e, &Tally{}, now); err != nil {
		t.Fatal(err)
	}
	if e.Termination() != nil || e.Status.Completed() {
		t.Errorf("resumed it may end for want of improvement again: %+v", e.Control)
	}
	failed := MarkFailed(NewStatus(now), "x", "y", now)
	if got := Converge(failed, "enough", now); got.Succeeded() {
		t.Errorf("what has failed succeeds: %+v", got)
	}
}
