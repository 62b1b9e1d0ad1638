package badger

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/store"
)

// TestDamage damages copies of a directory: what is read then is what was written, or is refused.
func TestDamage(t *testing.T) {
	base := t.TempDir()
	var a acks
	killAfter(t, base, &a, 400)
	mustClose(t, mustOpen(t, base)) // some of it is in tables then
	killAfter(t, base, &a, 400)     // and some in the log
	whole := filepath.Join(t.TempDir(), "whole")
	copyDir(t, base, whole)
	want := dump(t, whole)
	if want.Refused != "" || len(want.Found) > 0 {
		t.Fatalf("undamaged: got %+v, want nothing refused and nothing found", want)
	}
	flips, cuts := 60, 20
	if testing.Short() {
		flips, cuts = 12, 6
	}
	random := rand.New(rand.NewPCG(3, 4))
	var damages []damage
	for range flips {
		damages = append(damages, randomDamage(t, base, "*", "flip", random))
	}
	for range cuts {
		damages = append(damages, randomDamage(t, base, "*.mem", "cut", random), randomDamage(t, base, "*.mem", "flip", random))
	}
	for _, path := range glob(t, base, "*") {
		damages = append(damages, damage{kind: "remove", file: filepath.Base(path)})
	}
	refused := 0
	for i, d := range damages {
		dir := filepath.Join(t.TempDir(), fmt.Sprint(i))
		copyDir(t, base, dir)
		d.do(t, dir)
		got := dump(t, dir)
		if got.Refused != "" {
			refused++
		} else if got.State != want.State {
			t.Errorf("%s: got other values without an error", d)
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d of %d damaged directories were refused, the others were whole", refused, len(damages))
	if refused == 0 {
		t.Error("no damage was refused: the test has missed the data")
	}
}

type damage struct {
	kind string // flip a bit, cut the end off, or remove the file
	file string
	at   int64 // byte
	bit  int
}

func (d damage) String() string {
	return fmt.Sprintf("%s of %s at byte %d, bit %d", d.kind, d.file, d.at, d.bit)
}

// randomDamage picks a place in what is written of one of the matching files.
func randomDamage(t *testing.T, dir, pattern, kind string, random *rand.Rand) damage {
	t.Helper()
	var sized []string
	for _, path := range glob(t, dir, pattern) {
		if used(t, path) > 0 {
			sized = append(sized, path)
		}
	}
	if len(sized) == 0 {
		t.Fatalf("no file %s to damage", pattern)
	}
	path := sized[random.IntN(len(sized))]
	return damage{kind: kind, file: filepath.Base(path), at: random.Int64N(used(t, path)), bit: random.IntN(8)}
}

func (d damage) do(t *testing.T, dir string) {
	t.Helper()
	path := filepath.Join(dir, d.file)
	var err error
	switch d.kind {
	case "remove":
		err = os.Remove(path)
	case "cut":
		err = os.Truncate(path, d.at)
	case "flip":
		var text []byte
		if text, err = os.ReadFile(path); err == nil {
			text[d.at] ^= 1 << d.bit
			err = writeSparse(path, text)
		}
	}
	if err != nil {
		t.Fatalf("%s: %v", d, err)
	}
}

func glob(t *testing.T, dir, pattern string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// used is the size of a file in bytes without the zeros that Badger lays out at its end.
func used(t *testing.T, path string) int64 {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return int64(len(bytes.TrimRight(text, "\x00")))
}

// copyDir copies what is there; files that vanish meanwhile are left out.
func copyDir(t *testing.T, from, to string) {
	t.Helper()
	if err := os.MkdirAll(to, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, path := range glob(t, from, "*") {
		text, err := readAll(path)
		if os.IsNotExist(err) {
			continue
		}
		if err == nil {
			err = writeSparse(filepath.Join(to, filepath.Base(path)), text)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func readAll(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(file)
}

// writeSparse writes a file without its blocks of zeros.
func writeSparse(path string, text []byte) error {
	const block = 4096
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer file.Close()
	zeros := make([]byte, block)
	for at := 0; at < len(text); at += block {
		part := text[at:min(at+block, len(text))]
		if bytes.Equal(part, zeros[:len(part)]) {
			continue
		}
		if _, err := file.WriteAt(part, int64(at)); err != nil {
			return err
		}
	}
	return file.Truncate(int64(len(text)))
}

// TestCopiedWhileRunning copies a directory that is being written: the copy opens with all that
// was acknowledged before it was begun, or is refused.
func TestCopiedWhileRunning(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, dir)
	defer mustClose(t, s)
	ctx, key := t.Context(), childStream(0).Experiment
	if err := s.Create(ctx, &experiment.Experiment{Metadata: experiment.Metadata{Namespace: key.Namespace, Name: key.Name}}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Commit(ctx, key, store.Change{Revision: 1, Create: []experiment.Trial{{Number: 1, Attempt: 1, State: experiment.TrialRunning}}}); err != nil {
		t.Fatal(err)
	}
	stop, wg := make(chan struct{}), sync.WaitGroup{}
	wg.Go(func() {
		for seq := uint64(1); ; seq++ {
			select {
			case <-stop:
				return
			default:
			}
			if _, err := s.Append(ctx, childStream(0), []experiment.Measurement{childMeasurement(seq)}); err != nil {
				t.Error(err)
				return
			}
		}
	})
	opened := 0
	for i := range 8 {
		acked, err := s.Acked(ctx, childStream(0))
		if err != nil {
			t.Fatal(err)
		}
		copied := filepath.Join(t.TempDir(), fmt.Sprint(i))
		copyDir(t, dir, copied)
		o := dump(t, copied)
		if o.Refused != "" {
			continue
		}
		opened++
		if got := o.Acked[fmt.Sprint(childStream(0))]; got < acked || len(o.Found) > 0 {
			t.Errorf("copy %d: got %d measurements and findings %v, want at least %d and none", i, got, o.Found, acked)
		}
	}
	close(stop)
	wg.Wait()
	t.Logf("%d of 8 copies opened, the others were refused", opened)
}
