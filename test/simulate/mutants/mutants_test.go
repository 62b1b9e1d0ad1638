// Package mutants_test plants known faults in the program, one at a time, and requires that the
// simulation finds each of them. Each file *.mutant has a line that says what is wrong, perhaps flags
// of the simulation, and the pieces of source that are replaced.
package mutants_test

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	all   = flag.Bool("all", false, "plant every mutant, not only those of each run of the tests")
	seeds = flag.Int("mutant-seeds", 1000, "seeds within which a mutant must be found")
)

const root = "../../.."

// quick are the mutants of each run of the tests.
var quick = []string{"lost-retry", "budget-exceeded", "greeting-off-by-one"}

// mutant is one planted fault.
type mutant struct {
	name, what string
	flags      []string
	files      map[string]string // changed sources, by path below the root
}

// read reads a mutant. A piece of source that is not there exactly once is an error: the mutant would
// plant nothing, or something else.
func read(path string) (m mutant, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return m, err
	}
	head, rest, _ := strings.Cut(string(text), "\n--- ")
	m.name, m.files = strings.TrimSuffix(filepath.Base(path), ".mutant"), map[string]string{}
	what, flags, _ := strings.Cut(head, "\nflags: ")
	m.what, m.flags = what, strings.Fields(flags)
	for part := range strings.SplitSeq(rest, "\n--- ") {
		if err := m.replace(part); err != nil {
			return m, fmt.Errorf("%s: %w", m.name, err)
		}
	}
	return m, nil
}

// replace makes one change: a path, and what stands for what.
func (m *mutant) replace(part string) error {
	path, edit, ok := strings.Cut(part, "\n<<<<\n")
	was, is, ok2 := strings.Cut(edit, "\n====")
	is, _, ok3 := strings.Cut(strings.TrimPrefix(is, "\n"), ">>>>")
	is = strings.TrimSuffix(is, "\n")
	if !ok || !ok2 || !ok3 {
		return errors.New("want a path, <<<<, the source, ====, what replaces it, >>>>")
	}
	if _, changed := m.files[path]; !changed {
		text, err := os.ReadFile(filepath.Join(root, path))
		if err != nil {
			return err
		}
		m.files[path] = string(text)
	}
	if n := strings.Count(m.files[path], was); n != 1 {
		return fmt.Errorf("no longer applies: %s has this %d times, want once:\n%s", path, n, was)
	}
	m.files[path] = strings.Replace(m.files[path], was, is, 1)
	return nil
}

// build builds the simulation with the mutant in it.
func (m *mutant) build(t *testing.T) (program string) {
	t.Helper()
	dir := t.TempDir()
	overlay := struct{ Replace map[string]string }{map[string]string{}}
	for path, text := range m.files {
		real, err := filepath.Abs(filepath.Join(root, path))
		if err != nil {
			t.Fatal(err)
		}
		overlay.Replace[real] = filepath.Join(dir, strings.ReplaceAll(path, "/", "_"))
		if err := os.WriteFile(overlay.Replace[real], []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	file, program := filepath.Join(dir, "overlay.json"), filepath.Join(dir, "simulate")
	text, err := json.Marshal(overlay)
	if err == nil {
		err = os.WriteFile(file, text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), "go", "test", "-c", "-tags=failpoint", "-ldflags=-s -w", "-overlay="+file, "-o", program, "./test/simulate")
	c.Dir = root
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return program
}

var found = regexp.MustCompile(`seed (\d+), after .*BROKEN: .*`)

// TestMutants requires that the simulation finds what is planted.
func TestMutants(t *testing.T) {
	paths, err := filepath.Glob("*.mutant")
	if err != nil || len(paths) < 24 {
		t.Fatalf("%d mutants (%v), want 24 or more", len(paths), err)
	}
	planted, caught := 0, 0
	for _, path := range paths {
		m, err := read(path)
		if err != nil {
			t.Error(err)
			continue
		}
		if !*all && !strings.Contains(strings.Join(quick, " "), m.name) {
			continue
		}
		planted++
		t.Run(m.name, func(t *testing.T) {
			c := exec.CommandContext(t.Context(), m.build(t), append([]string{"-test.run=Simulation", "-test.timeout=30m", fmt.Sprint("-seeds=", *seeds)}, m.flags...)...)
			c.Dir = ".."
			out, err := c.CombinedOutput()
			evidence := found.FindSubmatch(out)
			if err == nil || evidence == nil {
				t.Fatalf("%s\nnot found within %d seeds: %v\n%s", m.what, *seeds, err, out)
			}
			caught++
			t.Logf("%s\nfound at seed %s of %d: %.300s", m.what, evidence[1], *seeds, evidence[0])
		})
	}
	t.Logf("%d of %d mutants found", caught, planted)
}
