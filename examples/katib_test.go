package examples_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tuned-hpo/tuned/internal/testenv"
)

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

// corrected returns the path of an example of Katib with some of its text replaced, and a command for its image.
func corrected(t *testing.T, name string, oldNew ...string) (file, image string) {
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
	if err := os.WriteFile(program, []byte(standIn), 0o700); err != nil {
		t.Fatal(err)
	}
	return file, "ghcr.io/kubeflow/katib/pytorch-mnist-cpu:latest=" + program
}

// TestKatibHyperband runs Katib's example with a budget that lets both of its brackets end: two trials of one epoch, of which
// the better one gets two, and two of two epochs.
func TestKatibHyperband(t *testing.T) {
	file, image := corrected(t, "hp-tuning/hyperband.yaml", "maxTrialCount: 2", "maxTrialCount: 5")
	data := t.TempDir()
	if _, code := tuned(t, "run", file, "--image", image, "--data-dir", data, "--progress=plain", "--seed=1"); code != 0 && code != 3 {
		t.Fatalf("tuned run ends with exit code %d", code)
	}
	out, code := tuned(t, "trials", "hyperband", "-n", "kubeflow", "--data-dir", data, "-o", "json")
	var trials []trial
	if err := json.Unmarshal([]byte(out), &trials); err != nil || code != 0 {
		t.Fatalf("tuned trials ends with exit code %d: %v", code, err)
	}
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
