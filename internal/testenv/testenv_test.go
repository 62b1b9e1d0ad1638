package testenv

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// recorder is a test that only notes how it was ended first. It goes on, unlike a real one.
type recorder struct {
	testing.TB
	ended string
}

func (r *recorder) Helper()                      {}
func (r *recorder) Skip(args ...any)             { r.note("skipped: " + fmt.Sprint(args...)) }
func (r *recorder) Fatalf(f string, args ...any) { r.note("failed: " + fmt.Sprintf(f, args...)) }

func (r *recorder) note(how string) {
	if r.ended == "" {
		r.ended = how
	}
}

func TestSkip(t *testing.T) {
	for require, want := range map[string]string{"": "skipped: why", "all": "failed: required, but cannot run: why", "machine": "failed: required, but cannot run: why"} {
		t.Setenv("TUNED_TEST_REQUIRE", require)
		r := &recorder{TB: t}
		Skip(r, "why")
		if r.ended != want {
			t.Errorf("require %q: got %q, want %q", require, r.ended, want)
		}
	}
}

func TestKatib(t *testing.T) {
	there := t.TempDir()
	gone := filepath.Join(there, "gone")
	for _, test := range []struct{ dir, require, kind, says string }{
		{there, "all", "", ""},
		{gone, "", "skipped", gone},
		{gone, "all", "failed", gone},
		{"", "all", "failed", "TUNED_KATIB_DATA"},
		{"", "machine", "skipped", "TUNED_KATIB_DATA"},
		{gone, "machine", "failed", gone},
	} {
		t.Setenv("TUNED_KATIB_DATA", test.dir)
		t.Setenv("TUNED_TEST_REQUIRE", test.require)
		r := &recorder{TB: t}
		Katib(r, "x")
		if !strings.HasPrefix(r.ended, test.kind) || !strings.Contains(r.ended, test.says) || (test.kind == "") != (r.ended == "") {
			t.Errorf("data in %q, require %q: got %q, want it %s, with %q", test.dir, test.require, r.ended, test.kind, test.says)
		}
	}
}
