//go:build failpoint

package failpoint

import (
	"errors"
	"path/filepath"
	"testing"
)

func TestParse(t *testing.T) {
	tests := []struct {
		text string
		ok   bool
	}{
		{"", true},
		{"store.txn=kill", true},
		{"store.txn=error:7", true},
		{"store.group=sleep", true},
		{"store.group=error", false}, // it has no error
		{"store.txn=kil", false},
		{"store.txn", false},
		{"store.txn=kill:0", false},
		{"store.txn=kill:x", false},
		{"absent=kill", false},
		{"#=kill", false},
	}
	for _, tt := range tests {
		if _, err := parse(tt.text, ""); (err == nil) != tt.ok {
			t.Errorf("%q: got %v, want accepted: %t", tt.text, err, tt.ok)
		}
	}
}

func TestHitCountsAndMarks(t *testing.T) {
	mark := filepath.Join(t.TempDir(), "mark")
	for process, want := range []int{3, 0} { // the second one finds the mark
		f, err := parse("store.txn=error:3", mark)
		if err != nil {
			t.Fatal(err)
		}
		failed := 0
		for n := 1; n <= 5; n++ {
			if f.hit("store.group") != nil {
				t.Errorf("process %d: another point failed", process)
			}
			if errors.Is(f.hit("store.txn"), ErrInjected) {
				failed = n
			}
		}
		if failed != want {
			t.Errorf("process %d: failed at hit %d, want %d", process, failed, want)
		}
	}
}
