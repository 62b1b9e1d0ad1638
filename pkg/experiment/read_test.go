package experiment

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/tuned-hpo/tuned/internal/golden"
)

// rule cuts a golden file into the text that is read and what comes of it.
const rule = "----------\n"

// TestReadGolden reads the files of testdata/read. A first line "# read: strict command defaults"
// sets options, and asks for the list of defaults.
func TestReadGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/read/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden files: %v", err)
	}
	for _, file := range files {
		name := filepath.Base(file)
		t.Run(name, func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			input, _, _ := strings.Cut(string(text), rule)
			golden.Compare(t, file, input+rule+readSummary(name, input))
		})
	}
}

func readSummary(name, input string) string {
	first, _, _ := strings.Cut(input, "\n")
	words, _ := strings.CutPrefix(first, "# read:")
	r := Read(name, []byte(input), Options{
		Strict:       strings.Contains(words, "strict"),
		CommandGiven: strings.Contains(words, "command"),
	})
	var b strings.Builder
	for _, f := range r.Faults {
		fmt.Fprintf(&b, "fault: %s [%s]\n", f.Error(), f.Type)
	}
	for _, f := range r.Warnings {
		fmt.Fprintf(&b, "warning: %s [%s]\n", f.Error(), f.Type)
	}
	if strings.Contains(words, "defaults") {
		for _, d := range r.Defaults {
			fmt.Fprintf(&b, "default: %s = %s (%s)\n", d.Path, d.Value, d.Reason)
		}
	}
	if len(r.Faults) == 0 {
		b.WriteString("read\n")
	}
	return b.String()
}

const small = `apiVersion: kubeflow.org/v1beta1
kind: Experiment
metadata: {name: small}
spec:
  objective: {type: minimize, objectiveMetricName: loss}
  algorithm: {algorithmName: random}
  parameters:
    - {name: lr, parameterType: double, feasibleSpace: {min: 1e-3, max: .10}}
`

// TestReadText covers what a golden file cannot hold.
func TestReadText(t *testing.T) {
	deep := "a: " + strings.Repeat("[", 70) + strings.Repeat("]", 70)
	bomb := "a: &a [x,x,x,x,x,x,x,x,x,x]\n"
	for c := 'b'; c <= 'h'; c++ {
		bomb += fmt.Sprintf("%c: &%c [%s]\n", c, c, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*%c,", c-1), 10), ","))
	}
	for _, tt := range []struct {
		name, text string
		want       string // of the first fault; "" when there is none
	}{
		{"as it is", small, ""},
		{"byte order mark", "\xef\xbb\xbf" + small, ""},
		{"lines end as on Windows", strings.ReplaceAll(small, "\n", "\r\n"), ""},
		{"lines end as long ago", "# mine\r# all\r" + strings.ReplaceAll(small, "\n", "\r"), ""},
		{"a fault after such lines", "# mine\r# all\r" + strings.ReplaceAll(small, "minimize", "smaller"), "f.yaml:7:15: spec.objective.type"},
		{"a line that ends for YAML alone", "# a\n# b\u2028c\n" + small, `f.yaml:2:4: U+2028 ends a line for YAML and for nothing else; take it out, or write "\u2028" in double quotes`},
		{"no end of line", strings.TrimSuffix(small, "\n"), ""},
		{"markers around one document", "---\n" + small + "...\n---\n", ""},
		{"empty documents before", "---\n---\n" + small, ""},
		{"comment before the marker", "# mine\n---\n" + small, ""},
		{"empty", "", "f.yaml:1:1: the file is empty; want an Experiment"},
		{"only a comment", "# nothing\n", "f.yaml:1:1: the file is empty; want an Experiment"},
		{"two documents", small + "---\n" + small, "f.yaml:10:1: a second document begins here; give each experiment a file of its own"},
		{"no UTF-8", "kind: Exp\xe9riment\n", "f.yaml:1:10: byte 0xe9 is no UTF-8 text; save the file as UTF-8"},
		{"no mapping", "- 1\n", `f.yaml:1:1: want an Experiment, that is fields such as "kind: Experiment"`},
		{"too large", "#" + strings.Repeat("x", maxText), "f.yaml:1:1: file of 1048577 bytes is larger than 1048576"},
		{"too deep", deep, "f.yaml:1:68: a" + strings.Repeat("[0]", 64) + ": more than 64 levels of nesting"},
		{"aliases that multiply", bomb, "more than 100000 values"},
		{"alias of itself", "a: &a [*a]\n", "more than 64 levels of nesting"},
		{"alias of nothing", "a: *b\n", "unknown anchor 'b' referenced"},
		{"tab", "kind: Experiment\nspec: {}\nmetadata:\n\tname: x\n", "a tab stands where YAML wants spaces"},
		{"infinite", "[.inf]: 1\na: .inf", "f.yaml:1:1: want a name before the colon"},
		{"infinite with a tag", "a: [!!float .inf]\n", "f.yaml:1:5: a[0]: a number that is not finite; put text in quotes"},
		{"key that is a list", "[a]: 1\n", "f.yaml:1:1: want a name before the colon"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := Read("f.yaml", []byte(tt.text), Options{})
			switch {
			case tt.want == "" && len(r.Faults) > 0:
				t.Errorf("got %v, want no fault", r.Faults)
			case tt.want != "" && len(r.Faults) == 0:
				t.Errorf("got no fault, want %s", tt.want)
			case tt.want != "" && !strings.Contains(r.Faults[0].Error(), tt.want):
				t.Errorf("got %v first, want %s", r.Faults, tt.want)
			}
		})
	}
}

// TestReadInfinite: a number that JSON cannot hold hides no other fault.
func TestReadInfinite(t *testing.T) {
	for _, number := range []string{".nan", ".inf", "-.inf", "+.Inf", "!!float .inf", "&x .inf"} {
		text := strings.Replace(small, "{name: lr,", `{name: "größe", `, 1)
		text = strings.Replace(text, "min: 1e-3, max: .10", "min: "+number+", max: .10, list: 3", 1) + "  resumePolicy: Sometimes\n"
		var got []string
		for _, f := range Read("f.yaml", []byte(text), Options{CommandGiven: true}).Faults {
			got = append(got, f.Path)
		}
		want := []string{"spec.parameters[0].feasibleSpace.min", "spec.parameters[0].feasibleSpace.list", "spec.resumePolicy"}
		if number[0] == '!' || number[0] == '&' {
			want = want[:1] // what a tag or an anchor stands before hides the rest
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: got faults at %q, want %q", number, got, want)
		}
	}
	r := Read("f.yaml", []byte(strings.Replace(small, "type: minimize,", "type: minimize, goal: .nan,", 1)), Options{CommandGiven: true})
	wantPaths(t, r.Faults, "spec.objective.goal")
}

func TestReadKeepsNumbersAsWritten(t *testing.T) {
	text := strings.Replace(small, "min: 1e-3, max: .10", "min: 1e-3, max: .10, step: 0.0010", 1)
	r := Read("f.yaml", []byte(text), Options{})
	if len(r.Faults) > 0 {
		t.Fatal(r.Faults)
	}
	got := r.Experiment.Spec.Parameters[0].FeasibleSpace
	want := FeasibleSpace{Min: "1e-3", Max: ".10", Step: "0.0010", Distribution: "uniform"}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// TestReadNumbersAsKatib: what sigs.k8s.io/yaml makes of numbers where text is wanted.
func TestReadNumbersAsKatib(t *testing.T) {
	for written, want := range map[string]string{
		"1e-2": "0.01", ".5": "0.5", "1e6": "1e+06", "3.0": "3", "1_000": "1000", "0x10": "16", "0010": "8", "12345678901234567890.5": "1.2345679e+19",
		"yes": "true", `"1e-2"`: "1e-2", "-7": "-7",
	} {
		r := Read("f.yaml", []byte(strings.Replace(small, "min: 1e-3", "min: "+written, 1)), Options{Katib: true, CommandGiven: true})
		if r.Experiment == nil {
			t.Fatalf("%s: %v", written, r.Faults)
		}
		if got := r.Experiment.Spec.Parameters[0].FeasibleSpace.Min; got != want {
			t.Errorf("%s: got %q, want %q", written, got, want)
		}
	}
}

func TestReadLeavesOutWhatServersSet(t *testing.T) {
	text := strings.Replace(small, "{name: small}", "{name: small, uid: x, generation: 3, creationTimestamp: null}", 1) +
		"status: {trials: 3, anything: else}\n"
	r := Read("f.yaml", []byte(text), Options{Strict: true})
	if len(r.Faults) > 0 {
		t.Fatal(r.Faults)
	}
	if e := r.Experiment; e.Metadata.UID != "" || e.Status.Trials != 0 {
		t.Errorf("got uid %q and %d trials, want neither", e.Metadata.UID, e.Status.Trials)
	}
}

func TestReadKeepsTemplateOfConfigMap(t *testing.T) {
	const template = "apiVersion: batch/v1\nkind: Job\nspec: {template: {spec: {containers: [{name: main, args: [\"${trialParameters.lr}\"]}]}}}\n"
	text := small + `  trialTemplate:
    primaryContainerName: main
    successCondition: status.ok
    failureCondition: status.bad
    trialParameters: [{name: lr, reference: lr}]
    configMap: {configMapName: templates, configMapNamespace: team, templatePath: job.yaml}
`
	asked := ""
	r := Read("f.yaml", []byte(text), Options{ConfigMaps: func(namespace, name, path string) (string, error) {
		asked = namespace + " " + name + " " + path
		return template, nil
	}})
	if len(r.Faults) > 0 {
		t.Fatal(r.Faults)
	}
	if got := r.Experiment.Local.Template; got != template || asked != "team templates job.yaml" {
		t.Errorf("got template %q asking for %q", got, asked)
	}
}

func TestEntries(t *testing.T) {
	const text = "base: &b {x: 1, y: 2}\nother: &o {y: 3, z: 4}\nm:\n  <<: [*b, *o]\n  x: 5\n"
	doc, faults := parse([]byte(text))
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	fields := entries(entries(doc.root)["m"].value)
	for name, want := range map[string]string{"x": "5", "y": "2", "z": "4"} {
		if got := fields[name].value; got == nil || got.Value != want {
			t.Errorf("%s: got %v, want %s", name, got, want)
		}
	}
	if got := entries(nil)["x"]; got.key != nil {
		t.Errorf("got %v from nothing", got)
	}
}

// hostileTexts are as large as what is read may be, and wrong all over.
func hostileTexts() map[string]string {
	var unknown, job, parameters, references strings.Builder
	for i := range 10_000 {
		fmt.Fprintf(&unknown, "objectiv%d: 1\n", i)
		fmt.Fprintf(&job, "        imag%d: 1\n", i)
		fmt.Fprintf(&parameters, "    - %d\n", i)
		fmt.Fprintf(&references, "      - {name: n%d, reference: r%d}\n", i, i)
	}
	template := small + "  trialTemplate:\n    primaryContainerName: main\n    successCondition: s\n    failureCondition: f\n"
	return map[string]string{
		"unknown fields":          small + unknown.String(),
		"unknown fields of a Job": template + "    trialSpec:\n      apiVersion: batch/v1\n      kind: Job\n      spec:\n" + job.String(),
		"no parameters":           small + parameters.String(),
		"unknown references":      template + "    trialSpec: {apiVersion: v1, kind: Pod}\n    trialParameters:\n" + references.String(),
	}
}

func TestReadHostileTexts(t *testing.T) {
	for name, text := range hostileTexts() {
		r := Read("f.yaml", []byte(text), Options{Strict: true})
		if len(r.Faults) != maxFaults+1 {
			t.Errorf("%s: got %d faults, want the first %d and one of what they are part of", name, len(r.Faults), maxFaults)
		}
		if last := r.Faults[len(r.Faults)-1]; !strings.Contains(last.Detail, "more like these") {
			t.Errorf("%s: got %v last", name, last)
		}
	}
}

// BenchmarkRead shows that what hostile text costs is in proportion to its length.
func BenchmarkRead(b *testing.B) {
	for name, text := range hostileTexts() {
		for _, part := range []int{1, 2} {
			lines := strings.SplitAfter(text, "\n")
			half := strings.Join(lines[:len(lines)/part], "")
			b.Run(fmt.Sprintf("%s/%d", name, len(lines)/part), func(b *testing.B) {
				for b.Loop() {
					Read("f.yaml", []byte(half), Options{Strict: true})
				}
			})
		}
	}
}

// lineEnd is where a line ends in an editor, and in YAML.
var lineEnd = regexp.MustCompile(`\r\n|\r|\n`)

func FuzzRead(f *testing.F) {
	files, err := filepath.Glob("testdata/read/*.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		input, _, _ := bytes.Cut(text, []byte(rule))
		f.Add(input)
	}
	f.Add([]byte(small))
	f.Fuzz(func(t *testing.T, text []byte) {
		r := Read("f.yaml", text, Options{})
		if r.Experiment == nil && len(r.Faults) == 0 {
			t.Fatal("neither an experiment nor a fault")
		}
		lines := lineEnd.Split(string(text), -1)
		for _, fault := range append(r.Faults, r.Warnings...) {
			if fault.Line < 1 || fault.Line > len(lines) {
				t.Fatalf("line of %v is not one of %d", fault, len(lines))
			}
			if fault.Column < 1 || fault.Column > utf8.RuneCountInString(lines[fault.Line-1])+1 {
				t.Fatalf("column of %v is not in %q", fault, lines[fault.Line-1])
			}
		}
		if len(r.Faults) > 0 {
			return
		}
		if _, err := r.Experiment.Spec.Space(); err != nil {
			t.Fatalf("accepted, but has no space: %v", err)
		}
	})
}
