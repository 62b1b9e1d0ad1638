// Package kill_test kills the daemon again and again, and looks for what was lost.
package kill_test

import (
	"bytes"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/tuned-hpo/tuned/internal/testenv"
	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/store/badger"
)

var (
	cycles = flag.Int("cycles", 10, "how often each test kills the daemon")
	seed   = flag.Uint64("kill-seed", 1, "of the moments at which it does")
)

var bin string // folder of the built programs

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(testenv.WithPrograms(m, &bin,
		"github.com/tuned-hpo/tuned/cmd/tuned",
		"github.com/tuned-hpo/tuned/cmd/trial-agent",
		"github.com/tuned-hpo/tuned/test/kill/noisy"))
}

// daemon is one life of the program.
type daemon struct {
	cmd    *exec.Cmd
	output bytes.Buffer
	exited chan struct{} // closed once err is set
	err    error
}

// start runs an experiment.
func start(t *testing.T, args ...string) *daemon {
	t.Helper()
	return begin(t, append([]string{"run", "--progress=plain"}, args...)...)
}

// begin begins a life of the program.
func begin(t *testing.T, args ...string) *daemon {
	t.Helper()
	d := &daemon{cmd: exec.Command(filepath.Join(bin, "tuned"), args...), exited: make(chan struct{})}
	d.cmd.Stdout, d.cmd.Stderr = &d.output, &d.output
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		d.err = d.cmd.Wait()
		close(d.exited)
	}()
	return d
}

// kill ends the daemon after a random while. It reports whether the daemon ended by itself before.
func (d *daemon) kill(after time.Duration) (ended bool) {
	select {
	case <-d.exited:
		return true
	case <-time.After(after):
	}
	_ = d.cmd.Process.Kill()
	<-d.exited
	return false
}

// end has the daemon end in order.
func (d *daemon) end(t *testing.T) {
	t.Helper()
	if err := d.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	<-d.exited
	if d.err != nil {
		t.Errorf("the daemon: %v\n%s", d.err, d.output.String())
	}
}

// moments returns the times after which a test kills the daemon, in order.
func moments(t *testing.T) func() time.Duration {
	t.Logf("-cycles %d -kill-seed %d", *cycles, *seed)
	random := rand.New(rand.NewPCG(*seed, 0))
	return func() time.Duration {
		return 50*time.Millisecond + time.Duration(random.Int64N(int64(700*time.Millisecond)))
	}
}

const lines = 30

func spec(budget int) string {
	return fmt.Sprintf(`apiVersion: kubeflow.org/v1beta1
kind: Experiment
metadata: {name: kill}
spec:
  objective: {type: minimize, objectiveMetricName: loss}
  algorithm: {algorithmName: random}
  parallelTrialCount: 4
  maxTrialCount: %d
  maxFailedTrialCount: 1
  parameters:
    - {name: x, parameterType: double, feasibleSpace: {min: "0", max: "1"}}
`, budget)
}

// TestTrialsSurviveKills kills the daemon while trials run under their agents. In the end each
// trial has run once, all its values are stored, the budget is exact, and no process is left.
func TestTrialsSurviveKills(t *testing.T) {
	dir := t.TempDir()
	budget := 4 * *cycles // more than end between the kills
	file := filepath.Join(dir, "experiment.yaml")
	if err := os.WriteFile(file, []byte(spec(budget)), 0o600); err != nil {
		t.Fatal(err)
	}
	data, runs := filepath.Join(dir, "data"), filepath.Join(dir, "runs")
	args := []string{"--data-dir", data, file, "--", filepath.Join(bin, "noisy"), "--runs", runs, "--every=30ms", "--x=${trialParameters.x}"}
	kills, moment := 0, moments(t)
	for range *cycles {
		if d := start(t, args...); d.kill(moment()) {
			t.Errorf("the daemon ended by itself after %d kills, want %d: %v\n%s", kills, *cycles, d.err, d.output.String())
			break
		}
		kills++
	}
	last := start(t, args...)
	<-last.exited
	if last.err != nil {
		t.Fatalf("last life: %v\n%s", last.err, last.output.String())
	}
	t.Logf("%d kills, %d trials", kills, budget)
	checkTrials(t, data, "kill", budget, 1)
	checkRuns(t, runs, budget, 1)
	checkProcesses(t, data)
	checkStore(t, data)
}

// checkTrials wants all trials of an experiment to have succeeded with all their values, at the same attempt.
func checkTrials(t *testing.T, data, name string, budget, attempt int) {
	t.Helper()
	s, err := badger.Open(filepath.Join(data, "store"), badger.Options{ReadOnly: true, Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	key := experiment.Key{Namespace: "default", Name: name}
	trials, err := s.Trials(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	if len(trials) != budget {
		t.Errorf("got %d trials, want %d", len(trials), budget)
	}
	for _, trial := range trials {
		if trial.State != experiment.TrialSucceeded || trial.Attempt != attempt {
			t.Errorf("%s: got %s (%s) at attempt %d, want Succeeded at %d", trial.Name, trial.State, trial.Message, trial.Attempt, attempt)
		}
		ms, err := s.Measurements(t.Context(), experiment.Stream{Experiment: key, Number: trial.Number, Attempt: trial.Attempt, Source: "agent"}, 0, 0)
		if err != nil || len(ms) != lines {
			t.Errorf("%s: got %d measurements (%v), want %d", trial.Name, len(ms), err, lines)
		}
	}
}

// checkRuns wants each trial to have run so many times.
func checkRuns(t *testing.T, file string, budget, each int) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	times := map[string]int{}
	for _, name := range strings.Fields(string(text)) {
		times[name]++
	}
	if len(times) != budget {
		t.Errorf("got %d trials that ran, want %d", len(times), budget)
	}
	for name, n := range times {
		if n != each {
			t.Errorf("trial %s ran %d times, want %d", name, n, each)
		}
	}
}

// checkProcesses looks for processes that work for the data directory. An agent of which the daemon knows the
// result is about to end.
func checkProcesses(t *testing.T, data string) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; <-time.After(20 * time.Millisecond) {
		left := processes(filepath.Dir(data))
		if len(left) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Errorf("processes left: %q", left)
			return
		}
	}
}

// processes returns those in whose command lines a folder occurs.
func processes(folder string) (left []string) {
	found, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, file := range found {
		if text, err := os.ReadFile(file); err == nil && bytes.Contains(text, []byte(folder)) {
			left = append(left, fmt.Sprintf("%s %s", file, text))
		}
	}
	return left
}

func checkStore(t *testing.T, data string) {
	t.Helper()
	out, err := exec.Command(filepath.Join(bin, "tuned"), "fsck", "--data-dir", data).CombinedOutput()
	if err != nil {
		t.Errorf("fsck: %v\n%s", err, out)
	}
}
