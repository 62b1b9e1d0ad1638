package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// fuzzed is a module with one target that is sound and one that is not, and functions that are no targets.
var fuzzed = map[string]string{
	"go.mod": "module example.org/fuzzed\n\ngo 1.26\n",
	"a/a_test.go": `package a

import "testing"

func FuzzSound(f *testing.F) { f.Fuzz(func(*testing.T, []byte) {}) }

type T struct{}

func (T) FuzzMethod(f *testing.F) {}
`,
	"b/b_test.go": `package b

import "testing"

func FuzzBroken(f *testing.F) {
	f.Add([]byte("x"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if len(text) > 2 {
			t.Error("too long")
		}
	})
}
`,
	"b/testdata/c_test.go": "package no\n\nfunc FuzzNo(f *testing.F) {}\n",
	".hidden/d_test.go":    "package no\n\nfunc FuzzNo(f *testing.F) {}\n",
}

func TestRun(t *testing.T) {
	root := t.TempDir()
	for name, text := range fuzzed {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	found, err := targets(root)
	if want := []target{{"a", "FuzzSound"}, {"b", "FuzzBroken"}}; err != nil || !slices.Equal(found, want) {
		t.Fatalf("got %v, %v, want %v", found, err, want)
	}
	var out bytes.Buffer
	failed, err := plan{root, "", "3000x", 2000}.run(&out)
	lines := strings.Split(out.String(), "\n")
	if err != nil || failed != 1 || !strings.HasSuffix(lines[0], "a/FuzzSound") || strings.HasPrefix(strings.TrimSpace(lines[0]), "0 ") {
		t.Errorf("got %d failed, %v\n%s\nwant one, and executions of a/FuzzSound", failed, err, out.String())
	}
	if !strings.Contains(out.String(), "b/FuzzBroken: FAILED") || !strings.Contains(out.String(), "too long") {
		t.Errorf("got\n%s\nwant what b/FuzzBroken has found", out.String())
	}
	out.Reset()
	if failed, err := (plan{root, "FuzzSound", "10x", 1000}).run(&out); err != nil || failed != 1 || !strings.Contains(out.String(), "want at least 1000") {
		t.Errorf("executed 10 times of 1000: got %d failed, %v\n%s", failed, err, out.String())
	}
	if _, err := (plan{root, "FuzzNothing", "1s", 0}).run(&out); err == nil {
		t.Error("no target matches, and there is no error")
	}
}

// This module has a target for each reader of what others write.
func TestTargetsOfThisModule(t *testing.T) {
	found, err := targets("../..")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []target{
		{"pkg/experiment", "FuzzRead"},                // YAML
		{"pkg/experiment", "FuzzRender"},              // templates
		{"pkg/experiment", "FuzzRenderYAML"},          // templates as text
		{"pkg/collector", "FuzzText"},                 // metric lines
		{"pkg/collector", "FuzzJSON"},                 // metric lines
		{"pkg/searchspace", "FuzzParse"},              // parameters
		{"pkg/trialrunner/trialdir", "FuzzReadSpool"}, // the agent's journal
		{"pkg/store/badger", "FuzzBackup"},
		{"pkg/store/badger", "FuzzRecord"},
		{"pkg/store/badger", "FuzzBlock"},
		{"pkg/store/badger", "FuzzWatermark"},
	} {
		if !slices.Contains(found, want) {
			t.Errorf("there is no %s", want)
		}
	}
}
