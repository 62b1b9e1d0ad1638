package server_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/rs/zerolog"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	tunedv1 "github.com/tuned-hpo/tuned/api/tuned/v1"
	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/server"
	"github.com/tuned-hpo/tuned/pkg/tuner"
)

// safeBuffer is written to by many.
type safeBuffer struct {
	mu sync.Mutex
	bytes.Buffer
}

// Write implements io.Writer.
func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.Write(p)
}

func (b *safeBuffer) text() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.String()
}

// logged is a log that a test reads.
func logged(into *safeBuffer) func(*server.Config) {
	return func(c *server.Config) { c.Log = zerolog.New(into).Level(zerolog.DebugLevel) }
}

const canary = "canary-6f1c"

// secretive is an experiment that holds the canary wherever a secret may stand.
const secretive = `apiVersion: kubeflow.org/v1beta1
kind: Experiment
metadata:
  name: secretive
  annotations: {kubectl.kubernetes.io/last-applied-configuration: '{"env": [{"name": "API_KEY", "value": "` + canary + `"}]}'}
spec:
  maxTrialCount: 3
  parallelTrialCount: 1
  objective: {type: minimize, objectiveMetricName: loss}
  algorithm: {algorithmName: random}
  parameters:
  - {name: lr, parameterType: double, feasibleSpace: {min: "0.1", max: "1"}}
  trialTemplate:
    primaryContainerName: main
    trialParameters: [{name: lr, reference: lr}]
    trialSpec:
      apiVersion: batch/v1
      kind: Job
      spec:
        template:
          spec:
            restartPolicy: Never
            containers:
            - name: main
              image: train
              command: [sh, -c, "PASSWORD=` + canary + ` ./train --api-key=` + canary + ` --lr=${trialParameters.lr} --max-tokens=7"]
              env:
              - {name: HF_TOKEN, value: ` + canary + `}
              - {name: DB_PASSWORD, value: ` + canary + `}
              - {name: MAX_TOKENS, value: "512"}
              - {name: GREETING, value: hello}
`

// TestSecretsStayInside: what is masked shows nowhere: not in answers, not in logs, and neither do tokens.
func TestSecretsStayInside(t *testing.T) {
	var log safeBuffer
	r := newRigOf(t, nil, logged(&log))
	body, err := json.Marshal(map[string]any{"manifest": secretive})
	if err != nil {
		t.Fatal(err)
	}
	const path = "/api/v1/namespaces/default/experiments/secretive"
	var all bytes.Buffer
	for _, request := range [][3]string{
		{http.MethodPost, "/api/v1/experiments", strings.Replace(string(body), "{", `{"validateOnly": true, `, 1)},
		{http.MethodPost, "/api/v1/experiments?token=" + canary, string(body)},
		{http.MethodPost, "/api/v1/experiments", string(body)},
		{http.MethodPost, "/api/v1/experiments", strings.Replace(string(body), "maxTrialCount: 3", "maxTrialCount: 4", 1)}, // another one of that name
		{http.MethodPost, "/api/v1/experiments", strings.Replace(string(body), "random", "none", 1)},
		{http.MethodPost, "/api/v1/experiments", strings.Replace(string(body), "value: "+canary, "value: x"+canary, 1)},
		{http.MethodPost, "/api/v1/experiments", strings.Replace(string(body), "PASSWORD="+canary, "PASSWORD=x"+canary, 1)},
		{http.MethodGet, path, ""},
		{http.MethodPost, path + "/pause", "{}"},
		{http.MethodGet, path + "/trials", ""},
		{http.MethodGet, path + "/events", ""},
		{http.MethodGet, "/api/v1/experiments", ""},
		{http.MethodGet, "/openapi.json", ""},
		{http.MethodGet, "/?token=" + canary, ""},
		{http.MethodGet, "/?login=" + canary, ""},
	} {
		all.Write(r.do(t, request[0], request[1], request[2], as(userToken)...).body)
		all.Write(r.do(t, request[0], request[1], request[2], as(canary)...).body)
	}
	for name, text := range map[string]string{"answers": all.String(), "log": log.text()} {
		for _, secret := range []string{canary, userToken} {
			if at := strings.Index(text, secret); at >= 0 {
				t.Errorf("%s have %q: ...%s...", name, secret, text[max(0, at-200):min(len(text), at+60)])
			}
		}
	}
	for _, want := range []string{`HF_TOKEN`, `hello`, `512`, `--max-tokens=7`, experiment.Mask} {
		if !strings.Contains(all.String(), want) {
			t.Errorf("%q is missing: it is no secret", want)
		}
	}
	e, err := r.tuner.Experiment(t.Context(), experiment.Key{Namespace: "default", Name: "secretive"})
	if err != nil {
		t.Fatal(err)
	}
	if kept, err := json.Marshal(e.Spec); err != nil || strings.Count(string(kept), canary) != 4 {
		t.Errorf("the secrets themselves are gone, trials would miss them: %s, %v", kept, err)
	}
}

// broken is a tuner with faults of a programmer, and of a disk.
type broken struct{ server.Tuner }

func (broken) Experiment(context.Context, experiment.Key) (*experiment.Experiment, error) {
	panic("a bug\n\x1b[31m with control characters")
}

func (broken) List(context.Context) ([]*experiment.Experiment, error) {
	return nil, io.ErrUnexpectedEOF // of a kind that no client can act on
}

func (broken) Ask(context.Context, experiment.Key, int, string) ([]experiment.Trial, bool, error) {
	return nil, false, tuner.ErrFull
}

func (broken) Feed(context.Context, string) (<-chan tuner.Change, error) { panic("another bug") }

// TestFaultsOfOurOwn: a panic ends one call, and what went wrong is told to the log alone, on one line.
func TestFaultsOfOurOwn(t *testing.T) {
	var log safeBuffer
	r := newRigOf(t, asked(3), logged(&log), func(c *server.Config) { c.Tuner = broken{c.Tuner} })
	r.server.Handle("GET /broken", http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("a third bug") }))
	_, err := r.users.Tell(t.Context(), &tunedv1.TellRequest{Namespace: "default", Experiment: "asked", Trial: "1", Metrics: map[string]float64{"acc": 1}})
	if status.Code(err) != codes.NotFound && status.Code(err) != codes.Internal {
		t.Errorf("tell: %v", err)
	}
	stream, err := r.users.Watch(t.Context(), &tunedv1.WatchRequest{})
	if err == nil {
		_, err = stream.Recv()
	}
	if status.Code(err) != codes.Internal {
		t.Errorf("watch: got %v, want Internal", err)
	}
	for path, want := range map[string]string{
		"GET /api/v1/experiments": "INTERNAL", "GET /api/v1/watch": "INTERNAL", "GET /broken": "INTERNAL",
		"POST /api/v1/namespaces/default/experiments/asked/ask":                "STORAGE_FULL",
		"POST /api/v1/namespaces/default/experiments/asked/trials/none/should": "ROUTE_NOT_FOUND",
		"POST /api/v1/namespaces/default/experiments/asked/trials/none/tell":   "INTERNAL", // which of the two is missing is not to be found out
		"PATCH /api/v1/namespaces/default/experiments/asked":                   "METHOD_NOT_ALLOWED",
		"POST /openapi.json": "METHOD_NOT_ALLOWED",
		"GET /api/v1/namespaces/default/experiments/asked/trials/1/log?follow=x":  "ARGUMENT_INVALID",
		"GET /api/v1/namespaces/default/experiments/asked/trials/1/log?tailBytes": "INTERNAL",
	} {
		method, path, _ := strings.Cut(path, " ")
		body := map[string]string{"POST": `{"metrics": {"acc": 1}}`}[method]
		if strings.HasSuffix(path, "/ask") {
			body = "{}"
		}
		p := r.do(t, method, path, body, as(userToken)...).problem(t)
		if p.Code != want && !strings.HasSuffix(path, "tailBytes") {
			t.Errorf("%s %s: got %s (%s), want %s", method, path, p.Code, p.Message, want)
		}
		if strings.Contains(p.Message, "bug") || strings.Contains(p.Message, "EOF") {
			t.Errorf("%s %s: the client reads %q", method, path, p.Message)
		}
	}
	if got := log.text(); strings.Contains(got, "\x1b") || !strings.Contains(got, "a bug") || !strings.Contains(got, "a third bug") || !strings.Contains(got, "unexpected EOF") {
		t.Errorf("log: %q", got)
	}
	for line := range strings.Lines(log.text()) {
		if !json.Valid([]byte(line)) {
			t.Errorf("a line of the log is no event: %q", line)
		}
	}
}

// TestControlCharacters: what a client sends reaches no log and no message as it is.
func TestControlCharacters(t *testing.T) {
	var log safeBuffer
	r := newRigOf(t, asked(3), logged(&log))
	hostile := "\x1b[2J\x07\nforged: line\r"
	body, err := json.Marshal(map[string]any{"manifest": "apiVersion: kubeflow.org/v1beta1\nkind: Experiment\nmetadata: {name: \"a\\e[2J\\nb\"}\nspec: {\"x\\e[31m\": 1}\n"})
	if err != nil {
		t.Fatal(err)
	}
	a := r.do(t, http.MethodPost, "/api/v1/experiments", string(body), as(userToken)...)
	p := a.problem(t)
	if p.Code != "MANIFEST_INVALID" || len(p.Faults) < 2 || p.Faults[0].Line == 0 || p.Faults[0].Column == 0 {
		t.Errorf("got %s", a.body)
	}
	for _, f := range p.Faults {
		if strings.ContainsAny(f.Message, "\x1b\n\r\x07") {
			t.Errorf("fault %q has control characters", f.Message)
		}
	}
	_, err = r.users.GetExperiment(t.Context(), &tunedv1.GetExperimentRequest{Namespace: hostile, Name: hostile})
	if got := status.Convert(err).Message(); status.Code(err) != codes.NotFound || strings.ContainsAny(got, "\x1b\n\r\x07") {
		t.Errorf("got %q, want NotFound without control characters", got)
	}
	_, err = r.users.Tell(t.Context(), &tunedv1.TellRequest{Namespace: "default", Experiment: "asked", Trial: hostile, Failed: true, Message: hostile})
	if got := status.Convert(err).Message(); strings.ContainsAny(got, "\x1b\n\r\x07") {
		t.Errorf("message %q has control characters", got)
	}
	if strings.ContainsAny(log.text(), "\x1b\r\x07") {
		t.Errorf("log: %q", log.text())
	}
}
