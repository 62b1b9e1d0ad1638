package exchange

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tuned-hpo/tuned/internal/testenv"
	"github.com/tuned-hpo/tuned/pkg/experiment"
)

// optuna runs a program of testdata in the virtual environment that bench/peers/install optuna makes.
func optuna(t *testing.T, program string, args ...string) []byte {
	t.Helper()
	place, err := exec.CommandContext(t.Context(), "bash", "-c", "source ../../bench/peers/paths.sh && place optuna").Output()
	if err != nil {
		t.Fatal(err)
	}
	python := filepath.Join(strings.TrimSpace(string(place)), "bin", "python")
	if _, err := os.Stat(python); err != nil {
		testenv.Skip(t, "Optuna is not installed; bench/peers/install optuna does it")
	}
	c := exec.CommandContext(context.WithoutCancel(t.Context()), python, append([]string{"-W", "error", filepath.Join("testdata", program)}, args...)...)
	var stderr strings.Builder
	c.Stderr = &stderr
	out, err := c.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", program, err, stderr.String())
	}
	return out
}

// seen is what Optuna says of a study; see testdata/look.py.
type seen struct {
	Name       string
	Directions []string
	Metrics    []string
	Trials     []seenTrial
	Best       []int // numbers of the best trials
}

type seenTrial struct {
	State         string
	Values        []float64
	Params        map[string]any
	Distributions map[string]string
	Intermediate  map[string]any
	Attrs         map[string]any
	Start, End    string
}

// look writes a study's journal and lets Optuna open it.
func look(t *testing.T, s *Study) seen {
	t.Helper()
	file := filepath.Join(t.TempDir(), "journal.log")
	if err := os.WriteFile(file, written(t, Journal, s), 0o600); err != nil {
		t.Fatal(err)
	}
	var out seen
	if err := json.Unmarshal(optuna(t, "look.py", file), &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestOptunaOpensJournal(t *testing.T) {
	got := look(t, mixed(t))
	if diff := cmp.Diff(seen{got.Name, got.Directions, got.Metrics, nil, got.Best},
		seen{"mixed", []string{"MINIMIZE"}, []string{"loss"}, nil, []int{1}}); diff != "" {
		t.Errorf("study (-got +want):\n%s", diff)
	}
	var states []string
	for _, trial := range got.Trials {
		states = append(states, trial.State)
	}
	want := []string{"COMPLETE", "COMPLETE", "FAIL", "FAIL", "PRUNED", "FAIL", "FAIL", "FAIL", "RUNNING", "WAITING"}
	if diff := cmp.Diff(states, want); diff != "" {
		t.Errorf("states (-got +want):\n%s", diff)
	}
	first := seenTrial{
		State: "COMPLETE", Values: []float64{0.30000000000000004},
		Params: map[string]any{"lr": 0.1, "drop": 0.3, "layers": 3., "width": 96., "batch": 32.5, "opt": "sgd", "momentum": 0.9},
		Distributions: map[string]string{
			"lr":       "FloatDistribution(high=1.0, log=True, low=1e-05, step=None)",
			"drop":     "FloatDistribution(high=0.7, log=False, low=0.1, step=0.2)",
			"layers":   "IntDistribution(high=8, log=False, low=1, step=1)",
			"width":    "IntDistribution(high=96, log=False, low=16, step=16)",
			"batch":    "CategoricalDistribution(choices=(16, 32.5, 1000.0))",
			"opt":      `CategoricalDistribution(choices=('sgd', '1', '1.0', '=2+3', 'größe "x", y', '-5'))`,
			"momentum": "FloatDistribution(high=1.0, log=False, low=0.0, step=None)",
		},
		Intermediate: map[string]any{"0": "0.9", "10": "nan", "20": "inf", "30": "0.30000000000000004"},
		Attrs: map[string]any{
			"tuned:name": "mixed-1x", "tuned:state": "Succeeded", "tuned:metrics": map[string]any{"loss": "0.30000000000000004", "time": "12"},
		},
		Start: "2026-03-01T12:01:01.123456+00:00", End: "2026-03-01T12:01:03.623456+00:00",
	}
	if diff := cmp.Diff(got.Trials[0], first); diff != "" {
		t.Errorf("trial 0 (-got +want):\n%s", diff)
	}
	if diff := cmp.Diff(got.Trials[1].Params, map[string]any{"lr": 1e-5, "drop": 0.3, "layers": 3., "width": 96., "batch": 32.5, "opt": `größe "x", y`}); diff != "" {
		t.Errorf("params of trial 1 (-got +want):\n%s", diff)
	}
	if attrs := got.Trials[4].Attrs; attrs["tuned:parent"] != 0. || attrs["tuned:algorithm"] != "tpe" {
		t.Errorf("attributes of a trial that went on from the first: %v", attrs)
	}
	if attrs := got.Trials[2].Attrs; attrs["tuned:reason"] != "ExitCode" || !strings.Contains(attrs["tuned:message"].(string), "\nline \"two\", <script>") {
		t.Errorf("attributes of the failed trial: %v", attrs)
	}
}

// TestOptunaFindsFront has two objectives and a constraint, and the same front as ours.
func TestOptunaFindsFront(t *testing.T) {
	s := &Study{Experiment: read(t, frontYAML)}
	for i, v := range [][3]string{
		{"0.5", "1", "9"}, {"0.6", "2", "10"}, {"0.9", "9", "10.5"}, {"0.3", "0.5", "1"}, {"0.5", "1.5", "NaN"}, {"0.2", "NaN", "1"}, {"0.45", "1.5", "-Inf"},
	} {
		s.Trials = append(s.Trials, trial(uint64(i+1), "Succeeded", []string{"acc", v[0], "cost", v[1], "mem", v[2]}, "x", "0.5"))
	}
	got := look(t, s)
	var want []int
	for i, v := range s.verdicts() {
		if *v.front {
			want = append(want, i)
		}
	}
	if len(want) != 3 {
		t.Fatalf("the front is %v: it does not show what is to be shown", want)
	}
	if diff := cmp.Diff(seen{Directions: got.Directions, Metrics: got.Metrics, Best: got.Best},
		seen{Directions: []string{"MAXIMIZE", "MINIMIZE"}, Metrics: []string{"acc", "cost"}, Best: want}); diff != "" {
		t.Errorf("study (-got +want):\n%s", diff)
	}
	if diff := cmp.Diff(got.Trials[1].Values, []float64{0.6, 2}); diff != "" {
		t.Errorf("values (-got +want):\n%s", diff)
	}
}

// TestJournalCutOff: a last line that is not whole is left out with a note, wherever it was cut.
func TestJournalCutOff(t *testing.T) {
	const whole = `{"op_code": 0, "worker_id": "w", "study_name": "s", "directions": [1]}
{"op_code": 4, "worker_id": "w", "study_id": 0, "datetime_start": "2026-03-01T12:00:00.000000"}
{"op_code": 5, "worker_id": "w", "trial_id": 0, "param_name": "x", "param_value_internal": 0.5, "distribution": "{\"name\": \"FloatDistribution\", \"attributes\": {\"step\": null, \"low\": 0.0, \"high\": 1.0, \"log\": false}}"}
{"op_code": 6, "worker_id": "w", "trial_id": 0, "state": 1, "values": [0.25], "datetime_complete": "2026-03-01T12:00:01.000000"}
`
	const note = "the journal ends in the middle of line 5: what stands there is left out, and later lines may be missing"
	const last = `{"op_code": 4, "worker_id": "w", "study_id": 0, "datetime_start": "2026-03-01T12:00:02.000000"}`
	for _, at := range []int{0, 1, 20, len(last) - 1, len(last)} {
		s := reread(t, Journal, []byte(whole+last[:at]), Options{})
		cut := 0 < at && at < len(last)
		if got := slices.Contains(s.Notes, note); got != cut {
			t.Errorf("cut at %d: notes are %q", at, s.Notes)
		}
		if got := s.Trials[0].State; got != experiment.TrialSucceeded {
			t.Errorf("cut at %d: the trial before is %s", at, got)
		}
	}
	if _, err := Read(strings.NewReader(whole+last[:20]+"\n"+last+"\n"), Journal, Options{File: "j.log", Name: "n", Namespace: "default"}); err == nil || !strings.HasPrefix(err.Error(), "j.log:5:1: it is no record") {
		t.Errorf("a line cut off in the middle of a journal: %v", err)
	}
}
