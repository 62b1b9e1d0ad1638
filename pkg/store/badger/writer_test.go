package badger

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/store"
)

// A store whose sync failed takes no more writes, and says the same each time.
func TestFailStop(t *testing.T) {
	dir := t.TempDir()
	newOne(t, dir, 3)
	var told []error
	noting := small
	noting.OnFailure = func(err error) { told = append(told, err) } // by the writer, before it answers
	s, err := Open(dir, noting)
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	intact := s.writer.mark.file
	broken, err := os.Open(os.DevNull) // not open for writing
	if err != nil {
		t.Fatal(err)
	}
	s.writer.mark.file = broken
	_, first := s.Append(ctx, streamOne(2), []experiment.Measurement{childMeasurement(4)})
	if !errors.Is(first, store.ErrFailed) {
		t.Fatalf("got %v of a write that cannot be made durable, want %v", first, store.ErrFailed)
	}
	if err := intact.Close(); err != nil {
		t.Error(err)
	}
	cause := errors.Unwrap(first)
	_, again := s.Append(ctx, streamOne(2), []experiment.Measurement{childMeasurement(5)})
	for what, err := range map[string]error{"append": again, "delete": s.Delete(ctx, keyOne), "create": s.Create(ctx, &experiment.Experiment{})} {
		if !errors.Is(err, cause) {
			t.Errorf("%s: got %v, want %v", what, err, cause)
		}
	}
	if len(told) != 1 || !errors.Is(first, told[0]) {
		t.Errorf("OnFailure was told %v, want %v once", told, cause)
	}
	if _, err := s.Get(ctx, keyOne); err != nil {
		t.Errorf("get: %v", err)
	}
	mustClose(t, s)
	s = mustOpen(t, dir) // Badger has one commit more than the watermark, which is fine
	defer mustClose(t, s)
	if acked, err := s.Acked(ctx, streamOne(2)); err != nil || acked != 4 {
		t.Errorf("got %d, %v, want 4", acked, err)
	}
}

// One refused request does not harm those that are committed with it.
func TestTooLarge(t *testing.T) {
	dir := t.TempDir()
	newOne(t, dir, 0)
	s := mustOpen(t, dir)
	defer mustClose(t, s)
	ctx := t.Context()
	long := strings.Repeat("x", maxPayload)
	var many []experiment.Trial
	for n := uint64(3); n < 13; n++ {
		many = append(many, experiment.Trial{Number: n, Message: long[:maxPayload/2]})
	}
	commit := func(c store.Change) error {
		c.Revision = 2
		_, err := s.Commit(ctx, keyOne, c)
		return err
	}
	_, errText := s.Append(ctx, streamOne(2), []experiment.Measurement{{Seq: 1, Text: long}})
	source := streamOne(2)
	source.Source = strings.Repeat("\x00", longestSource+1)
	_, errSource := s.Append(ctx, source, []experiment.Measurement{childMeasurement(1)})
	for what, err := range map[string]error{
		"source":      errSource,
		"trial":       commit(store.Change{Update: []experiment.Trial{{Number: 2, Message: long}}}),
		"event":       commit(store.Change{Events: []experiment.Event{{Message: long}}}),
		"status":      commit(store.Change{Status: &experiment.Status{RunningTrialList: []string{long}}}),
		"many trials": commit(store.Change{Create: many}),
		"measurement": errText,
		"name":        s.Create(ctx, &experiment.Experiment{Metadata: experiment.Metadata{Name: long}}),
		"spec":        s.Create(ctx, &experiment.Experiment{APIVersion: long}),
	} {
		if !errors.Is(err, store.ErrInvalid) {
			t.Errorf("%s: got %v, want %v", what, err, store.ErrInvalid)
		}
	}
	if err := commit(store.Change{Create: many[:4]}); err != nil {
		t.Errorf("four of the trials: %v", err)
	}
}

func TestDiskGuard(t *testing.T) {
	const mib = 1 << 20
	for _, test := range []struct {
		name           string
		free           uint64
		size           int
		isDelete, full bool
	}{
		{"enough", 300 * mib, 10 * mib, false, false},
		{"exactly enough", 276 * mib, 10 * mib, false, false},
		{"one byte short", 276*mib - 1, 10 * mib, false, true},
		{"too little", 200 * mib, 0, false, true},
		{"enough to delete", 200 * mib, 0, true, false},
		{"enough to delete after others took much", 100 * mib, 0, true, false},
		{"exactly enough to delete", 84 * mib, 10 * mib, true, false},
		{"too little to delete", 84*mib - 1, 10 * mib, true, true},
	} {
		d := &disk{dir: t.TempDir(), reserve: 256 * mib, free: func(string) (uint64, error) { return test.free, nil }}
		if err := d.admit(test.size, test.isDelete); errors.Is(err, store.ErrFull) != test.full {
			t.Errorf("%s: got %v, want full: %t", test.name, err, test.full)
		}
	}
}

// TestFullDiskDeletes has others take all of the disk: the ballast makes deleting possible, and is made again
// when there is space.
func TestFullDiskDeletes(t *testing.T) {
	dir := t.TempDir()
	newOne(t, dir, 0)
	s := mustOpen(t, dir)
	defer mustClose(t, s)
	d, ballast := s.writer.disk, filepath.Join(dir, ballastName)
	var others atomic.Uint64 // bytes that they left, but for the ballast
	d.reserve, d.ballast, d.built = 64<<20, 32<<20, false
	d.free = func(string) (uint64, error) {
		if info, err := os.Stat(ballast); err == nil {
			return max(others.Load(), uint64(info.Size())) - uint64(info.Size()), nil
		}
		return others.Load(), nil
	}
	commit := func(freeing bool) error {
		e, err := s.Get(t.Context(), keyOne)
		if err != nil {
			return err
		}
		_, err = s.Commit(t.Context(), keyOne, store.Change{Revision: e.Revision, Control: &e.Control, Freeing: freeing})
		return err
	}
	others.Store(1 << 30)
	if err := commit(false); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(ballast); err != nil {
		t.Fatalf("ballast: %v", err)
	}
	others.Store(32 << 20)
	if err := commit(false); !errors.Is(err, store.ErrFull) {
		t.Errorf("a write on a full disk: got %v, want %v", err, store.ErrFull)
	}
	if err := commit(true); err != nil {
		t.Errorf("a write that leads to a deletion: %v", err)
	}
	if err := s.Delete(t.Context(), keyOne); err != nil {
		t.Errorf("delete on a full disk: %v", err)
	}
	if _, err := os.Stat(ballast); !os.IsNotExist(err) {
		t.Errorf("ballast: got %v, want it gone", err)
	}
	others.Store(1 << 30)
	if err := d.admit(0, false); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(ballast); err != nil {
		t.Errorf("ballast, with space again: %v", err)
	}
}

// The store goes on by itself when there is space again; the ballast is given up to open.
func TestDiskRecovers(t *testing.T) {
	dir := t.TempDir()
	newOne(t, dir, 0)
	s := mustOpen(t, dir)
	free := make(chan uint64, 1)
	s.writer.disk.free = func(string) (uint64, error) { return <-free, nil }
	for i, step := range []struct {
		free uint64
		want error
	}{{100 << 20, nil}, {0, store.ErrFull}, {1000, store.ErrFull}, {100 << 20, nil}} {
		free <- step.free
		acked, _ := s.Acked(t.Context(), streamOne(2))
		_, err := s.Append(t.Context(), streamOne(2), []experiment.Measurement{childMeasurement(acked + 1)})
		if !errors.Is(err, step.want) {
			t.Errorf("step %d: got %v, want %v", i, err, step.want)
		}
	}
	mustClose(t, s)

	space := uint64(400 << 20)
	d := &disk{dir: dir, reserve: 64 << 20, ballast: 128 << 20, free: func(string) (uint64, error) { return space, nil }}
	if err := d.admit(0, false); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(filepath.Join(dir, ballastName))
	if err != nil || info.Size() != 20<<20 {
		t.Fatalf("ballast: got %+v, %v, want a twentieth of the free space", info, err)
	}
	space = 1 << 20
	if err := d.prepare(); !errors.Is(err, store.ErrFull) {
		t.Errorf("got %v, want %v", err, store.ErrFull)
	}
	if _, err := os.Stat(filepath.Join(dir, ballastName)); !os.IsNotExist(err) {
		t.Errorf("ballast: got %v, want it gone", err)
	}
}
