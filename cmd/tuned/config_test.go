package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
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
		{"unknown key", "cpus: 2\ndatadir2: x\n", `config.yaml:2: unknown key "datadir2", did you mean dataDir`},
		{"several unknown keys", "lisen: a\nzzz: b\n", "2 faults:\nconfig.yaml:1: unknown key \"lisen\", did you mean listen\nconfig.yaml:2: unknown key \"zzz\""},
		{"unknown key below another", "traces:\n  protocoll: grpc\n", `config.yaml:2: unknown key "traces.protocoll", did you mean traces.protocol`},
		{"key of another level", "endpoint: http://h\n", `config.yaml:1: unknown key "endpoint", did you mean traces.endpoint`},
		{"key with its path in one", "traces.endpont: http://h\n", `did you mean traces.endpoint`},
		{"unknown key in a list", "webhooks:\n  hooks:\n    - url: http://h\n      evnts: [a]\n", `config.yaml:4: unknown key "webhooks.hooks[0].evnts", did you mean webhooks.hooks[0].events`},
		{"key twice", "cpus: 1\ncpus: 2\n", "config.yaml:2: cpus: the key is there twice"},
		{"wrong type", "cpus: many\n", `config.yaml:1: cpus: want a whole number, got "many"`},
		{"a fraction", "cpus: 1.5\n", `config.yaml:1: cpus: want a whole number, got "1.5"`},
		{"no boolean", "insecureListen: maybe\n", `want true or false, got "maybe"`},
		{"wrong duration", "stopGrace: 3\n", `config.yaml:1: stopGrace: want a duration such as 90s, 15m or 2h, got "3"`},
		{"no list", "gpus: {a: 1}\n", "config.yaml:1: gpus: want a list of texts, got a list or keys"},
		{"no keys", "webhooks: on\n", `config.yaml:1: webhooks: want keys with values, got "on"`},
		{"no list of hooks", "webhooks: {hooks: on}\n", "config.yaml:1: webhooks.hooks: want a list"},
		{"no command", "images: {a: {b: c}}\n", "config.yaml:1: images: want a command by image"},
		{"no settings", "[1, 2]\n", "config.yaml:1: want keys with values"},
		{"value out of range", "\ncpus: -1\n", "config.yaml:2: cpus: want at least 0, got -1"},
		{"more slots than there can be", "cpus: 99999999999\n", "config.yaml:1: cpus: want at most 1048576, got 99999999999"},
		{"a level that says nothing", "logLevel: disabled\n", `config.yaml:1: logLevel: want debug, info, warn or error, got "disabled"`},
		{"an empty name", "hosts: ['']\n", `config.yaml:1: hosts: "" is no name of a host`},
		{"no name", "hosts: [a b]\n", `config.yaml:1: hosts: "a b" is no name of a host`},
		{"a name with a port", "hosts: [a.example:80]\n", `"a.example:80" is no name of a host`},
		{"value within a key", "traces:\n  protocol: pigeon\n", "config.yaml:2: traces.protocol: want http/protobuf or grpc"},
		{"the same key at another level", "allow: []\n", `config.yaml:1: unknown key "allow", did you mean webhooks.allow`},
		{
			"keys, types and values at once, in the order of the file",
			"cpus: -1\ngpus: {a: 1}\nwebhooks:\n  hooks:\n    - url: http://h\n    - url: http://i\n      events: [a]\nlisen: b\nlogLevel: loud\n",
			"5 faults:\nconfig.yaml:1: cpus: want at least 0, got -1\nconfig.yaml:2: gpus: want a list of texts, got a list or keys\n" +
				"config.yaml:7: webhooks.hooks[1].events[0]: is no kind of event; want one of created, running, paused, resumed, stopped, succeeded, failed, goalReached, trialFailed, got \"a\"\nconfig.yaml:8: unknown key \"lisen\", did you mean listen\n" +
				"config.yaml:9: logLevel: want",
		},
		{"no UTF-8", "cpus: 2\nlogLevel: inf\xf6\n", "read config: config.yaml:2: byte 0xf6 is no UTF-8 text; save the file as UTF-8"},
		{"a control character", "cpus: 2\n\nlogLevel: \"\x00\"\n", "read config: config.yaml:3: control character 0x00 is not allowed"},
		{"no YAML", "a: [", "config.yaml:1: did not find expected node content"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := configured(t, tt.file)
			if err == nil {
				t.Fatal("it is taken")
			}
			got := regexp.MustCompile(`\S*/config.yaml`).ReplaceAllString(err.Error(), "config.yaml")
			if !strings.Contains(got, tt.want) || strings.Contains(got, "unmarshal") || strings.Contains(got, "json") {
				t.Errorf("error = %v, want one about %q", got, tt.want)
			}
		})
	}
}

// TestFlagHasNoPlaceInTheConfigFile: a fault of a flag is not looked for in the file.
func TestFlagHasNoPlaceInTheConfigFile(t *testing.T) {
	_, err := configured(t, "logLevel: info\n", "--log-level", "loud")
	if err == nil || strings.Contains(err.Error(), "config.yaml") {
		t.Errorf("got %v, want a fault without a file", err)
	}
}

// TestConfigIsShownWithoutSecrets: the daemon writes its settings to its log.
func TestConfigIsShownWithoutSecrets(t *testing.T) {
	c := config{DataDir: "d", Images: map[string]commandLine{"i": "x --api-key=CANARY --password CANARY --pass CANARY -n 1"}}
	c.Webhooks.Hooks = []experiment.Webhook{{URL: "https://u:CANARY@h/p?token=CANARY"}}
	c.Webhooks.Source = "https://u:CANARY@h/p"
	c.Traces.Endpoint = "http://localhost:4318/v1/traces?key=CANARY"
	text, err := json.Marshal(c.inForce())
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"stopGrace":"10s"`, `"cpus":` + strconv.Itoa(runtime.NumCPU()), `"tokenFile":"d/token"`} {
		if !strings.Contains(string(text), want) {
			t.Errorf("settings are shown as %s, want what is in force: %s", text, want)
		}
	}
	if strings.Contains(string(text), "CANARY") || !strings.Contains(string(text), "-n 1") {
		t.Errorf("settings are shown as %s", text)
	}
	if !strings.Contains(string(c.Images["i"]), "CANARY") || !strings.Contains(c.Webhooks.Hooks[0].URL, "CANARY") {
		t.Error("the settings themselves were changed")
	}
}
