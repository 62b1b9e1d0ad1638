package badger

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/tuned-hpo/tuned/pkg/experiment"
)

// TestDamage damages copies of a directory: what is read then is what was written, or is refused.
func TestDamage(t *testing.T) {
	if testing.Short() {
		t.Skip("it reads hundreds of damaged stores, one after the other")
	}
	base := t.TempDir()
	var a acks
	killAfter(t, base, &a, 400)
	mustClose(t, mustOpen(t, base)) // some of it is in tables then
	killAfter(t, base, &a, 400)     // and some in the log
	acknowledgeAll(t, base)
	whole := filepath.Join(t.TempDir(), "whole")
	copyDir(t, base, whole)
	want := dump(t, whole)
	if want.Refused != "" || len(want.Found) > 0 {
		t.Fatalf("undamaged: got %+v, want nothing refused and nothing found", want)
	}
	damages := allDamages(t, base)
	var refused atomic.Int64
	t.Run("all", func(t *testing.T) {
		for _, d := range damages {
			t.Run(d.String(), func(t *testing.T) {
				t.Parallel()
				dir := t.TempDir()
				copyDir(t, base, dir)
				d.do(t, dir)
				switch got := dump(t, dir); {
				case got.Refused != "":
					refused.Add(1)
				case got.State != want.State:
					t.Error("got other values without an error")
				}
			})
		}
	})
	t.Logf("%d of %d damaged directories were refused, the others were whole", refused.Load(), len(damages))
	if refused.Load() == 0 {
		t.Error("no damage was refused: the test has missed the data")
	}
}

// acknowledgeAll makes the last commits count as acknowledged: those that were durable when their
// writer was killed, and not yet acknowledged, may be lost without an error.
func acknowledgeAll(t *testing.T, dir string) {
	t.Helper()
	replayed := filepath.Join(t.TempDir(), "replayed") // opening empties the log
	copyDir(t, dir, replayed)
	s := mustOpen(t, replayed)
	seq := s.writer.meta.seq
	mustClose(t, s)
	mark, err := createWatermark(dir, seq)
	if err != nil {
		t.Fatal(err)
	}
	if err := mark.file.Close(); err != nil {
		t.Fatal(err)
	}
}

// allDamages are flipped bits anywhere, damage to logs and tables in particular, and each file
// missing. Of a table the end is damaged too, where the lengths are by which Badger finds the rest.
func allDamages(t *testing.T, base string) (out []damage) {
	t.Helper()
	random := rand.New(rand.NewPCG(3, 4))
	all, logs, tables := places(t, base, "*"), places(t, base, "*.mem"), places(t, base, "*.sst")
	for range 60 {
		out = append(out, all.pick("flip", random))
	}
	for range 10 {
		out = append(out, logs.pick("cut", random), logs.pick("flip", random))
		out = append(out, tables.pick("cut", random), tables.pick("zero", random))
	}
	for _, whole := range tables {
		for _, end := range []int64{1, 4, 5, 12, 20, whole.at} {
			at := max(whole.at-end, 0)
			out = append(out, damage{kind: "cut", file: whole.file, at: at}, damage{kind: "zero", file: whole.file, at: at})
		}
	}
	for _, path := range glob(t, base, "*") {
		out = append(out, damage{kind: "remove", file: filepath.Base(path)})
	}
	return out
}

type damage struct {
	kind string // flip a bit, cut the end off, write up to 64 zeros, or remove the file
	file string
	at   int64 // byte
	bit  int
}

func (d damage) String() string {
	return fmt.Sprintf("%s of %s at byte %d, bit %d", d.kind, d.file, d.at, d.bit)
}

// written is files, each with the size of what is written of it.
type written []damage

func places(t *testing.T, dir, pattern string) (out written) {
	t.Helper()
	for _, path := range glob(t, dir, pattern) {
		if size := used(t, path); size > 0 {
			out = append(out, damage{file: filepath.Base(path), at: size})
		}
	}
	if len(out) == 0 {
		t.Fatalf("no file %s to damage", pattern)
	}
	return out
}

// pick picks a place in one of the files.
func (w written) pick(kind string, random *rand.Rand) damage {
	d := w[random.IntN(len(w))]
	return damage{kind: kind, file: d.file, at: random.Int64N(d.at), bit: random.IntN(8)}
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
		err = flip(path, d.at, d.bit)
	case "zero":
		err = zero(path, d.at, 64)
	}
	if err != nil {
		t.Fatalf("%s: %v", d, err)
	}
}

func flip(path string, at int64, bit int) error {
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	one := make([]byte, 1)
	_, err = file.ReadAt(one, at)
	one[0] ^= 1 << bit
	if err == nil {
		_, err = file.WriteAt(one, at)
	}
	return errors.Join(err, file.Close())
}

// zero writes so many zeros, none beyond the end.
func zero(path string, at, n int64) error {
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	info, err := file.Stat()
	if err == nil {
		_, err = file.WriteAt(make([]byte, min(n, info.Size()-at)), at)
	}
	return errors.Join(err, file.Close())
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
	end := int64(0)
	err := eachPart(path, func(at int64, part []byte) error {
		if trimmed := bytes.TrimRight(part, "\x00"); len(trimmed) > 0 {
			end = at + int64(len(trimmed))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return end
}

// copyDir copies what is there; files that vanish meanwhile are left out.
func copyDir(t *testing.T, from, to string) {
	t.Helper()
	if err := os.MkdirAll(to, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, path := range glob(t, from, "*") {
		if err := copySparse(path, filepath.Join(to, filepath.Base(path))); err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
	}
}

// copySparse copies a file without its holes.
func copySparse(from, to string) error {
	info, err := os.Stat(from)
	if err != nil {
		return err
	}
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	err = eachPart(from, func(at int64, part []byte) error {
		_, err := out.WriteAt(part, at)
		return err
	})
	if err == nil {
		err = out.Truncate(info.Size())
	}
	return errors.Join(err, out.Close())
}

// eachPart calls f with what of a file is not a hole.
func eachPart(path string, f func(at int64, part []byte) error) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	for end := int64(0); ; {
		at, err := unix.Seek(int(file.Fd()), end, unix.SEEK_DATA)
		if errors.Is(err, unix.ENXIO) {
			return nil
		}
		if err == nil {
			end, err = unix.Seek(int(file.Fd()), at, unix.SEEK_HOLE)
		}
		if err != nil {
			return err
		}
		part, err := io.ReadAll(io.NewSectionReader(file, at, end-at))
		if err == nil {
			err = f(at, part)
		}
		if err != nil {
			return err
		}
	}
}

// TestCopiedWhileRunning copies a directory that is being written: the copy opens with all that
// was acknowledged before it was begun, or is refused.
func TestCopiedWhileRunning(t *testing.T) {
	dir := t.TempDir()
	newOne(t, dir, 0)
	s := mustOpen(t, dir)
	defer mustClose(t, s)
	ctx := t.Context()
	stop, wg := make(chan struct{}, 1), sync.WaitGroup{}
	wg.Go(func() {
		for seq := uint64(1); len(stop) == 0; seq++ {
			if _, err := s.Append(ctx, streamOne(2), []experiment.Measurement{childMeasurement(seq)}); err != nil {
				t.Error(err)
				return
			}
		}
	})
	opened := 0
	for i := range 8 {
		acked, err := s.Acked(ctx, streamOne(2))
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
		if got := o.Acked[fmt.Sprint(streamOne(2))]; got < acked || len(o.Found) > 0 {
			t.Errorf("copy %d: got %d measurements and findings %v, want at least %d and none", i, got, o.Found, acked)
		}
	}
	stop <- struct{}{}
	wg.Wait()
	t.Logf("%d of 8 copies opened, the others were refused", opened)
}
