package badger

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

func TestUsage(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(dir, Options{Ballast: -1})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	before, free, err := s.Usage()
	if err != nil || before == 0 || free == 0 {
		t.Fatalf("got %d bytes used, %d free, %v", before, free, err)
	}
	const size = 1 << 20
	for _, name := range []string{"more", ballastName} { // the ballast is no part of it
		if err := os.WriteFile(filepath.Join(dir, name), bytes.Repeat([]byte{1}, size), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	after, _, err := s.Usage()
	if err != nil || after-before < size || after-before >= 2*size {
		t.Errorf("a file of %d bytes makes a difference of %d, %v", size, after-before, err)
	}
}
