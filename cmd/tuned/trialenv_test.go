package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	tunedv1 "github.com/tuned-hpo/tuned/api/tuned/v1"
)

// TestTrialFindsItsDaemon uses, over TCP, the token that a trial finds in its environment: it is good for that
// trial alone.
func TestTrialFindsItsDaemon(t *testing.T) {
	dir := writeExperiment(t)
	t.Cleanup(func() { letGo(t, dir) }) // whatever fails, no trial stays
	s := startServe(t, dir)
	call(t, dir, exitOK, "submit", "--data-dir", "d", "work.yaml", "--", "sh", "-c",
		`env > $TUNED_TRIAL.new; mv $TUNED_TRIAL.new $TUNED_TRIAL.env; while ! [ -e go ]; do sleep 0.05; done; echo loss=$0`,
		"${trialParameters.x}", "${trialParameters.opt}")
	call(t, dir, exitOK, "wait", "work", "--data-dir", "d", "--for", "running")
	s.until("trial started")
	s.until("trial started")
	names := strings.Fields(first(call(t, dir, exitOK, "trials", "work", "--data-dir", "d", "-o", "name")))
	env := trialEnvironment(t, dir, names[0])
	var parameters map[string]any
	if err := json.Unmarshal([]byte(env["TUNED_PARAMS"]), &parameters); err != nil || parameters["opt"] == "" || parameters["x"] == nil {
		t.Errorf("TUNED_PARAMS = %q, %v", env["TUNED_PARAMS"], err)
	}
	if env["TUNED_EXPERIMENT"] != "default/work" || env["TUNED_TRIAL"] != names[0] || !strings.HasPrefix(env["TUNED_SERVER"], "unix:/") {
		t.Errorf("experiment %q, trial %q, server %q", env["TUNED_EXPERIMENT"], env["TUNED_TRIAL"], env["TUNED_SERVER"])
	}
	p := &place{server: s.url, getenv: func(name string) string { return env[name] }}
	c, err := p.open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, name := range names[:2] {
		_, err := c.ShouldStop(t.Context(), &tunedv1.ShouldStopRequest{Namespace: "default", Experiment: "work", Trial: name})
		if own := name == names[0]; own != (err == nil) {
			t.Errorf("should %s stop, asked with the token of %s: %v", name, names[0], err)
		}
	}
	if _, err := c.ListExperiments(t.Context(), &tunedv1.ListExperimentsRequest{}); status.Code(err) != codes.Unauthenticated && status.Code(err) != codes.PermissionDenied {
		t.Errorf("a trial lists experiments: %v", err)
	}
	letGo(t, dir)
	call(t, dir, exitOK, "wait", "work", "--data-dir", "d")
	s.exits(exitOK, syscall.SIGTERM)
}

func first(stdout, _ string) string { return stdout }

// trialEnvironment waits for the file that a trial writes.
func trialEnvironment(t *testing.T, dir, trial string) map[string]string {
	t.Helper()
	var text []byte
	eventually(t, func() bool {
		var err error
		text, err = os.ReadFile(filepath.Join(dir, trial+".env"))
		return err == nil
	})
	env := map[string]string{}
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		env[name] = value
	}
	return env
}
