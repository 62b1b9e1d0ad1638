package main

import (
	"bufio"
	"context"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// eventually waits until something is so, which the time limit of the test bounds.
func eventually(t *testing.T, so func() bool) {
	t.Helper()
	turns := time.NewTicker(turn / 10)
	defer turns.Stop()
	for !so() {
		select {
		case <-turns.C:
		case <-t.Context().Done():
			t.Fatal("it never was so")
		}
	}
}

// TestGetWatch sees each state that an experiment goes through, and its end.
func TestGetWatch(t *testing.T) {
	dir := writeExperiment(t)
	s := startServe(t, dir)
	tests := []struct {
		args []string
		want []string // each in a line after that of the one before
	}{
		{nil, []string{"NAMESPACE", "Created", "Paused", "Succeeded", "Deleted"}},
		{[]string{"-A", "-o", "json"}, []string{`"state":"Created"`, `"state":"Paused"`, `"state":"Succeeded"`, `"state":"Deleted"`}},
	}
	for _, tt := range tests {
		watch := program(t, dir, append([]string{"get", "--watch", "--data-dir", "d"}, tt.args...)...)
		out, err := watch.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := watch.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		lines.Buffer(nil, 1<<20)
		call(t, dir, exitOK, "submit", "--data-dir", "d", "work.yaml")
		steps := map[string][]string{
			"Created":   {"pause", "work"},
			"Paused":    {"resume", "work"},
			"Succeeded": {"delete", "work", "--yes"},
		}
		for _, want := range tt.want {
			for lines.Scan() && !strings.Contains(lines.Text(), want) {
			}
			if !strings.Contains(lines.Text(), want) {
				t.Fatalf("tuned get --watch %v ends without %q", tt.args, want)
			}
			state := strings.Trim(strings.TrimPrefix(want, `"state":`), `"`)
			if act := steps[state]; act != nil {
				call(t, dir, exitOK, append(act, "--data-dir", "d")...)
				delete(steps, state)
			}
			if state == "Paused" {
				call(t, dir, exitOK, "tell", "work", "loss=1", "--param", "x=1.5", "--param", "opt=adam", "--request-id", "a", "--data-dir", "d")
				call(t, dir, exitOK, "stop", "work", "--data-dir", "d")
			}
		}
		_ = watch.Process.Signal(os.Interrupt)
		_, _ = io.Copy(io.Discard, out)
		_ = watch.Wait() // by the signal
	}
	s.exits(exitOK, syscall.SIGTERM)
}

// TestGetWatchOfOneEndsWithIt: a script that watches one experiment does not wait for ever.
func TestGetWatchOfOneEndsWithIt(t *testing.T) {
	dir := writeExperiment(t)
	s := startServe(t, dir)
	call(t, dir, exitOK, "submit", "--data-dir", "d", "work.yaml")
	watch := program(t, dir, "get", "work", "--watch", "--data-dir", "d")
	var stderr strings.Builder
	watch.Stderr = &stderr
	out, err := watch.StdoutPipe()
	if err == nil {
		err = watch.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	saidLine(t, lines, "Created")
	call(t, dir, exitOK, "delete", "work", "--yes", "--data-dir", "d")
	saidLine(t, lines, "Deleted")
	_ = watch.Wait() // the exit code says it
	if got := watch.ProcessState.ExitCode(); got != exitError || !strings.Contains(stderr.String(), `"work" was deleted`) {
		t.Errorf("exit code %d, it says %q", got, stderr.String())
	}
	s.exits(exitOK, syscall.SIGTERM)
}

// TestRunBesideIsLeftToTheDaemon interrupts a run that follows a daemon's experiment.
func TestRunBesideIsLeftToTheDaemon(t *testing.T) {
	dir := writeExperiment(t)
	t.Cleanup(func() { letGo(t, dir) })
	s := startServe(t, dir)
	run := startRun(t, dir, append([]string{"work.yaml"}, waiting...)...)
	run.until("with two trials running", running)
	if err := run.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	run.exits(exitInterrupted)
	if !strings.Contains(run.stderr.String(), "work goes on in the daemon; `tuned wait work --data-dir "+filepath.Join(dir, "d")+"` waits for it, `tuned stop work --data-dir ") {
		t.Errorf("an interrupted follower says %q", run.stderr.String())
	}
	letGo(t, dir)
	call(t, dir, exitOK, "wait", "work", "--data-dir", "d")
	s.exits(exitOK, syscall.SIGTERM)
}

// saidLine reads what a command says up to a line that has a text.
func saidLine(t *testing.T, lines *bufio.Scanner, want string) {
	t.Helper()
	for lines.Scan() {
		if strings.Contains(lines.Text(), want) {
			return
		}
	}
	t.Fatalf("it ends without %q", want)
}

// TestWaitOutlastsTheDaemon: another daemon on the same folder is found, and the wait goes on with it.
func TestWaitOutlastsTheDaemon(t *testing.T) {
	dir := writeExperiment(t)
	s := startServe(t, dir)
	call(t, dir, exitOK, "submit", "--data-dir", "d", "work.yaml")
	wait := program(t, dir, "wait", "work", "--for", "paused", "--data-dir", "d")
	stderr, err := wait.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := wait.Start(); err != nil {
		t.Fatal(err)
	}
	said := bufio.NewScanner(stderr)
	saidLine(t, said, "waiting until it is paused")
	s.exits(exitOK, syscall.SIGTERM)
	saidLine(t, said, "waiting for it to come back")
	s = startServe(t, dir)
	call(t, dir, exitOK, "pause", "work", "--data-dir", "d")
	if err := wait.Wait(); err != nil {
		t.Errorf("it ends with %v", err)
	}
	s.exits(exitOK, syscall.SIGTERM)
}

// TestRunAndSubmitOutlastTheDaemon follows an experiment while one daemon ends and another begins: it is shown to its
// end, which each trial has once.
func TestRunAndSubmitOutlastTheDaemon(t *testing.T) {
	for _, verb := range [][]string{{"run"}, {"submit", "--wait"}} {
		t.Run(verb[0], func(t *testing.T) {
			dir := writeExperiment(t)
			t.Cleanup(func() { letGo(t, dir) })
			s := startServe(t, dir)
			args := append(slices.Clone(verb), "--data-dir", "d", "--progress", "plain", "--parallel", "2", "--max-trials", "2", "work.yaml")
			follower := program(t, dir, append(args, waiting...)...)
			stdout, err := follower.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			stderr, err := follower.StderrPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := follower.Start(); err != nil {
				t.Fatal(err)
			}
			shown, said := bufio.NewScanner(stdout), bufio.NewScanner(stderr)
			saidLine(t, shown, "2 running")
			s.exits(exitOK, syscall.SIGTERM)
			saidLine(t, said, "waiting for it to come back")
			s = startServe(t, dir)
			letGo(t, dir)
			out := ""
			for shown.Scan() {
				out += shown.Text() + "\n"
			}
			if err := follower.Wait(); err != nil {
				t.Errorf("it ends with %v", err)
			}
			if strings.Count(out, " Succeeded loss=") != 2 || strings.Count(out, "Best trial") != 1 {
				t.Errorf("it shows %q, want each trial and the result once", out)
			}
			s.exits(exitOK, syscall.SIGTERM)
		})
	}
}

// TestFollowingAfterACut goes on without a word where only the connection has ended, not the daemon.
func TestFollowingAfterACut(t *testing.T) {
	dir := t.TempDir()
	s := startServe(t, dir)
	p := &place{dataDir: filepath.Join(dir, "d"), getenv: noEnv}
	for _, tt := range []struct {
		want string
		cut  func()
	}{
		{"", func() {}},
		{"waiting for it to come back", func() { s.exits(exitOK, syscall.SIGTERM) }},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		var warned strings.Builder
		calls := 0
		_ = p.following(ctx, writing(func(text []byte) (int, error) { cancel(); return warned.Write(text) }), func(*client) error {
			if calls++; calls == 1 {
				tt.cut()
				return errEnded
			}
			return nil
		})
		if got := warned.String(); (tt.want == "") != (got == "") || !strings.Contains(got, tt.want) {
			t.Errorf("want %q, it says %q", tt.want, got)
		}
		if tt.want == "" && calls != 2 {
			t.Errorf("it went on %d times, want once", calls-1)
		}
		cancel()
	}
}

// writing is a function as a writer.
type writing func([]byte) (int, error)

// Write implements io.Writer.
func (w writing) Write(text []byte) (int, error) { return w(text) }

// TestLogsOutlastTheDaemon follows a log while one daemon ends and another begins: each line comes once.
func TestLogsOutlastTheDaemon(t *testing.T) {
	dir := writeExperiment(t)
	t.Cleanup(func() { letGo(t, dir) })
	s := startServe(t, dir)
	call(t, dir, exitOK, "submit", "--data-dir", "d", "--parallel", "1", "--max-trials", "1", "work.yaml", "--",
		"sh", "-c", `echo before; while ! [ -e go ]; do sleep 0.05; done; echo loss=$0`, "${trialParameters.x}", "${trialParameters.opt}")
	call(t, dir, exitOK, "wait", "work", "--for", "running", "--data-dir", "d")
	logs := program(t, dir, "logs", "work", "1", "-f", "--data-dir", "d")
	stdout, err := logs.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	stderr, err := logs.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := logs.Start(); err != nil {
		t.Fatal(err)
	}
	out := bufio.NewScanner(stdout)
	saidLine(t, out, "before")
	s.exits(exitOK, syscall.SIGTERM)
	saidLine(t, bufio.NewScanner(stderr), "waiting for it to come back")
	s = startServe(t, dir)
	letGo(t, dir)
	rest := ""
	for out.Scan() {
		rest += out.Text() + "\n"
	}
	if err := logs.Wait(); err != nil || strings.Contains(rest, "before") || strings.Count(rest, "loss=") != 1 {
		t.Errorf("the log goes on with %q and ends with %v, want one line with loss=", rest, err)
	}
	s.exits(exitOK, syscall.SIGTERM)
}

// TestLogOfTrialToCome follows the log of a trial that waits for the one slot of the machine: it is printed while the trial
// runs, and the command ends with it.
func TestLogOfTrialToCome(t *testing.T) {
	const script = `echo began; until rm go 2>/dev/null; do sleep 0.02; done; echo loss=1`
	dir := writeExperiment(t)
	s := startServe(t, dir, "--cpus", "1")
	next := func() { // lets the trial that runs end
		if err := os.WriteFile(filepath.Join(dir, "go"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "slot.yaml"), []byte(twoParameters+"  tuned: {cpus: 1}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	call(t, dir, exitOK, "submit", "slot.yaml", "--data-dir", "d", "--max-trials", "2", "--", "sh", "-c", script, "${trialParameters.x}", "${trialParameters.opt}")
	call(t, dir, exitOK, "wait", "work", "--for", "running", "--data-dir", "d")
	eventually(t, func() bool {
		out, _ := call(t, dir, exitOK, "get", "work", "-o", "jsonpath={.counts.running} {.counts.pending}", "--data-dir", "d")
		return out == "1 1\n"
	})
	if _, refused := call(t, dir, exitError, "logs", "work", "2", "--data-dir", "d"); !strings.Contains(refused, "has printed nothing (Pending)") {
		t.Errorf("without -f: %q", refused)
	}
	logs := program(t, dir, "logs", "work", "2", "-f", "--data-dir", "d")
	out, err := logs.StdoutPipe()
	if err == nil {
		err = logs.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	call(t, dir, exitOK, "trials", "work", "--data-dir", "d") // asks later than logs
	next()
	lines := bufio.NewScanner(out)
	if !lines.Scan() || lines.Text() != "began" {
		t.Errorf("got %q, want what the trial prints when it begins", lines.Text())
	}
	if state, _ := call(t, dir, exitOK, "trials", "work", "-o", "jsonpath={[1].state}", "--data-dir", "d"); state != "Running\n" {
		t.Errorf("the trial is %q when its log begins, want Running", state)
	}
	next()
	if !lines.Scan() || lines.Text() != "loss=1" || lines.Scan() {
		t.Errorf("got %q, want the last line", lines.Text())
	}
	if err := logs.Wait(); err != nil {
		t.Errorf("the command ends with %v", err)
	}
	call(t, dir, exitOK, "wait", "work", "--data-dir", "d")
	s.exits(exitOK, os.Interrupt)
}
