package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/tuned-hpo/tuned/pkg/experiment"
)

func noEnv(string) string { return "" }

func homeEnv(name string) string { return map[string]string{"HOME": "/home/x"}[name] }

func TestDefaultConfigIsValid(t *testing.T) {
	c := defaultConfig(homeEnv)
	if err := c.validate(); err != nil {
		t.Errorf("default config: %v", err)
	}
	if want := "/home/x/.local/state/tuned-hpo"; c.DataDir != want {
		t.Errorf("data directory = %q, want %q", c.DataDir, want)
	}
}

func TestDataDirFollowsXDG(t *testing.T) {
	env := func(state string) func(string) string {
		return func(name string) string {
			return map[string]string{"HOME": "/home/x", "XDG_STATE_HOME": state}[name]
		}
	}
	tests := []struct{ state, want string }{
		{"/state", "/state/tuned-hpo"},
		{"relative", "/home/x/.local/state/tuned-hpo"},
	}
	for _, tt := range tests {
		if got := defaultDataDir(env(tt.state)); got != tt.want {
			t.Errorf("XDG_STATE_HOME=%q: data directory = %q, want %q", tt.state, got, tt.want)
		}
	}
}

func TestConfigFaultsComeTogether(t *testing.T) {
	c := defaultConfig(noEnv)
	c.CPUs, c.LogLevel, c.TrialTimeout = -1, "loud", experiment.Duration(-time.Second)
	c.GPUs = []string{"0", "0"}
	c.Images = map[string]commandLine{"a": `"open`}
	err := c.validate()
	if err == nil {
		t.Fatal("a config with many faults is valid")
	}
	for _, want := range []string{"dataDir", "cpus", "logLevel", "trialTimeout", "gpus", "images"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("faults do not name %s: %v", want, err)
		}
	}
}

// configured runs the flags of the run command over a config file.
func configured(t *testing.T, file string, args ...string) (config, error) {
	t.Helper()
	var f runFlags
	c := &cobra.Command{}
	f.registerExperiment(c)
	f.registerSlots(c, homeEnv)
	if file != "" {
		path := filepath.Join(t.TempDir(), "config.yaml")
		if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, "--config", path)
	}
	if err := c.ParseFlags(args); err != nil {
		t.Fatal(err)
	}
	return f.configure(c.Flags(), homeEnv)
}

func TestFlagsWinOverConfigFile(t *testing.T) {
	got, err := configured(t, "dataDir: /a\ncpus: 4\nimages: {three: [python3, my three.py], one: python3 one.py, two: python3 two.py}\nstopGrace: 3s\n",
		"--data-dir", "/b", "--image", "two='my python' two.py", "--gpus", "0,1")
	if err != nil {
		t.Fatal(err)
	}
	images, err := got.images()
	if err != nil {
		t.Fatal(err)
	}
	switch {
	case got.DataDir != "/b", got.CPUs != 4, got.StopGrace != experiment.Duration(3*time.Second), !slices.Equal(got.GPUs, []string{"0", "1"}):
		t.Errorf("config = %+v", got)
	case !slices.Equal(images["three"], []string{"python3", "my three.py"}):
		t.Errorf("a list of words: images = %q", images)
	case !slices.Equal(images["one"], []string{"python3", "one.py"}), !slices.Equal(images["two"], []string{"my python", "two.py"}):
		t.Errorf("images = %q", images)
	}
}

func TestConfigFileRefuses(t *testing.T) {
	tests := []struct{ name, file, want string }{
		{"unknown key", "datadir2: x\n", `unknown key "datadir2", did you mean dataDir`},
		{"several unknown keys", "lisen: a\nzzz: b\n", "did you mean listen\nunknown key \"zzz\""},
		{"wrong type", "cpus: many\n", "cpus"},
		{"wrong duration", "stopGrace: 3\n", "duration"},
		{"no YAML", "a: [", "yaml"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := configured(t, tt.file); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error = %v, want one about %q", err, tt.want)
			}
		})
	}
}

// TestConfigIsShownWithoutSecrets: the daemon writes its settings to its log.
func TestConfigIsShownWithoutSecrets(t *testing.T) {
	c := config{Images: map[string]commandLine{"i": "x --api-key=CANARY --password CANARY -n 1"}}
	c.Webhooks.Hooks = []experiment.Webhook{{URL: "https://u:CANARY@h/p?token=CANARY"}}
	c.Traces.Endpoint = "http://localhost:4318/v1/traces?key=CANARY"
	text, err := json.Marshal(c.masked())
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), "CANARY") || !strings.Contains(string(text), "-n 1") {
		t.Errorf("settings are shown as %s", text)
	}
	if !strings.Contains(string(c.Images["i"]), "CANARY") || !strings.Contains(c.Webhooks.Hooks[0].URL, "CANARY") {
		t.Error("the settings themselves were changed")
	}
}
