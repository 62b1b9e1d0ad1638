package experiment

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"
)

func TestTrialNumberUndoesTrialName(t *testing.T) {
	e := &Experiment{Metadata: Metadata{Name: "my-experiment", UID: "u1"}}
	for _, n := range []uint64{1, 2, 26, 27, 28, suffixHalf - 1, suffixHalf, suffixHalf + 1, 100_000, suffixHalf*suffixHalf - 1} {
		name := TrialName("my-experiment", "u1", n)
		if got, ok := e.TrialNumber(name); !ok || got != n {
			t.Errorf("%s: got %d, %t; want %d", name, got, ok, n)
		}
		if got, ok := e.TrialNumber(fmt.Sprint(n)); !ok || got != n {
			t.Errorf("%d: got %d, %t", n, got, ok)
		}
		other := &Experiment{Metadata: Metadata{Name: "my-experiment", UID: "u2"}}
		if got, ok := other.TrialNumber(name); ok && got == n {
			t.Errorf("%s: another experiment has it as trial %d, too", name, got)
		}
	}
	for _, text := range []string{"", "0", "01", "-1", "+1", "1.0", "nobody", "my-experiment-", "my-experiment-aaaaaaaa", "other-" + TrialName("", "u1", 1)[len("trial-"):]} {
		if got, ok := e.TrialNumber(text); ok {
			t.Errorf("%q: got %d, want none", text, got)
		}
	}
}

func TestValidateBudgets(t *testing.T) {
	e := func(tuned string) string {
		return `
apiVersion: kubeflow.org/v1beta1
kind: Experiment
metadata: {name: e}
spec:
  objective: {type: minimize, objectiveMetricName: loss}
  algorithm: {algorithmName: random}
  maxTrialCount: 2
  parallelTrialCount: 1
  parameters:
  - {name: lr, parameterType: double, feasibleSpace: {min: "0.1", max: "1"}}
  - {name: kind, parameterType: categorical, feasibleSpace: {list: [a, b]}}
  tuned: ` + tuned
	}
	tests := []struct {
		name, tuned string
		want        []string // paths of faults
	}{
		{"all of it", `{maxDuration: 8h, cost: {max: 100, perHour: 2.5}, firstPoints: [{lr: 0.5, kind: a}, {kind: b, lr: 1e-1}]}`, nil},
		{"by a metric", `{cost: {max: 1, metric: euros}, webhooks: [{url: "https://x/y", secretFile: k, events: [failed]}]}`, nil},
		{"no time", `{maxDuration: 0s}`, []string{"spec.tuned.maxDuration"}},
		{"cost both ways", `{cost: {max: 1, metric: euros, perHour: 1}}`, []string{"spec.tuned.cost.perHour"}},
		{"cost in no way", `{cost: {max: 1}}`, []string{"spec.tuned.cost.perHour"}},
		{"nothing", `{cost: {max: 0, perHour: -1}}`, []string{"spec.tuned.cost.max", "spec.tuned.cost.perHour"}},
		{"no parameter", `{firstPoints: [{lr: 0.5, kind: a, x: 1}]}`, []string{"spec.tuned.firstPoints[0].x"}},
		{"incomplete, out of range", `{firstPoints: [{lr: 0.5}, {lr: 7, kind: a}]}`, []string{"spec.tuned.firstPoints[0]", "spec.tuned.firstPoints[1]"}},
		{"more than there are trials", `{firstPoints: [{lr: 1, kind: a}, {lr: 1, kind: b}, {lr: 1, kind: a}]}`, []string{"spec.tuned.firstPoints"}},
		{
			"webhooks", `{webhooks: [{url: "file:///etc/passwd"}, {url: "http://"}, {url: "http://x", secretFile: /k}]}`,
			[]string{"spec.tuned.webhooks[0].url", "spec.tuned.webhooks[1].url", "spec.tuned.webhooks[2].secretFile"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := Read("e.yaml", []byte(e(tt.tuned)), Options{CommandGiven: true, Strict: true})
			var got []string
			for _, f := range r.Faults {
				got = append(got, f.Path)
			}
			if strings.Join(got, " ") != strings.Join(tt.want, " ") {
				t.Errorf("got %v, want faults at %v", r.Faults, tt.want)
			}
		})
	}
}

func TestCheckBudgetWithoutNumbers(t *testing.T) {
	s := Spec{Tuned: &Extension{Cost: &Cost{Max: new(math.NaN()), PerHour: new(math.Inf(1))}}}
	if faults := CheckBudget(&s); len(faults) != 2 {
		t.Errorf("got %v, want two faults", faults)
	}
}

func TestCostOfTrials(t *testing.T) {
	e := &Experiment{Spec: Spec{
		Objective: &Objective{Type: "minimize", ObjectiveMetricName: "loss"},
		Tuned:     &Extension{Cost: &Cost{PerHour: new(3.0)}},
	}}
	e.Control.TrialTime = Duration(90 * time.Minute)
	if y := NewTally(&e.Spec, nil); y.Cost(e) != 4.5 {
		t.Errorf("got %g, want 4.5", y.Cost(e))
	}
	e.Spec.Tuned = nil
	if y := NewTally(&e.Spec, nil); y.Cost(e) != 0 {
		t.Errorf("without a cost: got %g", y.Cost(e))
	}
}
