// Package pyclient_test runs the tests of python/tuned.py, which are in Python, against the real daemon.
package pyclient_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/tuned-hpo/tuned/internal/testenv"
)

var bin string // folder of the built programs

func TestMain(m *testing.M) {
	os.Exit(testenv.WithPrograms(m, &bin,
		"github.com/tuned-hpo/tuned/cmd/tuned",
		"github.com/tuned-hpo/tuned/cmd/trial-agent"))
}

// ran matches the end of what unittest prints.
var ran = regexp.MustCompile(`(?m)^Ran (\d+) tests? in`)

// unittest runs a module of python/tests, which must have some test and skip none.
func unittest(t *testing.T, python, module string) {
	t.Helper()
	c := exec.CommandContext(t.Context(), python, "-W", "ignore", "-W", "always::ResourceWarning", "-m", "unittest", module)
	c.Dir = filepath.Join("..", "..", "python", "tests")
	c.Env = append(os.Environ(), "TUNED_BIN="+bin, "PYTHONDONTWRITEBYTECODE=1", "PYTHONPATH=..")
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	err := c.Run()
	count := ran.FindStringSubmatch(out.String())
	if err != nil || count == nil || count[1] == "0" || strings.Contains(out.String(), "skipped=") {
		t.Fatalf("%s: %v\n%s", module, err, out.String())
	}
	if strings.Contains(out.String(), "ResourceWarning: unclosed") {
		t.Errorf("%s: something is left open:\n%s", module, out.String())
	}
	t.Logf("%s: %s tests", module, count[1])
}

func TestClient(t *testing.T) {
	python := testenv.Program(t, "python3")
	for _, module := range []string{"test_trial", "test_never_raises", "test_study", "test_notebook", "test_versions", "test_docs"} {
		t.Run(module, func(t *testing.T) {
			unittest(t, python, module)
		})
	}
}

// TestLibraries runs each callback inside its real library, and installs the client as a package.
func TestLibraries(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "./python", "--installed").Output()
	if err != nil {
		testenv.Skip(t, "the training libraries are not installed: run test/pyclient/python")
	}
	python := filepath.Join(strings.TrimSpace(string(out)), "python3")
	for _, module := range []string{"test_frameworks", "test_package"} {
		t.Run(module, func(t *testing.T) {
			unittest(t, python, module)
		})
	}
}
