package examples_test

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tuned-hpo/tuned/internal/testenv"
)

// passes is a stand-in whose one epoch is twelve passes over its few samples, with a loss printed after each as it comes: the program in the
// image prints one every ten batches.
const passes = `#!/bin/sh
for a do
	shift
	case $a in
	--lr=*) a=--learning-rate=${a#--lr=} ;;
	--epochs=1) a=--epochs=12 ;;
	esac
	set -- "$@" "$a"
done
bin/digits "$@" | while read -r line; do
	case $line in epoch*) echo "$line" | sed 's/val_loss=/loss=/' && sleep 0.2 ;; esac
done
`

// standIn is what trains in place of the program in the image of Katib's examples: the digits, with the flags of that
// program and its name of the loss.
const standIn = `#!/bin/sh
for a do
	shift
	case $a in --lr=*) a=--learning-rate=${a#--lr=} ;; esac
	set -- "$@" "$a"
done
bin/digits "$@" >"$TUNED_TRIAL.out" || exit
sed 's/val_loss=/loss=/' "$TUNED_TRIAL.out"
`

// corrected returns the path of an example of Katib with some of its text replaced, and a command for its image that runs a script.
func corrected(t *testing.T, name, script string, oldNew ...string) (file, image string) {
	t.Helper()
	text, err := os.ReadFile(testenv.Katib(t, "examples", "examples", "v1beta1", filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(oldNew); i += 2 {
		if n := bytes.Count(text, []byte(oldNew[i])); n != 1 {
			t.Fatalf("%s has %q %d times", name, oldNew[i], n)
		}
	}
	folder := t.TempDir()
	file = filepath.Join(folder, filepath.Base(name))
	if err := os.WriteFile(file, []byte(strings.NewReplacer(oldNew...).Replace(string(text))), 0o600); err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(folder, "mnist")
	if err := os.WriteFile(program, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	return file, "ghcr.io/kubeflow/katib/pytorch-mnist-cpu:latest=" + program
}

// TestKatibHyperband runs Katib's example with a budget that lets both of its brackets end: two trials of one epoch, of which
// the better one gets two, and two of two epochs.
func TestKatibHyperband(t *testing.T) {
	file, image := corrected(t, "hp-tuning/hyperband.yaml", standIn, "maxTrialCount: 2", "maxTrialCount: 5")
	trials := runKatib(t, "hyperband", file, image)
	var short, long []trial
	for _, tr := range trials {
		if tr.State != "Succeeded" || tr.Value == nil {
			t.Fatalf("trial %s is %s with value %v: %s", tr.Trial, tr.State, tr.Value, tr.Message)
		}
		switch tr.Parameters["num-epochs"] {
		case "1":
			short = append(short, tr)
		case "2":
			long = append(long, tr)
		}
	}
	if len(trials) != 5 || len(short) != 2 || len(long) != 3 {
		t.Fatalf("%d trials, %d of one epoch and %d of two", len(trials), len(short), len(long))
	}
	better := short[0]
	if *short[1].Value < *better.Value {
		better = short[1]
	}
	promoted := 0
	for _, tr := range long {
		if tr.Parameters["lr"] == better.Parameters["lr"] && tr.Parameters["momentum"] == better.Parameters["momentum"] {
			promoted++
		}
	}
	if promoted != 1 {
		t.Errorf("the better of the short trials goes on %d times", promoted)
	}
}

// runKatib runs an experiment to its end and returns its trials.
func runKatib(t *testing.T, name, file, image string) []trial {
	t.Helper()
	data := t.TempDir()
	if _, code := tuned(t, "run", file, "--image", image, "--data-dir", data, "--progress=plain", "--seed=1"); code != 0 && code != 3 {
		t.Fatalf("tuned run ends with exit code %d", code)
	}
	out, code := tuned(t, "trials", name, "-n", "kubeflow", "--data-dir", data, "-o", "json")
	var trials []trial
	if err := json.Unmarshal([]byte(out), &trials); err != nil || code != 0 {
		t.Fatalf("tuned trials ends with exit code %d: %v", code, err)
	}
	return trials
}

// TestKatibCMAES runs Katib's example as it is: two generations of six trials, three at a time.
func TestKatibCMAES(t *testing.T) {
	file, image := corrected(t, "hp-tuning/cma-es.yaml", standIn)
	trials := runKatib(t, "cmaes", file, image)
	points := make(map[string]bool)
	for _, tr := range trials {
		if tr.State != "Succeeded" || tr.Value == nil {
			t.Fatalf("trial %s is %s with value %v: %s", tr.Trial, tr.State, tr.Value, tr.Message)
		}
		points[tr.Parameters["lr"]+" "+tr.Parameters["momentum"]] = true
	}
	if len(trials) != 12 || len(points) != 12 {
		t.Errorf("%d trials of %d different points, want 12", len(trials), len(points))
	}
}

// TestKatibMedianStop runs Katib's example as it is: trials whose losses are worse than those before them end early, with a
// reason, and count as results.
func TestKatibMedianStop(t *testing.T) {
	file, image := corrected(t, "early-stopping/median-stop.yaml", passes)
	trials := runKatib(t, "median-stop", file, image)
	stopped, best := 0, math.Inf(1)
	for _, tr := range trials {
		if tr.Value == nil {
			t.Fatalf("trial %s is %s without a value: %s", tr.Trial, tr.State, tr.Message)
		}
		switch tr.State {
		case "EarlyStopped":
			stopped++
			if !strings.Contains(tr.Message, "step") {
				t.Errorf("trial %s was stopped for no reason: %q", tr.Trial, tr.Message)
			}
		case "Succeeded":
			best = min(best, *tr.Value)
		default:
			t.Errorf("trial %s is %s: %s", tr.Trial, tr.State, tr.Message)
		}
	}
	if len(trials) != 15 || stopped == 0 || stopped > 13 {
		t.Errorf("%d trials, %d of them stopped early", len(trials), stopped)
	}
	for _, tr := range trials {
		if tr.State == "EarlyStopped" && *tr.Value < best {
			t.Errorf("trial %s was stopped at %g, the best that ended has %g", tr.Trial, *tr.Value, best)
		}
	}
}
