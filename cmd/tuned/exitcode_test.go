package main

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// exitCase is a command line and what it ends with.
type exitCase struct {
	name string
	code int
	args []string
}

// command is the words of a run whose trials print a loss of their own.
func command(args ...string) []string {
	return append(args, "--data-dir", "d", "--progress", "none", "--", "sh", "-c", "echo loss=$0", "${trialParameters.x}", "${trialParameters.opt}")
}

func failing(args ...string) []string {
	return append(args, "--data-dir", "d", "--progress", "none", "--", "sh", "-c", "exit 7", "${trialParameters.x}", "${trialParameters.opt}")
}

// exitCases are in their order: the later ones look at what the earlier ones left.
var exitCases = []exitCase{
	{"run: no goal", exitOK, command("run", "work.yaml", "--name", "done")},
	{"run: goal reached", exitOK, command("run", "easy.yaml", "--name", "reached")},
	{"run: goal missed", exitGoalMissed, command("run", "hard.yaml", "--name", "missed")},
	{"run: too many failures", exitFailed, failing("run", "work.yaml", "--name", "failed", "--max-failed", "1")},
	{"run: no trial succeeded", exitFailed, failing("run", "work.yaml", "--name", "lost")},
	{"run: no file", exitUsage, command("run", "absent.yaml")},
	{"run: a fault", exitUsage, command("run", "work.yaml", "--parallel", "0")},
	{"run: another of this name", exitError, command("run", "easy.yaml", "--name", "done")},
	{"wait: no goal", exitOK, []string{"wait", "done"}},
	{"wait: settled", exitOK, []string{"wait", "reached", "--for", "settled"}},
	{"wait: goal missed", exitGoalMissed, []string{"wait", "missed"}},
	{"wait: failed", exitFailed, []string{"wait", "failed"}},
	{"wait: no trial succeeded", exitFailed, []string{"wait", "lost"}},
	{"wait: for failed", exitOK, []string{"wait", "failed", "--for", "failed"}},
	{"wait: what can come no more", exitFailed, []string{"wait", "done", "--for", "failed"}},
	{"wait: trials", exitOK, []string{"wait", "done", "--for", "trials=3"}},
	{"wait: more trials than there will be", exitFailed, []string{"wait", "done", "--for", "trials=9"}},
	{"wait: no such experiment", exitError, []string{"wait", "absent"}},
	{"wait: no such condition", exitUsage, []string{"wait", "done", "--for", "nice"}},
	{"best: without a result", exitError, []string{"best", "lost"}},
	{"get: no such experiment", exitError, []string{"get", "absent"}},
	{"get: unknown flag", exitUsage, []string{"get", "--absent"}},
	{"unknown command", exitUsage, []string{"absent"}},
	{"pause: no daemon", exitError, []string{"pause", "done"}},
	{"validate: a fault", exitUsage, []string{"validate", "bad.yaml"}},
	{"validate: none", exitOK, []string{"validate", "--command", "work.yaml"}},
}

// TestExitCodes: each code that docs/cli.md lists comes where it says so, and no other.
func TestExitCodes(t *testing.T) {
	dir := writeExperiment(t)
	for name, text := range map[string]string{
		"easy.yaml": strings.Replace(twoParameters, "minimize,", "minimize, goal: 5,", 1),
		"hard.yaml": strings.Replace(twoParameters, "minimize,", "minimize, goal: 0,", 1),
		"bad.yaml":  "kind: Experiment\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	seen := map[int]bool{exitStorage: true} // which only a broken disk brings about
	for _, tt := range exitCases {
		seen[tt.code] = true
		t.Run(tt.name, func(t *testing.T) {
			args := tt.args
			if !slices.Contains([]string{"run", "validate", "absent"}, args[0]) {
				args = append(args, "--data-dir", "d")
			}
			call(t, dir, tt.code, args...)
		})
	}
	t.Run("with a daemon", func(t *testing.T) { exitsBesideDaemon(t, dir, seen) })
	text, err := os.ReadFile("../../docs/cli.md")
	if err != nil {
		t.Fatal(err)
	}
	listed := map[int]bool{}
	for _, row := range regexp.MustCompile(`(?m)^\| ([0-9]+) \| `).FindAllSubmatch(text, -1) {
		code, _ := strconv.Atoi(string(row[1])) // digits they are
		listed[code] = true
	}
	if !maps.Equal(seen, listed) {
		t.Errorf("docs/cli.md lists %v, want those that were seen, %v", slices.Sorted(maps.Keys(listed)), slices.Sorted(maps.Keys(seen)))
	}
}

// exitsBesideDaemon goes through the codes that need a daemon.
func exitsBesideDaemon(t *testing.T, dir string, seen map[int]bool) {
	s := startServe(t, dir)
	for _, tt := range []exitCase{
		{"serve: the folder is taken", exitBusy, []string{"serve", "--listen", "none", "--data-dir", "d"}},
		{"submit: goal missed", exitGoalMissed, command("submit", "hard.yaml", "--wait", "--name", "missed-again")},
		{"submit: no trial succeeded", exitFailed, failing("submit", "work.yaml", "--wait", "--name", "lost-again")},
		{"submit: an experiment that waits", exitOK, []string{"submit", "work.yaml", "--name", "waits", "--data-dir", "d"}},
		{"enqueue: outside of the range", exitUsage, []string{"enqueue", "waits", "x=9", "opt=adam", "--data-dir", "d"}},
		{"enqueue: no such parameter", exitUsage, []string{"enqueue", "waits", "x=1", "opt=adam", "width=3", "--data-dir", "d"}},
		{"tell: a metric is missing", exitUsage, []string{"tell", "waits", "los=1", "--param", "x=1.5", "--param", "opt=adam", "--request-id", "a", "--data-dir", "d"}},
		{"tell: no such trial", exitError, []string{"tell", "waits", "9", "loss=1", "--data-dir", "d"}},
		{"annotate: a tag that is none", exitUsage, []string{"annotate", "waits", "--tag", "", "--data-dir", "d"}},
		{"trials: no such parameter", exitUsage, []string{"trials", "waits", "--filter", "param.y=1", "--data-dir", "d"}},
		{"resume: the budget is used up", exitError, []string{"resume", "done", "--data-dir", "d"}},
		{"wait: too late", exitTimeout, []string{"wait", "waits", "--timeout", time.Millisecond.String(), "--data-dir", "d"}},
		{"submit: another of this name", exitError, []string{"submit", "hard.yaml", "--name", "waits", "--data-dir", "d"}},
		{"run: a daemon has the folder", exitOK, command("run", "work.yaml", "--name", "beside")},
	} {
		seen[tt.code] = true
		t.Run(tt.name, func(t *testing.T) { call(t, dir, tt.code, tt.args...) })
	}
	run := startRun(t, dir, "work.yaml", "--name", "waits")
	run.until("of progress", ready)
	if err := run.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	run.exits(exitInterrupted)
	seen[exitInterrupted] = true
	s.exits(exitOK, syscall.SIGTERM)
}
