package server_test

import (
	"bytes"
	"cmp"
	"io"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"

	tunedv1 "github.com/tuned-hpo/tuned/api/tuned/v1"
	"github.com/tuned-hpo/tuned/api/tuned/v1/openapi"
)

// walked is an experiment that clients evaluate, with an algorithm that has a model.
const walked = `{"manifest": "apiVersion: kubeflow.org/v1beta1\nkind: Experiment\nmetadata: {name: walk}\nspec:\n  maxTrialCount: 40\n  parallelTrialCount: 4\n` +
	`  objective: {type: minimize, objectiveMetricName: loss}\n  algorithm: {algorithmName: bayesianoptimization}\n  tuned: {seed: 7}\n  parameters:\n` +
	`  - {name: x, parameterType: double, feasibleSpace: {min: \"0\", max: \"1\"}}\n  - {name: y, parameterType: double, feasibleSpace: {min: \"0\", max: \"1\"}}\n"}`

// moved is an experiment that ran elsewhere, whose trials come with the manifest.
const moved = `{"manifest": "apiVersion: kubeflow.org/v1beta1\nkind: Experiment\nmetadata: {name: moved}\nspec:\n` +
	`  objective: {type: minimize, objectiveMetricName: loss}\n  algorithm: {algorithmName: random}\n  parameters:\n` +
	`  - {name: x, parameterType: double, feasibleSpace: {min: \"0\", max: \"1\"}}\n", "requestId": "once", "note": "from elsewhere", "tags": ["old"],` +
	` "trials": [{"trial": {"state": "Succeeded", "assignments": [{"name": "x", "value": "0.5"}], "metrics": [{"name": "loss", "latest": "0.25"}]},` +
	` "measurements": [{"seq": "1", "step": "1", "metric": "loss", "text": "0.5"}, {"metric": "loss", "text": "0.25"}]}]}`

// step is one request of a walk over all operations.
type step struct {
	operation, query, body string
	status                 int // 0 is 200
}

// walk calls each operation once at least, in an order in which each can succeed.
func walk() []step {
	steps := []step{
		{operation: "Healthy"},
		{operation: "Ready"},
		{operation: "GetOpenAPI"},
		{operation: "GetVersion"},
		{operation: "ListAlgorithms"},
		{operation: "CreateLogin"},
		{operation: "CreateExperiment", body: walked},
		{operation: "CreateExperiment2", body: walked}, // the same again
		{operation: "ImportExperiment", body: moved},
		{operation: "EnqueueTrial", body: `{"assignments": [{"name": "x", "value": "0.5"}, {"name": "y", "value": "0.25"}], "requestId": "e", "note": "a guess"}`},
		{operation: "Ask", body: `{"count": 4, "requestId": "first"}`},
		{operation: "ReportTrial", body: `{"measurements": [{"seq": "1", "step": "1", "metric": "loss", "text": "0.7"}, {"seq": "2", "step": "2", "metric": "loss", "text": "nan"}]}`},
		{operation: "ShouldStop"},
		{operation: "ListMeasurements", query: "pageSize=1"},
		{operation: "GetCurves", query: "maxPoints=10&metric=loss"},
		{operation: "Tell", body: `{"metrics": {"loss": 0.5}}`},
		{operation: "AnnotateTrial", body: `{"note": "so so", "tags": {"tags": ["good", "kept"]}}`},
		{operation: "GetTrial"},
		{operation: "StopTrial"},                           // it is over, and stays as it is
		{operation: "GetLog", status: http.StatusNotFound}, // no command ran
	}
	for _, x := range []string{"0.1", "0.2", "0.3", "0.4", "0.6", "0.7", "0.8", "0.9"} {
		steps = append(steps, step{operation: "Tell2", body: `{"assignments": [{"name": "x", "value": "` + x + `"}, {"name": "y", "value": "` + x + `"}], "requestId": "t` + x +
			`", "metrics": {"loss": ` + x + `}}`})
	}
	return append(steps, []step{
		{operation: "GetModel"},
		{operation: "ListTrials", query: "pageSize=2&filter=state%3DSucceeded&orderBy=value"},
		{operation: "ListEvents", query: "pageSize=3"},
		{operation: "AnnotateExperiment", body: `{"note": "**mine**", "tags": {"tags": ["b", "a"]}}`},
		{operation: "ListExperiments", query: "filter=tag%3Da"},
		{operation: "ListExperiments2"},
		{operation: "ExtendExperiment", body: `{"budget": {"maxTrials": 50, "maxDuration": "3600s"}}`},
		{operation: "ExtendExperiment", body: `{"moreTrials": 2}`},
		{operation: "PauseExperiment"},
		{operation: "GetExperiment"},
		{operation: "ResumeExperiment"},
		{operation: "StopExperiment", body: `{"drain": true}`},
		{operation: "WatchAll"},
		{operation: "WatchNamespace"},
		{operation: "WatchExperiment"},
		{operation: "DeleteExperiment"},
	}...)
}

func TestEveryRouteAnswersAsDescribed(t *testing.T) {
	r := newRigOf(t, nil)
	doc := strictDoc(t)
	operations := operationsOf(doc)
	for _, s := range walk() {
		route, ok := operations[s.operation]
		if !ok {
			t.Fatalf("%s: no such operation", s.operation)
		}
		r.take(t, route, s)
		route.walked = true
	}
	for name, route := range operations {
		if !route.walked && route.PathItem.Extensions["x-joined"] == nil { // those are of the daemon, see test/docs
			t.Errorf("%s %s (%s) was not walked", route.Method, route.Path, name)
		}
	}
}

type operation struct {
	routers.Route
	walked bool
}

func operationsOf(doc *openapi3.T) map[string]*operation {
	out := map[string]*operation{}
	for path, item := range doc.Paths.Map() {
		for method, o := range item.Operations() {
			out[o.OperationID] = &operation{Route: routers.Route{Spec: doc, Path: path, PathItem: item, Method: method, Operation: o}}
		}
	}
	return out
}

// strictDoc is the description, by which an answer has no field that it does not name.
func strictDoc(t *testing.T) *openapi3.T {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromData(openapi.JSON)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range doc.Components.Schemas {
		if len(s.Value.Properties) > 0 {
			s.Value.AdditionalProperties = openapi3.AdditionalProperties{Has: new(bool)}
		}
	}
	openapi3filter.RegisterBodyDecoder("text/event-stream", openapi3filter.FileBodyDecoder)
	openapi3filter.RegisterBodyDecoder("application/x-ndjson", openapi3filter.RegisteredBodyDecoder("application/json")) // of one line
	return doc
}

var pathParameters = map[string]string{"namespace": "default", "experiment": "walk", "name": "walk", "trial": "1"}

// take makes one request and compares both sides with the description.
func (r *rig) take(t *testing.T, o *operation, s step) {
	t.Helper()
	path := o.Path
	for name, value := range pathParameters {
		path = strings.ReplaceAll(path, "{"+name+"}", value)
	}
	if o.Operation.RequestBody != nil {
		s.body = cmp.Or(s.body, "{}")
	}
	request, err := http.NewRequestWithContext(t.Context(), o.Method, "http://"+r.tcp+path+"?"+s.query, strings.NewReader(s.body))
	if err != nil {
		t.Fatal(err)
	}
	if o.Operation.RequestBody != nil {
		for kind := range o.Operation.RequestBody.Value.Content {
			request.Header.Set("Content-Type", kind)
		}
	}
	request.Header.Set("Authorization", "Bearer "+userToken)
	input := &openapi3filter.RequestValidationInput{
		Request: request, PathParams: pathParameters, Route: &o.Route,
		Options: &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, IncludeResponseStatus: true},
	}
	if err := openapi3filter.ValidateRequest(t.Context(), input); err != nil {
		t.Errorf("%s: the request is not as described: %v", s.operation, err)
	}
	a := r.begun(t, request)
	if want := max(s.status, http.StatusOK); a.StatusCode != want {
		t.Errorf("%s: got %d, want %d: %s", s.operation, a.StatusCode, want, a.body)
	}
	err = openapi3filter.ValidateResponse(t.Context(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: input, Status: a.StatusCode, Header: a.Header, Body: io.NopCloser(bytes.NewReader(a.body)), Options: input.Options,
	})
	if err != nil {
		t.Errorf("%s: the answer is not as described: %v", s.operation, err)
	}
}

// begun sends a request and returns the answer, of a stream of events as much as comes at first.
func (r *rig) begun(t *testing.T, request *http.Request) answer {
	t.Helper()
	if !strings.HasSuffix(request.URL.Path, "/watch") {
		return r.send(t, request)
	}
	response, err := r.client.Transport.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	part := make([]byte, 4096)
	n, err := response.Body.Read(part)
	if err != nil {
		t.Fatal(err)
	}
	return answer{response, part[:n]}
}

// streamed are the operations of methods that are streams.
var streamed = map[string]string{"Watch": "WatchAll", "GetLog": "GetLog", "ImportExperiment": "ImportExperiment"}

func TestEveryMethodHasARoute(t *testing.T) {
	operations := operationsOf(strictDoc(t))
	service := tunedv1.TuningService_ServiceDesc
	var methods []string
	for _, m := range service.Methods {
		methods = append(methods, m.MethodName)
	}
	for _, m := range service.Streams {
		if operations[streamed[m.StreamName]] == nil {
			t.Errorf("stream %s has no route", m.StreamName)
		}
	}
	for _, m := range methods {
		if _, ok := operations[m]; !ok {
			t.Errorf("method %s has no route", m)
		}
	}
	if len(methods) < 20 {
		t.Errorf("%d methods: too few to believe", len(methods))
	}
}

func TestDescriptionIsServedAsItIs(t *testing.T) {
	r := newRigOf(t, nil)
	if a := r.do(t, http.MethodGet, "/openapi.json", "", as(userToken)...); !bytes.Equal(a.body, openapi.JSON) {
		t.Errorf("got %d bytes, want the %d that are committed", len(a.body), len(openapi.JSON))
	}
}

// TestToolsStayOut: what makes and checks the description is no part of the server.
func TestToolsStayOut(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	deps := strings.Fields(string(out))
	if !slices.Contains(deps, "google.golang.org/grpc") {
		t.Fatalf("%d dependencies without gRPC: not to be believed", len(deps))
	}
	for _, d := range deps {
		if strings.HasPrefix(d, "github.com/getkin/") {
			t.Errorf("the server links %s", d)
		}
	}
}
