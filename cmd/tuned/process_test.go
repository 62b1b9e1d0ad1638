package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// process is the program running in the background with --progress json.
type process struct {
	t      *testing.T
	cmd    *exec.Cmd
	events *bufio.Scanner
	stderr bytes.Buffer
}

// event is what the tests read of a line of progress.
type event struct {
	Event   string
	Done    int
	Running int
	Trial   string
	State   string
	Best    *struct{ Value float64 }
	Trials  map[string]int
	Message string
}

func program(t *testing.T, dir string, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(self, args...)
	c.Dir = dir
	c.Env = environ(t, "PATH="+os.Getenv("PATH"))
	return c
}

// startRun begins "tuned run" in dir, with the state in dir/d.
func startRun(t *testing.T, dir string, args ...string) *process {
	t.Helper()
	p := &process{t: t, cmd: program(t, dir, append([]string{"run", "--data-dir", "d", "--progress", "json"}, args...)...)}
	p.cmd.Stderr = &p.stderr
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.events = bufio.NewScanner(out)
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if p.cmd.ProcessState == nil {
			_ = p.cmd.Process.Signal(os.Interrupt)
			_, _ = io.Copy(io.Discard, out)
			_ = p.cmd.Wait()
		}
	})
	return p
}

// until reads events up to the first that fits.
func (p *process) until(what string, fits func(event) bool) event {
	p.t.Helper()
	for p.events.Scan() {
		var e event
		if err := json.Unmarshal(p.events.Bytes(), &e); err != nil {
			p.t.Fatalf("event %q: %v", p.events.Text(), err)
		}
		if fits(e) {
			return e
		}
	}
	err := p.cmd.Wait()
	p.t.Fatalf("no event %s before the end: %v\n%s", what, err, p.stderr.String())
	return event{}
}

// exits waits for the end and checks the exit code.
func (p *process) exits(want int) {
	p.t.Helper()
	for p.events.Scan() {
	}
	_ = p.cmd.Wait() // the exit code says it
	if got := p.cmd.ProcessState.ExitCode(); got != want {
		p.t.Fatalf("exit code = %d, want %d\n%s", got, want, p.stderr.String())
	}
}

// call runs the program to its end.
func call(t *testing.T, dir string, want int, args ...string) (stdout, stderr string) {
	t.Helper()
	c := program(t, dir, args...)
	var out, errs strings.Builder
	c.Stdout, c.Stderr = &out, &errs
	_ = c.Run() // the exit code says it
	if got := c.ProcessState.ExitCode(); got != want {
		t.Fatalf("tuned %s: exit code = %d, want %d\n%s%s", strings.Join(args, " "), got, want, out.String(), errs.String())
	}
	return out.String(), errs.String()
}

const twoParameters = `apiVersion: kubeflow.org/v1beta1
kind: Experiment
metadata: {name: work}
spec:
  objective: {type: minimize, objectiveMetricName: loss}
  algorithm: {algorithmName: random}
  parallelTrialCount: 2
  maxTrialCount: 3
  parameters:
    - {name: x, parameterType: double, feasibleSpace: {min: "1", max: "2"}}
    - {name: opt, parameterType: categorical, feasibleSpace: {list: [adam, "it's"]}}
`

func writeExperiment(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "work.yaml"), []byte(twoParameters), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

func ready(e event) bool   { return e.Event == "progress" }
func running(e event) bool { return e.Running == 2 }
func ended(e event) bool   { return e.Event == "result" }

func ask(t *testing.T, dir string, args ...string) asked {
	t.Helper()
	out, _ := call(t, dir, exitOK, append([]string{"ask", "work", "--data-dir", "d", "-o", "json"}, args...)...)
	var answer asked
	if err := json.Unmarshal([]byte(out), &answer); err != nil {
		t.Fatal(err)
	}
	return answer
}

func TestAskAndTell(t *testing.T) {
	dir := writeExperiment(t)
	run := startRun(t, dir, "work.yaml")
	run.until("of progress", ready)

	first := ask(t, dir, "--count", "2", "--request-id", "one")
	if len(first.Trials) != 2 || first.Done {
		t.Fatalf("asked for 2 trials, got %+v", first)
	}
	if again := ask(t, dir, "--count", "2", "--request-id", "one"); again.Trials[0].Trial != first.Trials[0].Trial {
		t.Errorf("the same request got %s, then %s", first.Trials[0].Trial, again.Trials[0].Trial)
	}
	if more := ask(t, dir); len(more.Trials) != 0 || more.Done {
		t.Errorf("asked beyond parallelTrialCount, got %+v", more)
	}
	tell := func(want int, args ...string) string {
		_, stderr := call(t, dir, want, append([]string{"tell", "work", "--data-dir", "d"}, args...)...)
		return stderr
	}
	if got := tell(exitError, "absent", "loss=1"); !strings.Contains(got, `"absent"`) {
		t.Errorf("telling an unknown trial says %q", got)
	}
	if got := tell(exitUsage, first.Trials[0].Trial, "los=1"); !strings.Contains(got, `"loss"`) {
		t.Errorf("telling without the objective says %q", got)
	}
	tell(exitOK, first.Trials[0].Trial, "loss=0.5")
	tell(exitOK, first.Trials[0].Trial, "loss=0.5")
	if got := tell(exitError, first.Trials[0].Trial, "loss=0.7"); !strings.Contains(got, "(Succeeded, loss=0.5): it has another result already") {
		t.Errorf("telling another result says %q", got)
	}
	tell(exitOK, first.Trials[1].Trial, "--failed", "out of memory")
	if out, _ := call(t, dir, exitOK, "trials", "work", "--data-dir", "d"); !strings.Contains(out, "out of memory") {
		t.Errorf("trials of a running experiment do not show the failure:\n%s", out)
	}
	if out, _ := call(t, dir, exitOK, "list", "--data-dir", "d"); !strings.Contains(out, "work") {
		t.Errorf("list while a run is going on:\n%s", out)
	}
	last := ask(t, dir)
	tell(exitOK, last.Trials[0].Trial, "loss=0.25")

	e := run.until("of the result", ended)
	if e.Best == nil || e.Best.Value != 0.25 || e.Trials["Failed"] != 1 || e.Trials["Succeeded"] != 2 {
		t.Errorf("result = %+v, want best 0.25, 2 succeeded, 1 failed", e)
	}
	run.exits(exitOK)
	if over := ask(t, dir); !over.Done {
		t.Errorf("asked after the end, got %+v, want done", over)
	}
}

// waiting is a command that ends once the file go is there.
var waiting = []string{"--", "sh", "-c", `while ! [ -e go ]; do sleep 0.05; done; echo loss=$0`, "${trialParameters.x}", "${trialParameters.opt}"}

func letGo(t *testing.T, dir string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestInterruptAndResume(t *testing.T) {
	dir := writeExperiment(t)
	run := startRun(t, dir, append([]string{"work.yaml"}, waiting...)...)
	run.until("with two trials running", running)

	_, refused := call(t, dir, exitError, append([]string{"run", "--data-dir", "d", "work.yaml"}, waiting...)...)
	for _, want := range []string{fmt.Sprint(run.cmd.Process.Pid), "--data-dir"} {
		if !strings.Contains(refused, want) {
			t.Errorf("a second run is refused with %q, want it to name %s", refused, want)
		}
	}

	if err := run.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	run.exits(exitInterrupted)
	if !strings.Contains(run.stderr.String(), "run the same command again to go on") {
		t.Errorf("an interrupted run says %q", run.stderr.String())
	}
	if _, err := call(t, dir, exitError, "ask", "work", "--data-dir", "d"); !strings.Contains(err, "tuned run") {
		t.Errorf("ask without a run says %q", err)
	}

	letGo(t, dir)
	again := startRun(t, dir, append([]string{"work.yaml"}, waiting...)...)
	e := again.until("of the result", ended)
	if e.Trials["Succeeded"] != 3 {
		t.Errorf("result after resuming = %+v, want 3 succeeded", e)
	}
	again.exits(exitOK)
}

// TestHangup: a terminal that is closed interrupts, twice as shells do it, unless nohup has it ignored.
func TestHangup(t *testing.T) {
	dir := writeExperiment(t)
	run := startRun(t, dir, append([]string{"work.yaml"}, waiting...)...)
	run.until("with two trials running", running)
	err := filepath.WalkDir(filepath.Join(dir, "d"), func(path string, entry os.DirEntry, err error) error {
		if info, statErr := entry.Info(); err == nil && statErr == nil && info.Mode()&os.ModeSymlink == 0 && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	for range 2 {
		if err := run.cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
	}
	run.exits(exitInterrupted)
	if said := run.stderr.String(); !strings.Contains(said, "run the same command again to go on") || strings.Contains(said, "left at once") {
		t.Errorf("it says %q", said)
	}

	ignoring := program(t, dir, append([]string{"run", "--data-dir", "d", "--progress", "json", "work.yaml"}, waiting...)...)
	ignoring.Args = append([]string{"sh", "-c", `trap "" HUP; exec "$0" "$@"`, ignoring.Path}, ignoring.Args[1:]...)
	ignoring.Path = "/bin/sh"
	var stderr strings.Builder
	ignoring.Stderr = &stderr
	out, err := ignoring.StdoutPipe()
	if err == nil {
		err = ignoring.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	saidLine(t, lines, `"running":2`)
	if err := ignoring.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	letGo(t, dir)
	_, _ = io.Copy(io.Discard, out)
	if err := ignoring.Wait(); err != nil {
		t.Errorf("under nohup it ends with %v: %s", err, stderr.String())
	}
}

func TestRunIsAdoptedAfterKill(t *testing.T) {
	dir := writeExperiment(t)
	run := startRun(t, dir, append([]string{"work.yaml"}, waiting...)...)
	run.until("with two trials running", running)
	if err := run.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = run.cmd.Wait()
	t.Cleanup(func() { letGo(t, dir) }) // whatever fails, no trial stays
	if out, _ := call(t, dir, exitOK, "trials", "work", "--data-dir", "d", "-o", "csv"); strings.Count(out, "Running") != 2 {
		t.Errorf("trials after the kill:\n%s", out)
	}

	letGo(t, dir)
	again := startRun(t, dir, append([]string{"work.yaml"}, waiting...)...)
	again.until("of the result", ended)
	again.exits(exitOK)
	out, _ := call(t, dir, exitOK, "trials", "work", "--data-dir", "d", "-o", "json")
	var trials []struct{ Attempt int }
	if err := json.Unmarshal([]byte(out), &trials); err != nil {
		t.Fatal(err)
	}
	if len(trials) != 3 || slices.ContainsFunc(trials, func(t struct{ Attempt int }) bool { return t.Attempt != 1 }) {
		t.Errorf("trials = %+v, want 3 of one attempt each", trials)
	}
}

func TestDeleteEndsWhatAKilledRunLeft(t *testing.T) {
	dir := writeExperiment(t)
	run := startRun(t, dir, append([]string{"work.yaml"}, waiting...)...)
	run.until("with two trials running", running)
	if err := run.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = run.cmd.Wait()
	call(t, dir, exitOK, "delete", "work", "--data-dir", "d", "--yes")
	if left, _ := filepath.Glob(filepath.Join(dir, "d/trials/.active/*")); len(left) > 0 {
		t.Errorf("trials left after the experiment was deleted: %q", left)
	}
	if _, err := os.Stat(filepath.Join(dir, "d/trials/default/work")); !os.IsNotExist(err) {
		t.Errorf("logs left after the experiment was deleted: %v", err)
	}
}

func TestRunOutlivesItsReader(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	defer w.Close()
	c := program(t, writeExperiment(t), "run", "--data-dir", "d", "--progress", "plain", "work.yaml", "--", "echo", "loss=${trialParameters.x}", "${trialParameters.opt}")
	c.Stdout = w
	var stderr strings.Builder
	c.Stderr = &stderr
	if err := c.Run(); err != nil || stderr.Len() > 0 {
		t.Errorf("run without a reader = %v, standard error %q; want success in silence", err, stderr.String())
	}
}

// TestInterruptAfterTheGoal stops a run that has reached its goal and waits for the other trial.
func TestInterruptAfterTheGoal(t *testing.T) {
	dir := writeExperiment(t)
	text := strings.Replace(twoParameters, "minimize,", "minimize, goal: 5,", 1)
	if err := os.WriteFile(filepath.Join(dir, "work.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	run := startRun(t, dir, "work.yaml", "--", "sh", "-c", `mkdir first 2>/dev/null && { echo loss=1; exit; }; while :; do sleep 0.05; done`)
	run.until("with the goal reached", func(e event) bool { return e.Done == 1 })
	if err := run.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	e := run.until("of the result", ended)
	if e.Trials["Succeeded"] != 1 || e.Trials["Killed"] != 1 {
		t.Errorf("result = %+v, want 1 succeeded and 1 killed", e)
	}
	run.exits(exitOK)
	if strings.Contains(run.stderr.String(), "not finished") {
		t.Errorf("a run that has reached its goal says %q", run.stderr.String())
	}
}
