package badger

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/tuned-hpo/tuned/pkg/store"
)

// TestCheckTable cuts a table at each byte, and flips a bit of each.
func TestCheckTable(t *testing.T) {
	dir := t.TempDir()
	newOne(t, dir, 0) // closing it writes a table
	found := glob(t, dir, "*.sst")
	if len(found) == 0 {
		t.Fatal("no table")
	}
	whole, err := os.ReadFile(found[0])
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "000001.sst")
	check := func(table []byte) error {
		if err := os.WriteFile(path, table, 0o600); err != nil {
			t.Fatal(err)
		}
		return checkTable(path)
	}
	if err := check(whole); err != nil {
		t.Fatalf("whole: %v", err)
	}
	for i := range whole {
		if err := check(whole[:i]); !errors.Is(err, store.ErrCorrupt) {
			t.Errorf("cut at %d of %d: got %v, want ErrCorrupt", i, len(whole), err)
		}
		bit := i % 8
		whole[i] ^= 1 << bit
		if err := check(whole); !errors.Is(err, store.ErrCorrupt) {
			t.Errorf("byte %d of %d, bit %d: got %v, want ErrCorrupt", i, len(whole), bit, err)
		}
		whole[i] ^= 1 << bit
	}
}

// TestTableOfNobody opens a store beside a table that a killed process had begun to write.
func TestTableOfNobody(t *testing.T) {
	dir := t.TempDir()
	newOne(t, dir, 0)
	if err := os.WriteFile(filepath.Join(dir, "000099.sst"), make([]byte, 100), 0o600); err != nil {
		t.Fatal(err)
	}
	mustClose(t, mustOpen(t, dir))
}
