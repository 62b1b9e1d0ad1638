package badger

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

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
