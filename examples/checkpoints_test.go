package examples_test

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/tuned-hpo/tuned/internal/testenv"
)

// child is a trial as `tuned trials -o json` prints it, with what is of interest about checkpoints.
type child struct {
	trial
	Number  uint64              `json:"number"`
	Parent  uint64              `json:"parent"`
	Metrics map[string]*float64 `json:"metrics"`
}

// children runs an experiment, and returns its trials by number, which must have succeeded.
func children(t *testing.T, data, name, namespace string, run ...string) []child {
	t.Helper()
	if _, code := tuned(t, append([]string{"run", "--data-dir", data, "--progress=plain", "--seed=1"}, run...)...); code != 0 && code != 3 {
		t.Fatalf("tuned run ends with exit code %d", code)
	}
	out, code := tuned(t, "trials", name, "-n", namespace, "--data-dir", data, "-o", "json")
	var all []child
	if err := json.Unmarshal([]byte(out), &all); err != nil || code != 0 {
		t.Fatalf("tuned trials ends with exit code %d: %v", code, err)
	}
	for i, c := range all {
		if c.Number != uint64(i)+1 || c.Parent >= c.Number {
			t.Fatalf("trial %d of the list is number %d, a child of %d", i+1, c.Number, c.Parent)
		}
		if c.State != "Succeeded" || c.Value == nil {
			t.Fatalf("trial %s is %s with value %v: %s", c.Trial, c.State, c.Value, c.Message)
		}
	}
	return all
}

// TestASHAGoesOn wants a model that gets more epochs to be trained for those that it lacks.
func TestASHAGoesOn(t *testing.T) {
	testenv.Program(t, "python3")
	all := children(t, t.TempDir(), "checkpoints-asha", "default", filepath.Join("examples", "checkpoints", "asha.yaml"))
	trained, wanted, most := 0.0, 0.0, 0.0
	for _, c := range all {
		until, err := strconv.ParseFloat(c.Parameters["until"], 64)
		if err != nil {
			t.Fatal(err)
		}
		found := 0.0
		if c.Parent > 0 {
			parent := all[c.Parent-1]
			if found, err = strconv.ParseFloat(parent.Parameters["until"], 64); err != nil {
				t.Fatal(err)
			}
			if c.Parameters["lr"] != parent.Parameters["lr"] {
				t.Errorf("trial %d has rate %s, its parent %s", c.Number, c.Parameters["lr"], parent.Parameters["lr"])
			}
		}
		if *c.Metrics["found"] != found || *c.Metrics["trained"] != until-found {
			t.Errorf("trial %d until epoch %g, a child of %d, found %g epochs and trained %g", c.Number, until, c.Parent, *c.Metrics["found"], *c.Metrics["trained"])
		}
		trained, wanted, most = trained+*c.Metrics["trained"], wanted+until, max(most, until)
	}
	t.Logf("%g epochs were trained; without checkpoints they would be %g", trained, wanted)
	if most != 9 || trained >= wanted {
		t.Errorf("up to epoch %g: %g epochs were trained, without checkpoints they would be %g", most, trained, wanted)
	}
}

// toyState is a checkpoint of examples/checkpoints/simple_pbt.py.
type toyState struct {
	Accuracy float64  `json:"accuracy"` // percent
	Lineage  []string `json:"lineage"`  // trials that trained it
}

// TestKatibPBT runs Katib's example, of which a smaller population has a budget to train for: who is behind goes on
// from the checkpoint of who is ahead, so that the accuracy gets to where no single trial comes.
func TestKatibPBT(t *testing.T) {
	testenv.Program(t, "python3")
	const budget = 100
	file, _ := corrected(t, "hp-tuning/simple-pbt.yaml", "", "maxTrialCount: 2", fmt.Sprint("maxTrialCount: ", budget), "value: '40'", "value: '5'")
	program, err := filepath.Abs(filepath.Join("checkpoints", "simple_pbt.py"))
	if err != nil {
		t.Fatal(err)
	}
	data := t.TempDir()
	all := children(t, data, "simple-pbt", "kubeflow", file, "--image", "ghcr.io/kubeflow/katib/simple-pbt:latest=python3 "+program)
	best, others := 0.0, 0
	for _, c := range all {
		state := readToy(t, data, c.Trial)
		if math.Abs(state.Accuracy/100-*c.Value) > 1e-6 {
			t.Errorf("trial %d: its checkpoint has accuracy %g %%, its metric is %g", c.Number, state.Accuracy, *c.Value)
		}
		var lineage []string
		if c.Parent > 0 {
			lineage = readToy(t, data, all[c.Parent-1].Trial).Lineage
		}
		if !slices.Equal(state.Lineage, append(slices.Clone(lineage), c.Trial)) {
			t.Errorf("trial %d, a child of %d, was trained by %q", c.Number, c.Parent, state.Lineage)
		}
		if c.Parent > 0 && c.Parameters["lr"] != all[c.Parent-1].Parameters["lr"] {
			others++
		}
		best = max(best, *c.Value)
	}
	t.Logf("%d trials, accuracy %.3f, %d with another learning rate than their parents'", len(all), best, others)
	// One trial of 20 epochs gains 20 at most, and noise of standard deviation 9.
	if best < 0.8 || others == 0 {
		t.Errorf("the accuracy is %g after %d trials, of which %d explore", best, len(all), others)
	}
	if _, code := tuned(t, "delete", "simple-pbt", "-n", "kubeflow", "--data-dir", data, "--yes"); code != 0 {
		t.Errorf("tuned delete ends with exit code %d", code)
	}
	if left, err := filepath.Glob(filepath.Join(data, "trials", "kubeflow", "*")); err != nil || len(left) > 0 {
		t.Errorf("after the experiment is deleted %q is left, %v", left, err)
	}
}

func readToy(t *testing.T, data, trial string) (s toyState) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(data, "trials", "kubeflow", "simple-pbt", trial, "checkpoint", "training.json"))
	if err == nil {
		err = json.NewDecoder(strings.NewReader(string(text))).Decode(&s)
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}
