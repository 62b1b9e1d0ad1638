package experiment

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// readSmall returns the experiment of small, with more lines in its spec.
func readSmall(t *testing.T, lines string) *Experiment {
	t.Helper()
	r := Read("small.yaml", []byte(small+lines), Options{CommandGiven: true})
	if len(r.Faults) > 0 {
		t.Fatal(r.Faults)
	}
	return r.Experiment
}

// wantPaths compares the paths of faults with those expected, in any order.
func wantPaths(t *testing.T, got Faults, want ...string) {
	t.Helper()
	for _, path := range want {
		if !got.has(path) {
			t.Errorf("no fault at %s among:\n%v", path, got)
		}
	}
	if len(got) != len(want) {
		t.Errorf("got %d faults, want %d at %v:\n%v", len(got), len(want), want, got)
	}
}

func TestValidateUpdate(t *testing.T) {
	ended := func(state ConditionType, reason string) Status {
		return Status{Trials: 12, Conditions: []Condition{{Type: state, Status: "True", Reason: reason}}}
	}
	const lines = "  maxTrialCount: 12\n  resumePolicy: %s\n"
	for _, tt := range []struct {
		name   string
		policy ResumePolicy
		status Status
		change func(*Spec)
		want   []string
	}{
		{"nothing", Never, ended(Succeeded, reasonMaxTrials), func(*Spec) {}, nil},
		{"more trials while running", Never, Status{Trials: 3}, func(s *Spec) { s.MaxTrialCount = new(int32(20)) }, nil},
		{"all three counts", Never, Status{Trials: 3}, func(s *Spec) {
			s.MaxTrialCount, s.ParallelTrialCount, s.MaxFailedTrialCount = new(int32(20)), new(int32(9)), new(int32(0))
		}, nil},
		{"fewer trials than there are", Never, Status{Trials: 3}, func(s *Spec) {
			s.MaxTrialCount, s.ParallelTrialCount = new(int32(3)), new(int32(1))
		}, []string{"spec.maxTrialCount"}},
		{"restart", LongRunning, ended(Succeeded, reasonMaxTrials), func(s *Spec) { s.MaxTrialCount = new(int32(20)) }, nil},
		{
			"restart by the policy Never", Never, ended(Succeeded, reasonMaxTrials), func(s *Spec) { s.MaxTrialCount = new(int32(20)) },
			[]string{"spec.resumePolicy"},
		},
		{
			"restart after the goal", LongRunning, ended(Succeeded, "ExperimentGoalReached"), func(s *Spec) { s.MaxTrialCount = new(int32(20)) },
			[]string{"spec"},
		},
		{
			"restart after a failure", FromVolume, ended(Failed, "ExperimentFailed"), func(s *Spec) { s.MaxTrialCount = new(int32(20)) },
			[]string{"spec"},
		},
		{"another algorithm", Never, Status{}, func(s *Spec) { s.Algorithm = &Algorithm{AlgorithmName: "tpe"} }, []string{"spec"}},
		{"what is wrong by itself", Never, Status{}, func(s *Spec) { s.ParallelTrialCount = new(int32(0)) }, []string{"spec.parallelTrialCount"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			old := readSmall(t, fmt.Sprintf(lines, tt.policy))
			old.Status = tt.status
			updated := readSmall(t, fmt.Sprintf(lines, tt.policy))
			tt.change(&updated.Spec)
			wantPaths(t, ValidateUpdate(updated, old, Options{}), tt.want...)
			if *old.Spec.MaxTrialCount != 12 || old.Spec.ParallelTrialCount == updated.Spec.ParallelTrialCount {
				t.Error("the old experiment was changed")
			}
		})
	}
}

func TestValidateLocalCommand(t *testing.T) {
	e := readSmall(t, "")
	e.Local.Command = []string{"train", "--lr=${trialParameters.lr}", "${trialParameters.momentum}"}
	wantPaths(t, Validate(e, Options{}), "local.command")
	e.Local.Command = e.Local.Command[:2]
	wantPaths(t, Validate(e, Options{}))
	e.Spec.TrialTemplate = &TrialTemplate{TrialParameters: []TrialParameter{{Name: "rate", Reference: "lr"}}}
	wantPaths(t, Validate(e, Options{}), "local.command") // lr is called rate now
}

func TestValidateAlgorithmByCaller(t *testing.T) {
	e := readSmall(t, "")
	o := Options{CheckAlgorithm: func(s *Spec) Faults {
		return Faults{{Path: "spec.algorithm.algorithmName", Type: Invalid, Detail: "unknown", Value: s.Algorithm.AlgorithmName}}
	}}
	wantPaths(t, Validate(e, o), "spec.algorithm.algorithmName")
	e.Spec.Algorithm = nil
	wantPaths(t, Validate(e, o), "spec.algorithm")
}

func TestValidateTemplateOfConfigMap(t *testing.T) {
	const job = `apiVersion: batch/v1
kind: Job
spec:
  parallelism: ${trialParameters.lr}
  template:
    spec:
      containers:
        - {name: main, image: trainer, args: [--lr=${trialParameters.lr}]}
`
	quoted := strings.Replace(job, "  parallelism: ${trialParameters.lr}\n", "", 1)
	const configMap = "spec.trialTemplate.configMap"
	for _, tt := range []struct {
		name, template string
		katib          bool
		want           []string
	}{
		{"a number without quotes, a placeholder in a flow list", job, false, nil},
		{"a number without quotes for Katib", job, true, []string{"spec.trialTemplate"}},
		{
			"a number in quotes", strings.Replace(job, "${trialParameters.lr}", `"${trialParameters.lr}"`, 1), false,
			[]string{configMap + ".spec.parallelism"},
		},
		{
			"unknown field", strings.Replace(job, "image", "img", 1), false,
			[]string{configMap + ".spec.template.spec.containers[0].img"},
		},
		{"another container", strings.Replace(job, "main", "side", 1), false, []string{"spec.trialTemplate.primaryContainerName"}},
		{"no placeholder", strings.ReplaceAll(job, "${trialParameters.lr}", "1"), false, []string{"spec.trialTemplate.trialParameters[0].name"}},
		{"kind from a parameter", strings.Replace(job, "kind: Job", "kind: ${trialParameters.lr}", 1), false, []string{configMap + ".kind"}},
		{"nothing in fields", strings.Replace(job, "spec:", "metadata: null\nstatus: {}\nspec:", 1), false, nil},
		{"nothing in fields for Katib", quoted + "      volumes: []\n", true, []string{"spec.trialTemplate"}},
		{"null for Katib", strings.Replace(quoted, "spec:", "metadata: null\nspec:", 1), true, []string{"spec.trialTemplate"}},
		{"null in a list for Katib", strings.Replace(quoted, "args: [", "args: [null, ", 1), true, []string{"spec.trialTemplate"}},
		{"empty text for Katib", strings.Replace(quoted, "image: trainer", `image: ""`, 1), true, []string{"spec.trialTemplate"}},
		{"false for Katib", quoted + "      hostNetwork: false\n", true, []string{"spec.trialTemplate"}},
		{"0 that is no default for Katib", strings.Replace(quoted, "spec:", "spec:\n  backoffLimit: 0", 1), true, nil},
		{"amounts in another form for Katib", strings.Replace(quoted, "image:", "resources: {limits: {memory: 1024Mi, cpu: 1.0}}, image:", 1), true, nil},
		{"nothing at fault for Katib", quoted, true, nil},
		{"no object", "${trialParameters.lr}", false, []string{"spec.trialTemplate"}},
		{"no YAML", job + "\t- :", false, []string{"spec.trialTemplate"}},
		{"nothing", " \n", false, []string{"spec.trialTemplate"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := readSmall(t, "")
			e.Spec.TrialTemplate = &TrialTemplate{
				PrimaryContainerName: "main", SuccessCondition: "x", FailureCondition: "y",
				TrialParameters: []TrialParameter{{Name: "lr", Reference: "lr"}},
				ConfigMap:       &ConfigMapSource{ConfigMapName: "name", ConfigMapNamespace: "namespace", TemplatePath: "path"},
			}
			read := func(string, string, string) (string, error) { return tt.template, nil }
			wantPaths(t, Validate(e, Options{Katib: tt.katib, ConfigMaps: read}), tt.want...)
			unreadable := func(string, string, string) (string, error) { return "", errors.New("gone") }
			wantPaths(t, Validate(e, Options{Katib: tt.katib, ConfigMaps: unreadable}), "spec.trialTemplate")
		})
	}
}

func TestValidateEmptyListsAsKatib(t *testing.T) {
	e := readSmall(t, "")
	e.Spec.Parameters = append(e.Spec.Parameters, ParameterSpec{Name: "x", ParameterType: "categorical", FeasibleSpace: FeasibleSpace{List: []string{}}})
	e.Spec.TrialTemplate = &TrialTemplate{
		PrimaryContainerName: "main", SuccessCondition: "x", FailureCondition: "y",
		TrialSpec:       map[string]any{"apiVersion": "v1", "kind": "Pod", "spec": "${trialParameters.lr} ${trialParameters.x}"},
		TrialParameters: []TrialParameter{},
	}
	got := Validate(e, Options{Katib: true})
	wantPaths(t, got, "spec.parameters[1].feasibleSpace", "spec.trialTemplate", "spec.trialTemplate")
	for _, f := range got {
		if want := (f.Path == "spec.parameters[1].feasibleSpace"); (f.Type == Required) != want {
			t.Errorf("got type %s of %v", f.Type, f)
		}
	}
}

// TestSetDefaultsTwice: defaults are applied once.
func TestSetDefaultsTwice(t *testing.T) {
	for _, collector := range []CollectorKind{StdOut, File, TensorFlowEvent, PrometheusMetric, Custom, Push} {
		e := &Experiment{Spec: Spec{
			Objective:            &Objective{Type: "maximize", ObjectiveMetricName: "accuracy", AdditionalMetricNames: []string{"loss"}},
			TrialTemplate:        &TrialTemplate{TrialSpec: map[string]any{"kind": "TFJob"}},
			MetricsCollectorSpec: &MetricsCollectorSpec{Collector: &Collector{Kind: collector}},
			Parameters:           []ParameterSpec{{Name: "x"}},
		}}
		if first := SetDefaults(e); len(first) == 0 {
			t.Errorf("%s: no default was applied", collector)
		}
		if second := SetDefaults(e); len(second) > 0 {
			t.Errorf("%s: applied again: %v", collector, second)
		}
		v := &validator{e: e}
		if v.metricsCollector(); collector != Custom && len(v.faults) > 0 {
			t.Errorf("%s: the defaults are at fault: %v", collector, v.faults)
		}
	}
}

func TestCommandWarnings(t *testing.T) {
	parameters := []ParameterSpec{{Name: "learning-rate"}, {Name: "depth"}}
	template := &TrialTemplate{TrialParameters: []TrialParameter{{Name: "lr", Reference: "learning-rate"}, {Name: "d", Reference: "depth"}}}
	for _, tt := range []struct {
		name     string
		template *TrialTemplate
		command  []string
		want     string // parameter's place and placeholder; "" for no warning
	}{
		{"no command", nil, nil, ""},
		{"all", nil, []string{"train", "--lr=${trialParameters.learning-rate}", "${trialParameters.depth}"}, ""},
		{"all, by the template's names", template, []string{"train", "${trialParameters.lr}", "${trialParameters.d}"}, ""},
		{"all, by the environment", nil, []string{"train"}, ""},
		{"one by a variable", nil, []string{"sh", "-c", "train $0 $TUNED_PARAM_LEARNING_RATE", "${trialParameters.depth}"}, ""},
		{"others by the file", nil, []string{"sh", "-c", "train $0 $TUNED_PARAMS_FILE", "${trialParameters.depth}"}, ""},
		{"one is left out", nil, []string{"train", "${trialParameters.depth}"}, "spec.parameters[0] ${trialParameters.learning-rate}"},
		{"one is left out, by the template's names", template, []string{"train", "${trialParameters.lr}"}, "spec.parameters[1] ${trialParameters.d}"},
		{"one is left out, the other a variable", nil, []string{"sh", "-c", "train $TUNED_PARAM_DEPTH"}, "spec.parameters[0] ${trialParameters.learning-rate}"},
		{
			"one that the template does not bind", &TrialTemplate{TrialParameters: template.TrialParameters[:1]},
			[]string{"train", "${trialParameters.lr}"},
			"spec.parameters[1] ${trialParameters.depth}",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := CommandWarnings(&Spec{Parameters: parameters, TrialTemplate: tt.template}, tt.command)
			if tt.want == "" {
				if len(got) > 0 {
					t.Errorf("got %v, want no warning", got)
				}
				return
			}
			place, placeholder, _ := strings.Cut(tt.want, " ")
			if len(got) != 1 || got[0].Path != place || !strings.Contains(got[0].Detail, "pass "+placeholder+",") {
				t.Errorf("got %v, want one at %s that says %s", got, place, placeholder)
			}
		})
	}
}

func TestBareReferencesAreNoPlaceholders(t *testing.T) {
	parameters := []ParameterSpec{{Name: "lr"}, {Name: "depth"}}
	template := &TrialTemplate{TrialParameters: []TrialParameter{{Name: "rate", Reference: "lr"}}}
	for _, tt := range []struct {
		name     string
		template *TrialTemplate
		command  []string
		want     string // bare name and placeholder; "" for no warning
	}{
		{"as in a shell", nil, []string{"train", "--lr=${lr}"}, "${lr} ${trialParameters.lr}"},
		{"another prefix", nil, []string{"train", "--lr=${parameters.lr}"}, "${parameters.lr} ${trialParameters.lr}"},
		{"the template's name", template, []string{"train", "--lr=${rate}"}, "${rate} ${trialParameters.rate}"},
		{"in a script", nil, []string{"sh", "-c", "train --lr ${lr}"}, "${lr} ${trialParameters.lr}"},
		{"a variable of another name", nil, []string{"sh", "-c", "train ${HOME}"}, ""},
		{"beside the file of parameters", nil, []string{"sh", "-c", "lr=$(jq .lr $TUNED_PARAMS_FILE); train ${lr}"}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := CommandWarnings(&Spec{Parameters: parameters, TrialTemplate: tt.template}, tt.command)
			if tt.want == "" {
				if len(got) > 0 {
					t.Errorf("got %v, want no warning", got)
				}
				return
			}
			bare, placeholder, _ := strings.Cut(tt.want, " ")
			if len(got) != 1 || !strings.Contains(got[0].Detail, "says "+bare+",") || !strings.HasSuffix(got[0].Detail, "write "+placeholder) {
				t.Errorf("got %v, want one that says %s and %s", got, bare, placeholder)
			}
		})
	}
}

func TestBareReferencesInTemplates(t *testing.T) {
	const text = `apiVersion: kubeflow.org/v1beta1
kind: Experiment
metadata: {name: bare}
spec:
  parameters: [{name: lr, parameterType: double, feasibleSpace: {min: "0", max: "1"}}]
  trialTemplate:
    trialSpec: {spec: {template: {spec: {containers: [{name: c, command: [train, %q]}]}}}}
`
	for word, warned := range map[string]bool{"--lr=${lr}": true, "--lr=${trialParameters.lr}": false, "${lr} $TUNED_PARAM_LR": false} {
		r := Read("e.yaml", fmt.Appendf(nil, text, word), Options{})
		got := slices.ContainsFunc(r.Warnings, func(f Fault) bool { return strings.Contains(f.Detail, "the template says ${lr}") })
		if got != warned {
			t.Errorf("%s: warned %v, want %v: %v", word, got, warned, r.Warnings)
		}
	}
}
