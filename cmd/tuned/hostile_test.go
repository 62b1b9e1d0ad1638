package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// hostile drives a terminal that shows it as it is: a title, the cursor, a C1 control, the order of text.
const hostile = "a\x1b]0;owned\x07b\x1b[2J\u009b31mc\u202ed\re"

// obeyed is what a terminal obeys, but for line breaks, which it puts a carriage return before.
var (
	obeyed  = regexp.MustCompile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u0080-\u009f\u202a-\u202e\u2066-\u2069]|\r[^\r\n]")
	colours = regexp.MustCompile("\x1b\\[[0-9;]*m")
)

const hostileExperiment = `apiVersion: kubeflow.org/v1beta1
kind: Experiment
metadata: {name: work}
spec:
  objective: {type: minimize, objectiveMetricName: loss, additionalMetricNames: ["HOSTILE"]}
  algorithm: {algorithmName: gp}
  parallelTrialCount: 4
  maxTrialCount: 40
  parameters:
    - {name: x, parameterType: double, feasibleSpace: {min: "1", max: "2"}}
    - {name: opt, parameterType: categorical, feasibleSpace: {list: ["HOSTILE", sgd]}}
`

// hostileFiles writes experiments full of hostile text to a folder.
func hostileFiles(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	quoted := regexp.MustCompile(`^"|"$`).ReplaceAllString(yamlQuoted(hostile), "")
	text := strings.ReplaceAll(hostileExperiment, "HOSTILE", quoted)
	for name, text := range map[string]string{
		"work.yaml":  text,
		"bad.yaml":   text + "  " + yamlQuoted("un"+hostile) + ": 1\n  maxFailedTrialCount: " + yamlQuoted(hostile) + "\n",
		"named.yaml": strings.Replace(text, "name: work", "name: "+yamlQuoted(hostile), 1),
		"conf.yaml":  yamlQuoted(hostile) + ": 1\ncpus: " + yamlQuoted(hostile) + "\n",
		"token":      "x",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// yamlQuoted writes a text in double quotes with YAML's escapes.
func yamlQuoted(text string) string {
	return `"` + strings.NewReplacer("\x1b", `\x1b`, "\x07", `\x07`, "\u009b", `\x9b`, "\u202e", `\u202e`, "\r", `\r`).Replace(text) + `"`
}

// TestNoCommandDrivesTheTerminal prints what clients and trials wrote, by every command, to a terminal.
func TestNoCommandDrivesTheTerminal(t *testing.T) {
	dir := hostileFiles(t)
	s := startServe(t, dir)
	at := func(args ...string) []string {
		if slices.Contains([]string{"validate", "explain", "help", "completion"}, args[0]) {
			return args
		}
		return append([]string{args[0], "--data-dir", "d"}, args[1:]...)
	}
	for _, args := range [][]string{
		{"submit", "work.yaml"},
		{"annotate", "work", "--note", hostile, "--tag", hostile},
		{"enqueue", "work", "x=1.5", "opt=" + hostile, "--note", hostile},
		{"ask", "work", "--count", "4"},
		{"annotate", "work", "1", "--note", hostile, "--tag", hostile},
		{"tell", "work", "2", "--failed", hostile},
		{"tell", "work", "3", "loss=1", hostile + "=2"},
		{"tell", "work", "4", "loss=2", hostile + "=nan"},
	} {
		call(t, dir, exitOK, at(args...)...)
	}
	for i, x := range []string{"1.1", "1.3", "1.7", "1.9"} {
		call(t, dir, exitOK, at("tell", "work", "loss="+x, hostile+"=1", "--param", "x="+x, "--param", "opt="+hostile, "--request-id", hostile+string(rune('a'+i)))...)
	}
	call(t, dir, exitOK, at("submit", "work.yaml", "--name", "prints", "--max-trials", "1", "--", "sh", "-c",
		`printf '%s\n' "$1"; printf '\033]0;owned\007\033[2J loss=1\n'; exit 3`, "sh", "${trialParameters.opt}${trialParameters.x}"+hostile)...)
	call(t, dir, exitFailed, at("wait", "prints")...)
	for _, args := range hostileCommands {
		t.Run(strings.ReplaceAll(strings.Join(args, " "), hostile, "HOSTILE"), func(t *testing.T) {
			shown := seenOnTerminal(t, dir, at(args...)...)
			if args[0] == "logs" { // where colours and progress bars pass
				shown = strings.ReplaceAll(colours.ReplaceAllString(shown, ""), "\r", "")
			}
			if shown == "" {
				t.Error("it prints nothing")
			}
			if at := obeyed.FindStringIndex(shown); at != nil {
				t.Errorf("a terminal obeys %q after %q", shown[at[0]:at[1]], shown[max(0, at[0]-60):at[0]])
			}
		})
	}
	s.exits(exitOK, syscall.SIGTERM)
}

var hostileCommands = [][]string{
	{"get"},
	{"get", "-o", "json"},
	{"get", "-o", "yaml"},
	{"get", "-o", "csv"},
	{"get", "-o", "jsonpath={.experiments[*].tags}"},
	{"get", "work", "-o", "yaml"},
	{"get", "work", "-o", "jsonpath={.note}"},
	{"get", hostile},
	{"get", "--filter", hostile},
	{"get", "-n", hostile},
	{"get", "-o", "jsonpath={.x" + hostile},
	{"get", "--server", "http://127.0.0.1:1/" + hostile},
	{"describe", "work"},
	{"describe", "work", "-o", "json"},
	{"describe", "work", "-o", "yaml"},
	{"describe", "prints"},
	{"describe", "work", hostile},
	{"describe", "work", "1"},
	{"describe", "work", "2"},
	{"describe", "work", "3"},
	{"describe", "work", "1", "-o", "yaml"},
	{"describe", "work", "2", "-o", "jsonpath={.trial.message}"},
	{"trials", "work"},
	{"trials", "work", "-o", "json"},
	{"trials", "work", "-o", "yaml"},
	{"trials", "work", "-o", "csv"},
	{"trials", "prints", "--watch"},
	{"trials", "work", "--filter", "tag=" + hostile},
	{"trials", "prints", "--watch", "-o", "json"},
	{"best", "work"},
	{"best", "work", "-o", "json"},
	{"best", "work", "-o", "yaml"},
	{"best", "work", "-o", "flags"},
	{"best", "work", "-o", "jsonpath={.parameters}"},
	{"model", "work"},
	{"model", "work", "-o", "json"},
	{"model", "work", "-o", "yaml"},
	{"model", hostile},
	{"explain", "work.yaml"},
	{"explain", "bad.yaml"},
	{"validate", "work.yaml", "bad.yaml", "named.yaml"},
	{"validate", "bad.yaml", "-o", "json"},
	{"validate", hostile},
	{"run", "named.yaml"},
	{"run", "bad.yaml"},
	{"run", "work.yaml", "--config", "conf.yaml"},
	{"run", "work.yaml", "--name", "prints", "--progress", "plain"},
	{"submit", "bad.yaml"},
	{"submit", "named.yaml"},
	{"submit", "work.yaml", "-o", "yaml", "--dry-run"},
	{"submit", "work.yaml", "--", hostile},
	{"submit", "work.yaml", "--name", hostile},
	{"logs", "prints", "1"},
	{"logs", "prints", "1", "-f"},
	{"logs", "prints", "1", "--tail-bytes", "20"},
	{"logs", "work", hostile},
	{"wait", "prints"},
	{"wait", "work", "--for", hostile},
	{"wait", hostile},
	{"ask", "work"},
	{"tell", "work", hostile, "loss=1"},
	{"tell", "work", "1", hostile + "=x"},
	{"tell", "work", "1", hostile + "=-inf"},
	{"enqueue", "work", "x=1.2", "opt=" + hostile},
	{"enqueue", "work", hostile + "=1"},
	{"enqueue", "work", hostile},
	{"annotate", "work", "2", "--note", hostile, "--tag", hostile},
	{"annotate", "work", hostile, "--tag", "x"},
	{"stop", "work", hostile},
	{"pause", hostile},
	{"extend", "work", "--max-trials", hostile},
	{"delete", hostile},
	{"export", "work", "-o", "csv"},
	{"serve", "--log-level", hostile},
	{hostile},
	{"get", "--" + hostile},
	{"get", "-o", hostile},
	{"help", hostile},
	{"completion", hostile},
}

// seenOnTerminal runs the program with all of its output on a terminal, whatever it ends with.
func seenOnTerminal(t *testing.T, dir string, args ...string) string {
	t.Helper()
	c := program(t, dir, args...)
	master, slave := openPTY(t)
	c.Stdin, c.Stdout, c.Stderr = slave, slave, slave
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	slave.Close()
	seen := readTerminal(master)
	_ = c.Wait() // some of them fail, and their words count
	return seen
}
