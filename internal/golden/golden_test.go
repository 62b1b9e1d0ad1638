package golden

import (
	"os"
	"path/filepath"
	"testing"
)

// recorder is a test that only notes how it failed first. It goes on, unlike a real one.
type recorder struct {
	testing.TB
	failed string
}

func (r *recorder) Helper()               {}
func (r *recorder) Errorf(string, ...any) { r.note("differs") }
func (r *recorder) Fatal(...any)          { r.note("no file") }

func (r *recorder) note(how string) {
	if r.failed == "" {
		r.failed = how
	}
}

func TestCompare(t *testing.T) {
	defer func(before bool) { *update = before }(*update)
	dir := t.TempDir()
	for _, tt := range []struct {
		name, file, got string
		update          bool
		want            string
	}{
		{"not on record", "a", "one\n", false, "no file"},
		{"written", "a", "one\n", true, ""},
		{"as on record", "a", "one\n", false, ""},
		{"a line more", "a", "one\ntwo\n", false, "differs"},
		{"no end of line", "a", "one", false, "differs"},
		{"nothing", "a", "", false, "differs"},
		{"written anew", "a", "two\n", true, ""},
		{"as it was", "a", "one\n", false, "differs"},
		{"empty", "b", "", true, ""},
		{"empty as on record", "b", "", false, ""},
		{"no folder", "c/a", "one\n", true, "no file"},
	} {
		*update = tt.update
		r := &recorder{TB: t}
		Compare(r, filepath.Join(dir, tt.file), tt.got)
		if r.failed != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, r.failed, tt.want)
		}
	}
	if text, err := os.ReadFile(filepath.Join(dir, "a")); string(text) != "two\n" {
		t.Errorf("got %q, %v, want what was written last", text, err)
	}
}
