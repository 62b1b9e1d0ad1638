// Package testenv tells tests what the machine at hand offers, and makes a missing part visible:
// a skipped test, or a failed one when it is required. TUNED_TEST_REQUIRE=all requires everything,
// TUNED_TEST_REQUIRE=machine all that can be installed, which Katib's test data cannot.
package testenv

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
)

// Katib returns the path of a file of Katib's test data below the folder that TUNED_KATIB_DATA
// names. The test is skipped without it.
func Katib(t testing.TB, elem ...string) string {
	t.Helper()
	dir := os.Getenv("TUNED_KATIB_DATA")
	if dir == "" {
		skip(t, "TUNED_KATIB_DATA names no folder with Katib's test data", "all")
	}
	if _, err := os.Stat(dir); err != nil {
		skip(t, "TUNED_KATIB_DATA names no folder with Katib's test data: "+err.Error(), "all", "machine")
	}
	return filepath.Join(append([]string{dir}, elem...)...)
}

// Program returns the path of an executable. The test is skipped without it.
func Program(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		Skip(t, "program "+name+" is not installed")
	}
	return path
}

// PythonModule skips the test unless python3 can import the module.
func PythonModule(t testing.TB, module string) {
	t.Helper()
	python := Program(t, "python3")
	if err := exec.CommandContext(t.Context(), python, "-c", "import "+module).Run(); err != nil {
		Skip(t, "Python module "+module+" is not installed")
	}
}

// Skip ends the test as skipped for the given reason, or as failed when what the machine lacks is
// required.
func Skip(t testing.TB, reason string) {
	t.Helper()
	skip(t, reason, "all", "machine")
}

// skip fails the test instead where TUNED_TEST_REQUIRE has one of the given values.
func skip(t testing.TB, reason string, required ...string) {
	t.Helper()
	if slices.Contains(required, os.Getenv("TUNED_TEST_REQUIRE")) {
		t.Fatalf("required, but cannot run: %s", reason)
	}
	t.Skip(reason)
}
