package experiment

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	sigsyaml "sigs.k8s.io/yaml"

	"github.com/tuned-hpo/tuned/internal/testenv"
)

// The vectors hold what Katib's own code answers. Under Options.Katib our faults must be the same
// set of (field, type); texts differ, order and number do not count. Without it our rules are more
// and go further down, so for each of Katib's faults one of ours must be about the same field and of
// the same type, or about a field below it.

// katibError is one error of Katib's validator.
type katibError struct {
	Type  FaultType `json:"type"`
	Field string    `json:"field"`
}

func katibErrors(faults Faults) []katibError {
	var out []katibError
	for _, f := range faults {
		out = append(out, katibError{f.Type, f.Path})
	}
	return errorSet(out)
}

func errorSet(errs []katibError) []katibError {
	errs = append([]katibError{}, errs...) // never nil
	slices.SortFunc(errs, func(a, b katibError) int {
		return cmp.Or(strings.Compare(a.Field, b.Field), strings.Compare(string(a.Type), string(b.Type)))
	})
	return slices.Compact(errs)
}

func readVectors[T any](t *testing.T, name string) []T {
	t.Helper()
	text, err := os.ReadFile(testenv.Katib(t, "vectors", name))
	if err != nil {
		t.Fatal(err)
	}
	var cases []T
	if err := json.Unmarshal(text, &cases); err != nil {
		t.Fatal(err)
	}
	if len(cases) == 0 {
		t.Fatalf("%s holds no cases", name)
	}
	return cases
}

// katibOptions stand in for Katib's configuration: its algorithms and its templates.
func katibOptions(t *testing.T) Options {
	t.Helper()
	return Options{Katib: true, CheckAlgorithm: configuredAlgorithms(t), ConfigMaps: configMaps(t)}
}

// configuredAlgorithms knows the algorithms of the katib-config.
func configuredAlgorithms(t *testing.T) func(*Spec) Faults {
	t.Helper()
	type named struct {
		AlgorithmName string `json:"algorithmName"`
	}
	var config struct {
		Runtime struct {
			Suggestions    []named `json:"suggestions"`
			EarlyStoppings []named `json:"earlyStoppings"`
		} `json:"runtime"`
	}
	readYAML(t, testenv.Katib(t, "examples/manifests/v1beta1/installs/katib-standalone/katib-config.yaml"), &config)
	return func(s *Spec) Faults {
		var faults Faults
		if !slices.Contains(config.Runtime.Suggestions, named{s.Algorithm.AlgorithmName}) {
			faults = append(faults, Fault{Path: "spec.algorithm.algorithmName", Type: Invalid, Detail: "unknown algorithm"})
		}
		if e := s.EarlyStopping; e != nil && !slices.Contains(config.Runtime.EarlyStoppings, named{e.AlgorithmName}) {
			faults = append(faults, Fault{Path: "spec.earlyStopping.algorithmName", Type: Invalid, Detail: "unknown algorithm"})
		}
		return faults
	}
}

// configMaps resolves Katib's own templates.
func configMaps(t *testing.T) func(namespace, name, path string) (string, error) {
	t.Helper()
	var configMap struct {
		Metadata Metadata          `json:"metadata"`
		Data     map[string]string `json:"data"`
	}
	readYAML(t, testenv.Katib(t, "examples/manifests/v1beta1/components/controller/trial-templates.yaml"), &configMap)
	return func(namespace, name, path string) (string, error) {
		text, ok := configMap.Data[path]
		if !ok || name != configMap.Metadata.Name || namespace != configMap.Metadata.Namespace {
			return "", fmt.Errorf("configMap %s/%s has no %s", namespace, name, path)
		}
		return text, nil
	}
}

func readYAML(t *testing.T, path string, out any) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := sigsyaml.Unmarshal(text, out); err != nil {
		t.Fatal(err)
	}
}

// asTree turns a value into what JSON makes of it, without empty objects and lists: Katib's types
// write some where ours write nothing, and the other way round.
func asTree(t *testing.T, v any) any {
	t.Helper()
	js, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var tree any
	if err := json.Unmarshal(js, &tree); err != nil {
		t.Fatal(err)
	}
	return withoutEmpty(tree)
}

func withoutEmpty(node any) any {
	switch n := node.(type) {
	case map[string]any:
		for key, child := range n {
			n[key] = withoutEmpty(child)
		}
		maps.DeleteFunc(n, func(_ string, child any) bool {
			object, isObject := child.(map[string]any)
			list, isList := child.([]any)
			return isObject && len(object) == 0 || isList && len(list) == 0
		})
	case []any:
		for i := range n {
			n[i] = withoutEmpty(n[i])
		}
	}
	return node
}

func TestKatibExperiments(t *testing.T) {
	type vector struct {
		File             string          `json:"file"`
		DefaultedSpec    json.RawMessage `json:"defaulted_spec"`
		ValidationErrors []katibError    `json:"validation_errors"`
	}
	options := katibOptions(t)
	vectors := readVectors[vector](t, "experiments.json")
	for _, v := range vectors {
		t.Run(v.File, func(t *testing.T) {
			text, err := os.ReadFile(testenv.Katib(t, "examples", v.File))
			if err != nil {
				t.Fatal(err)
			}
			r := Read(v.File, text, options)
			if r.Experiment == nil {
				t.Fatalf("not read: %v", r.Faults)
			}
			if diff := gocmp.Diff(asTree(t, v.DefaultedSpec), asTree(t, r.Experiment.Spec)); diff != "" {
				t.Errorf("defaulted spec (-Katib +got):\n%s", diff)
			}
			if diff := gocmp.Diff(errorSet(v.ValidationErrors), katibErrors(r.Faults)); diff != "" {
				t.Errorf("faults (-Katib +got):\n%s\n%v", diff, r.Faults)
			}
		})
	}
	t.Logf("%d experiments", len(vectors))
}

// TestKatibValidatorTables runs the tables of Katib's validator tests. The text that their mock
// returned in the place of the template is the template.
func TestKatibValidatorTables(t *testing.T) {
	type vector struct {
		Case          string          `json:"case"`
		Instance      json.RawMessage `json:"instance"`
		OldInstance   *Experiment     `json:"oldInstance"`
		TrialTemplate string          `json:"trialTemplate"`
		Errors        []katibError    `json:"errors"`
	}
	notFound := func(string, string, string) (string, error) { return "", errors.New("not found") }
	experimentOf := func(t *testing.T, v vector) *Experiment {
		t.Helper()
		var e Experiment
		if err := json.Unmarshal(v.Instance, &e); err != nil {
			t.Fatal(err)
		}
		if tt := e.Spec.TrialTemplate; tt != nil && v.TrialTemplate != "" {
			tt.TrialSpec, tt.ConfigMap = nil, &ConfigMapSource{"name", "namespace", "path"}
			e.Local.Template = v.TrialTemplate
		}
		return &e
	}
	for _, table := range []struct {
		file     string
		validate func(t *testing.T, v vector, o Options) Faults
	}{
		{"validator-experiment.json", func(t *testing.T, v vector, o Options) Faults {
			if v.OldInstance != nil {
				if tt := v.OldInstance.Spec.TrialTemplate; tt != nil && v.TrialTemplate != "" {
					tt.TrialSpec, tt.ConfigMap = nil, &ConfigMapSource{"name", "namespace", "path"}
				}
				return ValidateUpdate(experimentOf(t, v), v.OldInstance, o)
			}
			return Validate(experimentOf(t, v), o)
		}},
		{"validator-trialtemplate.json", func(t *testing.T, v vector, o Options) Faults {
			validator := &validator{e: experimentOf(t, v), o: o}
			validator.trialTemplate()
			return validator.faults
		}},
		{"validator-parameters.json", func(t *testing.T, v vector, o Options) Faults {
			validator := &validator{e: &Experiment{}, o: o}
			if err := json.Unmarshal(v.Instance, &validator.e.Spec.Parameters); err != nil {
				t.Fatal(err)
			}
			validator.space()
			return validator.faults
		}},
		{"validator-metricscollector.json", func(t *testing.T, v vector, o Options) Faults {
			validator := &validator{e: &Experiment{}, o: o}
			if err := json.Unmarshal(v.Instance, &validator.e.Spec.MetricsCollectorSpec); err != nil {
				t.Fatal(err)
			}
			validator.metricsCollector()
			return validator.faults
		}},
	} {
		vectors := readVectors[vector](t, table.file)
		for _, v := range vectors {
			t.Run(strings.TrimSuffix(table.file, ".json")+"/"+v.Case, func(t *testing.T) {
				got := table.validate(t, v, Options{Katib: true, ConfigMaps: notFound})
				if diff := gocmp.Diff(errorSet(v.Errors), katibErrors(got)); diff != "" {
					t.Errorf("under Options.Katib (-Katib +got):\n%s\n%v", diff, got)
				}
				harmless := slices.ContainsFunc(got, func(f Fault) bool { return nothing.MatchString(f.Detail) })
				got = table.validate(t, v, Options{ConfigMaps: notFound})
				for _, want := range v.Errors {
					if !relaxed(want, harmless) && !among(got, want) {
						t.Errorf("by our rules: no %v among:\n%v", want, got)
					}
				}
			})
		}
		t.Logf("%s: %d cases", table.file, len(vectors))
	}
}

// nothing matches what is said of a field of a Job that is null, empty, false or 0.
var nothing = regexp.MustCompile(`^a Job does not hold .* as it is written, (null|\[\]|\{\}|""|false|0)$`)

// relaxed reports what is a fault to Katib and none to us: without a template a client asks for
// trials; without trialParameters placeholders are named like parameters; a field of a Job that says
// nothing, such as resources: null, does no harm.
func relaxed(e katibError, harmless bool) bool {
	switch e.Field {
	case "spec.trialTemplate":
		return e.Type == Required || harmless
	case "spec.trialTemplate.trialParameters":
		return e.Type == Required
	}
	return false
}

func among(faults Faults, want katibError) bool {
	return slices.ContainsFunc(faults, func(f Fault) bool {
		return f.Path == want.Field && f.Type == want.Type ||
			strings.HasPrefix(f.Path, want.Field+".") || strings.HasPrefix(f.Path, want.Field+"[")
	})
}

func TestSeedVariants(t *testing.T) {
	type vector struct {
		File             string          `json:"file"`
		DefaultedSpec    json.RawMessage `json:"defaulted_spec"`
		DecodeError      string          `json:"decode_error"`
		ValidationErrors []katibError    `json:"validation_errors"`
	}
	vectors := readVectors[vector](t, "seed-variants.json")
	for _, v := range vectors {
		t.Run(v.File, func(t *testing.T) {
			text, err := os.ReadFile(testenv.Katib(t, "seed-variants", v.File))
			if err != nil {
				t.Fatal(err)
			}
			ours := Read(v.File, text, Options{})
			var e Experiment
			err = sigsyaml.Unmarshal(text, &e) // as Katib reads it: no aliases
			if v.DecodeError != "" {
				if err == nil || ours.Experiment != nil || len(ours.Faults) == 0 || ours.Faults[0].Type != SyntaxError {
					t.Errorf("got %v and %+v, Katib says %s", err, ours, v.DecodeError)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			SetDefaults(&e)
			if diff := gocmp.Diff(asTree(t, v.DefaultedSpec), asTree(t, e.Spec)); diff != "" {
				t.Errorf("defaulted spec (-Katib +got):\n%s", diff)
			}
			if got := katibErrors(Validate(&e, Options{Katib: true})); !slices.Equal(got, errorSet(v.ValidationErrors)) {
				t.Errorf("got faults %v, Katib has %v", got, v.ValidationErrors)
			}
			if ours.Experiment == nil || len(ours.Faults) > 0 {
				t.Errorf("by our rules: %v", ours.Faults)
			}
			strict := Read(v.File, text, Options{Strict: true})
			if len(strict.Faults) != len(ours.Warnings) {
				t.Errorf("strict: got %d faults, want the %d warnings:\n%v", len(strict.Faults), len(ours.Warnings), strict.Faults)
			}
		})
	}
	t.Logf("%d variants", len(vectors))
}

// TestExamplesByOurRules reads every example. Katib's own examples are fine by our rules too, but for
// the searches for an architecture and those that Katib refuses.
func TestExamplesByOurRules(t *testing.T) {
	options := Options{CheckAlgorithm: configuredAlgorithms(t), ConfigMaps: configMaps(t)}
	katib := katibOptions(t)
	read, nas := 0, 0
	root := testenv.Katib(t, "examples", "examples")
	err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".yaml" {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		r := Read(path, text, options)
		if r.Experiment == nil {
			t.Errorf("%s: not read: %v", path, r.Faults)
			return nil
		}
		read++
		switch refused := len(Read(path, text, katib).Faults) > 0; {
		case r.Experiment.Spec.NasConfig != nil:
			nas++
			if !r.Faults.has("spec.nasConfig") {
				t.Errorf("%s: spec.nasConfig is not refused: %v", path, r.Faults)
			}
		case refused != (len(r.Faults) > 0):
			t.Errorf("%s: refused by Katib: %t, by us:\n%v", path, refused, r.Faults)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if read == 0 {
		t.Fatalf("no examples under %s", root)
	}
	t.Logf("%d examples read, %d of them refused by spec.nasConfig", read, nas)
}
