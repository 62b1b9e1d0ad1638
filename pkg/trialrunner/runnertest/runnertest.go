// Package runnertest is the suite that every trialrunner.Runner passes.
package runnertest

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/searchspace"
	"github.com/tuned-hpo/tuned/pkg/trialrunner"
)

// patience bounds how long a test waits for what must happen, on the busiest of machines.
const patience = 5 * time.Minute

// Harness is a runner to be tested. Its trials must see the test's files and have a POSIX shell.
type Harness struct {
	Runner trialrunner.Runner
	// Spec completes a spec, which has identity, command and assignment, with what the runner needs.
	Spec func(trialrunner.Spec) trialrunner.Spec
}

// Run runs the suite. open is called once per test and cleans up by t.Cleanup.
func Run(t *testing.T, open func(t *testing.T) Harness) {
	for _, test := range []struct {
		name string
		run  func(t *testing.T, h Harness)
	}{
		{"an end is listed with its reason", testEnds},
		{"an attempt starts once", testStartOnce},
		{"a new attempt starts again", testAttempts},
		{"stop may be repeated and reaches what runs", testStop},
		{"unknown workloads are no error", testUnknown},
		{"limits end a workload", testLimits},
		{"measurements are left for the runner", testLeftover},
		{"a near miss is explained", testNear},
		{"arguments arrive as they are", testArguments},
		{"parameters are in the environment", testEnvironment},
		{"checkpoints go from parent to child", testCheckpoint},
		{"remove forgets an ended workload", testRemove},
		{"experiments do not see each other", testExperiments},
		{"what was printed can be read", testLog},
		{"a log is followed to its end", testFollow},
		{"purge leaves nothing", testPurge},
		{"what can never run is refused", testUnsupported},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, open(t)) })
	}
}

// Key is the experiment that the suite's trials belong to.
var Key = experiment.Key{Namespace: "default", Name: "suite"}

// UID is of that experiment. It is another one in each process, as that of each real experiment is: by it
// a runner knows whom it may kill, and the suite may run several times at once on a machine.
var UID = rand.Text()

// Trial returns a spec that runs a command.
func (h Harness) Trial(name string, command ...string) trialrunner.Spec {
	return h.Spec(trialrunner.Spec{
		Experiment: Key, UID: UID, Trial: name, Attempt: 1, Command: command,
		Objective: "loss", Metrics: []string{"loss"},
		Assignment: searchspace.Assignment{{Name: "x", Value: "0.5"}},
	})
}

// Script returns a spec that runs a shell script.
func (h Harness) Script(name, script string, args ...string) trialrunner.Spec {
	return h.Trial(name, append([]string{"sh", "-c", script, "script"}, args...)...)
}

// Start starts a workload.
func (h Harness) Start(t *testing.T, spec trialrunner.Spec) {
	t.Helper()
	if err := h.Runner.Start(t.Context(), spec); err != nil {
		t.Fatalf("start %s: %v", spec.Trial, err)
	}
}

// waiting has the runners that somebody waits for.
var waiting sync.Map

// Wait returns the workload once ok holds for it. Only one may wait for a runner at a time, for what
// Changed yields goes to one reader: of two, each would take what the other waits for now and then.
func (h Harness) Wait(t *testing.T, spec trialrunner.Spec, ok func(trialrunner.Workload) bool) trialrunner.Workload {
	t.Helper()
	if _, others := waiting.LoadOrStore(h.Runner, true); others {
		t.Fatal("another test waits for the same runner")
	}
	defer waiting.Delete(h.Runner)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		w, found := h.look(t, spec)
		if found && ok(w) {
			return w
		}
		select {
		case <-h.Runner.Changed():
		case <-ctx.Done():
			t.Fatalf("trial %s never came to where it should; now: %+v", spec.Trial, w)
		}
	}
}

// End returns the workload once it has ended.
func (h Harness) End(t *testing.T, spec trialrunner.Spec) trialrunner.Workload {
	t.Helper()
	return h.Wait(t, spec, func(w trialrunner.Workload) bool { return w.Phase != trialrunner.Running })
}

func (h Harness) look(t *testing.T, spec trialrunner.Spec) (trialrunner.Workload, bool) {
	t.Helper()
	list, err := h.Runner.List(t.Context(), spec.Experiment)
	if err != nil {
		t.Fatalf("list: %v", err)
	}
	for _, w := range list {
		if w.Trial == spec.Trial && w.Attempt == spec.Attempt {
			return w, true
		}
	}
	return trialrunner.Workload{}, false
}

// AwaitFile waits until a file has content, and returns it without the space around it.
func AwaitFile(t *testing.T, path string) string {
	t.Helper()
	deadline := time.After(patience)
	for {
		if text, err := os.ReadFile(path); err == nil && len(bytes.TrimSpace(text)) > 0 {
			return string(bytes.TrimSpace(text))
		}
		select {
		case <-time.After(5 * time.Millisecond):
		case <-deadline:
			t.Fatalf("%s never appeared", path)
		}
	}
}

func testEnds(t *testing.T, h Harness) {
	for i, test := range []struct {
		name, script string
		want         trialrunner.Exit // Message: a part of it
	}{
		{"zero", "exit 0", trialrunner.Exit{Reason: "Completed"}},
		{"code", "echo said before; exit 3", trialrunner.Exit{Code: 3, Reason: "ExitCode", Message: "said before"}},
		{"kill", "kill -KILL $$", trialrunner.Exit{Code: -1, Signal: "killed", Reason: "Signal", Message: "killed"}},
		{"segv", "kill -SEGV $$", trialrunner.Exit{Code: -1, Signal: "segmentation fault", Reason: "Signal"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			spec := h.Script(fmt.Sprintf("end-%d", i), test.script)
			h.Start(t, spec)
			w := h.End(t, spec)
			if w.Phase != trialrunner.Exited {
				t.Errorf("got phase %v, want Exited", w.Phase)
			}
			got := w.Exit
			if !strings.Contains(got.Message, test.want.Message) {
				t.Errorf("got message %q, want a part %q", got.Message, test.want.Message)
			}
			got.Message, test.want.Message, got.Near = "", "", ""
			if got != test.want {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
			if w.Finished.IsZero() || w.Started.After(w.Finished) {
				t.Errorf("got started %v and finished %v", w.Started, w.Finished)
			}
		})
	}
}

func testStartOnce(t *testing.T, h Harness) {
	runs := filepath.Join(t.TempDir(), "runs")
	spec := h.Script("once", `echo run >> "$1"`, runs)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if err := h.Runner.Start(t.Context(), spec); err != nil {
				t.Errorf("start: %v", err)
			}
		})
	}
	all.Wait()
	h.End(t, spec)
	h.Start(t, spec)
	if w := h.End(t, spec); w.Exit.Reason != "Completed" {
		t.Errorf("got %+v", w)
	}
	if got := AwaitFile(t, runs); got != "run" {
		t.Errorf("the command ran more than once: %q", got)
	}
}

func testAttempts(t *testing.T, h Harness) {
	runs := filepath.Join(t.TempDir(), "runs")
	first := h.Script("again", `echo run >> "$1"`, runs)
	second := first
	second.Attempt = 2
	for _, spec := range []trialrunner.Spec{first, second} {
		h.Start(t, spec)
		h.End(t, spec)
	}
	if got := AwaitFile(t, runs); got != "run\nrun" {
		t.Errorf("got runs %q, want two", got)
	}
	if list, err := h.Runner.List(t.Context(), Key); err != nil || len(list) != 2 {
		t.Errorf("got %+v and %v, want both attempts", list, err)
	}
}

func testStop(t *testing.T, h Harness) {
	ready := filepath.Join(t.TempDir(), "ready")
	spec := h.Script("stop", `echo yes > "$1"; exec sleep 1000`, ready)
	h.Start(t, spec)
	AwaitFile(t, ready)
	if w, found := h.look(t, spec); !found || w.Phase != trialrunner.Running {
		t.Errorf("got %+v, want it to run", w)
	}
	for range 3 {
		if err := h.Runner.Stop(t.Context(), Key, spec.Trial, spec.Attempt); err != nil {
			t.Errorf("stop: %v", err)
		}
	}
	if w := h.End(t, spec); w.Phase != trialrunner.Exited || w.Exit.Reason != trialrunner.ReasonStopped || w.Exit.Code == 0 {
		t.Errorf("got %+v, want reason Stopped and no success", w)
	}
	if err := h.Runner.Stop(t.Context(), Key, spec.Trial, spec.Attempt); err != nil {
		t.Errorf("stop after the end: %v", err)
	}
}

func testUnknown(t *testing.T, h Harness) {
	if err := h.Runner.Stop(t.Context(), Key, "unknown", 1); err != nil {
		t.Errorf("stop: %v", err)
	}
	if err := h.Runner.Remove(t.Context(), Key, "unknown", 1); err != nil {
		t.Errorf("remove: %v", err)
	}
	if left, err := h.Runner.Leftover(t.Context(), Key, "unknown", 1, 0); err != nil || len(left) != 0 {
		t.Errorf("leftover: got %v and %v", left, err)
	}
	if list, err := h.Runner.List(t.Context(), Key); err != nil || len(list) != 0 {
		t.Errorf("list: got %v and %v", list, err)
	}
}

func testLimits(t *testing.T, h Harness) {
	for _, test := range []struct {
		name, script string
		limits       trialrunner.Limits
		want         string
	}{
		{"wall", "exec sleep 1000", trialrunner.Limits{Wall: 300 * time.Millisecond}, "TimedOut"},
		{"wall-caught", `trap "exit 0" TERM; while :; do sleep 0.05; done`, trialrunner.Limits{Wall: 300 * time.Millisecond}, "TimedOut"},
		{"grace", `trap "" TERM; while :; do sleep 0.05; done`, trialrunner.Limits{Wall: 300 * time.Millisecond, Grace: 200 * time.Millisecond}, "TimedOut"},
		{"silent", "exec sleep 1000", trialrunner.Limits{Progress: 300 * time.Millisecond}, "NoProgress"},
		{"falls-silent", "echo loss=1; exec sleep 1000", trialrunner.Limits{Progress: 500 * time.Millisecond}, "NoProgress"},
	} {
		t.Run(test.name, func(t *testing.T) {
			spec := h.Script(test.name, test.script)
			spec.Limits = test.limits
			h.Start(t, spec)
			w := h.End(t, spec)
			if w.Exit.Reason != test.want || w.Exit.Code == 0 {
				t.Errorf("got %+v, want reason %s and no success", w.Exit, test.want)
			}
			if !strings.Contains(w.Exit.Message, "ms") {
				t.Errorf("the message %q does not say the limit", w.Exit.Message)
			}
		})
	}
}

func testLeftover(t *testing.T, h Harness) {
	const n = 3000
	spec := h.Script("leftover", `i=1; while [ $i -le "$1" ]; do echo "loss=$i"; i=$((i+1)); done; echo loss=nan`, fmt.Sprint(n))
	h.Start(t, spec)
	w := h.End(t, spec)
	if w.LastSeq != n+1 {
		t.Fatalf("got last number %d, want %d", w.LastSeq, n+1)
	}
	for _, after := range []uint64{0, 1, n, n + 1, n + 100} {
		left, err := h.Runner.Leftover(t.Context(), Key, spec.Trial, spec.Attempt, after)
		if err != nil {
			t.Fatal(err)
		}
		if want := max(0, n+1-int(after)); len(left) != want {
			t.Fatalf("after %d: got %d measurements, want %d", after, len(left), want)
		}
		for i, m := range left {
			seq := after + uint64(i) + 1
			wantText := fmt.Sprint(seq)
			if seq == n+1 {
				wantText = "nan"
			}
			if m.Seq != seq || m.Metric != "loss" || m.Text != wantText || m.Time.IsZero() {
				t.Fatalf("after %d: got %+v, want number %d with text %s", after, m, seq, wantText)
			}
			if (m.Value != m.Value) != (wantText == "nan") {
				t.Fatalf("got value %v for text %s", m.Value, m.Text)
			}
		}
	}
}

func testNear(t *testing.T, h Harness) {
	spec := h.Script("near", "echo my_loss_value is 0.25")
	h.Start(t, spec)
	if w := h.End(t, spec); w.Exit.Near == "" || w.LastSeq != 0 {
		t.Errorf("got %+v, want a line that came close", w)
	}
	spec = h.Script("found", "echo loss=0.25")
	h.Start(t, spec)
	if w := h.End(t, spec); w.Exit.Near != "" || w.LastSeq != 1 {
		t.Errorf("got %+v, want one measurement and no excuse", w)
	}
}

func testRemove(t *testing.T, h Harness) {
	spec := h.Script("remove", "echo loss=1")
	h.Start(t, spec)
	h.End(t, spec)
	for range 2 {
		if err := h.Runner.Remove(t.Context(), Key, spec.Trial, spec.Attempt); err != nil {
			t.Errorf("remove: %v", err)
		}
	}
	if w, found := h.look(t, spec); found {
		t.Errorf("still listed: %+v", w)
	}
}

func testExperiments(t *testing.T, h Harness) {
	one := h.Script("same", "exit 1")
	other := h.Script("same-too", "exit 2")
	other.Experiment = experiment.Key{Namespace: "team", Name: Key.Name}
	h.Start(t, one)
	h.Start(t, other)
	if w := h.End(t, one); w.Exit.Code != 1 {
		t.Errorf("got %+v, want exit code 1", w)
	}
	if w := h.End(t, other); w.Exit.Code != 2 {
		t.Errorf("got %+v, want exit code 2", w)
	}
	if list, err := h.Runner.List(t.Context(), other.Experiment); err != nil || len(list) != 1 {
		t.Errorf("got %v and %v, want one workload", list, err)
	}
}

func testUnsupported(t *testing.T, h Harness) {
	for _, test := range []struct {
		name   string
		change func(*trialrunner.Spec)
	}{
		{"trial name leaves the folder", func(s *trialrunner.Spec) { s.Trial = "../../evil" }},
		{"trial name is absolute", func(s *trialrunner.Spec) { s.Trial = "/etc" }},
		{"trial name with NUL", func(s *trialrunner.Spec) { s.Trial = "a\x00b" }},
		{"namespace is the parent", func(s *trialrunner.Spec) { s.Experiment.Namespace = ".." }},
		{"experiment name is empty", func(s *trialrunner.Spec) { s.Experiment.Name = "" }},
		{"attempt zero", func(s *trialrunner.Spec) { s.Attempt = 0 }},
	} {
		t.Run(test.name, func(t *testing.T) {
			spec := h.Script("bad", "exit 0")
			test.change(&spec)
			if err := h.Runner.Start(t.Context(), spec); !errors.Is(err, trialrunner.ErrUnsupported) {
				t.Errorf("got %v, want ErrUnsupported", err)
			}
		})
	}
}
