package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/tuned-hpo/tuned/pkg/experiment"
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
	err = (&place{dataDir: string(d)}).reading(t.Context(), func(archive) error {
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

// witness is a store that looks whether a folder is there while it deletes, and cannot.
type witness struct {
	folder string
	seen   bool
}

var errWitness = errors.New("no space")

func (w *witness) Delete(context.Context, experiment.Key) error {
	_, err := os.Stat(w.folder)
	w.seen = err == nil
	return errWitness
}

func TestRecordIsDeletedLast(t *testing.T) {
	dir := t.TempDir()
	e := &experiment.Experiment{
		Metadata: experiment.Metadata{Namespace: "default", Name: "work"},
		Local:    experiment.Local{Command: []string{"true"}},
	}
	w := &witness{folder: filepath.Join(dir, "trials/default/work")}
	if err := os.MkdirAll(filepath.Join(w.folder, "work-aaaaaaaa/1"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, again := range []bool{false, true} {
		if err := remove(t.Context(), w, e, dir); !errors.Is(err, errWitness) {
			t.Errorf("again %t: got %v, want %v", again, err, errWitness)
		}
		if w.seen {
			t.Errorf("again %t: the record goes while the folder is there", again)
		}
	}
}
