package badger

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"testing"

	badgerdb "github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/pb"
	"google.golang.org/protobuf/proto"

	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/store"
)

func createNamed(t testing.TB, s *Store, name string) {
	t.Helper()
	e := &experiment.Experiment{Metadata: experiment.Metadata{Namespace: "default", Name: name, UID: name}}
	if err := s.Create(t.Context(), e); err != nil {
		t.Fatal(err)
	}
}

// TestBackupIsOneMoment backs up a store that is written to meanwhile: what was acknowledged before is in it, and
// the store that is made of it is sound.
func TestBackupIsOneMoment(t *testing.T) {
	s := mustOpen(t, t.TempDir())
	defer mustClose(t, s)
	const before = 50
	for i := range before {
		createNamed(t, s, fmt.Sprintf("e%d", i))
	}
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for i := before; ; i++ {
			select {
			case <-stop:
				return
			default:
				createNamed(t, s, fmt.Sprintf("e%d", i))
			}
		}
	}()
	var kept bytes.Buffer
	if err := s.Backup(t.Context(), &kept); err != nil {
		t.Fatal(err)
	}
	close(stop)
	<-stopped
	dir := filepath.Join(t.TempDir(), "restored")
	if err := Restore(dir, &kept); err != nil {
		t.Fatal(err)
	}
	back := mustOpen(t, dir)
	defer mustClose(t, back)
	list, err := back.List(t.Context())
	if err != nil || len(list) < before {
		t.Errorf("%d experiments, %v; want at least %d", len(list), err, before)
	}
	alive := store.Workloads{}
	for _, e := range list {
		alive[e.Key()] = nil
	}
	if found, err := back.Check(t.Context(), alive); err != nil || len(found) > 0 {
		t.Errorf("findings %v, %v; want none", found, err)
	}
	createNamed(t, back, "another")
}

// TestRestoreRefuses: what is damaged, cut, no backup or in the way leaves nothing behind.
func TestRestoreRefuses(t *testing.T) {
	s := mustOpen(t, t.TempDir())
	for i := range 20 {
		createNamed(t, s, fmt.Sprintf("e%d", i))
	}
	var whole bytes.Buffer
	if err := s.Backup(t.Context(), &whole); err != nil {
		t.Fatal(err)
	}
	mustClose(t, s)
	refused := func(name string, text []byte) {
		dir := filepath.Join(t.TempDir(), "restored")
		if err := Restore(dir, bytes.NewReader(text)); err == nil {
			t.Errorf("%s is taken for a backup", name)
		}
		if _, err := os.Stat(dir); !os.IsNotExist(err) {
			t.Errorf("%s leaves the directory: %v", name, err)
		}
	}
	refused("nothing", nil)
	refused("text", []byte("no backup"))
	const looks = 40
	for i := range looks {
		at := i * whole.Len() / looks
		refused(fmt.Sprintf("the first %d of %d bytes", at, whole.Len()), whole.Bytes()[:at])
		if at < 10 {
			continue // of the header of gzip, some bits mean nothing
		}
		flipped := bytes.Clone(whole.Bytes())
		flipped[at] ^= 0x10
		refused(fmt.Sprintf("a flipped bit in byte %d", at), flipped)
	}
	used := t.TempDir()
	if err := os.WriteFile(filepath.Join(used, "x"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Restore(used, bytes.NewReader(whole.Bytes())); !errors.Is(err, store.ErrConflict) {
		t.Errorf("a directory in use: got %v, want %v", err, store.ErrConflict)
	}
}

func TestBackupEndsWithItsContext(t *testing.T) {
	s := mustOpen(t, t.TempDir())
	defer mustClose(t, s)
	createNamed(t, s, "e")
	ctx, cancel := context.WithCancel(t.Context())
	if err := s.Backup(ctx, cancelling{cancel}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
}

// cancelling ends a context at the first byte, and takes no second one.
type cancelling struct{ cancel func() }

func (c cancelling) Write(data []byte) (int, error) {
	c.cancel()
	return len(data), nil
}

// unpacked is a backup without its compression.
func unpacked(t testing.TB) []byte {
	t.Helper()
	s := mustOpen(t, t.TempDir())
	defer mustClose(t, s)
	createNamed(t, s, "one")
	createNamed(t, s, "two")
	if err := s.Delete(t.Context(), experiment.Key{Namespace: "default", Name: "two"}); err != nil {
		t.Fatal(err)
	}
	var kept bytes.Buffer
	if err := s.Backup(t.Context(), &kept); err != nil {
		t.Fatal(err)
	}
	packed, err := gzip.NewReader(&kept)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(packed)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// FuzzBackup looks for backups that end the process or take memory beyond reason, before they are refused.
func FuzzBackup(f *testing.F) {
	f.Add(unpacked(f))
	f.Add([]byte{0, 0, 0, 0, 0, 1, 0, 0}) // a list of a terabyte
	f.Add([]byte{0, 0, 0, 0, 0, 0, 0, 0x80})
	f.Fuzz(func(t *testing.T, text []byte) {
		all := func(int) error { return nil }
		if _, err := io.Copy(io.Discard, &frames{from: bytes.NewReader(text), admit: all}); err != nil {
			return
		}
		db, err := badgerdb.Open(badgerdb.DefaultOptions("").WithInMemory(true).WithLogger(nil).WithMemTableSize(memTableSize).WithValueThreshold(1 << 20))
		if err != nil {
			t.Fatal(err)
		}
		err = load(db, bytes.NewReader(text), all)
		if err == nil {
			_, err = restored(db)
		}
		if closed := db.Close(); closed != nil {
			t.Fatal(closed)
		}
		if err != nil && !errors.Is(err, store.ErrCorrupt) && !errors.Is(err, store.ErrInvalid) {
			t.Errorf("got %v, want %v or %v", err, store.ErrCorrupt, store.ErrInvalid)
		}
	})
}

// What no backup holds is refused, and so is what would not fit on the disk.
func TestRestoreRefusesForgeries(t *testing.T) {
	packed := func(text []byte) io.Reader {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		if _, err := w.Write(text); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return &b
	}
	whole := unpacked(t)
	for name, test := range map[string]struct {
		text []byte
		want error
	}{
		"a list of a terabyte": {[]byte{0, 0, 0, 0, 0, 1, 0, 0}, store.ErrCorrupt},
		"no list":              {[]byte{1, 0, 0, 0, 0, 0, 0, 0, 255}, store.ErrCorrupt},
		"cut":                  {whole[:len(whole)-1], store.ErrCorrupt},
		"no record":            {nil, store.ErrInvalid},
		"a record in a log":    {list(t, &pb.KV{Key: []byte("k"), Version: 1, Meta: []byte{2}}), store.ErrCorrupt},
		"a record of Badger's": {list(t, &pb.KV{Key: []byte("!badger!head"), Version: 1}), store.ErrCorrupt},
		"a late version":       {list(t, &pb.KV{Key: []byte("k"), Version: math.MaxUint64}), store.ErrCorrupt},
		"no key":               {list(t, &pb.KV{Version: 1}), store.ErrCorrupt},
		"a large value":        {list(t, &pb.KV{Key: []byte("k"), Version: 1, Value: make([]byte, 1<<20)}), store.ErrCorrupt},
	} {
		dir := filepath.Join(t.TempDir(), "restored")
		if err := Restore(dir, packed(test.text)); !errors.Is(err, test.want) {
			t.Errorf("%s: got %v, want %v", name, err, test.want)
		}
		if _, err := os.Stat(dir); !os.IsNotExist(err) {
			t.Errorf("%s: something is left: %v", name, err)
		}
	}
	db, err := openBadger(t.TempDir(), small)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	full := fmt.Errorf("no room: %w", store.ErrFull)
	if err := load(db, bytes.NewReader(whole), func(int) error { return full }); !errors.Is(err, store.ErrFull) || errors.Is(err, store.ErrCorrupt) {
		t.Errorf("full disk: got %v, want %v alone", err, full)
	}
}

// list is a frame of one record.
func list(t *testing.T, kv *pb.KV) []byte {
	t.Helper()
	text, err := proto.Marshal(&pb.KVList{Kv: []*pb.KV{kv}})
	if err != nil {
		t.Fatal(err)
	}
	return append(binary.LittleEndian.AppendUint64(nil, uint64(len(text))), text...)
}
