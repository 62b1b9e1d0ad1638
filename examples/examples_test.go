package examples_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/tuned-hpo/tuned/internal/testenv"
)

// budget is the number of trials of each experiment here. The digits allow for 5 failed ones, which
// must not be more.
const budget = 5

// needs lists, per folder, the Python modules that its program imports beyond the standard
// library. Nil means that it is no Python.
var needs = map[string][]string{
	"checkpoints": {},
	"digits":      nil,
	"lightgbm":    {"lightgbm", "numpy"},
	"pytorch":     {"torch"},
	"sklearn":     {"sklearn", "numpy"},
	"styles":      {},
}

// root is a folder that looks like the root of the repository after `make build`.
var root string

func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "examples:", err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	if root, err = os.MkdirTemp("", "tuned-examples-"); err != nil {
		return 1, fmt.Errorf("make folder: %w", err)
	}
	defer os.RemoveAll(root)
	here, err := os.Getwd()
	if err != nil {
		return 1, fmt.Errorf("find examples: %w", err)
	}
	if err := os.Symlink(here, filepath.Join(root, "examples")); err != nil {
		return 1, fmt.Errorf("lay out examples: %w", err)
	}
	build := exec.Command("go", "build", "-o", filepath.Join(root, "bin")+"/", "./cmd/tuned", "./cmd/trial-agent", "./examples/digits")
	build.Dir = filepath.Dir(here)
	if out, err := build.CombinedOutput(); err != nil {
		return 1, fmt.Errorf("build programs: %w\n%s", err, out)
	}
	return m.Run(), nil
}

// tuned runs the program at root and returns its standard output and exit code.
func tuned(t *testing.T, args ...string) (stdout string, code int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), filepath.Join(root, "bin", "tuned"), args...)
	cmd.Dir = root
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = time.Minute
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatalf("tuned %v: %v", args, err)
	}
	t.Logf("tuned %s\n%s%s", strings.Join(args, " "), out, &stderr)
	return string(out), cmd.ProcessState.ExitCode()
}

// An experiment is what the test needs to know of an experiment's file.
type experiment struct {
	Metadata struct {
		Name string `json:"name"`
	} `json:"metadata"`
	Spec struct {
		Objective struct {
			Goal *float64 `json:"goal"`
		} `json:"objective"`
		Parameters []struct {
			Name string `json:"name"`
		} `json:"parameters"`
	} `json:"spec"`
}

// A trial is a trial as `tuned trials -o json` prints it.
type trial struct {
	Trial      string            `json:"trial"`
	State      string            `json:"state"`
	Message    string            `json:"message"`
	Value      *float64          `json:"value"`
	Parameters map[string]string `json:"parameters"`
}

func TestExamples(t *testing.T) {
	files, err := filepath.Glob("*/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Fatal("found no examples")
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(file, ".yaml"), func(t *testing.T) {
			require(t, filepath.Dir(file))
			check(t, file)
		})
	}
}

// require skips the test unless the machine has what the programs of the folder import.
func require(t *testing.T, folder string) {
	t.Helper()
	modules, ok := needs[folder]
	if !ok {
		t.Fatalf("say in needs what the programs in %s import", folder)
	}
	if modules != nil {
		testenv.Program(t, "python3")
	}
	for _, module := range modules {
		testenv.PythonModule(t, module)
	}
}

// check runs an experiment from end to end and looks at its trials.
func check(t *testing.T, file string) {
	t.Helper()
	var e experiment
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, &e); err != nil {
		t.Fatal(err)
	}
	data := t.TempDir()
	_, code := tuned(t, "run", filepath.Join("examples", file),
		"--data-dir", data, "--progress=plain", "--seed=1", fmt.Sprint("--max-trials=", budget))
	want := []int{0}
	if e.Spec.Objective.Goal != nil {
		want = []int{0, 3}
	}
	if !slices.Contains(want, code) {
		t.Fatalf("tuned run ends with exit code %d, want one of %v", code, want)
	}
	out, code := tuned(t, "trials", e.Metadata.Name, "--data-dir", data, "-o", "json")
	if code != 0 {
		t.Fatalf("tuned trials ends with exit code %d", code)
	}
	var trials []trial
	if err := json.Unmarshal([]byte(out), &trials); err != nil {
		t.Fatal(err)
	}
	checkTrials(t, &e, trials)
}

func checkTrials(t *testing.T, e *experiment, trials []trial) {
	t.Helper()
	goal := e.Spec.Objective.Goal
	if len(trials) != budget && (goal == nil || len(trials) == 0 || len(trials) > budget) {
		t.Errorf("%d trials, want %d", len(trials), budget)
	}
	seen := map[string]bool{}
	for _, tr := range trials {
		if tr.State != "Succeeded" || tr.Value == nil {
			t.Errorf("trial %s is %s with value %v, want Succeeded with a number: %s", tr.Trial, tr.State, tr.Value, tr.Message)
		}
		for _, p := range e.Spec.Parameters {
			if tr.Parameters[p.Name] == "" {
				t.Errorf("trial %s has no value of %s", tr.Trial, p.Name)
			}
		}
		seen[fmt.Sprint(tr.Parameters)] = true
	}
	if len(seen) != len(trials) {
		t.Errorf("%d different settings in %d trials", len(seen), len(trials))
	}
}
