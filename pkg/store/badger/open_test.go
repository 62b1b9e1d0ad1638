package badger

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	badgerdb "github.com/dgraph-io/badger/v4"

	"github.com/tuned-hpo/tuned/internal/golden"
	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/store"
)

var keyOne = experiment.Key{Namespace: "default", Name: "one"}

func streamOne(number uint64) experiment.Stream {
	return experiment.Stream{Experiment: keyOne, Number: number, Attempt: 1, Source: "agent"}
}

// newOne makes a store with one experiment, a finished and a running trial, and n commits more,
// one measurement each.
func newOne(t *testing.T, dir string, n uint64) {
	t.Helper()
	s := mustOpen(t, dir)
	ctx := t.Context()
	err := s.Create(ctx, &experiment.Experiment{Metadata: experiment.Metadata{Namespace: keyOne.Namespace, Name: keyOne.Name}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Commit(ctx, keyOne, store.Change{
		Revision: 1, Events: []experiment.Event{{Reason: "Started"}},
		Status: &experiment.Status{Trials: 2, TrialsRunning: 1, TrialsSucceeded: 1},
		Create: []experiment.Trial{
			{Number: 1, Name: "one-1", Attempt: 1, State: experiment.TrialSucceeded, FinishNo: 1},
			{Number: 2, Name: "one-2", Attempt: 1, State: experiment.TrialRunning},
		},
	})
	for seq := uint64(1); seq <= n && err == nil; seq++ {
		_, err = s.Append(ctx, streamOne(2), []experiment.Measurement{childMeasurement(seq)})
	}
	if err != nil {
		t.Fatal(err)
	}
	mustClose(t, s)
}

// edit changes the records of a closed store behind its back.
func edit(t *testing.T, dir string, f func(tx *badgerdb.Txn) error) {
	t.Helper()
	db, err := openBadger(dir, small)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(db.Update(f), db.Close()); err != nil {
		t.Fatal(err)
	}
}

// harmed is a store with twelve commits that was changed behind its back.
type harmed struct {
	name string
	harm func(t *testing.T, dir string)
	want error
	says string
	mend bool // AcceptLoss opens it
}

var allHarmed = []harmed{
	{"no watermark", func(t *testing.T, dir string) { remove(t, dir, watermarkName) }, store.ErrCorrupt, "watermark", true},
	{"a watermark that cannot be read", func(t *testing.T, dir string) {
		overwrite(t, filepath.Join(dir, watermarkName), 0, make([]byte, 2*watermarkSlot))
	}, store.ErrCorrupt, "no slot is intact", true},
	{"a later watermark", func(t *testing.T, dir string) {
		w, err := createWatermark(dir, 15)
		if err == nil {
			err = w.file.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
	}, store.ErrCorrupt, "the last 3 of 15 acknowledged commits are missing", true},
	{"commits missing in between", func(t *testing.T, dir string) {
		edit(t, dir, func(tx *badgerdb.Txn) error {
			return errors.Join(tx.Delete(idKey(kindChain, 4)), tx.Delete(idKey(kindChain, 5)), tx.Delete(idKey(kindChain, 9)))
		})
	}, store.ErrCorrupt, "3 commits before the last, number 12, are missing", true},
	{"the first commit missing", func(t *testing.T, dir string) {
		edit(t, dir, func(tx *badgerdb.Txn) error { return tx.Delete(idKey(kindChain, 1)) })
	}, store.ErrCorrupt, "1 commits before the last", true},
	{"no manifest", func(t *testing.T, dir string) { remove(t, dir, "MANIFEST") }, store.ErrCorrupt, "MANIFEST is missing", false},
	{"no table", func(t *testing.T, dir string) { remove(t, dir, "*.sst") }, store.ErrCorrupt, "the file is missing", false},
	{"a later format", func(t *testing.T, dir string) {
		overwrite(t, filepath.Join(dir, "MANIFEST"), 4, []byte{0, 2})
	}, store.ErrInvalid, "has format 2, this program reads and writes format 1", false},
	{"a later format within", func(t *testing.T, dir string) {
		edit(t, dir, func(tx *badgerdb.Txn) error {
			return tx.Set(metaKey, seal(metaKey, encodeCounters(&meta{format: 7, seq: 12})))
		})
	}, store.ErrInvalid, "has format 7, this program reads and writes format 1", false},
}

func TestOpenRefuses(t *testing.T) {
	for _, test := range allHarmed {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			newOne(t, dir, 10)
			test.harm(t, dir)
			for range 2 { // opening must not repair it by forgetting
				o := dump(t, dir)
				if want := map[error]string{store.ErrCorrupt: "corrupt", store.ErrInvalid: "invalid"}[test.want]; o.Kind != want || !strings.Contains(o.Refused, test.says) {
					t.Errorf("got %q of kind %q, want %q of kind %q", o.Refused, o.Kind, test.says, want)
				}
			}
			if test.mend {
				accept(t, dir)
			}
		})
	}
}

// accept opens a store with its loss and expects it to go on.
func accept(t *testing.T, dir string) {
	t.Helper()
	o := small
	o.AcceptLoss = true
	s, err := Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	if acked, err := s.Append(t.Context(), streamOne(2), []experiment.Measurement{childMeasurement(11)}); err != nil || acked != 11 {
		t.Errorf("append: got %d, %v, want 11", acked, err)
	}
	mustClose(t, s)
	mustClose(t, mustOpen(t, dir))
}

func remove(t *testing.T, dir, pattern string) {
	t.Helper()
	found := glob(t, dir, pattern)
	if len(found) == 0 {
		t.Fatalf("no file %s", pattern)
	}
	for _, path := range found {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
}

func overwrite(t *testing.T, path string, at int64, text []byte) {
	t.Helper()
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = file.WriteAt(text, at)
	if err := errors.Join(err, file.Close()); err != nil {
		t.Fatal(err)
	}
}

// A torn write of one slot of the watermark leaves the other.
func TestWatermarkTorn(t *testing.T) {
	for _, at := range []int64{0, watermarkSlot} {
		dir := t.TempDir()
		newOne(t, dir, 3)
		overwrite(t, filepath.Join(dir, watermarkName), at, []byte{1, 2, 3, 4, 5, 6})
		mustClose(t, mustOpen(t, dir))
	}
}

func TestLocked(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, dir)
	_, err := Open(dir, small)
	if want := fmt.Sprint("in use by process ", os.Getpid()); !errors.Is(err, store.ErrLocked) || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %q", err, want)
	}
	mustClose(t, s)
	mustClose(t, s)
	db, err := openBadger(dir, small) // another program that knows Badger
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, small); !errors.Is(err, store.ErrLocked) {
		t.Errorf("got %v, want %v", err, store.ErrLocked)
	}
	if err := db.Close(); err != nil {
		t.Error(err)
	}
	mustClose(t, mustOpen(t, dir))
	info, err := os.Stat(dir)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("got mode %v, %v, want 0700", info.Mode(), err)
	}
}

// TestWait lets a writer wait for a reader, while which no other reader is let in, and a reader for
// the writer.
func TestWait(t *testing.T) {
	dir := t.TempDir()
	newOne(t, dir, 3)
	reading, waiting := small, small
	reading.ReadOnly = true
	waiting.Wait = time.Minute
	first, err := Open(dir, reading)
	if err != nil {
		t.Fatal(err)
	}
	written := make(chan *Store)
	go func() {
		s, err := Open(dir, waiting)
		if err != nil {
			t.Errorf("a writer that waits: %v", err)
		}
		written <- s
	}()
	for err == nil { // until the writer waits
		var other *Store
		if other, err = Open(dir, reading); err == nil {
			mustClose(t, other)
		}
	}
	if !errors.Is(err, store.ErrLocked) || !strings.Contains(err.Error(), "in use by readers") {
		t.Errorf("a reader while a writer waits: got %v, want %v by readers", err, store.ErrLocked)
	}
	mustClose(t, first)
	writer := <-written
	read := make(chan *Store)
	go func() {
		waiting.ReadOnly = true
		s, err := Open(dir, waiting)
		if err != nil {
			t.Errorf("a reader that waits: %v", err)
		}
		read <- s
	}()
	mustClose(t, writer)
	mustClose(t, <-read)
}

// A writer that was killed leaves its number in the lock, which readers hold now.
func TestLockedByReadersAfterKill(t *testing.T) {
	dir := t.TempDir()
	newOne(t, dir, 0)
	if err := os.WriteFile(filepath.Join(dir, lockName), []byte("99999999\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	o := small
	o.ReadOnly = true
	s, err := Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	defer mustClose(t, s)
	if _, err := Open(dir, small); err == nil || !strings.Contains(err.Error(), "in use by readers") {
		t.Errorf("got %v, want it in use by readers", err)
	}
}

func TestReadOnly(t *testing.T) {
	dir := t.TempDir()
	newOne(t, dir, 3)
	o := small
	o.ReadOnly = true
	s, err := Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	defer mustClose(t, s)
	other, err := Open(dir, o)
	if err != nil {
		t.Fatalf("a second reader: %v", err)
	}
	mustClose(t, other)
	if ms, err := s.Measurements(t.Context(), streamOne(2), 0, 0); err != nil || len(ms) != 3 {
		t.Errorf("got %d measurements, %v, want 3", len(ms), err)
	}
	if err := s.Delete(t.Context(), keyOne); !errors.Is(err, store.ErrInvalid) {
		t.Errorf("delete: got %v, want %v", err, store.ErrInvalid)
	}
	if _, err := Open(t.TempDir(), o); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("open an empty directory: got %v, want %v", err, store.ErrNotFound)
	}
	if _, err := Open(filepath.Join(dir, "nothing"), o); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("open what is not there: got %v, want %v", err, store.ErrNotFound)
	}
}

// A process that is killed while it creates a log leaves an empty one, which is no damage.
func TestEmptyLog(t *testing.T) {
	dir := t.TempDir()
	newOne(t, dir, 3)
	for _, name := range []string{"00001.mem", "00099.mem"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if o := dump(t, dir); o.Refused != "" || o.Acked[fmt.Sprint(streamOne(2))] != 3 {
		t.Errorf("got %+v, want 3 measurements", o)
	}
}

// A log that may have to be cut off cannot be read without writing. (In another process, for
// Badger leaves goroutines behind when it does not open.)
func TestReadOnlyAfterKill(t *testing.T) {
	dir := t.TempDir()
	var a acks
	killAfter(t, dir, &a, 20)
	t.Setenv(readOnlyEnv, "1")
	if o := dump(t, dir); o.Kind != "invalid" || !strings.Contains(o.Refused, "not closed properly") {
		t.Errorf("got %+v, want it refused as not closed properly", o)
	}
}

// TestFormat reads a store as each version of the format has written it.
func TestFormat(t *testing.T) {
	if golden.Update() {
		dir := t.TempDir()
		newOne(t, dir, 10)
		pack(t, dir, filepath.Join("testdata", fmt.Sprintf("format-v%d.tar.gz", formatVersion)))
	}
	archives := glob(t, "testdata", "format-v*.tar.gz")
	if len(archives) == 0 {
		t.Error("no stores of earlier versions in testdata")
	}
	for _, archive := range archives {
		dir := t.TempDir()
		unpack(t, archive, dir)
		found, err := checkDir(t, dir, nil)
		if err != nil || len(found) > 0 {
			t.Errorf("%s: check: got %v, %v, want nothing", archive, found, err)
		}
		s := mustOpen(t, dir)
		ms, err := s.Measurements(t.Context(), streamOne(2), 0, 0)
		if err != nil || len(ms) != 10 || ms[9] != childMeasurement(10) {
			t.Errorf("%s: got %v, %v, want 10 measurements", archive, ms, err)
		}
		trials, err := s.Trials(t.Context(), keyOne)
		if err != nil || len(trials) != 2 || trials[0].Name != "one-1" {
			t.Errorf("%s: got %v, %v, want trials one-1 and one-2", archive, trials, err)
		}
		mustClose(t, s)
	}
}

func pack(t *testing.T, dir, archive string) {
	t.Helper()
	var out bytes.Buffer
	zipped := gzip.NewWriter(&out)
	files := tar.NewWriter(zipped)
	err := errors.Join(os.MkdirAll(filepath.Dir(archive), 0o755), files.AddFS(os.DirFS(dir)), files.Close(), zipped.Close())
	if err := errors.Join(err, os.WriteFile(archive, out.Bytes(), 0o644)); err != nil {
		t.Fatal(err)
	}
}

func unpack(t *testing.T, archive, dir string) {
	t.Helper()
	text, err := os.ReadFile(archive)
	if err != nil {
		t.Fatal(err)
	}
	zipped, err := gzip.NewReader(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	files := tar.NewReader(zipped)
	for {
		head, err := files.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		var body []byte
		if err == nil {
			body, err = io.ReadAll(files)
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, filepath.Base(head.Name)), body, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}
