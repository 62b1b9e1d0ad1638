// Package api_test runs what the documentation of the API says against a real daemon.
package api_test

import (
	"bufio"
	"encoding/json"
	"io"
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
	url := serve(t, bin, filepath.Join(dir, "data"))
	token, err := os.ReadFile(filepath.Join(dir, "data", "token"))
	if err != nil {
		t.Fatal(err)
	}
	script := "set -euo pipefail\n"
	for _, m := range found {
		script += m[1]
	}
	shell := exec.CommandContext(t.Context(), "bash", "-x")
	shell.Dir, shell.Stdin = dir, strings.NewReader(script)
	shell.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "TUNED_SERVER="+url, "TUNED_TOKEN="+strings.TrimSpace(string(token)))
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

// serve starts a daemon and returns its URL once it is ready.
func serve(t *testing.T, bin, data string) (url string) {
	t.Helper()
	c := exec.Command(filepath.Join(bin, "tuned"), "serve", "--data-dir", data, "--listen", "127.0.0.1:0")
	log, err := c.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(log)
	read := make(chan struct{})
	t.Cleanup(func() {
		_ = c.Process.Signal(syscall.SIGTERM)
		<-read
		if err := c.Wait(); err != nil {
			t.Errorf("daemon: %v", err)
		}
	})
	for lines.Scan() {
		var event struct{ URL, Message string }
		if err := json.Unmarshal(lines.Bytes(), &event); err != nil {
			t.Errorf("%v in %q", err, lines.Text())
		}
		if event.Message == "ready" {
			go func() { defer close(read); _, _ = io.Copy(io.Discard, log) }()
			return event.URL
		}
	}
	close(read)
	t.Fatalf("the daemon is never ready: %v", lines.Err())
	return ""
}
