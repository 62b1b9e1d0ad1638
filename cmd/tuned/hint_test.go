package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"rsc.io/script"
)

// hinting tries the commands that a program tells to type: each is one that the command line takes, leads to the
// same place as the one that was typed and, when it only looks, works. What it prints is in terms of users.
type hinting struct{ script.Cmd }

// internals are words of the program's own, or of the libraries that it is made of, and plurals of one thing.
var internals = regexp.MustCompile(`rpc error|desc = |strconv\.|cannot unmarshal|unmarshal errors|json: [a-z]* [a-z]* (string|number|array|object|field)|yaml: (line|unmarshal|control|did|input)|%!|\*[a-z]+\.[A-Z]|dial (tcp|unix)` +
	`|(^|\s)1 (trials|words|faults|files|experiments|tags|parameters|points|attempts|bytes)\b`)

var hintText = regexp.MustCompile("`(tuned [^`]*)`")

// hintsIn returns the commands that a text tells to type.
func hintsIn(text string) (out []string) {
	for _, found := range hintText.FindAllStringSubmatch(text, -1) {
		if !slices.Contains(out, found[1]) {
			out = append(out, found[1])
		}
	}
	return out
}

// Run implements script.Cmd.
func (h hinting) Run(s *script.State, args ...string) (script.WaitFunc, error) {
	wait, err := h.Cmd.Run(s, args...)
	if err != nil || wait == nil || slices.Contains(args, "serve") {
		return wait, err
	}
	return func(s *script.State) (stdout, stderr string, err error) {
		if stdout, stderr, err = wait(s); err != nil {
			return stdout, stderr, err
		}
		if found := internals.FindString(stdout + stderr); found != "" {
			return stdout, stderr, fmt.Errorf("%q is nothing to tell a user", found)
		}
		for _, command := range hintsIn(stdout + stderr) {
			if err := tryHint(s, args, command); err != nil {
				return stdout, stderr, fmt.Errorf("hint %s: %w", command, err)
			}
		}
		return stdout, stderr, nil
	}, nil
}

// tryHint tries a command that args told to type.
func tryHint(s *script.State, args []string, command string) error {
	words, err := splitWords(command)
	if err != nil {
		return err
	}
	root := (&app{getenv: noEnv}).root()
	c, rest, err := root.Find(words[1:])
	if err != nil {
		return err
	}
	if slices.Contains(rest, "--help") {
		return nil
	}
	if err := c.ParseFlags(rest); err != nil {
		return err
	}
	if err := c.ValidateArgs(c.Flags().Args()); err != nil {
		return err
	}
	for _, flag := range []string{"--data-dir", "--server"} {
		if slices.Contains(args, flag) && !slices.Contains(words, flag) && (c.Name() != "serve" || flag == "--data-dir") {
			return fmt.Errorf("it lacks the %s of the command that was typed", flag)
		}
	}
	if !slices.Contains([]string{"get", "trials", "describe", "logs"}, c.Name()) {
		return nil // TestHintsWork runs those that change something
	}
	shell := exec.CommandContext(s.Context(), "sh", "-c", command)
	shell.Dir, shell.Env = s.Getwd(), s.Environ()
	if out, err := shell.CombinedOutput(); err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	return nil
}

// hints is a place where experiments are, as a user types it.
type hints struct {
	t    *testing.T
	dir  string
	bin  string
	at   []string // flags
	name string
}

// tuned runs the program with the flags of the place.
func (h *hints) tuned(want int, args ...string) string {
	h.t.Helper()
	stdout, stderr := call(h.t, h.dir, want, append(args, h.at...)...)
	return stdout + stderr
}

// follow pastes the hint with a verb out of a text into a shell.
func (h *hints) follow(text, verb string) string {
	h.t.Helper()
	for _, command := range hintsIn(text) {
		if !strings.HasPrefix(command, "tuned "+verb+" ") {
			continue
		}
		shell := exec.Command("sh", "-c", command)
		shell.Dir, shell.Env = h.dir, environ(h.t, "PATH="+h.bin+string(os.PathListSeparator)+os.Getenv("PATH"))
		out, err := shell.CombinedOutput()
		if err != nil {
			h.t.Fatalf("%s: %v\n%s", command, err, out)
		}
		return string(out)
	}
	h.t.Fatalf("no hint tells to type tuned %s:\n%s", verb, text)
	return ""
}

func (h *hints) has(text, want string) {
	h.t.Helper()
	if !strings.Contains(text, want) {
		h.t.Errorf("got %q, want %q in it", text, want)
	}
}

const external = `apiVersion: kubeflow.org/v1beta1
kind: Experiment
metadata: {name: NAME, namespace: NAMESPACE}
spec:
  objective: {type: minimize, goal: 0.1, objectiveMetricName: loss}
  algorithm: {algorithmName: random}
  parallelTrialCount: 1
  maxTrialCount: 2
  maxFailedTrialCount: 1
  parameters:
    - {name: x, parameterType: double, feasibleSpace: {min: "1", max: "2"}}
`

// begin submits an experiment whose trials clients evaluate.
func (h *hints) begin(name, namespace string) {
	h.t.Helper()
	text := strings.NewReplacer("NAMESPACE", namespace, "NAME", name).Replace(external)
	if err := os.WriteFile(filepath.Join(h.dir, "e.yaml"), []byte(text), 0o600); err != nil {
		h.t.Fatal(err)
	}
	h.tuned(exitOK, "submit", "e.yaml", "-n", namespace)
	h.name = name
}

// evaluate asks for a trial and tells what it found.
func (h *hints) evaluate(found ...string) {
	h.t.Helper()
	trial := strings.Fields(h.tuned(exitOK, "ask", h.name))[0]
	h.tuned(exitOK, append([]string{"tell", h.name, trial}, found...)...)
}

// TestHintsWork goes through what can happen to an experiment, and does each time what describe or an error tells.
func TestHintsWork(t *testing.T) {
	for _, tt := range []struct {
		name, namespace string
		flags           func(s *service) []string
	}{
		{"a folder with a space", "default", func(*service) []string { return []string{"--data-dir", "my data"} }},
		{"a namespace", "team", func(*service) []string { return []string{"--data-dir", "my data", "-n", "team"} }},
		{"a URL", "team", func(s *service) []string {
			return []string{"--server", s.url, "--token-file", "my data/token", "-n", "team"}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := writeExperiment(t)
			s := startServe(t, dir, "--data-dir", "my data")
			h := &hints{t: t, dir: dir, bin: t.TempDir(), at: tt.flags(s)}
			self, err := os.Executable()
			if err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(self, filepath.Join(h.bin, "tuned")); err != nil {
				t.Fatal(err)
			}
			h.begin("first", tt.namespace)
			h.live()
			h.begin("second", tt.namespace)
			h.ends()
			s.exits(exitOK, syscall.SIGTERM)
			if tt.name != "a URL" {
				h.rests()
			}
		})
	}
}

// live follows hints while an experiment goes on.
func (h *hints) live() {
	h.has(h.follow(h.tuned(exitError, "get", "absent"), "get"), "first")
	h.has(h.follow(h.tuned(exitError, "describe", h.name, "7"), "trials"), "NUMBER")
	h.tuned(exitOK, "pause", h.name)
	h.has(h.follow(h.tuned(exitOK, "describe", h.name), "resume"), "resumed")
	h.has(h.follow(h.tuned(exitOK, "describe", h.name), "ask"), "--x=")
	h.tuned(exitOK, "tell", h.name, "1", "--failed", "no memory")
	h.tuned(exitFailed, "wait", h.name)
	text := h.tuned(exitOK, "describe", h.name)
	h.has(h.follow(text, "describe"), "no memory")
	h.has(h.follow(text, "extend"), "Running:")
	h.evaluate("loss=0.5")
	h.tuned(exitGoalMissed, "wait", h.name)
	h.has(h.follow(h.tuned(exitOK, "describe", h.name), "extend"), "2/4 trials ended")
	h.evaluate("loss=0.05")
	h.tuned(exitOK, "wait", h.name)
	text = h.tuned(exitOK, "describe", h.name)
	h.has(h.follow(text, "best"), "loss=0.05")
	h.has(h.follow(text, "resume"), "resumed")
}

// ends follows hints of an experiment without trials that has ended.
func (h *hints) ends() {
	h.tuned(exitOK, "stop", h.name)
	h.has(h.follow(h.tuned(exitOK, "ask", h.name), "describe"), "ExperimentStopped")
	h.has(h.follow(h.tuned(exitOK, "describe", h.name), "resume"), "resumed")
}

// rests follows the hint of a data directory that no daemon has.
func (h *hints) rests() {
	for _, text := range []string{h.tuned(exitError, "pause", h.name), h.tuned(exitError, "wait", h.name), h.tuned(exitError, "ask", h.name)} {
		at := slices.IndexFunc(hintsIn(text), func(c string) bool { return strings.HasPrefix(c, "tuned serve ") })
		if at < 0 {
			h.t.Fatalf("no hint tells to type tuned serve: %s", text)
		}
		words, err := splitWords(hintsIn(text)[at])
		if err != nil {
			h.t.Fatal(err)
		}
		serve := program(h.t, h.dir, append(words[1:], "--listen", "none")...)
		if err := serve.Start(); err != nil {
			h.t.Fatal(err)
		}
		eventually(h.t, dataDir(filepath.Join(h.dir, "my data")).served)
		if err := serve.Process.Signal(syscall.SIGTERM); err != nil {
			h.t.Fatal(err)
		}
		if err := serve.Wait(); err != nil {
			h.t.Errorf("%q ends with %v", words, err)
		}
	}
}

// TestHintIsQuoted: a shell takes a hint apart as it was meant.
func TestHintIsQuoted(t *testing.T) {
	p := &place{dataDir: "it's here", getenv: noEnv}
	if got, want := p.hint("get", "-A"), "`tuned get -A --data-dir 'it'\\''s here'`"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
