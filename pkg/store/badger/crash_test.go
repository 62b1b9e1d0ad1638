package badger

import (
	"bufio"
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	badgerdb "github.com/dgraph-io/badger/v4"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/tuned-hpo/tuned/internal/testenv"
	"github.com/tuned-hpo/tuned/pkg/experiment"
)

// cycles is how often a test kills: TUNED_TEST_CYCLES, else the given number.
func cycles(t *testing.T, usual int) int {
	t.Helper()
	text := os.Getenv("TUNED_TEST_CYCLES")
	if text == "" {
		return usual
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("TUNED_TEST_CYCLES: %v", err)
	}
	return n
}

// TestKill kills a writing process again and again, and looks for all that it acknowledged.
func TestKill(t *testing.T) {
	if testing.Short() {
		t.Skip("it kills processes, and takes long where the race detector makes them slow")
	}
	dir := t.TempDir()
	random := rand.New(rand.NewPCG(1, 2))
	var a acks
	for range cycles(t, 20) {
		killAfter(t, dir, &a, 1+random.IntN(400))
		s := mustOpen(t, dir)
		a.verify(t, s)
		mustClose(t, s)
		if t.Failed() {
			return
		}
	}
	t.Logf("acknowledged by stream %v, revision %d", a.streams, a.revision)
}

// killAfter lets a process write, kills it after a number of acknowledgements, and notes also
// those that it gave until it was dead.
func killAfter(t *testing.T, dir string, a *acks, lines int) {
	t.Helper()
	c := child(t, "write", dir)
	pipe, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	said := bufio.NewScanner(pipe)
	a.follow(t, said, lines)
	if err := c.Process.Kill(); err != nil {
		t.Error(err)
	}
	a.follow(t, said, 0)
	if err := c.Wait(); err == nil {
		t.Error("the writing process ended by itself")
	}
}

// verify looks for everything acknowledged.
func (a *acks) verify(t *testing.T, s *Store) {
	t.Helper()
	ctx := t.Context()
	for i, acked := range a.streams {
		ms, err := s.Measurements(ctx, childStream(i), 0, 0)
		if err != nil {
			t.Errorf("stream %d: %v", i, err)
		}
		if uint64(len(ms)) < acked {
			t.Errorf("stream %d: got %d measurements, %d were acknowledged", i, len(ms), acked)
		}
		for j := range ms {
			if diff := cmp.Diff(ms[j], childMeasurement(uint64(j)+1)); diff != "" {
				t.Errorf("stream %d, measurement %d: got (-), want (+):\n%s", i, j+1, diff)
				break
			}
		}
	}
	if a.revision > 0 {
		e, err := s.Get(ctx, childStream(0).Experiment)
		if err != nil || e.Revision < a.revision {
			t.Errorf("got revision %+v, %v, want at least %d", e, err, a.revision)
		}
	}
	found, err := s.checkRecords(ctx)
	if err != nil || len(found) > 0 {
		t.Errorf("check: got %v, %v, want nothing", found, err)
	}
}

// TestDiskFull fills a small file system from inside and from outside.
func TestDiskFull(t *testing.T) {
	mount := t.TempDir()
	if err := unix.Mount("tmpfs", mount, "tmpfs", 0, "size=96m"); err != nil {
		testenv.Skip(t, "cannot mount a small file system: "+err.Error())
	}
	defer func() {
		if err := unix.Unmount(mount, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	}()
	t.Setenv(reserveEnv, "33554432")
	dir, filler := filepath.Join(mount, "store"), filepath.Join(mount, "filler")
	fill(t, filler, 30<<20)
	var a acks
	// What the process still does in the background may end it before the kill.
	writeUntilFull(t, dir, &a, func() { fill(t, filler, 0) })
	fill(t, filler, 0) // what died with the process gave space back
	if o := dump(t, dir); o.Kind != "full" {
		t.Errorf("opening on a full disk: got %+v, want it refused as full", o)
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	s := mustOpen(t, dir)
	defer mustClose(t, s)
	a.verify(t, s)
	next, err := s.Acked(t.Context(), childStream(0))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Append(t.Context(), childStream(0), []experiment.Measurement{childMeasurement(next + 1)}); err != nil {
		t.Errorf("append with space again: %v", err)
	}
}

// fill makes a file longer until it has a size in bytes or, if that is 0, nothing is left.
func fill(t *testing.T, path string, size int64) {
	t.Helper()
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	part := make([]byte, 64<<10)
	for done := int64(0); err == nil && (size == 0 || done < size); done += int64(len(part)) {
		_, err = file.Write(part)
	}
	if size == 0 && errors.Is(err, unix.ENOSPC) {
		err = nil
	}
	if err := errors.Join(err, file.Close()); err != nil {
		t.Fatal(err)
	}
}

// writeUntilFull lets a process write until it is refused, calls then, and kills it.
func writeUntilFull(t *testing.T, dir string, a *acks, then func()) {
	t.Helper()
	c := child(t, "write", dir)
	pipe, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	if !a.follow(t, bufio.NewScanner(pipe), 0) {
		t.Error("the writing process ended before the disk was full")
	}
	then()
	if err := c.Process.Kill(); err != nil {
		t.Error(err)
	}
	if err := c.Wait(); err == nil {
		t.Error("the writing process ended by itself")
	}
}

// TestDeletedStaysAbsent compacts after a deletion and looks for what should be gone.
func TestDeletedStaysAbsent(t *testing.T) {
	dir := t.TempDir()
	var a acks
	killAfter(t, dir, &a, 1500) // records for more than one batch of deletions
	s := mustOpen(t, dir)
	ctx, key := t.Context(), childStream(0).Experiment
	if err := s.db.Flatten(2); err != nil {
		t.Fatal(err)
	}
	if err := s.Delete(ctx, key); err != nil {
		t.Fatal(err)
	}
	mustClose(t, s)
	s = mustOpen(t, dir)
	s.sweepAll(ctx, t)
	if err := s.db.Flatten(2); err != nil {
		t.Fatal(err)
	}
	mustClose(t, s)
	s = mustOpen(t, dir)
	defer mustClose(t, s)
	for _, kind := range append([]byte{kindName, kindTombstone}, ofExperiment...) {
		if n := s.count(t, []byte{kind}); n != 0 {
			t.Errorf("got %d records of kind %q, want none", n, kind)
		}
	}
	if listed, err := s.List(ctx); err != nil || len(listed) != 0 {
		t.Errorf("got %d experiments, %v, want none", len(listed), err)
	}
}

// sweepAll waits until no record of a deleted experiment is left.
func (s *Store) sweepAll(ctx context.Context, t *testing.T) {
	t.Helper()
	for left := uint64(1); left > 0; {
		var err error
		left, err = s.do(ctx, &request{plan: func(*badgerdb.Txn) (*plan, error) {
			n := uint64(len(s.writer.dead))
			return &plan{apply: func() uint64 { return n }}, nil
		}})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// count returns how many records have keys that begin with prefix.
func (s *Store) count(t *testing.T, prefix []byte) (n int) {
	t.Helper()
	err := s.db.View(func(tx *badgerdb.Txn) error {
		return scan(tx, prefix, func(_, _ []byte) error { n++; return nil })
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}
