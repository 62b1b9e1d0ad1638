package runnertest

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tuned-hpo/tuned/pkg/searchspace"
)

func testArguments(t *testing.T, h Harness) {
	args := []string{
		"plain", "", " ", "two words", `"double" and 'single'`, "$(exit 3)", "`date`", "${HOME}", "$HOME", "a;b|c&d>e",
		"line one\nline two", "tab\there", "--flag=value", "--", "-x", `back\slash`, "*", "~", "ünïcødé", "${trialParameters.x}", "%s%n",
	}
	file := filepath.Join(t.TempDir(), "args")
	spec := h.Script("args", `f=$1; shift; for a; do printf '%s\0' "$a"; done > "$f"; echo done`, append([]string{file}, args...)...)
	h.Start(t, spec)
	if w := h.End(t, spec); w.Exit.Reason != "Completed" {
		t.Fatalf("got %+v", w.Exit)
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if want := strings.Join(args, "\x00") + "\x00"; string(got) != want {
		t.Errorf("got arguments\n%q, want\n%q", got, want)
	}
}

func testEnvironment(t *testing.T, h Harness) {
	file := filepath.Join(t.TempDir(), "env")
	spec := h.Script("env", `{ for n in TUNED_PARAM_LEARNING_RATE KUBEFLOW_TRAINER_OPT_LEARNING_RATE TUNED_PARAM_OPT KATIB_TRIAL_NAME TUNED_TRIAL_NAME TUNED_EXPERIMENT PYTHONUNBUFFERED; do
		eval "printf '%s\n' \"\$$n\""; done; cat "$TUNED_PARAMS_FILE"; } > "$1"`, file)
	spec.Assignment = searchspace.Assignment{{Name: "learning-rate", Value: "1e-3"}, {Name: "opt", Value: "a\"b $(c)"}, {Name: "zip", Value: "007"}}
	h.Start(t, spec)
	if w := h.End(t, spec); w.Exit.Reason != "Completed" {
		t.Fatalf("got %+v", w.Exit)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitN(string(text), "\n", 8)
	want := []string{"1e-3", "1e-3", "a\"b $(c)", "env", "env", Key.String(), "1"}
	for i, w := range want {
		if lines[i] != w {
			t.Errorf("variable %d: got %q, want %q", i, lines[i], w)
		}
	}
	var got map[string]any
	if err := json.Unmarshal([]byte(lines[7]), &got); err != nil {
		t.Fatal(err)
	}
	if got["learning-rate"] != 0.001 || got["opt"] != "a\"b $(c)" || got["zip"] != "007" || len(got) != 3 {
		t.Errorf("got parameters %v", got)
	}
}
