package webhook

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/tuned-hpo/tuned/internal/testenv"
	"github.com/tuned-hpo/tuned/pkg/experiment"
)

// TestSignKnown compares with the example of the convention's specification.
func TestSignKnown(t *testing.T) {
	key, err := readKey("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	if err != nil {
		t.Fatal(err)
	}
	got := sign(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, []byte(`{"test": 2432232314}`))
	if want := "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// snippet returns the Python of docs/webhooks.md.
func snippet(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../docs/webhooks.md")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile("(?s)```python\n(.*?)```").FindAllSubmatch(text, -1)
	if len(found) != 1 {
		t.Fatalf("docs/webhooks.md has %d pieces of Python, want 1", len(found))
	}
	return string(found[0][1])
}

// verifies runs the snippet on a message.
func verifies(t *testing.T, python string, key []byte, header http.Header, body []byte) string {
	t.Helper()
	flat := map[string]string{}
	for name := range header {
		flat[name] = header.Get(name)
	}
	input, err := json.Marshal(map[string]any{"key": key, "headers": flat, "body": body})
	if err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(t.Context(), python, "-I", "-S", "-c", snippet(t)+`
import json, sys
m = json.load(sys.stdin)
print(verify(base64.b64decode(m["key"]), m["headers"], base64.b64decode(m["body"])))`)
	command.Stdin = bytes.NewReader(input)
	out, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return strings.TrimSpace(string(out))
}

func TestSignature(t *testing.T) {
	python := testenv.Program(t, "python3")
	raw := []byte("a key of bytes \x01\x02")
	secrets := t.TempDir()
	for name, text := range map[string]string{"text": " plain key \n", "bytes": "whsec_" + base64.StdEncoding.EncodeToString(raw)} {
		if err := os.WriteFile(filepath.Join(secrets, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	tests := []struct {
		name string
		hook experiment.Webhook
		key  []byte
	}{
		{"file", experiment.Webhook{SecretFile: "text"}, []byte("plain key")},
		{"file with base64", experiment.Webhook{SecretFile: "bytes"}, raw},
		{"environment", experiment.Webhook{SecretEnv: "TUNED_WEBHOOK_KEY"}, []byte("of the environment")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newReceiver(t)
			l := newLife(t, Config{Secrets: secrets, Getenv: func(name string) string {
				return map[string]string{"TUNED_WEBHOOK_KEY": "of the environment"}[name]
			}})
			tt.hook.URL = r.URL
			l.create("e", tt.hook)
			m := r.untilN(t, 1)[0]
			if got := verifies(t, python, tt.key, m.header, m.body); got != "True" {
				t.Errorf("the signature: got %s, want True", got)
			}
			if got := verifies(t, python, tt.key, m.header, append(m.body, ' ')); got != "False" {
				t.Errorf("the signature of another body: got %s, want False", got)
			}
			if got := verifies(t, python, []byte("wrong"), m.header, m.body); got != "False" {
				t.Errorf("the signature with another key: got %s, want False", got)
			}
			m.header.Set("Webhook-Timestamp", "1614265330")
			if got := verifies(t, python, tt.key, m.header, m.body); got != "False" {
				t.Errorf("an old message: got %s, want False", got)
			}
		})
	}
}

// TestSecretsOfExperiments: an experiment reaches no file but those in the folder of secrets.
func TestSecretsOfExperiments(t *testing.T) {
	outside := t.TempDir()
	secrets := filepath.Join(outside, "secrets")
	for _, err := range []error{
		os.Mkdir(secrets, 0o700),
		os.WriteFile(filepath.Join(outside, "other"), []byte("key"), 0o600),
		os.WriteFile(filepath.Join(secrets, "key"), []byte("key"), 0o600),
		os.Symlink("../other", filepath.Join(secrets, "link")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	s := &Sender{Config: Config{Secrets: secrets}}
	for name, want := range map[string]bool{
		"key": true, "../other": false, "link": false, filepath.Join(outside, "other"): false, "missing": false, "": false,
	} {
		if _, err := s.readSecret(name, true); (err == nil) != want {
			t.Errorf("%q of an experiment: got %v, want it read: %t", name, err, want)
		}
	}
	if _, err := s.readSecret(filepath.Join(outside, "other"), false); err != nil {
		t.Errorf("a file that the configuration names: %v", err)
	}
	s.Secrets = ""
	if _, err := s.readSecret("key", true); err == nil {
		t.Error("without a folder of secrets a file is read")
	}
}

func TestTakeEnvironment(t *testing.T) {
	t.Setenv("TUNED_WEBHOOK_KEY", "canary")
	t.Setenv("OTHER_KEY", "other")
	getenv, err := TakeEnvironment()
	if err != nil {
		t.Fatal(err)
	}
	if got := getenv("TUNED_WEBHOOK_KEY") + getenv("OTHER_KEY"); got != "canaryother" {
		t.Errorf("got %q", got)
	}
	if got := os.Getenv("TUNED_WEBHOOK_KEY"); got != "" {
		t.Errorf("the environment still has %q", got)
	}
}
