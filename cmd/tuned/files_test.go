package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const canary = "canary-81d2"

// secretive is an experiment that holds the canary wherever a secret may stand.
const secretive = `apiVersion: kubeflow.org/v1beta1
kind: Experiment
metadata: {name: work}
spec:
  objective: {type: minimize, objectiveMetricName: loss}
  algorithm: {algorithmName: gp}
  parallelTrialCount: 1
  maxTrialCount: 12
  parameters:
    - {name: x, parameterType: double, feasibleSpace: {min: "-1", max: "1"}}
  trialTemplate:
    primaryContainerName: main
    trialParameters: [{name: x, reference: x}]
    trialSpec:
      apiVersion: batch/v1
      kind: Job
      spec:
        template:
          spec:
            restartPolicy: Never
            containers:
              - name: main
                image: any
                command: [awk, 'BEGIN { x = ARGV[1]; print "loss=" x * x }', '${trialParameters.x}', --api-key=` + canary + `]
                env: [{name: DB_PASSWORD, value: ` + canary + `}, {name: GREETING, value: hello}]
`

// answer is what the daemon answers.
type answer struct {
	status int
	header http.Header
	text   string
}

func (s *service) get(path, token string) answer {
	s.t.Helper()
	request, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, s.url+path, http.NoBody)
	if err != nil {
		s.t.Fatal(err)
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		s.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return answer{response.StatusCode, response.Header, string(text)}
}

const workPath = "/api/v1/namespaces/default/experiments/work/"

// made is when a report was made.
var made = regexp.MustCompile(`Made by tuned, [^<]*`)

// TestFilesAreWhatCommandsWrite: the daemon gives the same bytes as tuned export and tuned report, and no secret.
func TestFilesAreWhatCommandsWrite(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "work.yaml"), []byte(secretive), 0o600); err != nil {
		t.Fatal(err)
	}
	s := startServe(t, dir)
	call(t, dir, 0, "submit", "work.yaml", "--data-dir", "d", "--wait")
	token := tokenOf(t, dir)
	for _, tt := range []struct{ path, command, kind, name, holds, policy string }{
		{"export", "export work -o csv", "text/csv; charset=utf-8", "attachment; filename=work.csv", "number,name,state", "script-src 'self'"},
		{"export?format=csv", "export work -o csv", "text/csv; charset=utf-8", "attachment; filename=work.csv", "number,name,state", "script-src 'self'"},
		{"export?format=json", "export work -o json", "application/json", "attachment; filename=work.json", "hello", "script-src 'self'"},
		{"export?format=parquet", "export work -o parquet", "application/vnd.apache.parquet", "attachment; filename=work.parquet", "PAR1", "script-src 'self'"},
		{"export?format=optuna", "export work -o optuna-journal", "application/x-ndjson", "attachment; filename=work.log", `"study_name":"work"`, "script-src 'self'"},
		{"export?format=optuna-journal", "export work -o optuna-journal", "application/x-ndjson", "attachment; filename=work.log", `"study_name":"work"`, "script-src 'self'"},
		{"report", "report work", "text/html; charset=utf-8", "inline; filename=work.html", "hello", "sandbox"},
	} {
		t.Run(tt.path, func(t *testing.T) {
			a := s.get(workPath+tt.path, token)
			got := a.text
			if a.status != http.StatusOK || a.header.Get("Content-Type") != tt.kind || a.header.Get("Content-Disposition") != tt.name {
				t.Errorf("got %d, %v", a.status, a.header)
			}
			if policy := a.header.Get("Content-Security-Policy"); !strings.Contains(policy, "default-src 'none'") || !strings.Contains(policy, tt.policy) {
				t.Errorf("policy %q: want %s", policy, tt.policy)
			}
			want, _ := call(t, dir, 0, append(strings.Fields(tt.command), "--data-dir", "d")...)
			if made.ReplaceAllString(got, "") != made.ReplaceAllString(want, "") {
				t.Errorf("got %d bytes, tuned %s writes %d others", len(got), tt.command, len(want))
			}
			if !strings.Contains(got, tt.holds) || strings.Contains(got, canary) {
				t.Errorf("want %q and no %q in:\n%.2000s", tt.holds, canary, got)
			}
		})
	}
	for path, want := range map[string]string{
		workPath + "export?format=xml":                             "400 ARGUMENT_INVALID",
		workPath + "export?fromat=json":                            "400 ARGUMENT_INVALID",
		strings.Replace(workPath, "work", "absent", 1) + "export":  "404 EXPERIMENT_NOT_FOUND",
		strings.Replace(workPath, "work", "absent", 1) + "report":  "404 EXPERIMENT_NOT_FOUND",
		strings.Replace(workPath, "default", "team", 1) + "export": "404 EXPERIMENT_NOT_FOUND",
	} {
		var problem struct{ Code, Message string }
		a := s.get(path, token)
		if err := json.Unmarshal([]byte(a.text), &problem); err != nil || fmt.Sprint(a.status, " ", problem.Code) != want || strings.Contains(problem.Message, "tuned get") {
			t.Errorf("%s: got %d %s, %v; want %s", path, a.status, a.text, err, want)
		}
	}
	for _, path := range []string{"export", "report"} {
		for _, shown := range []string{"", "wrong"} {
			if got := s.status(workPath+path, shown); got != http.StatusUnauthorized {
				t.Errorf("%s with token %q: got %d", path, shown, got)
			}
		}
	}
	if log, err := os.ReadFile(filepath.Join(dir, "d", "tuned.log")); err != nil || strings.Contains(string(log), canary) {
		t.Errorf("the log has the canary, or %v", err)
	}
	s.exits(0, os.Interrupt)
}

// TestImportAndTheDaemonIsKilled: what an import that was cut has left is whole, absent, or says that it is neither;
// the next daemon takes the same import.
func TestImportAndTheDaemonIsKilled(t *testing.T) {
	const n = 20_000
	dir := t.TempDir()
	var rows strings.Builder
	rows.WriteString("x,loss\n")
	for i := range n {
		fmt.Fprintf(&rows, "%v,%d\n", float64(i+1)/n, n-i)
	}
	if err := os.WriteFile(filepath.Join(dir, "rows.csv"), []byte(rows.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"import", "rows.csv", "--name", "rows", "--objective", "minimize=loss", "--parameters", "x", "--data-dir", "d"}
	s := startServe(t, dir)
	token := tokenOf(t, dir)
	cut := program(t, dir, args...)
	if err := cut.Start(); err != nil {
		t.Fatal(err)
	}
	const path = "/api/v1/namespaces/default/experiments/rows"
	for text := ""; !strings.Contains(text, `"succeeded":`) || strings.Contains(text, `"succeeded":0,`); { // until its first trials are stored
		text = strings.ReplaceAll(s.get(path, token).text, " ", "")
	}
	if err := s.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = s.cmd.Wait()
	_ = cut.Process.Kill() // it would wait for another daemon
	_ = cut.Wait()

	s = startServe(t, dir)
	text := s.get(path, token).text
	var stands struct {
		Reason string
		Counts struct{ Trials int }
	}
	if err := json.Unmarshal([]byte(text), &stands); err != nil {
		t.Fatal(err)
	}
	t.Logf("killed with %d of %d trials stored", stands.Counts.Trials, n)
	if whole := stands.Counts.Trials == n && stands.Reason == "ExperimentMaxTrialsReached"; !whole && stands.Reason != "ImportInterrupted" {
		t.Errorf("it stands as %s", text)
	}
	if stands.Reason == "ImportInterrupted" {
		if out, _ := call(t, dir, 0, args...); !strings.HasPrefix(out, "default/rows imported: 20000 succeeded\n") {
			t.Errorf("again: %s", out)
		}
	}
	call(t, dir, 0, "wait", "rows", "--data-dir", "d")
	s.exits(0, os.Interrupt)
	call(t, dir, 0, "fsck", "--data-dir", "d")
}

// TestRoutesOfTheDaemonAreDescribed: what the daemon adds to the routes of the server is in openapi.json, and the reverse.
func TestRoutesOfTheDaemonAreDescribed(t *testing.T) {
	dir := t.TempDir()
	s := startServe(t, dir)
	var doc struct {
		Paths map[string]struct {
			Joined bool `json:"x-joined"`
		}
	}
	token := tokenOf(t, dir)
	if err := json.Unmarshal([]byte(s.get("/openapi.json", token).text), &doc); err != nil {
		t.Fatal(err)
	}
	of := "/api/v1/namespaces/{namespace}/experiments/{experiment}/"
	added := []string{backupPath, "/metrics", of + "export", of + "report"}
	for path, item := range doc.Paths {
		if item.Joined != slices.Contains(added, path) {
			t.Errorf("%s: x-joined is %v", path, item.Joined)
		}
	}
	for _, path := range added {
		if !doc.Paths[path].Joined {
			t.Errorf("%s is not described", path)
		}
		if a := s.get(path, token); strings.Contains(a.text, "ROUTE_NOT_FOUND") || strings.Contains(a.text, "no route") {
			t.Errorf("%s is described, and not served", path)
		}
	}
}
