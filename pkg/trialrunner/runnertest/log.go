package runnertest

import (
	"bufio"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/trialrunner"
)

// log reads what a trial printed.
func (h Harness) log(t *testing.T, spec trialrunner.Spec, tail int64, follow bool) string {
	t.Helper()
	r, err := h.Runner.Log(t.Context(), spec.Experiment, spec.Trial, spec.Attempt, tail, follow)
	if err != nil {
		t.Fatalf("log: %v", err)
	}
	defer r.Close()
	text, err := io.ReadAll(r)
	if err != nil {
		t.Errorf("log: %v", err)
	}
	return string(text)
}

func testLog(t *testing.T, h Harness) {
	both := h.Script("both", "echo out; echo err >&2") // in no certain order
	h.Start(t, both)
	h.End(t, both)
	if got := h.log(t, both, 0, false); got != "out\nerr\n" && got != "err\nout\n" {
		t.Errorf("what was written to standard output and to standard error: got %q", got)
	}
	spec := h.Script("log", "echo one; echo two")
	h.Start(t, spec)
	h.End(t, spec)
	for range 2 { // before and after it is removed
		for tail, want := range map[int64]string{0: "one\ntwo\n", 4: "two\n", 100: "one\ntwo\n"} {
			if got := h.log(t, spec, tail, false); got != want {
				t.Errorf("the last %d bytes: got %q, want %q", tail, got, want)
			}
		}
		if err := h.Runner.Remove(t.Context(), spec.Experiment, spec.Trial, spec.Attempt); err != nil {
			t.Fatal(err)
		}
	}
	for _, trial := range []string{"never", "../log"} {
		if _, err := h.Runner.Log(t.Context(), spec.Experiment, trial, 1, 0, true); err == nil {
			t.Errorf("log of %s: got no error", trial)
		}
	}
	if _, err := h.Runner.Log(t.Context(), spec.Experiment, "never", 1, 0, true); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("log of a trial that never was: got %v, want %v", err, fs.ErrNotExist)
	}
}

func testFollow(t *testing.T, h Harness) {
	file := filepath.Join(t.TempDir(), "go")
	spec := h.Script("follow", `echo begin; while [ ! -e "$1" ]; do sleep 0.02; done; echo end`, file)
	h.Start(t, spec)
	r, err := h.Runner.Log(t.Context(), spec.Experiment, spec.Trial, spec.Attempt, 0, true)
	for deadline := time.After(patience); errors.Is(err, fs.ErrNotExist); {
		select {
		case <-time.After(5 * time.Millisecond):
		case <-deadline:
			t.Fatal("nothing was ever printed")
		}
		r, err = h.Runner.Log(t.Context(), spec.Experiment, spec.Trial, spec.Attempt, 0, true)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	lines := bufio.NewScanner(r)
	if !lines.Scan() || lines.Text() != "begin" {
		t.Fatalf("got %q, %v", lines.Text(), lines.Err())
	}
	ctx, cancel := context.WithCancel(t.Context())
	given, err := h.Runner.Log(ctx, spec.Experiment, spec.Trial, spec.Attempt, 0, true)
	if err != nil {
		t.Fatal(err)
	}
	defer given.Close()
	cancel()
	if _, err := io.ReadAll(given); !errors.Is(err, context.Canceled) {
		t.Errorf("a reader that gives up: got %v", err)
	}
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if !lines.Scan() || lines.Text() != "end" || lines.Scan() || lines.Err() != nil {
		t.Errorf("got %q, %v; want the end and no more", lines.Text(), lines.Err())
	}
}

func testPurge(t *testing.T, h Harness) {
	spec := h.Script("purge", "exec sleep 1000")
	other := h.Script("kept", "echo kept")
	other.Experiment = experiment.Key{Namespace: Key.Namespace, Name: Key.Name + "-2"}
	h.Start(t, spec)
	h.Start(t, other)
	h.End(t, other)
	if err := h.Runner.Purge(t.Context(), Key); err == nil {
		t.Error("purge of what runs: got no error")
	}
	if err := h.Runner.Stop(t.Context(), Key, spec.Trial, 1); err != nil {
		t.Fatal(err)
	}
	h.End(t, spec)
	if err := h.Runner.Remove(t.Context(), Key, spec.Trial, 1); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := h.Runner.Purge(t.Context(), Key); err != nil {
			t.Errorf("purge: %v", err)
		}
	}
	if _, err := h.Runner.Log(t.Context(), Key, spec.Trial, 1, 0, false); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("log after that: got %v, want %v", err, fs.ErrNotExist)
	}
	if got := h.log(t, other, 0, false); got != "kept\n" {
		t.Errorf("another experiment's log: got %q", got)
	}
}
