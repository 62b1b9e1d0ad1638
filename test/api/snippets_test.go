// Package api_test runs what the documentation of the API says against a real daemon.
package api_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/tuned-hpo/tuned/internal/testenv"
)

var snippet = regexp.MustCompile("(?ms)^```sh\n(.*?)^```$")

// TestSnippets runs the commands of docs/api.md, one after the other in one shell, as a reader would.
func TestSnippets(t *testing.T) {
	for _, program := range []string{"bash", "curl", "jq", "timeout"} {
		testenv.Program(t, program)
	}
	text, err := os.ReadFile("../../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	found := snippet.FindAllStringSubmatch(string(text), -1)
	if len(found) < 10 {
		t.Fatalf("%d snippets: too few to believe", len(found))
	}
	bin, dir := build(t), t.TempDir()
	d := testenv.Serve(t, bin, filepath.Join(dir, "data"), nil)
	defer d.End(syscall.SIGTERM)
	script := "set -euo pipefail\n"
	for _, m := range found {
		script += m[1]
	}
	shell := exec.CommandContext(t.Context(), "bash", "-x")
	shell.Dir, shell.Stdin = dir, strings.NewReader(script)
	shell.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "TUNED_SERVER="+d.URL, "TUNED_TOKEN="+d.Token)
	out, err := shell.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{
		`"Running"`, "acked", `"Succeeded"`, `"Failed"`, "event: reset", "EXPERIMENT_NOT_FOUND", `"Paused"`, `"ExperimentStopped"`, "bayesianoptimization:",
		"<title>bowl: tuned</title>", `["Succeeded","ExperimentMaxTrialsReached",3,"1"]`, `["moved-2",3]`,
	} {
		if !strings.Contains(string(out), want) {
			t.Errorf("nothing printed %s:\n%s", want, out)
		}
	}
}

// build returns a folder with the programs.
func build(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, pkg := range []string{"./cmd/tuned", "./cmd/trial-agent", "./test/api/grpcurl"} {
		c := exec.CommandContext(t.Context(), "go", "build", "-o", dir, pkg)
		c.Dir = filepath.Join("..", "..")
		if out, err := c.CombinedOutput(); err != nil {
			t.Fatalf("build %s: %v\n%s", pkg, err, out)
		}
	}
	return dir
}
