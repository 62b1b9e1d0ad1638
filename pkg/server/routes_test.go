package server_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	tunedv1 "github.com/tuned-hpo/tuned/api/tuned/v1"
	"github.com/tuned-hpo/tuned/pkg/server"
)

// TestMethodsOfRoutes: what a route does not take is answered with what it takes, HEAD with the header of GET,
// and OPTIONS with the methods. Nothing redirects.
func TestMethodsOfRoutes(t *testing.T) {
	r := newRig(t, 3)
	const asked = "/api/v1/namespaces/default/experiments/asked"
	for _, tt := range []struct {
		method, path string
		status       int
		code, allow  string
	}{
		{"PATCH", asked, 405, "METHOD_NOT_ALLOWED", "DELETE, GET, HEAD"},
		{"GET", asked + "/ask", 405, "METHOD_NOT_ALLOWED", "POST"},
		{"POST", asked + "/trials/1/should-stop", 405, "METHOD_NOT_ALLOWED", "GET, HEAD"},
		{"DELETE", "/api/v1/experiments", 405, "METHOD_NOT_ALLOWED", "GET, HEAD, POST"},
		{"PUT", "/openapi.json", 405, "METHOD_NOT_ALLOWED", "GET, HEAD"},
		{"POST", asked + "/watch", 405, "METHOD_NOT_ALLOWED", "GET, HEAD"},
		{"HEAD", asked, 200, "", ""},
		{"HEAD", "/api/v1/version", 200, "", ""},
		{"HEAD", asked + "/watch", 200, "", ""},
		{"HEAD", asked + "/watch?after=x", 200, "", ""},
		{"HEAD", asked + "/trials/1/log?follow=true", 404, "", ""},
		{"HEAD", "/api/v1/namespaces/default/experiments/none", 404, "", ""},
		{"HEAD", asked + "/ask", 405, "", "POST"},
		{"OPTIONS", asked, 204, "", "DELETE, GET, HEAD, OPTIONS"},
		{"OPTIONS", asked + "/ask", 204, "", "POST, OPTIONS"},
		{"OPTIONS", "/api/v1/none", 404, "ROUTE_NOT_FOUND", ""},
		{"GET", "/none", 404, "ROUTE_NOT_FOUND", ""},
		{"GET", "/api/v1/none", 404, "ROUTE_NOT_FOUND", ""},
		{"GET", "/api/v1/version/", 404, "ROUTE_NOT_FOUND", ""},
		{"GET", "//api/v1/version", 404, "ROUTE_NOT_FOUND", ""},
		{"GET", "/api/v1/../v1/version", 404, "ROUTE_NOT_FOUND", ""},
		{"GET", "/api/v1/namespaces/default/experiments/a%2Fb", 404, "ROUTE_NOT_FOUND", ""},
		{"GET", "/api/v1/namespaces/default/experiments/a%00b", 404, "EXPERIMENT_NOT_FOUND", ""},
	} {
		body := ""
		if tt.method == "POST" {
			body = "{}"
		}
		a := r.do(t, tt.method, tt.path, body, as(userToken)...)
		what := tt.method + " " + tt.path
		if a.StatusCode != tt.status || a.Header.Get("Allow") != tt.allow {
			t.Errorf("%s: got %s, Allow %q; want %d, %q", what, a.Status, a.Header.Get("Allow"), tt.status, tt.allow)
		}
		if tt.method == "HEAD" && len(a.body) > 0 {
			t.Errorf("%s: got a body", what)
		}
		if tt.code == "" {
			continue
		}
		if p := a.problem(t); p.Code != tt.code || a.Header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s: got %s as %q, want %s", what, p.Code, a.Header.Get("Content-Type"), tt.code)
		}
	}
}

// TestQueries: a parameter that a route does not have is a mistake, and told with the name that was meant.
func TestQueries(t *testing.T) {
	r := newRig(t, 3)
	const asked = "/api/v1/namespaces/default/experiments/asked"
	for _, tt := range []struct{ request, want string }{
		{"GET " + asked + "/trials?pageSize=5", ""},
		{"GET " + asked + "/trials?pagesize=5", "did you mean pageSize?"},
		{"GET " + asked + "/trials?page_size=5", "did you mean pageSize?"},
		{"GET " + asked + "/trials?x=5", "want filter, orderBy, pageSize, pageToken"},
		{"GET " + asked + "/trials?namespace=other", "unknown query parameter"},
		{"GET " + asked + "/trials?pageSize=5&pageSize=6", "given 2 times"},
		{"GET " + asked + "/trials?pageSize=many", "pageSize=\"many\": want a value of type integer"},
		{"GET " + asked + "/trials?a;b", "semicolon"},
		{"GET " + asked + "/trials?%zz", "invalid URL escape"},
		{"GET " + asked + "/trials/1/log?follow=x", "want a value of type boolean"},
		{"GET " + asked + "/trials/1/log?folow=1", "did you mean follow?"},
		{"GET " + asked + "/watch?afer=1", "did you mean after?"},
		{"GET /api/v1/version?verbose=1", "has none"},
		{"GET /healthz?x", "has none"},
		{"POST /api/v1/experiments?validateOnly=true", "has none"},
		{"DELETE " + asked + "?uids=1", "did you mean uid?"},
	} {
		method, path, _ := strings.Cut(tt.request, " ")
		body := ""
		if method == "POST" {
			body = "{}"
		}
		a := r.do(t, method, path, body, as(userToken)...)
		if tt.want == "" {
			if a.StatusCode != http.StatusOK {
				t.Errorf("%s: got %s %s", tt.request, a.Status, a.body)
			}
			continue
		}
		p := a.problem(t)
		if p.Status != http.StatusBadRequest || !strings.Contains(p.Message, tt.want) {
			t.Errorf("%s: got %d %q, want 400 and %q", tt.request, p.Status, p.Message, tt.want)
		}
	}
}

// TestBodies: what cannot be read is told with its place.
func TestBodies(t *testing.T) {
	r := newRig(t, 3)
	const ask = "/api/v1/namespaces/default/experiments/asked/ask"
	for _, tt := range []struct{ name, kind, body, code, want string }{
		{"nothing", "", "", "", ""},
		{"nothing, as JSON", "application/json", "", "", ""},
		{"with a charset", "application/json; charset=utf-8", "{}", "", ""},
		{"empty", "application/json", "{}", "", ""},
		{"no type", "none", "{}", "MEDIA_TYPE_UNSUPPORTED", "application/json"},
		{"text", "text/plain", "{}", "MEDIA_TYPE_UNSUPPORTED", "application/json"},
		{"problem", "application/problem+json", "{}", "MEDIA_TYPE_UNSUPPORTED", "application/json"},
		{"no type at all", ";", "{}", "MEDIA_TYPE_UNSUPPORTED", "application/json"},
		{"cut off", "application/json", "{\n \"count\": ", "REQUEST_MALFORMED", "line 2:"},
		{"no JSON", "application/json", "{\n \"count\": x}", "REQUEST_MALFORMED", "line 2:11"},
		{"two", "application/json", "{} {}", "REQUEST_MALFORMED", "line 1:4"},
		{"a list", "application/json", "[]", "REQUEST_MALFORMED", "line 1:1"},
		{"a wrong type", "application/json", `{"count": "many"}`, "REQUEST_MALFORMED", "line 1:11"},
		{"an unknown field", "application/json", `{"cuont": 1}`, "REQUEST_MALFORMED", `line 1:2): unknown field "cuont"`},
		{"a field twice", "application/json", `{"count": 1, "count": 2}`, "REQUEST_MALFORMED", "line 1:14"},
		{"no UTF-8", "application/json", "{\"requestId\": \"\xff\"}", "REQUEST_MALFORMED", "UTF-8"},
		{"deep", "application/json", `{"requestId": ` + strings.Repeat("[", 20000), "REQUEST_MALFORMED", "line 1:"},
		{"large", "application/json", `{"requestId": "` + strings.Repeat("x", 2<<20) + `"}`, "REQUEST_TOO_LARGE", "2097152"},
	} {
		fields := as(userToken)
		if tt.kind != "" {
			fields = append(fields, "Content-Type", strings.TrimPrefix(tt.kind, "none"))
		}
		a := r.do(t, http.MethodPost, ask, tt.body, fields...)
		if tt.code == "" {
			if a.StatusCode != http.StatusOK {
				t.Errorf("%s: got %s %s", tt.name, a.Status, a.body)
			}
			continue
		}
		if p := a.problem(t); p.Code != tt.code || !strings.Contains(p.Message, tt.want) {
			t.Errorf("%s: got %s %q, want %s with %q", tt.name, p.Code, p.Message, tt.code, tt.want)
		}
	}
}

// TestWatchOfNothing: where there is no such experiment, the stream does not begin.
func TestWatchOfNothing(t *testing.T) {
	r := newRig(t, 3)
	for _, path := range []string{"/watch", "/watch?after=another-life-7"} {
		a := r.do(t, http.MethodGet, "/api/v1/namespaces/default/experiments/none"+path, "", as(userToken)...)
		if p := a.problem(t); p.Code != "EXPERIMENT_NOT_FOUND" {
			t.Errorf("%s: got %s", path, a.body)
		}
	}
	stream, err := r.users.Watch(t.Context(), &tunedv1.WatchRequest{Namespace: "default", Experiment: "none"})
	if err == nil {
		_, err = stream.Recv()
	}
	if status.Code(err) != codes.NotFound {
		t.Errorf("over gRPC: got %v, want NotFound", err)
	}
	if a := r.do(t, http.MethodGet, "/api/v1/namespaces/default/experiments/asked/trials/9/log", "", as(userToken)...); a.problem(t).Code != "TRIAL_NOT_FOUND" {
		t.Errorf("log: got %s", a.body)
	}
}

// TestDeletedHasItsUID: who watches can tell which of several experiments of a name is gone.
func TestDeletedHasItsUID(t *testing.T) {
	r := newRig(t, 3)
	stream, err := r.users.Watch(t.Context(), &tunedv1.WatchRequest{Namespace: "default", Experiment: "asked"})
	if err == nil {
		_, err = stream.Recv()
	}
	if err != nil {
		t.Fatal(err)
	}
	r.user(t, http.MethodDelete, "/api/v1/namespaces/default/experiments/asked?uid="+r.uid, "", nil)
	for {
		m, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		if d := m.GetDeleted(); d != nil {
			if d.GetUid() != r.uid || r.uid == "" {
				t.Errorf("got uid %q, want %q", d.GetUid(), r.uid)
			}
			return
		}
	}
}

// TestDescriptionIsWhatIsServed: each operation of the description has a route, but for those that the daemon
// adds.
func TestDescriptionIsWhatIsServed(t *testing.T) {
	var doc struct{ Paths map[string]map[string]any }
	r := newRigOf(t, nil, func(c *server.Config) { c.Limits.Watches = 0 })
	r.do(t, http.MethodGet, "/openapi.json", "", as(userToken)...).into(t, &doc)
	for path, item := range doc.Paths {
		a := r.do(t, http.MethodOptions, path, "", as(userToken)...)
		if item["x-joined"] == nil && a.StatusCode != http.StatusNoContent || item["x-joined"] != nil && a.StatusCode != http.StatusNotFound {
			t.Errorf("OPTIONS %s: got %s", path, a.Status)
		}
		for method := range item {
			if item["x-joined"] == nil && !strings.Contains(a.Header.Get("Allow"), strings.ToUpper(method)) {
				t.Errorf("%s %s is described, allowed is %q", method, path, a.Header.Get("Allow"))
			}
		}
	}
	if text, err := json.Marshal(doc); err != nil || len(text) < 1000 {
		t.Errorf("a description of %d bytes: %v", len(text), err)
	}
}
