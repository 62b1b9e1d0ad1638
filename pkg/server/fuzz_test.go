package server_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	tunedv1 "github.com/tuned-hpo/tuned/api/tuned/v1"
	"github.com/tuned-hpo/tuned/api/tuned/v1/openapi"
	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/server"
)

// unhurried is how long an answer may take; it is far above what one does, and tells a hang.
const unhurried = time.Minute

// fuzzRig serves a tuner that each input makes an experiment of its own for.
func fuzzRig(t testing.TB) *rig {
	t.Helper()
	return newRigOf(t, nil, func(c *server.Config) {
		c.Log = zerolog.Nop()
		c.Limits.Calls, c.Limits.Reports, c.Limits.Failures = server.Rate{PerSecond: 1e9, Burst: 1e9}, server.Rate{PerSecond: 1e9, Burst: 1e9}, server.Rate{PerSecond: 1e9, Burst: 1e9}
	})
}

var experiments atomic.Int64

// fresh makes an experiment with a trial that runs, which is gone after the test.
func (r *rig) fresh(t *testing.T) (e *experiment.Experiment, trial string) {
	t.Helper()
	e = asked(3)
	e.Metadata.Name = fmt.Sprintf("e%d", experiments.Add(1))
	e, err := r.tuner.Create(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	trials, _, err := r.tuner.Ask(t.Context(), e.Key(), 1, "")
	if err != nil || len(trials) != 1 {
		t.Fatalf("ask: %d trials, %v", len(trials), err)
	}
	t.Cleanup(func() { _ = r.tuner.Delete(context.WithoutCancel(t.Context()), e.Key(), "") }) // it may be gone
	return e, trials[0].Name
}

// asIs is a codec that sends bytes as they are, and reads messages.
type asIs struct{}

func (asIs) Marshal(v any) (mem.BufferSlice, error) {
	return mem.BufferSlice{mem.SliceBuffer(v.([]byte))}, nil
}

func (asIs) Unmarshal(data mem.BufferSlice, v any) error {
	return proto.Unmarshal(data.Materialize(), v.(proto.Message))
}

func (asIs) Name() string { return "proto" }

// messages makes the messages of a stream of a script: each begins with a byte that says what it is, and one that
// says how much of the script follows in it, or where its numbers begin.
func messages(script []byte, hello *tunedv1.Hello) (out [][]byte) {
	for len(script) >= 2 {
		kind, n := script[0]%5, int(script[1])
		script = script[2:]
		m := &tunedv1.ReportRequest{}
		switch kind {
		case 0:
			m.Hello = hello
		case 1:
			m.Hello = proto.CloneOf(hello)
			m.Hello.Trial = string(script[:min(n, len(script))])
		case 2, 3:
			for i := range uint64(kind) {
				m.Measurements = append(m.Measurements, &tunedv1.Measurement{Seq: uint64(n) + i, Step: int64(n) - 7, Metric: "acc", Text: string(script[:min(9, len(script))])})
			}
		case 4:
			out = append(out, script[:min(n, len(script))])
			script = script[min(n, len(script)):]
			continue
		}
		text, err := proto.Marshal(m)
		if err == nil { // a text is no UTF-8
			out = append(out, text)
		}
	}
	return out
}

// FuzzAgentStream sends messages in any order, and bytes that are none, to the real handler: it answers with a
// status that a client can act on, and what it acknowledges is what is stored.
func FuzzAgentStream(f *testing.F) {
	for _, script := range []string{"", "\x00\x00", "\x00\x00\x02\x010.5", "\x00\x00\x02\x010.5\x02\x030.7\x02\x010.5", "\x02\x01", "\x01\x04asked", "\x04\x05\xff\xff\xff\xff\xff", "\x00\x00\x04\x02\x12\x00", "\x00\x00\x02\x090.5", "\x00\x00\x00\x00", "\x00\x00\x03\x01nan\x02\x04x"} {
		f.Add([]byte(script))
	}
	r := fuzzRig(f)
	conn := dial(f, "unix:"+r.socket)
	f.Fuzz(func(t *testing.T, script []byte) {
		e, trial := r.fresh(t)
		ctx, cancel := context.WithTimeout(showing(t.Context(), token(e.Key(), e.Metadata.UID, trial, 1)), unhurried)
		defer cancel()
		stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, tunedv1.AgentService_Report_FullMethodName, grpc.ForceCodecV2(asIs{}))
		if err != nil {
			t.Fatal(err)
		}
		hello := &tunedv1.Hello{Namespace: "default", Experiment: e.Metadata.Name, Uid: e.Metadata.UID, Trial: trial, Attempt: 1, Stream: "agent"}
		for _, m := range messages(script, hello) {
			if stream.SendMsg(m) != nil {
				break // RecvMsg has the cause
			}
		}
		_ = stream.CloseSend()
		acked := uint64(0)
		for err == nil {
			var ack tunedv1.ReportResponse
			if err = stream.RecvMsg(&ack); err == nil && ack.GetAckedSeq() < acked {
				t.Errorf("acknowledged %d after %d", ack.GetAckedSeq(), acked)
			}
			acked = max(acked, ack.GetAckedSeq())
		}
		switch code := status.Code(err); {
		case errors.Is(err, io.EOF), code == codes.InvalidArgument, code == codes.PermissionDenied, code == codes.FailedPrecondition, code == codes.NotFound:
		default:
			t.Errorf("ended with %v", err)
		}
		ms, err := r.store.Measurements(t.Context(), experiment.Stream{Experiment: e.Key(), Number: 1, Attempt: 1, Source: "agent"}, 0, 0)
		if err != nil || uint64(len(ms)) != acked {
			t.Errorf("%d are stored, %d acknowledged: %v", len(ms), acked, err)
		}
	})
}

// routesOf are the routes that answer and are done, as the description has them.
func routesOf(t testing.TB) (routes []string) {
	t.Helper()
	var doc struct {
		Paths map[string]map[string]json.RawMessage
	}
	if err := json.Unmarshal(openapi.JSON, &doc); err != nil {
		t.Fatal(err)
	}
	for path, item := range doc.Paths {
		for method := range item {
			if method != "x-joined" && !strings.HasSuffix(path, "/watch") {
				routes = append(routes, strings.ToUpper(method)+" "+path)
			}
		}
	}
	slices.Sort(routes)
	return routes
}

// oddBodies are what clients should not send.
var oddBodies = []string{
	"", "{}", "null", "[]", "{", `{"count": -1}`, `{"count": 1e99}`, `{"requestId": "\ud800"}`, `{"metrics": {"acc": "NaN"}}`, `{"metrics": {"acc": 1}}`,
	`{"failed": true, "message": "\u001b[2J\n"}`, `{"measurements": [{"seq": "18446744073709551615", "metric": "", "text": "x", "time": "0001-01-01T00:00:00Z"}]}`,
	`{"assignments": [{"name": "x", "value": "1e999"}], "requestId": "a", "metrics": {"acc": 1}}`, `{"manifest": "a: &a [*a, *a]"}`,
	`{"manifest": "{}", "local": {"dir": "../x", "images": {"": null}}}`, `{"budget": {"maxTrials": -1, "maxDuration": "1e9s", "maxCost": "NaN"}}`,
	`{"tags": {"tags": ["", "\u0000"]}, "note": null}`, walked,
}

// oddQueries are the same of queries.
var oddQueries = []string{"", "pageSize=-1", "filter=%00", "orderBy=param.x desc", "pageToken=e30", "uid=x", "maxPoints=1"}

// odd sends a request about an experiment of its own: the answer is never a fault of the daemon's own, and an
// error is always one of those that are documented.
func (r *rig) odd(t *testing.T, route string, body []byte, query, trial string) {
	t.Helper()
	e, _ := r.fresh(t)
	method, path, _ := strings.Cut(route, " ")
	path = strings.NewReplacer("{namespace}", "default", "{experiment}", e.Metadata.Name, "{name}", e.Metadata.Name, "{trial}", url.PathEscape(trial)).Replace(path)
	ctx, cancel := context.WithTimeout(t.Context(), unhurried)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, "http://"+r.tcp+path, bytes.NewReader(body))
	if err != nil || strings.Contains(query, "follow") {
		return // no URL; or a stream that does not end
	}
	request.URL.RawQuery = url.PathEscape(query)
	request.Header.Set("Authorization", "Bearer "+userToken)
	request.Header.Set("Content-Type", "application/json")
	a := r.send(t, request)
	if a.StatusCode >= http.StatusInternalServerError {
		t.Errorf("%s with %s: %s: %s", route, body, a.Status, a.body)
	}
	if a.StatusCode < http.StatusBadRequest {
		return
	}
	if kind := a.Header.Get("Content-Type"); kind != "application/problem+json" {
		t.Fatalf("%s with %s: %s as %q: %s", route, body, a.Status, kind, a.body)
	}
	if p := a.problem(t); p.Message == "" || strings.ContainsAny(p.Message, "\x1b\x00\x07\r") {
		t.Errorf("%s with %s: message %q", route, body, p.Message)
	}
}

// TestOddRequests sends each of them to each route.
func TestOddRequests(t *testing.T) {
	r := fuzzRig(t)
	for _, route := range routesOf(t) {
		for i, body := range oddBodies {
			r.odd(t, route, []byte(body), oddQueries[i%len(oddQueries)], []string{"1", "9", "%2e%2e", "\x00"}[i%4])
		}
	}
}

func FuzzREST(f *testing.F) {
	routes := routesOf(f)
	for i := range routes {
		f.Add(uint8(i), []byte(oddBodies[i%len(oddBodies)]), oddQueries[i%len(oddQueries)], "1")
	}
	r := fuzzRig(f)
	f.Fuzz(func(t *testing.T, route uint8, body []byte, query, trial string) {
		r.odd(t, routes[int(route)%len(routes)], body, query, trial)
	})
}
