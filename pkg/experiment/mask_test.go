package experiment

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

func TestMaskedWords(t *testing.T) {
	for given, want := range map[string]string{
		"HF_TOKEN=abc ./train":                                        "HF_TOKEN=(masked) ./train",
		"export DB_PASSWORD='a b'; run":                               "export DB_PASSWORD=(masked); run",
		"./train --api-key=abc --lr=0.1":                              "./train --api-key=(masked) --lr=0.1",
		"--auth-token=${trialParameters.t}":                           "--auth-token=${trialParameters.t}",
		"PASSWORD=$PASSWORD run":                                      "PASSWORD=$PASSWORD run",
		"--max-tokens=7 TOKENIZERS_PARALLELISM=1":                     "--max-tokens=7 TOKENIZERS_PARALLELISM=1",
		"x --pass abc; SMTP_PASS=abc x":                               "x --pass (masked); SMTP_PASS=(masked) x",
		"curl -sSu me:abc http://h -u $U:$P --user='me:abc'":          "curl -sSu (masked) http://h -u $U:$P --user=(masked)",
		"curl http://h/a:b -ume:abc; id -u; docker run -u 10:20":      "curl http://h/a:b -u(masked); id -u; docker run -u 10:20",
		"mysql -u root -pabc d -p; mkdir -pm 7 -p d; mysql -p$DB":     "mysql -u root -p(masked) d -p; mkdir -pm 7 -p d; mysql -p$DB",
		"sshpass -p abc ssh -p 22 h | redis-cli -p 6379 -a 'abc'":     "sshpass -p (masked) ssh -p 22 h | redis-cli -p 6379 -a (masked)",
		"curl -H 'Cookie: sid=abc; t=abc' -b x h":                     "curl -H 'Cookie: (masked)' -b x h",
		"Set-Cookie: sid=abc; Path=/":                                 "Set-Cookie: (masked)",
		"--use-auth true --pad-token <pad> --sort-key loss --pass no": "--use-auth true --pad-token <pad> --sort-key loss --pass no",
		"author=me authority=x":                                       "author=me authority=x",
		"SESSIONTOKEN=x":                                              "SESSIONTOKEN=(masked)",
		"pwd=x PWD=y mypwd=z":                                         "pwd=(masked) PWD=y mypwd=z",
		"a=1 AWS_SECRET_ACCESS_KEY=q":                                 "a=1 AWS_SECRET_ACCESS_KEY=(masked)",
		"":                                                            "",
		"GITHUB_PAT=x TOKEN1=y SSH_KEY=z PATH=/b":                     "GITHUB_PAT=(masked) TOKEN1=(masked) SSH_KEY=(masked) PATH=/b",
		"train --password abc --lr 0.1":                               "train --password (masked) --lr 0.1",
		"train --api-key 'a b' -- x":                                  "train --api-key (masked) -- x",
		"train --password --lr 0.1":                                   "train --password --lr 0.1",
		"train --token $TOKEN":                                        "train --token $TOKEN",
		"train --patience 3 --max-tokens 7":                           "train --patience 3 --max-tokens 7",
		"curl 'http://h/x?token=abc&n=1'":                             "curl 'http://h/x?token=(masked)&n=1'",
		"--db=postgres://me:abc@h:5/d http://h:1":                     "--db=postgres://(masked)@h:5/d http://h:1",
		"git clone https://abc@h/r":                                   "git clone https://(masked)@h/r",
		"git clone https://abc:x-oauth-basic@h/r 'https://u:p@q@h'":   "git clone https://(masked)@h/r 'https://(masked)@h'",
		"https://h/b?sv=1&sig=abc%3D&se=2":                            "https://h/b?sv=1&sig=(masked)&se=2",
		"https://h/b?X-Amz-Signature=abc&key=abc#access_token=abc":    "https://h/b?X-Amz-Signature=(masked)&key=(masked)#access_token=(masked)",
		"https://h/b?keys=1&monkey=2&page=3":                          "https://h/b?keys=1&monkey=2&page=3",
		"train --password -abc --lr 1":                                "train --password (masked) --lr 1",
		"train --password -9 --lr 1":                                  "train --password (masked) --lr 1",
		"train --password --Abc9 --lr 1":                              "train --password (masked) --lr 1",
		"train --token -v --auth --beta1 2 --use-auth-token --x=1":    "train --token -v --auth --beta1 2 --use-auth-token --x=1",
		"--password=-abc API_KEY=--abc":                               "--password=(masked) API_KEY=(masked)",
		"PASSWORD=$abc TOKEN1=$1$x$abc --secret $abc --token $2b$abc": "PASSWORD=(masked) TOKEN1=(masked) --secret (masked) --token (masked)",
		"PASSWORD=${X:-abc} --token \"$TOKEN\" AUTH=$(TOKEN)":         "PASSWORD=(masked) --token \"$TOKEN\" AUTH=$(TOKEN)",
		"TOKEN=$(cat /run/t) PASSWORD=$(echo abc) x":                  "TOKEN=$(cat /run/t) PASSWORD=(masked) x",
		"curl -H 'Authorization: Bearer abc' -H \"X-Api-Key: abc\"":   "curl -H 'Authorization: Bearer (masked)' -H \"X-Api-Key: (masked)\"",
		`--config {"api_key": "abc", "lr": 1, "max_tokens": 5}`:       `--config {"api_key": (masked), "lr": 1, "max_tokens": 5}`,
		"hf_abcabcabcabcabcabcabcabc ghp_abcabcabcabcabcabcabcabc":    "(masked) (masked)",
		"https://hooks.slack.com/services/T1/B2/abc -x":               "https://(masked) -x",
		"python -c 'loss_per_token = 3; print(tokens)'":               "python -c 'loss_per_token = 3; print(tokens)'",
		"-----BEGIN RSA PRIVATE KEY-----\nabc":                        "(masked)",
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
		"x --api-key -abc $abc":              "x --api-key (masked) $abc",
		"x --token $abc --token $ABC":        "x --token (masked) --token $ABC",
		"curl -u me:abc h -sume:abc":         "curl -u (masked) h -su(masked)",
		"curl --user=me:abc -u me:$PASS -o":  "curl --user=(masked) -u me:$PASS -o",
		"/bin/mysql -uroot -pabc -P 3 -p d":  "/bin/mysql -uroot -p(masked) -P 3 -p d",
		"redis-cli -p 6379 -a abc":           "redis-cli -p 6379 -a (masked)",
		"sshpass -p abc cp -p x":             "sshpass -p (masked) cp -p x",
		"cp -pr a b -u c:d":                  "cp -pr a b -u c:d",
		"x --password --":                    "x --password (masked)",
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
		"https://abc@h/p":                 "https://h/p",
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
		if got := new(masker).template(given); got != want {
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

// TestMaskedTree: secrets in fields of objects that are no list of variables, and where only a name looks like it.
func TestMaskedTree(t *testing.T) {
	var tree any
	const given = `{"env": {"HF_TOKEN": "abc", "LR": "1"}, "password": "-abc", "apiKey": "$abc",
		"volumes": [{"secret": {"secretName": "kept"}}], "valueFrom": {"secretKeyRef": {"name": "hf-token", "key": "token"}},
		"list": [{"name": "TOKEN", "value": "$(abc)"}, {"name": "TOKEN", "value": ""}, 7, null], "tokenPath": "/run/t",
		"args": ["--token", "-abc"], "metadata": {"annotations": {"api-token": "abc"}}}`
	if err := json.Unmarshal([]byte(given), &tree); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(new(masker).tree(tree))
	if err != nil || strings.Contains(string(text), "abc") || strings.Count(string(text), Mask) != 6 {
		t.Errorf("got %s, %v", text, err)
	}
	for _, want := range []string{`"secretName":"kept"`, `"key":"token"`, `"hf-token"`, `"LR":"1"`, `"/run/t"`} {
		if !strings.Contains(string(text), want) {
			t.Errorf("%s is masked: it is no secret", want)
		}
	}
}

func TestMaskWebhooks(t *testing.T) {
	for given, want := range map[string]string{
		"https://hooks.example/services/abc?abc#abc": "https://hooks.example/(masked)?(masked)#(masked)",
		"https://abc@hooks.example":                  "https://hooks.example",
		"https://hooks.example/":                     "https://hooks.example/",
		"":                                           "",
	} {
		if got := MaskWebhooks([]Webhook{{URL: given}})[0].URL; got != want {
			t.Errorf("%q: got %q, want %q", given, got, want)
		}
	}
}

// TestRedact: what an experiment holds as a secret is found in what its trials print.
func TestRedact(t *testing.T) {
	e := &Experiment{
		Local: Local{Command: []string{"sh", "-c", "API_KEY=k3y- x --password 'p wd' --pin-secret 12 https://t0ken@h"}, Images: map[string][]string{"i": {"--token", "k3y-longer"}}},
		Spec:  Spec{Tuned: &Extension{Webhooks: []Webhook{{URL: "https://h/hook/path?sig=sign"}}}},
	}
	r := NewRedactor(append(Secrets(e), EnvSecrets([]string{"DB_PASSWORD=-env", "HOME=/root", "EMPTY_TOKEN=", "x"})...))
	for given, want := range map[string]string{
		"KeyError: 'k3y-' k3y-longer":       "KeyError: '(masked)' (masked)",
		"p wd, t0ken, hook/path, -env":      "(masked), (masked), (masked), (masked)",
		"HOME=/root 12 epochs":              "HOME=/root 12 epochs", // too short to be told from a number
		"GET https://u:p@h":                 "GET https://(masked)@h",
		"loss per token: 3, password=5":     "loss per token: 3, password=5",
		"with sk-abcdefghijklmnopqrstuvwxy": "with (masked)",
		"":                                  "",
	} {
		if got := r.Redact(given); got != want {
			t.Errorf("%q: got %q, want %q", given, got, want)
		}
	}
	if got := (Redactor{}).Redact("abc"); got != "abc" {
		t.Errorf("without secrets: got %q", got)
	}
}

// TestPathsAreNoSecrets: else a traceback would not say which file it is about.
func TestPathsAreNoSecrets(t *testing.T) {
	dir := t.TempDir()
	got := EnvSecrets([]string{"PWD=/work", "OLDPWD=/work", "APP_CREDENTIALS=" + dir, "DB_PWD=abc", "DB_PASS=/no/such/path", "USE_AUTH=true", "JWT="})
	if want := []string{"abc", "/no/such/path"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := NewRedactor([]string{dir, "abcdefgh", "sign"}).Redact("File " + dir + "/tr.py xabcdefgh signs sign"); got != "File "+dir+"/tr.py x(masked) signs (masked)" {
		t.Errorf("got %q", got)
	}
}

func FuzzMask(f *testing.F) {
	for _, seed := range []string{"--password s3cret!", "A_TOKEN=s3cret!", "https://s3cret!@h", "'", "\"$(", "Authorization: s3cret!"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, given := range []string{"PASSWORD=" + "s3cret! " + text, "--api-key s3cret! " + text, "curl https://s3cret!@h/ " + text} {
			if got := MaskWords([]string{given})[0]; strings.Contains(got[:min(len(got), len(given)-len(text))], "s3cret!") {
				t.Errorf("%q: got %q", given, got)
			}
		}
		if got := (&masker{}).template(text); text == "" && got != "" {
			t.Errorf("an empty template: got %q", got)
		}
	})
}
