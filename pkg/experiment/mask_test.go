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
		"GITHUB_PAT=x TOKEN1=y SSH_KEY=z PATH=/b": "GITHUB_PAT=(masked) TOKEN1=(masked) SSH_KEY=(masked) PATH=/b",
		"train --password abc --lr 0.1":           "train --password (masked) --lr 0.1",
		"train --api-key 'a b' -- x":              "train --api-key (masked) -- x",
		"train --password --lr 0.1":               "train --password --lr 0.1",
		"train --token $TOKEN":                    "train --token $TOKEN",
		"train --patience 3 --max-tokens 7":       "train --patience 3 --max-tokens 7",
		"curl 'http://h/x?token=abc&n=1'":         "curl 'http://h/x?token=(masked)&n=1'",
		"--db=postgres://me:abc@h:5/d http://h:1": "--db=postgres://me:(masked)@h:5/d http://h:1",
	} {
		if got := MaskWords([]string{given}); got[0] != want {
			t.Errorf("%q: got %q, want %q", given, got[0], want)
		}
	}
}

func TestMaskedFlagsOfTwoWords(t *testing.T) {
	for given, want := range map[string]string{
		"x --api-key abc y":                  "x --api-key (masked) y",
		"x --api-key --lr 1":                 "x --api-key --lr 1",
		"x --token ${trialParameters.t}":     "x --token ${trialParameters.t}",
		"x --lr 1 --password abc --secret d": "x --lr 1 --password (masked) --secret (masked)",
	} {
		if got := strings.Join(MaskWords(strings.Fields(given)), " "); got != want {
			t.Errorf("%q: got %q, want %q", given, got, want)
		}
	}
}

func TestMaskURL(t *testing.T) {
	for given, want := range map[string]string{
		"https://u:abc@h/p?token=abc#abc": "https://h/p?(masked)#(masked)",
		"http://localhost:4318/v1/traces": "http://localhost:4318/v1/traces",
		"":                                "",
		"http://u:%zz@h":                  Mask,
	} {
		if got := MaskURL(given); got != want {
			t.Errorf("%q: got %q, want %q", given, got, want)
		}
	}
}

// TestMaskedIsNotRun: a trial would get the mask for its secret.
func TestMaskedIsNotRun(t *testing.T) {
	e := &Experiment{Local: Local{Command: []string{"x", "--api-key", "abc"}}}
	fault := func(e *Experiment) bool {
		return strings.Contains(Validate(e, Options{}).Error(), "local: ")
	}
	if fault(e) || !fault(Masked(e)) {
		t.Errorf("the real one is refused: %v, the masked one: %v", fault(e), fault(Masked(e)))
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
