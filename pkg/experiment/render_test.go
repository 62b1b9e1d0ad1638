package experiment

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
	"sigs.k8s.io/yaml"

	"github.com/tuned-hpo/tuned/pkg/searchspace"
)

func TestRenderAsKatib(t *testing.T) {
	type vector struct {
		File        string                 `json:"file"`
		Assignments searchspace.Assignment `json:"assignments"`
		Spec        Spec                   `json:"defaulted_spec"`
		RunSpec     map[string]any         `json:"run_spec"`
	}
	templates := configMaps(t)
	for _, v := range readVectors[vector](t, "experiments.json") {
		if v.RunSpec == nil {
			continue // neural architecture search, which Katib's vectors leave out
		}
		t.Run(v.File, func(t *testing.T) {
			metadata := v.RunSpec["metadata"].(map[string]any)
			ctx := TrialContext{Name: metadata["name"].(string), Assignment: v.Assignments}
			ctx.Namespace, _ = metadata["namespace"].(string)
			template := v.Spec.TrialTemplate
			var got map[string]any
			var err error
			if template.ConfigMap != nil {
				text, lost := templates(template.ConfigMap.ConfigMapNamespace, template.ConfigMap.ConfigMapName, template.ConfigMap.TemplatePath)
				if lost != nil {
					t.Fatal(lost)
				}
				got, err = RenderYAML(text, template.TrialParameters, ctx)
			} else {
				got, err = Render(template.TrialSpec, template.TrialParameters, ctx)
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(throughJSON(t, got), any(v.RunSpec)); diff != "" {
				t.Errorf("object differs (-got +want):\n%s", diff)
			}
		})
	}
}

func throughJSON(t rapid.TB, v any) (out any) {
	if err := json.Unmarshal([]byte(asJSON(t, v)), &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// fromYAML reads a tree as Spec.TrialTemplate.TrialSpec holds it.
func fromYAML(t *testing.T, text string) (out map[string]any) {
	t.Helper()
	if err := yaml.Unmarshal([]byte(text), &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func assign(pairs ...string) searchspace.Assignment {
	var a searchspace.Assignment
	for i := 0; i < len(pairs); i += 2 {
		a = append(a, Pair{Name: pairs[i], Value: pairs[i+1]})
	}
	return a
}

// hostile are values that a text replacement would let out of their place.
var hostile = []string{
	`"`, `'`, `\`, "\n", "a\nkind: Pod", `", "image": "evil`, "${trialParameters.other}", "${trialParameters.x}", "$(rm -rf /)", "`id`", "; reboot",
	"--flag", "}", "{", "{{", "!!binary x", "&a *a", "- x", "# no comment", ": ", "\x00", "\u2028", "é", "", " ", "null", "~", "yes", "0x1F", "1e5", "true", "$1", "${1}",
}

func TestRenderHostileValues(t *testing.T) {
	template := fromYAML(t, `
kind: Job
spec:
  args: ["--x=${trialParameters.x}", "${trialParameters.other}"]
  nested: {"${trialParameters.x}": key, value: "a ${trialParameters.x}-${trialParameters.x} b"}
  number: 3
`)
	before := asJSON(t, template)
	for _, value := range hostile {
		ctx := TrialContext{Name: "t", Namespace: "ns", Assignment: assign("x", value, "other", "o")}
		for _, params := range [][]TrialParameter{nil, {{Name: "x", Reference: "x"}, {Name: "other", Reference: "other"}}} {
			got, err := Render(template, params, ctx)
			if err != nil {
				t.Fatalf("%q: %v", value, err)
			}
			want := map[string]any{
				"kind": "Job", "metadata": map[string]any{"name": "t", "namespace": "ns"},
				"spec": map[string]any{
					"args": []any{"--x=" + value, "o"}, "number": 3.0,
					"nested": map[string]any{"${trialParameters.x}": "key", "value": "a " + value + "-" + value + " b"},
				},
			}
			if diff := cmp.Diff(got, want); diff != "" {
				t.Errorf("value %q (-got +want):\n%s", value, diff)
			}
			argv, err := RenderCommand([]string{"sh", "-c", "echo ${trialParameters.x}", "${trialParameters.x}"}, params, ctx)
			if diff := cmp.Diff(argv, []string{"sh", "-c", "echo " + value, value}); diff != "" || err != nil {
				t.Errorf("value %q: %v (-got +want):\n%s", value, err, diff)
			}
		}
	}
	if after := asJSON(t, template); after != before {
		t.Errorf("rendering changed the template to %s", after)
	}
}

func TestRenderInactiveParameters(t *testing.T) {
	tests := []struct {
		name       string
		argv, want []string
	}{
		{"option with value", []string{"train", "--lr=${trialParameters.lr}", "--momentum=${trialParameters.gone}", "end"}, []string{"train", "--lr=1", "end"}},
		{"option and value", []string{"train", "--momentum", "${trialParameters.gone}", "end"}, []string{"train", "end"}},
		{"short option and value", []string{"train", "-m", "${trialParameters.gone}"}, []string{"train"}},
		{"value after a program", []string{"train", "${trialParameters.gone}"}, []string{"train"}},
		{"value after an active option", []string{"--lr=${trialParameters.lr}", "${trialParameters.gone}"}, []string{"--lr=1"}},
		{"value after an option with value", []string{"--lr=3", "${trialParameters.gone}"}, []string{"--lr=3"}},
		{"value after the end of options", []string{"--", "${trialParameters.gone}"}, []string{"--"}},
		{"value after a negative number", []string{"-1", "${trialParameters.gone}"}, []string{"-1"}},
		{"part of a word after an option", []string{"-v", "x${trialParameters.gone}"}, []string{"-v"}},
		{"two values", []string{"--m", "${trialParameters.gone}", "${trialParameters.gone}"}, []string{}},
		{"one of two in a word", []string{"a", "--betas=${trialParameters.lr},${trialParameters.gone}"}, []string{"a"}},
		{
			"script",
			[]string{"sh", "-c", "train --lr=${trialParameters.lr} --momentum=${trialParameters.gone}"},
			[]string{"sh", "-c", "train --lr=1 --momentum="},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			params := []TrialParameter{{Name: "lr", Reference: "p"}, {Name: "gone", Reference: "q"}}
			got, err := RenderCommand(tt.argv, params, TrialContext{Assignment: assign("p", "1")})
			if diff := cmp.Diff(got, tt.want); diff != "" || err != nil {
				t.Errorf("by trial parameters: %v (-got +want):\n%s", err, diff)
			}
			got, err = RenderCommand(tt.argv, nil, TrialContext{Assignment: assign("lr", "1")})
			if diff := cmp.Diff(got, tt.want); diff != "" || err != nil {
				t.Errorf("by parameters: %v (-got +want):\n%s", err, diff)
			}
		})
	}
	got, err := Render(fromYAML(t, `{env: [{name: M, value: "${trialParameters.gone}"}]}`), nil, TrialContext{Name: "t"})
	want := map[string]any{"env": []any{map[string]any{"name": "M", "value": ""}}, "metadata": map[string]any{"name": "t"}}
	if diff := cmp.Diff(got, want); diff != "" || err != nil {
		t.Errorf("variable: %v (-got +want):\n%s", err, diff)
	}
}

func TestUndeclaredPlaceholderStays(t *testing.T) {
	got, err := RenderCommand([]string{"${trialParameters.p}", "${trialParameters.lr}", "${trialSpec.Name}"},
		[]TrialParameter{{Name: "lr", Reference: "p"}}, TrialContext{Name: "t", Assignment: assign("p", "1")})
	want := []string{"${trialParameters.p}", "1", "${trialSpec.Name}"}
	if diff := cmp.Diff(got, want); diff != "" || err != nil {
		t.Errorf("%v (-got +want):\n%s", err, diff)
	}
}

func TestRenderMetadata(t *testing.T) {
	template := fromYAML(t, `
apiVersion: batch/v1
kind: Job
metadata: {name: old, namespace: old, labels: {a.b/c: L}, annotations: {k: "${trialParameters.p}"}}
value: ${trialParameters.m}
`)
	tests := []struct{ reference, want, wantErr string }{
		{"${trialSpec.Name}", "t-1", ""},
		{"${trialSpec.Namespace}", "ns", ""},
		{"${trialSpec.Kind}", "Job", ""},
		{"${trialSpec.APIVersion}", "batch/v1", ""},
		{"${trialSpec.Labels[a.b/c]}", "L", ""},
		{"${trialSpec.Annotations[k]}", "${trialParameters.p}", ""},
		{"${trialSpec.Labels[k]}", "", `render trial parameter "m": the template has no Labels[k]`},
		{"${trialSpec.Other}", "", ""}, // a parameter of that name, which is not active
	}
	for _, tt := range tests {
		params := []TrialParameter{{Name: "m", Reference: tt.reference}}
		got, err := Render(template, params, TrialContext{Name: "t-1", Namespace: "ns"})
		if tt.wantErr != "" {
			if err == nil || err.Error() != tt.wantErr {
				t.Errorf("%s: got error %v, want %s", tt.reference, err, tt.wantErr)
			}
			continue
		}
		if err != nil || got["value"] != tt.want {
			t.Errorf("%s: got %v, %v, want %q", tt.reference, got["value"], err, tt.want)
		}
		if m := got["metadata"].(map[string]any); m["name"] != "t-1" || m["namespace"] != "ns" || len(m) != 4 {
			t.Errorf("%s: got metadata %v", tt.reference, m)
		}
	}
}

func TestRenderMetadataOfUnusualTemplates(t *testing.T) {
	template := map[string]any{"metadata": map[string]any{"namespace": "old"}}
	if got, err := Render(template, nil, TrialContext{Name: "t"}); err != nil || got["metadata"].(map[string]any)["namespace"] != nil {
		t.Errorf("no namespace: got %v, %v, want none", got["metadata"], err)
	}
	if got, err := Render(map[string]any{"metadata": "text"}, nil, TrialContext{}); err == nil {
		t.Errorf("metadata is text: got %v, want an error", got)
	}
	if got, err := RenderCommand([]string{"x"}, []TrialParameter{{Name: "m", Reference: "${trialSpec.Kind}"}}, TrialContext{}); err == nil {
		t.Errorf("kind without a template: got %v, want an error", got)
	}
}

func TestRenderYAML(t *testing.T) {
	const template = `
plain: ${trialParameters.x}
quoted: "${trialParameters.x}"
single: '${trialParameters.x}'
part: v${trialParameters.x}
block: |-
  ${trialParameters.x}
tagged: !!str ${trialParameters.x}
flow: [train, --x=${trialParameters.x}, ${trialParameters.x}]
${trialParameters.x}: key
yes: 1.0 # as Katib reads YAML
anchor: &a ${trialParameters.x}
alias: *a
placeholder: placeholder0end
`
	tests := []struct {
		value string
		plain any
	}{
		{"2", int64(2)},
		{"-3", int64(-3)},
		{"0.01", 0.01},
		{"1e-05", 1e-05},
		{"true", true},
		{"false", false},
		{"9007199254740993", int64(9007199254740993)},
		{"adam", "adam"},
		{"", ""},
		{"null", nil},
		{"yes", true},
		{"007", int64(7)},
		{"010", int64(8)},
		{"0x1F", int64(31)},
		{".5", 0.5},
		{"+1", int64(1)},
		{"99999999999999999999", 1e20},
		{"a: b", "a: b"},
		{"1 # one", "1 # one"},
		{"1e999", "1e999"},
		{"nan", "nan"},
		{"1\nkind: Pod", "1\nkind: Pod"},
		{`[1]`, `[1]`},
		{`"1"`, `"1"`},
		{" 1", " 1"},
		{"1 ", "1 "},
		{"${trialParameters.x}", "${trialParameters.x}"},
	}
	for _, tt := range tests {
		got, err := RenderYAML(template, []TrialParameter{{Name: "x", Reference: "p"}}, TrialContext{Name: "t", Assignment: assign("p", tt.value)})
		if err != nil {
			t.Fatalf("%q: %v", tt.value, err)
		}
		want := map[string]any{
			"plain": tt.plain, "quoted": tt.value, "single": tt.value, "part": "v" + tt.value, "block": tt.value, "tagged": tt.value,
			"flow": []any{"train", "--x=" + tt.value, tt.plain}, "${trialParameters.x}": "key", "true": 1.0,
			"anchor": tt.plain, "alias": tt.plain, "placeholder": "placeholder0end", "metadata": map[string]any{"name": "t"},
		}
		if diff := cmp.Diff(got, want); diff != "" {
			t.Errorf("value %q (-got +want):\n%s", tt.value, diff)
		}
	}
}

func TestRenderYAMLErrors(t *testing.T) {
	for name, template := range map[string]string{
		"nothing": "", "a list": "- a", "a text": "x", "no YAML": "a: [", "a key twice": "${trialParameters.x}: 1\n${trialParameters.x}: 2",
	} {
		if got, err := RenderYAML(template, nil, TrialContext{}); err == nil || !strings.HasPrefix(err.Error(), "read trial template: ") {
			t.Errorf("%s: got %v, %v, want an error", name, got, err)
		}
	}
}

func TestPlaceholders(t *testing.T) {
	tree := fromYAML(t, `{a: ["${trialParameters.b} ${trialParameters.a-1}", {c: "${trialParameters.b}"}], "${trialParameters.key}": 1, d: "${trialParameters.}${other}"}`)
	for _, tt := range []struct {
		template any
		want     []string
	}{
		{tree, []string{"a-1", "b"}},
		{[]string{"x", "--lr=${trialParameters.lr}"}, []string{"lr"}},
		{"a: ${trialParameters.lr}", []string{"lr"}},
		{nil, nil},
	} {
		if diff := cmp.Diff(Placeholders(tt.template), tt.want); diff != "" {
			t.Errorf("%v (-got +want):\n%s", tt.template, diff)
		}
	}
}

// checkRendered compares a rendered tree with its template, both as JSON trees: only texts with
// placeholders may differ, and those by the value in the placeholder's place.
func checkRendered(t rapid.TB, path string, got, template any, value string) {
	switch want := template.(type) {
	case map[string]any:
		tree, ok := got.(map[string]any)
		if !ok || len(tree) != len(want) {
			t.Fatalf("%s: got %v, want an object like %v", path, got, want)
		}
		for key, child := range want {
			checkRendered(t, path+"."+key, tree[key], child, value)
		}
	case []any:
		list, ok := got.([]any)
		if !ok || len(list) != len(want) {
			t.Fatalf("%s: got %v, want a list like %v", path, got, want)
		}
		for i, child := range want {
			checkRendered(t, path+"[]", list[i], child, value)
		}
	case string:
		if parts := strings.Split(want, "${trialParameters.x}"); got != strings.Join(parts, value) {
			t.Fatalf("%s: got %q, want %q with %q", path, got, want, value)
		}
	default:
		if got != want {
			t.Fatalf("%s: got %v, want %v", path, got, want)
		}
	}
}

// With every parameter active, rendering touches only the texts with placeholders.
func TestRenderTouchesOnlyPlaceholders(t *testing.T) {
	leaf := rapid.OneOf(rapid.Just("${trialParameters.x}"), rapid.StringMatching(`[-a-z "\\$]{0,5}\$\{trialParameters\.x\}[-a-z "\\${}]{0,5}`), rapid.String())
	value := rapid.OneOf(rapid.SampledFrom(hostile), rapid.String())
	rapid.Check(t, func(t *rapid.T) {
		var tree func(depth int) any
		tree = func(depth int) any {
			switch kind := rapid.IntRange(0, 4).Draw(t, "kind"); {
			case kind == 0 && depth > 0:
				var list []any
				for range rapid.IntRange(0, 3).Draw(t, "length") {
					list = append(list, tree(depth-1))
				}
				return list
			case kind == 1 && depth > 0:
				object := map[string]any{}
				for range rapid.IntRange(0, 3).Draw(t, "size") {
					object[leaf.Draw(t, "key")] = tree(depth - 1)
				}
				return object
			case kind == 2:
				return rapid.SampledFrom([]any{nil, true, 1.5}).Draw(t, "scalar")
			}
			return leaf.Draw(t, "text")
		}
		template := map[string]any{"metadata": map[string]any{"name": "t", "namespace": "ns"}, "spec": tree(3)}
		v := value.Draw(t, "value")
		got, err := Render(template, []TrialParameter{{Name: "x", Reference: "p"}}, TrialContext{Name: "t", Namespace: "ns", Assignment: assign("p", v)})
		if err != nil {
			t.Fatal(err)
		}
		checkRendered(t, "template", got, template, v)
	})
}

func FuzzRender(f *testing.F) {
	for _, value := range hostile {
		f.Add(`{"spec":{"args":["--x=${trialParameters.x}"],"n":1}}`, value)
	}
	f.Fuzz(func(t *testing.T, text, value string) {
		var template map[string]any
		if json.Unmarshal([]byte(text), &template) != nil || template == nil {
			return
		}
		template["metadata"] = map[string]any{"name": "t", "namespace": "ns"}
		got, err := Render(template, []TrialParameter{{Name: "x", Reference: "p"}}, TrialContext{Name: "t", Namespace: "ns", Assignment: assign("p", value)})
		if err != nil {
			t.Fatal(err)
		}
		checkRendered(t, "template", got, template, value)
	})
}

// A YAML template gives the same tree for every value that is no number or boolean.
func FuzzRenderYAML(f *testing.F) {
	for _, value := range hostile {
		f.Add("kind: Job\nspec:\n  args: [a, --x=${trialParameters.x}]\n  n: ${trialParameters.x}\n", value)
	}
	f.Fuzz(func(t *testing.T, template, value string) {
		params := []TrialParameter{{Name: "x", Reference: "p"}}
		if _, isText := typed(value).(string); !isText {
			return
		}
		// A value that stands for itself shows the template's own tree.
		tree, err := RenderYAML(template, params, TrialContext{Name: "t", Assignment: assign("p", "${trialParameters.x}")})
		if err != nil {
			return
		}
		got, err := RenderYAML(template, params, TrialContext{Name: "t", Assignment: assign("p", value)})
		if err != nil {
			t.Fatal(err)
		}
		checkRendered(t, "template", got, any(tree), value)
	})
}
