package experiment

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestMaskedWords(t *testing.T) {
	for given, want := range map[string]string{
		"HF_TOKEN=abc ./train":                    "HF_TOKEN=(masked) ./train",
		"export DB_PASSWORD='a b'; run":           "export DB_PASSWORD=(masked); run",
		"./train --api-key=abc --lr=0.1":          "./train --api-key=(masked) --lr=0.1",
		"--auth-token=${trialParameters.t}":       "--auth-token=${trialParameters.t}",
		"PASSWORD=$PASSWORD run":                  "PASSWORD=$PASSWORD run",
		"--max-tokens=7 TOKENIZERS_PARALLELISM=1": "--max-tokens=7 TOKENIZERS_PARALLELISM=1",
		"author=me authority=x":                   "author=me authority=x",
		"SESSIONTOKEN=x":                          "SESSIONTOKEN=(masked)",
		"pwd=x PWD=y mypwd=z":                     "pwd=(masked) PWD=(masked) mypwd=z",
		"a=1 AWS_SECRET_ACCESS_KEY=q":             "a=1 AWS_SECRET_ACCESS_KEY=(masked)",
		"":                                        "",
	} {
		if got := maskWords([]string{given}); got[0] != want {
			t.Errorf("%q: got %q, want %q", given, got[0], want)
		}
	}
}

func TestMaskedTemplate(t *testing.T) {
	for given, want := range map[string]string{
		"":                              "",
		"env: # kept\n- name: GREETING": "env: # kept\n- name: GREETING",
		"env:\n- name: HF_TOKEN\n  value: abc\n- name: LR\n  value: ${trialParameters.lr}\n": "env:\n- name: HF_TOKEN\n  value: (masked)\n- name: LR\n  value: ${trialParameters.lr}\n",
		"env: [": Mask, // what cannot be read is not shown
	} {
		if got := maskTemplate(given); got != want {
			t.Errorf("%q: got %q, want %q", given, got, want)
		}
	}
}

// TestMaskedLeavesTheOriginal: trials still get their secrets.
func TestMaskedLeavesTheOriginal(t *testing.T) {
	env := []any{map[string]any{"name": "API_KEY", "value": "abc"}, map[string]any{"name": "API_KEY", "valueFrom": map[string]any{"secretKeyRef": map[string]any{"name": "s", "key": "k"}}}}
	e := &Experiment{
		Metadata: Metadata{Annotations: map[string]string{lastApplied: `{"name": "API_KEY", "value": "abc"}`, "other": "abc"}},
		Spec: Spec{
			TrialTemplate:        &TrialTemplate{TrialSpec: map[string]any{"env": env}},
			MetricsCollectorSpec: &MetricsCollectorSpec{Collector: &Collector{CustomCollector: map[string]any{"env": env}}},
		},
		Local: Local{Command: []string{"sh", "-c", "API_KEY=abc x"}, Images: map[string][]string{"i": {"API_KEY=abc"}}},
	}
	before, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	shown, err := json.Marshal(Masked(e))
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(shown), "abc"); n != 1 { // the other annotation
		t.Errorf("%d secrets are shown: %s", n, shown)
	}
	if !strings.Contains(string(shown), "secretKeyRef") {
		t.Errorf("the reference to a secret is gone: %s", shown)
	}
	if after, err := json.Marshal(e); err != nil || string(after) != string(before) {
		t.Errorf("the experiment itself was changed: %s", after)
	}
}
