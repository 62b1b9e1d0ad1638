// Package pyclient_test runs the tests of python/tuned.py, which are in Python, against the real daemon.
package pyclient_test

import (
	"bytes"
	"fmt"
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

// absent matches what a test says that needs a version of Python that is not installed.
var absent = regexp.MustCompile(`skipped '(Python 3\.\d+ is not installed)'`)

// unittest runs a module of python/tests, which must have some test and skip none but for lack of a version of Python.
func unittest(t *testing.T, python, module string) {
	t.Helper()
	c := exec.CommandContext(t.Context(), python, "-W", "ignore", "-W", "always::ResourceWarning", "-m", "unittest", "-v", module)
	c.Dir = filepath.Join("..", "..", "python", "tests")
	c.Env = append(os.Environ(), "TUNED_BIN="+bin, "PYTHONDONTWRITEBYTECODE=1", "PYTHONPATH=..")
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	err := c.Run()
	if found := absent.FindStringSubmatch(out.String()); err == nil && found != nil {
		testenv.Skip(t, found[1])
	}
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
	for _, module := range []string{"test_trial", "test_never_raises", "test_study", "test_notebook", "test_versions.TestSource", "test_docs"} {
		t.Run(module, func(t *testing.T) {
			unittest(t, python, module)
		})
	}
}

// TestVersions uses the client under each version of Python that it is for.
func TestVersions(t *testing.T) {
	python := testenv.Program(t, "python3")
	for minor := 8; minor <= 13; minor++ {
		t.Run(fmt.Sprintf("3.%d", minor), func(t *testing.T) {
			unittest(t, python, fmt.Sprintf("test_versions.TestVersions.test_3_%d", minor))
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
