package server_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	tunedv1 "github.com/tuned-hpo/tuned/api/tuned/v1"
	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/server"
	"github.com/tuned-hpo/tuned/pkg/trialrunner"
)

// raw is a connection that speaks HTTP/2 as no client does.
type raw struct {
	net.Conn
	*http2.Framer
	block   bytes.Buffer
	encoder *hpack.Encoder
}

func (r *rig) raw(t *testing.T) *raw {
	t.Helper()
	conn, err := net.Dial("tcp", r.tcp)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
	if _, err := conn.Write([]byte(http2.ClientPreface)); err != nil {
		t.Fatal(err)
	}
	c := &raw{Conn: conn, Framer: http2.NewFramer(conn, conn)}
	c.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	c.encoder = hpack.NewEncoder(&c.block)
	_ = c.WriteSettings()
	return c
}

// begin sends the header of a call alone.
func (c *raw) begin(stream uint32, path, token string) {
	c.block.Reset()
	fields := [][2]string{
		{":method", "POST"},
		{":scheme", "http"},
		{":path", path},
		{":authority", "localhost"},
		{"content-type", "application/grpc"},
		{"te", "trailers"},
	}
	if token != "" {
		fields = append(fields, [2]string{"authorization", "Bearer " + token})
	}
	for _, f := range fields {
		_ = c.encoder.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]})
	}
	_ = c.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: c.block.Bytes(), EndHeaders: true})
}

// status reads the status of the next call that ends.
func (c *raw) status() codes.Code {
	for {
		frame, err := c.ReadFrame()
		if err != nil {
			return codes.Unavailable
		}
		switch f := frame.(type) {
		case *http2.MetaHeadersFrame:
			for _, field := range f.Fields {
				if field.Name == "grpc-status" {
					var code codes.Code
					_ = code.UnmarshalJSON([]byte(field.Value))
					return code
				}
			}
		case *http2.RSTStreamFrame:
			return codes.Unavailable
		}
	}
}

// TestNobodyIsRead: who may not call a method is refused before a byte of its message has come.
func TestNobodyIsRead(t *testing.T) {
	r := newRig(t, 3)
	trial := r.ask(t, 1, "").GetTrials()[0].GetName()
	own := token(experiment.Key{Namespace: "default", Name: "asked"}, r.uid, trial, 1)
	for _, tt := range []struct {
		name, token, path string
		want              codes.Code
		status            string // over HTTP
	}{
		{"no token", "", "CreateExperiment", codes.Unauthenticated, "401"},
		{"a wrong one", "wrong", "ReportTrial", codes.Unauthenticated, "401"},
		{"a forged one", trialrunner.Token(nil, experiment.Key{}, "", trial, 1), "ReportTrial", codes.Unauthenticated, "401"},
		{"a trial", own, "CreateExperiment", codes.PermissionDenied, ""}, // over HTTP it may send 256 KiB
		{"a trial", own, "Ask", codes.PermissionDenied, ""},
		{"a user", userToken, "/tuned.v1.AgentService/Report", codes.PermissionDenied, ""},
		{"no token, a stream", "", "/tuned.v1.AgentService/Report", codes.Unauthenticated, ""},
	} {
		path := tt.path
		if !strings.HasPrefix(path, "/") {
			path = "/tuned.v1.TuningService/" + path
		}
		c := r.raw(t)
		c.begin(1, path, tt.token)
		if got := c.status(); got != tt.want {
			t.Errorf("%s, %s: got %v, want %v", tt.name, tt.path, got, tt.want)
		}
		if tt.status == "" {
			continue
		}
		if got := r.answerToHeader(t, "/api/v1/experiments", tt.token); !strings.HasPrefix(got, "HTTP/1.1 "+tt.status) {
			t.Errorf("%s over HTTP: got %q, want %s", tt.name, got, tt.status)
		}
	}
}

// answerToHeader sends the header of a request, whose body never comes, and returns the first line that is
// answered.
func (r *rig) answerToHeader(t *testing.T, path, token string) string {
	t.Helper()
	conn, err := net.Dial("tcp", r.tcp)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second)) // below what the server waits for a body
	fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n", path)
	if token != "" {
		fmt.Fprintf(conn, "Authorization: Bearer %s\r\n", token)
	}
	fmt.Fprint(conn, "\r\n")
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(line)
}

// askedFor counts how often somebody looks for a trial.
type askedFor struct {
	server.Tuner
	lookUps *atomic.Int32
}

func (a askedFor) LookUp(ctx context.Context, key experiment.Key, trial string) (*experiment.Experiment, experiment.Trial, error) {
	a.lookUps.Add(1)
	return a.Tuner.LookUp(ctx, key, trial)
}

// TestStrangersCostLittle: nobody looks for the trial of a wrong token, and who shows many is told to wait.
// Right ones are not held up by that.
func TestStrangersCostLittle(t *testing.T) {
	now, lookUps := time.Now(), &atomic.Int32{}
	r := newRigOf(t, asked(3), func(c *server.Config) {
		c.Now = func() time.Time { return now }
		c.Tuner = askedFor{c.Tuner, lookUps}
		c.Limits.Failures = server.Rate{PerSecond: 1, Burst: 3}
	})
	trial := r.ask(t, 1, "").GetTrials()[0].GetName()
	tcp := tunedv1.NewTuningServiceClient(dial(t, r.tcp))
	path := "/api/v1/namespaces/default/experiments/asked/trials/" + trial + "/should-stop"
	request := &tunedv1.ShouldStopRequest{Namespace: "default", Experiment: "asked", Trial: trial}
	for i, want := range []int{401, 401, 401, 429, 429} {
		a := r.do(t, http.MethodGet, path, "", as("wrong")...)
		if a.StatusCode != want || (a.Header.Get("Retry-After") != "") != (want == 429) {
			t.Errorf("failure %d: got %s, want %d", i, a.Status, want)
		}
	}
	if _, err := tcp.ShouldStop(showing(t.Context(), "wrong"), request); status.Code(err) != codes.ResourceExhausted {
		t.Errorf("over gRPC: got %v, want ResourceExhausted", err)
	}
	if got := r.do(t, http.MethodGet, "/?login=wrong", "").StatusCode; got != 429 {
		t.Errorf("to log in: got %d, want 429", got)
	}
	if n := lookUps.Load(); n != 0 {
		t.Errorf("%d times somebody looked for the trial", n)
	}
	own := token(experiment.Key{Namespace: "default", Name: "asked"}, r.uid, trial, 1)
	if _, err := tcp.ShouldStop(showing(t.Context(), own), request); err != nil || lookUps.Load() == 0 {
		t.Errorf("the trial itself: %v, %d looks", err, lookUps.Load())
	}
	r.user(t, http.MethodGet, path, "", nil)
	now = now.Add(time.Second)
	if got := r.do(t, http.MethodGet, path, "", as("wrong")...).StatusCode; got != 401 {
		t.Errorf("a second later: got %d, want 401", got)
	}
}

// keep opens a connection, sends a request on it, and leaves it open. It returns the status; 0 when the
// connection was closed.
func (r *rig) keep(t *testing.T, path, token string) int {
	t.Helper()
	conn, err := net.Dial("tcp", r.tcp)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
	fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: localhost\r\n", path)
	if token != "" {
		fmt.Fprintf(conn, "Authorization: Bearer %s\r\n", token)
	}
	fmt.Fprint(conn, "\r\n")
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return 0
	}
	_ = response.Body.Close()
	return response.StatusCode
}

// TestConnectionsOfOnePeer: strangers of one address, and one trial, get so many connections; the user is
// not among them, and gets more.
func TestConnectionsOfOnePeer(t *testing.T) {
	r := newRigOf(t, asked(3), func(c *server.Config) { c.Limits.Strangers, c.Limits.PerTrial = 3, 2 })
	trial := r.ask(t, 1, "").GetTrials()[0].GetName()
	own := token(experiment.Key{Namespace: "default", Name: "asked"}, r.uid, trial, 1)
	path := "/api/v1/namespaces/default/experiments/asked/trials/" + trial
	steps := []struct {
		path, token string
		want        []int
	}{
		{"/api/v1/version", userToken, []int{200, 200, 200, 200, 200}},
		{path, own, []int{200, 200, 429}}, // the third is a stranger's still
		{"/healthz", "", []int{200, 200, 0}},
		{"/api/v1/version", userToken, []int{0}}, // nobody knows who that is
	}
	for _, s := range steps {
		for i, want := range s.want {
			if got := r.keep(t, s.path, s.token); got != want {
				t.Errorf("connection %d for %s: got %d, want %d", i+1, s.path, got, want)
			}
		}
	}
	if _, err := r.users.GetVersion(t.Context(), &tunedv1.GetVersionRequest{}); err != nil {
		t.Errorf("on the socket: %v", err)
	}
}

// TestStreamsOfOneTrial: a trial has so many streams of measurements, over whatever connections.
func TestStreamsOfOneTrial(t *testing.T) {
	r := newRigOf(t, asked(3), func(c *server.Config) { c.Limits.PerTrial = 2 })
	trial := r.ask(t, 1, "").GetTrials()[0].GetName()
	other := r.ask(t, 1, "").GetTrials()[0].GetName()
	for i, want := range []codes.Code{codes.OK, codes.OK, codes.ResourceExhausted} {
		if _, err := r.report(t, &tunedv1.ReportRequest{Hello: r.hello(trial, 1)}).Recv(); status.Code(err) != want {
			t.Errorf("stream %d: got %v, want %v", i+1, err, want)
		}
	}
	if _, err := r.report(t, &tunedv1.ReportRequest{Hello: r.hello(other, 1)}).Recv(); err != nil {
		t.Errorf("another trial: %v", err)
	}
}

// TestMessagesOfTrials: an agent's message is at most 256 KiB, and so is the body of what a trial sends.
func TestMessagesOfTrials(t *testing.T) {
	r := newRig(t, 3)
	trial := r.ask(t, 1, "").GetTrials()[0].GetName()
	large := strings.Repeat("x", 256<<10)
	stream := r.report(t, &tunedv1.ReportRequest{Hello: r.hello(trial, 1)})
	if _, err := stream.Recv(); err != nil {
		t.Fatal(err)
	}
	_ = stream.Send(&tunedv1.ReportRequest{Measurements: []*tunedv1.Measurement{{Seq: 1, Metric: "acc", Text: large[:200<<10]}}})
	if ack, err := stream.Recv(); err != nil || ack.GetAckedSeq() != 1 {
		t.Fatalf("200 KiB: got %v, %v", ack, err)
	}
	_ = stream.Send(&tunedv1.ReportRequest{Measurements: []*tunedv1.Measurement{{Seq: 2, Metric: "acc", Text: large}}})
	if _, err := stream.Recv(); status.Code(err) != codes.ResourceExhausted || !strings.Contains(err.Error(), "at most 262144") {
		t.Errorf("more than 256 KiB: got %v, want ResourceExhausted", err)
	}
	body := fmt.Sprintf(`{"measurements": [{"seq": 1, "metric": "acc", "text": %q}]}`, large)
	own := token(experiment.Key{Namespace: "default", Name: "asked"}, r.uid, trial, 1)
	path := "/api/v1/namespaces/default/experiments/asked/trials/" + trial + "/report"
	if p := r.do(t, http.MethodPost, path, body, as(own)...).problem(t); p.Code != "REQUEST_TOO_LARGE" || !strings.Contains(p.Message, "262144") {
		t.Errorf("over HTTP: got %+v, want REQUEST_TOO_LARGE", p)
	}
	if p := r.do(t, http.MethodPost, path, body, as(userToken)...); p.StatusCode != http.StatusOK {
		t.Errorf("by the user: got %s", p.Status)
	}
}

// TestFlood: a trial that reports too much is read from more slowly, others are not, and nothing is lost.
// Over HTTP it is told to wait.
func TestFlood(t *testing.T) {
	for name, limit := range map[string]func(*server.Limits){
		"bytes":        func(l *server.Limits) { l.Bytes = server.Rate{PerSecond: 1e9, Burst: 1000} },
		"measurements": func(l *server.Limits) { l.Measurements = server.Rate{PerSecond: 1e9, Burst: 1} },
	} {
		var now atomic.Int64 // ns
		r := newRigOf(t, asked(3), func(c *server.Config) {
			c.Now = func() time.Time { return time.Unix(0, now.Load()) }
			limit(&c.Limits)
		})
		flooding := r.ask(t, 1, "").GetTrials()[0].GetName()
		calm := r.ask(t, 1, "").GetTrials()[0].GetName()
		message := func(seq uint64) *tunedv1.ReportRequest {
			return &tunedv1.ReportRequest{Measurements: []*tunedv1.Measurement{{Seq: seq, Metric: "acc", Text: strings.Repeat("1", 900)}}}
		}
		stream := r.report(t, &tunedv1.ReportRequest{Hello: r.hello(flooding, 1)})
		acked := make(chan uint64, 10)
		go func() {
			defer close(acked)
			for {
				ack, err := stream.Recv()
				if err != nil {
					return
				}
				acked <- ack.GetAckedSeq()
			}
		}()
		<-acked // the greeting
		now.Add(int64(time.Second))
		for seq := range uint64(3) {
			_ = stream.Send(message(seq + 1))
		}
		if got := <-acked; got != 1 {
			t.Errorf("%s: acknowledged %d, want 1", name, got)
		}
		other := r.report(t, &tunedv1.ReportRequest{Hello: r.hello(calm, 1), Measurements: message(1).GetMeasurements()[:1]})
		_, _ = other.Recv()
		if ack, err := other.Recv(); err != nil && name == "measurements" || ack.GetAckedSeq() != 1 {
			t.Errorf("%s: the other one: got %v, %v", name, ack, err)
		}
		select {
		case got := <-acked:
			t.Errorf("%s: %d was acknowledged, beyond what is allowed", name, got)
		default:
		}
		a := r.do(t, http.MethodPost, "/api/v1/namespaces/default/experiments/asked/trials/1/report", `{"measurements": [{"seq": 1, "metric": "acc", "text": "1"}]}`,
			as(token(experiment.Key{Namespace: "default", Name: "asked"}, r.uid, flooding, 1))...)
		if a.StatusCode != http.StatusTooManyRequests {
			t.Errorf("%s over HTTP: got %s, want 429", name, a.Status)
		}
		for want := uint64(2); want <= 3; want++ {
			now.Add(int64(time.Second))
			if got := <-acked; got != want {
				t.Errorf("%s: a second later: acknowledged %d, want %d", name, got, want)
			}
		}
		_ = stream.CloseSend()
		for range acked { // ends with the stream
		}
	}
}

// TestTooManyCalls: a connection has so many calls at the same time.
func TestTooManyCalls(t *testing.T) {
	r := newRigOf(t, nil, func(c *server.Config) { c.Limits.Streams = 4 })
	c := r.raw(t)
	for i := range uint32(5) {
		c.begin(2*i+1, "/tuned.v1.TuningService/GetVersion", userToken) // whose message never comes
	}
	if got := c.status(); got != codes.Unavailable {
		t.Errorf("the fifth: got %v, want that it is refused", got)
	}
}

// TestTooManyPings: who pings all the time is sent away.
func TestTooManyPings(t *testing.T) {
	r := newRigOf(t, nil)
	c := r.raw(t)
	for range 10 {
		_ = c.WritePing(false, [8]byte{})
	}
	for {
		frame, err := c.ReadFrame()
		if err != nil {
			t.Fatalf("got %v, want a GOAWAY", err)
		}
		if away, ok := frame.(*http2.GoAwayFrame); ok {
			if away.ErrCode != http2.ErrCodeEnhanceYourCalm || !strings.Contains(string(away.DebugData()), "too_many_pings") {
				t.Errorf("got %v %q", away.ErrCode, away.DebugData())
			}
			return
		}
	}
}

// TestLargeHeader: a client learns how large a header may be, and one that sends more is refused.
func TestLargeHeader(t *testing.T) {
	r := newRigOf(t, nil)
	c := r.raw(t)
	for {
		frame, err := c.ReadFrame()
		if err != nil {
			t.Fatal(err)
		}
		if settings, ok := frame.(*http2.SettingsFrame); ok && !settings.IsAck() {
			if most, ok := settings.Value(http2.SettingMaxHeaderListSize); !ok || most != 8<<10 {
				t.Errorf("largest header: got %d, %v; want 8 KiB", most, ok)
			}
			break
		}
	}
	ctx := metadata.AppendToOutgoingContext(showing(t.Context(), userToken), "x-large", strings.Repeat("x", 10<<10))
	if _, err := tunedv1.NewTuningServiceClient(dial(t, r.tcp)).GetVersion(ctx, &tunedv1.GetVersionRequest{}); err == nil || errors.Is(err, io.EOF) {
		t.Errorf("a header of 10 KiB: got %v", err)
	}
}
