package server_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	tunedv1 "github.com/tuned-hpo/tuned/api/tuned/v1"
	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/server"
)

// sent is one server-sent event.
type sent struct {
	id, kind string
	data     map[string]any
}

// events opens a stream of events and returns what reads the next one.
func (r *rig) events(t *testing.T, path string, fields ...string) (next func() sent, closeIt func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+r.tcp+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+userToken)
	for i := 0; i < len(fields); i += 2 {
		request.Header.Set(fields[i], fields[i+1])
	}
	response, err := r.client.Transport.RoundTrip(request) //nolint:bodyclose // closeIt does
	if err != nil {
		t.Fatal(err)
	}
	if kind := response.Header.Get("Content-Type"); response.StatusCode != http.StatusOK || kind != "text/event-stream" {
		t.Fatalf("got %s of %s", response.Status, kind)
	}
	lines := bufio.NewScanner(response.Body)
	t.Cleanup(cancel)
	return func() (e sent) {
			t.Helper()
			for lines.Scan() {
				field, value, _ := strings.Cut(lines.Text(), ": ")
				switch {
				case field == "id":
					e.id = value
				case field == "event":
					e.kind = value
				case field == "data":
					if err := json.Unmarshal([]byte(value), &e.data); err != nil {
						t.Fatalf("%v in %q", err, value)
					}
				case lines.Text() == "" && e.kind != "":
					return e
				}
			}
			t.Fatalf("the stream ended: %v", lines.Err())
			return e
		}, func() {
			cancel()
			_ = response.Body.Close()
		}
}

// until reads events up to one of a kind of which ok holds, and returns the ids seen on the way.
func until(next func() sent, kind string, ok func(map[string]any) bool) (seen []sent) {
	for {
		e := next()
		seen = append(seen, e)
		if e.kind == kind && ok(e.data) {
			return seen
		}
	}
}

// untilID reads events up to one that a client may go on after.
func untilID(next func() sent) (seen []sent) {
	for len(seen) == 0 || seen[len(seen)-1].id == "" {
		seen = append(seen, next())
	}
	return seen
}

// about says what an event tells of, whose state may be a later one when it comes again.
func (e sent) about() string { return fmt.Sprint(e.kind, " ", e.data["number"], e.data["name"]) }

func trialIs(number, state string) func(map[string]any) bool {
	return func(d map[string]any) bool { return d["number"] == number && d["state"] == state }
}

// TestEventsGoOnWhereTheyEnded: whatever event a client has seen last, it gets what comes after it.
func TestEventsGoOnWhereTheyEnded(t *testing.T) {
	r := newRig(t, 8)
	const path = "/api/v1/namespaces/default/experiments/asked/watch"
	next, closeIt := r.events(t, path)
	if first := next(); first.kind != "reset" || first.id == "" {
		t.Fatalf("got %+v first, want a reset with an id", first)
	}
	var names []string
	for i := range 4 {
		trial := r.ask(t, 1, "").GetTrials()[0].GetName()
		names = append(names, trial)
		if err := r.tell(t.Context(), trial, fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
	}
	all := until(next, "trial", trialIs("4", "Succeeded"))
	all = append(all, untilID(next)...)
	closeIt()
	for i := range all[:len(all)-1] { // as if the connection had been lost after each of them
		if all[i].id == "" || all[i].id == all[len(all)-1].id {
			continue
		}
		next, closeIt := r.events(t, path, "Last-Event-ID", all[i].id)
		var again []sent
		for len(again) == 0 || again[len(again)-1].id != all[len(all)-1].id {
			again = append(again, next())
		}
		closeIt()
		for _, e := range all[i+1:] {
			if !slices.ContainsFunc(again, func(x sent) bool { return x.about() == e.about() }) {
				t.Errorf("after %s: %s is missing", all[i].id, e.about())
			}
		}
	}
	for i, name := range names {
		if !slices.ContainsFunc(all, func(e sent) bool { return e.kind == "trial" && e.data["name"] == name }) {
			t.Errorf("trial %d (%s) never came", i+1, name)
		}
	}
	next, closeIt = r.events(t, path, "Last-Event-ID", "of-another-life")
	defer closeIt()
	if e := next(); e.kind != "reset" {
		t.Errorf("after an unknown id: got %+v, want a reset", e)
	}
	r.user(t, http.MethodDelete, "/api/v1/namespaces/default/experiments/asked", "", nil)
	gone := until(next, "deleted", func(map[string]any) bool { return true })
	if d := gone[len(gone)-1].data; d["name"] != "asked" {
		t.Errorf("deleted: got %v", d)
	}
}

// TestWatchIsAboutWhatWasAskedFor: other experiments do not show, and events have numbers without gaps.
func TestWatchIsAboutWhatWasAskedFor(t *testing.T) {
	r := newRig(t, 8)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	stream, err := r.users.Watch(ctx, &tunedv1.WatchRequest{Namespace: "default", Experiment: "asked"})
	if err != nil {
		t.Fatal(err)
	}
	if m, err := stream.Recv(); err != nil || !m.GetReset_() {
		t.Fatalf("got %v, %v first; want a reset", m, err)
	}
	other := asked(3)
	other.Metadata.Name = "other"
	if _, err := r.tuner.Create(t.Context(), other); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := r.tell(t.Context(), r.ask(t, 1, "").GetTrials()[0].GetName(), "1"); err != nil {
			t.Fatal(err)
		}
	}
	last := uint64(0)
	for last < 3 {
		m, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		if e := m.GetExperiment(); e != nil && e.GetName() != "asked" {
			t.Errorf("got a change of %s", e.GetName())
		}
		if e := m.GetEvent(); e != nil {
			if last > 0 && e.GetNumber() != last+1 {
				t.Errorf("event %d after %d", e.GetNumber(), last)
			}
			last = e.GetNumber()
		}
	}
}

// TestStreamsEndWithTheServer: they do not keep it from ending, and say why.
func TestStreamsEndWithTheServer(t *testing.T) {
	r := newRig(t, 3)
	stream, err := r.users.Watch(t.Context(), &tunedv1.WatchRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); err != nil {
		t.Fatal(err)
	}
	next, closeIt := r.events(t, "/api/v1/watch")
	defer closeIt()
	next()
	trial := r.ask(t, 1, "").GetTrials()[0].GetName()
	agent, err := r.agents.Report(showing(t.Context(), token(experiment.Key{Namespace: "default", Name: "asked"}, r.uid, trial, 1)))
	if err != nil {
		t.Fatal(err)
	}
	_ = agent.Send(&tunedv1.ReportRequest{Hello: r.hello(trial, 1)})
	if _, err := agent.Recv(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := r.server.Shutdown(ctx); err != nil || ctx.Err() != nil {
		t.Errorf("shutdown: %v, %v", err, ctx.Err())
	}
	for err = nil; err == nil; { // what came before
		_, err = stream.Recv()
	}
	if status.Code(err) != codes.Unavailable {
		t.Errorf("watch: got %v, want Unavailable", err)
	}
	if _, err := agent.Recv(); err == nil {
		t.Error("the agent's stream goes on")
	}
}

// TestStalledReaders: clients that take nothing hold up nobody else.
func TestStalledReaders(t *testing.T) {
	r := newRig(t, 60)
	for range 50 {
		conn, err := net.Dial("tcp", r.tcp)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_ = conn.(*net.TCPConn).SetReadBuffer(1024)
		_, _ = fmt.Fprintf(conn, "GET /api/v1/watch HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\n\r\n", userToken)
	}
	for i := range 60 {
		trial := r.ask(t, 1, "").GetTrials()[0].GetName()
		if err := r.tell(t.Context(), trial, fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
	}
}

// TestTooManyWatches: those beyond the limit are refused, and one that ends makes room, whichever way it came.
func TestTooManyWatches(t *testing.T) {
	r := newRigOf(t, nil, func(c *server.Config) { c.Limits.Watches = 2 })
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for range 2 {
		stream, err := r.users.Watch(ctx, &tunedv1.WatchRequest{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := stream.Recv(); err != nil { // it begins with a reset
			t.Fatal(err)
		}
	}
	watch := func() error {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		stream, err := r.users.Watch(ctx, &tunedv1.WatchRequest{})
		if err == nil {
			_, err = stream.Recv()
		}
		return err
	}
	if err := watch(); status.Code(err) != codes.ResourceExhausted {
		t.Errorf("a third watch: got %v, want ResourceExhausted", err)
	}
	if got := r.status(t, http.MethodGet, "/api/v1/watch", credential{header: "Bearer " + userToken}); got != http.StatusTooManyRequests {
		t.Errorf("a third watch over HTTP: got %d, want 429", got)
	}
	cancel()
	for watch() != nil {
		if t.Context().Err() != nil {
			t.Fatal("there is no room again")
		}
	}
}
