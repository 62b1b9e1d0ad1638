package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/tuned-hpo/tuned/pkg/store/badger"
)

// finish runs the experiment in dir to its end.
func finish(t *testing.T, dir string) {
	t.Helper()
	letGo(t, dir)
	run := startRun(t, dir, append([]string{"work.yaml"}, waiting...)...)
	run.until("of the result", ended)
	run.exits(exitOK)
}

// TestReadingBesideRuns reads without pause while one run comes after the other.
func TestReadingBesideRuns(t *testing.T) {
	dir := writeExperiment(t)
	finish(t, dir)
	over := make(chan struct{})
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for {
				select {
				case <-over:
					return
				default:
				}
				if out, err := program(t, dir, "trials", "work", "--data-dir", "d").CombinedOutput(); err != nil {
					t.Errorf("tuned trials: %v\n%s", err, out)
				}
			}
		})
	}
	for i := range 8 {
		args := append([]string{"run", "--data-dir", "d", "work.yaml"}, waiting...)
		if out, err := program(t, dir, args...).CombinedOutput(); err != nil {
			t.Errorf("run %d: %v\n%s", i, err, out)
		}
	}
	close(over)
	readers.Wait()
}

// TestReadingAtOnceAfterKill reads from several processes what only a writer can put in order.
func TestReadingAtOnceAfterKill(t *testing.T) {
	dir := writeExperiment(t)
	run := startRun(t, dir, append([]string{"work.yaml"}, waiting...)...)
	run.until("with two trials running", running)
	if err := run.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = run.cmd.Wait()
	t.Cleanup(func() { finish(t, dir) }) // no trial stays
	var readers sync.WaitGroup
	for range 6 {
		readers.Go(func() {
			out, err := program(t, dir, "trials", "work", "--data-dir", "d").CombinedOutput()
			if err != nil || strings.Count(string(out), "Running") != 2 {
				t.Errorf("tuned trials: %v\n%s", err, out)
			}
		})
	}
	readers.Wait()
}

var errWitness = errors.New("witness")

func TestReadingAgainWhenTheDaemonHasEnded(t *testing.T) {
	d := dataDir(t.TempDir())
	s, err := openStore(t.Context(), d, badger.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	calls := 0
	err = (&place{dataDir: string(d), getenv: noEnv}).reading(t.Context(), func(*client) error {
		if calls++; calls == 1 {
			return rpcError(status.Error(codes.Unavailable, "connection refused"))
		}
		return errWitness
	})
	if calls != 2 || !errors.Is(err, errWitness) {
		t.Errorf("got %d calls and %v, want 2 and %v", calls, err, errWitness)
	}
}

func TestRefusedRunLeavesTheLog(t *testing.T) {
	dir := writeExperiment(t)
	run := startRun(t, dir, append([]string{"work.yaml"}, waiting...)...)
	run.until("with two trials running", running)
	log := filepath.Join(dir, "d/tuned.log")
	if err := os.Truncate(log, largestLog+1); err != nil {
		t.Fatal(err)
	}
	call(t, dir, exitError, append([]string{"run", "--data-dir", "d", "work.yaml"}, waiting...)...)
	if _, err := os.Stat(log + ".old"); !os.IsNotExist(err) {
		t.Errorf("a refused run put the log of the other aside: %v", err)
	}
	letGo(t, dir)
	run.until("of the result", ended)
	run.exits(exitOK)
	finish(t, dir)
	if _, err := os.Stat(log + ".old"); err != nil {
		t.Errorf("a run after that left the large log: %v", err)
	}
}
