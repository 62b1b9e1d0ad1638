package main

import (
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// TestHelpIsComplete looks at each command: it says what it does, and each flag what it means.
func TestHelpIsComplete(t *testing.T) {
	a := &app{getenv: homeEnv, stdout: io.Discard, stderr: io.Discard}
	for _, c := range a.root().Commands() {
		if c.Short == "" || strings.HasSuffix(c.Short, ".") || c.GroupID == "" {
			t.Errorf("%s: short help %q in group %q", c.Name(), c.Short, c.GroupID)
		}
		if c.Args == nil {
			t.Errorf("%s: takes any words", c.Name())
		}
		c.Flags().VisitAll(func(f *pflag.Flag) {
			if f.Usage == "" {
				t.Errorf("%s --%s: no help", c.Name(), f.Name)
			}
		})
		for line := range strings.Lines(c.Long + "\n" + c.Example) {
			if len(strings.TrimRight(line, "\n")) > 110 {
				t.Errorf("%s: a line of its help has %d columns: %s", c.Name(), len(line), line)
			}
		}
		for word := range strings.FieldsSeq(c.Example) {
			if flag, ok := strings.CutPrefix(word, "--"); ok && flag != "" && !strings.HasPrefix(flag, "lr=") {
				name, _, _ := strings.Cut(flag, "=")
				if !known(a.root(), name) {
					t.Errorf("%s: its example has --%s, which no command has", c.Name(), name)
				}
			}
		}
	}
}

func known(root *cobra.Command, flag string) bool {
	return slices.ContainsFunc(root.Commands(), func(c *cobra.Command) bool { return c.Flags().Lookup(flag) != nil })
}

func TestCompletionScripts(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish"} {
		out, _ := call(t, t.TempDir(), exitOK, "completion", shell)
		path, err := exec.LookPath(shell)
		if err != nil {
			if len(out) < 1000 {
				t.Errorf("the script for %s is %d bytes long", shell, len(out))
			}
			continue // the shell itself judges where there is one
		}
		c := exec.Command(path, "-n")
		c.Stdin = strings.NewReader(out)
		if said, err := c.CombinedOutput(); err != nil {
			t.Errorf("%s -n: %v\n%s", shell, err, said)
		}
	}
}

// TestCompletionKnowsNames completes names of experiments and trials, and values of flags.
func TestCompletionKnowsNames(t *testing.T) {
	dir := writeExperiment(t)
	finish(t, dir)
	trial, _ := call(t, dir, exitOK, "trials", "work", "--data-dir", "d", "-o", "jsonpath={[0].trial}")
	tests := []struct {
		name string
		args []string
		want string
	}{
		{"experiment", []string{"best", "--data-dir", "d", ""}, "work\tSucceeded"},
		{"experiment of a namespace", []string{"best", "--data-dir", "d", "default/"}, "default/work\tSucceeded"},
		{"format of a study", []string{"import", "--from", ""}, "csv\njson\n"},
		{"no second name", []string{"best", "--data-dir", "d", "work", ""}, ":4"},
		{"trial", []string{"logs", "--data-dir", "d", "work", ""}, strings.TrimSpace(trial) + "\tSucceeded"},
		{"namespace", []string{"get", "--data-dir", "d", "-n", ""}, "default"},
		{"format", []string{"get", "-o", ""}, "jsonpath="},
		{"condition", []string{"wait", "--for", ""}, "settled"},
		{"view", []string{"run", "--progress", ""}, "plain"},
		{"level", []string{"serve", "--log-level", ""}, "debug"},
		{"file", []string{"run", ""}, "yaml"},
		{"nothing there", []string{"best", "--data-dir", "absent", ""}, ":4"},
		{"parameter", []string{"enqueue", "--data-dir", "d", "work", ""}, "x=\nopt=\n:6"},
		{"the other parameter", []string{"enqueue", "--data-dir", "d", "work", "x=1", ""}, "opt=\n:6"},
		{"trial to tell of", []string{"tell", "--data-dir", "d", "work", ""}, strings.TrimSpace(trial)},
		{"metric", []string{"tell", "--data-dir", "d", "work", "1", ""}, "loss=\n:6"},
		{"trial to annotate", []string{"annotate", "--data-dir", "d", "work", ""}, strings.TrimSpace(trial)},
		{"shell", []string{"completion", ""}, "fish"},
		{"topic of help", []string{"help", "store", ""}, "backup"},
		{"command", []string{"des"}, "describe\tSay all about"},
	}
	for _, place := range []string{"at rest", "a daemon"} {
		t.Run(place, func(t *testing.T) {
			if place == "a daemon" {
				startServe(t, dir)
			}
			for _, tt := range tests {
				t.Run(tt.name, func(t *testing.T) {
					out, _ := call(t, dir, exitOK, append([]string{"__complete"}, tt.args...)...)
					if !strings.Contains(out, tt.want) {
						t.Errorf("got %q, want %q in it", out, tt.want)
					}
				})
			}
		})
	}
}
