package runnertest

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tuned-hpo/tuned/pkg/trialrunner"
)

// trained is a script that counts in its checkpoint directory what it and those before it have trained, and
// writes down that directory and what it found there.
const trained = `n=$(cat "$TUNED_CHECKPOINT_DIR/epochs" 2>/dev/null || echo 0)
printf '%s\n%s\n' "$TUNED_CHECKPOINT_DIR" "$n" > "$1"
echo $((n + $2)) > "$TUNED_CHECKPOINT_DIR/epochs"; echo done`

// train lets a trial train some epochs. It returns its directory, and how many it found there.
func (h Harness) train(t *testing.T, name string, attempt, epochs int, c trialrunner.Checkpoint) (dir, found string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "found")
	spec := h.Script(name, trained, file, fmt.Sprint(epochs))
	spec.Attempt, spec.Checkpoint = attempt, c
	h.Start(t, spec)
	if w := h.End(t, spec); w.Exit.Reason != "Completed" {
		t.Fatalf("attempt %d of %s: got %+v", attempt, name, w.Exit)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Runner.Remove(t.Context(), Key, name, attempt); err != nil {
		t.Fatal(err)
	}
	dir, found, _ = strings.Cut(strings.TrimSuffix(string(text), "\n"), "\n")
	return dir, found
}

func testCheckpoint(t *testing.T, h Harness) {
	for _, c := range []struct{ name, folder string }{{"own", ""}, {"elsewhere", t.TempDir()}} {
		from := func(parent string) trialrunner.Checkpoint {
			return trialrunner.Checkpoint{Parent: parent, Folder: c.folder}
		}
		dirs := map[string]bool{}
		for _, step := range []struct {
			trial   string
			attempt int
			parent  string
			epochs  int
			want    string // epochs found
		}{
			{"a", 1, "", 3, "0"},
			{"b", 1, "a", 2, "3"},
			{"b", 2, "a", 2, "5"},
			{"c", 1, "a", 1, "3"},
			{"d", 1, "b", 1, "7"},
			{"e", 1, "never-ran", 1, "0"},
		} {
			dir, found := h.train(t, c.name+"-"+step.trial, step.attempt, step.epochs, from(prefixed(c.name, step.parent)))
			if found != step.want {
				t.Errorf("%s: attempt %d of %s found %s epochs, want %s", c.name, step.attempt, step.trial, found, step.want)
			}
			if !filepath.IsAbs(dir) || !strings.HasPrefix(dir, c.folder) || dirs[dir] != (step.attempt > 1) {
				t.Errorf("%s: attempt %d of %s has directory %s", c.name, step.attempt, step.trial, dir)
			}
			dirs[dir] = true
		}
		if err := h.Runner.Purge(t.Context(), Key); err != nil {
			t.Errorf("%s: purge: %v", c.name, err)
		}
		for dir := range dirs {
			if _, err := os.Lstat(dir); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s: %s is left after a purge: %v", c.name, dir, err)
			}
		}
	}
}

func prefixed(prefix, name string) string {
	if name == "" {
		return ""
	}
	return prefix + "-" + name
}
