package badger

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/tuned-hpo/tuned/pkg/store"
)

// childRestore restores what comes on standard input, and says when it begins to read it.
func childRestore() int {
	if err := Restore(os.Getenv(dirEnv), &announced{from: os.Stdin}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

type announced struct {
	from io.Reader
	said bool
}

// Read implements io.Reader.
func (a *announced) Read(p []byte) (int, error) {
	if !a.said {
		a.said = true
		fmt.Println("reading")
	}
	return a.from.Read(p)
}

// TestRestoreIsKilled: wherever the process is killed that restores, nothing is there under the name of the store; the
// next one begins anew. While it goes on, no other restores the same.
func TestRestoreIsKilled(t *testing.T) {
	s := mustOpen(t, t.TempDir())
	const experiments = 400
	for i := range experiments {
		createNamed(t, s, fmt.Sprintf("e%d", i))
	}
	var whole bytes.Buffer
	if err := s.Backup(t.Context(), &whole); err != nil {
		t.Fatal(err)
	}
	mustClose(t, s)
	dir := filepath.Join(t.TempDir(), "restored")
	const kills = 8
	for i := range kills {
		c := child(t, "restore", dir)
		to, err := c.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		said, err := c.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		if _, err := bufio.NewReader(said).ReadString('\n'); err != nil {
			t.Fatal(err)
		}
		if _, err := to.Write(whole.Bytes()[:i*whole.Len()/kills]); err != nil {
			t.Fatal(err)
		}
		if err := Restore(dir, bytes.NewReader(whole.Bytes())); !errors.Is(err, store.ErrLocked) {
			t.Errorf("beside another: got %v, want %v", err, store.ErrLocked)
		}
		if err := c.Process.Kill(); err != nil {
			t.Error(err)
		}
		if err := c.Wait(); err == nil {
			t.Error("the restoring process ended by itself")
		}
		if _, err := os.Stat(dir); !os.IsNotExist(err) {
			t.Fatalf("killed after %d of %d parts, it leaves the directory: %v", i, kills, err)
		}
	}
	if err := Restore(dir, bytes.NewReader(whole.Bytes())); err != nil {
		t.Fatal(err)
	}
	back := mustOpen(t, dir)
	defer mustClose(t, back)
	if list, err := back.List(t.Context()); err != nil || len(list) != experiments {
		t.Errorf("%d experiments, %v; want %d", len(list), err, experiments)
	}
	if entries, err := os.ReadDir(filepath.Dir(dir)); err != nil || len(entries) != 1 {
		t.Errorf("beside it there are %v, %v", entries, err)
	}
}
