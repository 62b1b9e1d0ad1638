package server

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	tunedv1 "github.com/tuned-hpo/tuned/api/tuned/v1"
)

// beat is how often a stream of events says that it lives.
const beat = 15 * time.Second

// watch is TuningService.Watch as server-sent events.
func (s *Server) watch(w http.ResponseWriter, r *http.Request) {
	after := r.Header.Get("Last-Event-ID")
	if after == "" {
		after = r.URL.Query().Get("after")
	}
	if r.Method == http.MethodHead {
		after = "" // so that there is an answer now
	}
	request := &tunedv1.WatchRequest{Namespace: r.PathValue("namespace"), Experiment: r.PathValue("experiment"), After: after}
	out := s.newHTTPStream(w, r, "text/event-stream", writeEvent)
	stopped := out.beating(r.Context())
	defer stopped()
	s.streamOver(out, tunedv1.TuningService_Watch_FullMethodName, func(stream grpc.ServerStream) error { //nolint:contextcheck // the stream has it
		return (&users{Server: s}).Watch(request, &grpc.GenericServerStream[tunedv1.WatchRequest, tunedv1.WatchResponse]{ServerStream: stream})
	})
}

// log is TuningService.GetLog as plain text.
func (s *Server) log(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	tail, _ := strconv.ParseInt(q.Get("tailBytes"), 10, 64) // 0 where it is not given, and checked where it is
	follow, _ := strconv.ParseBool(q.Get("follow"))
	attempt, _ := strconv.ParseInt(q.Get("attempt"), 10, 32)
	request := &tunedv1.GetLogRequest{
		Namespace: r.PathValue("namespace"), Experiment: r.PathValue("experiment"), Trial: r.PathValue("trial"),
		Follow: follow && r.Method != http.MethodHead, TailBytes: tail, Attempt: int32(attempt),
	}
	out := s.newHTTPStream(w, r, "text/plain; charset=utf-8", writeLog)
	s.streamOver(out, tunedv1.TuningService_GetLog_FullMethodName, func(stream grpc.ServerStream) error { //nolint:contextcheck // the stream has it
		return (&users{Server: s}).GetLog(request, &grpc.GenericServerStream[tunedv1.GetLogRequest, tunedv1.GetLogResponse]{ServerStream: stream})
	})
}

// streamOver runs a stream as gRPC does, through the same interceptor. An error before the first message is
// the answer.
func (s *Server) streamOver(out *httpStream, method string, run func(grpc.ServerStream) error) {
	info := &grpc.StreamServerInfo{FullMethod: method, IsServerStream: true}
	err := s.stream(nil, out, info, func(_ any, stream grpc.ServerStream) error { return run(stream) })
	out.mu.Lock()
	defer out.mu.Unlock()
	switch {
	case !out.begun && err != nil:
		s.refuse(out.w, err)
	case !out.begun:
		out.begin()
	case errors.Is(err, errNoBody):
	case err != nil && out.r.Context().Err() == nil:
		panic(http.ErrAbortHandler) // so that the client sees that the answer is not whole
	}
}

// httpStream is a grpc.ServerStream whose messages go out as the body of an answer.
type httpStream struct {
	w     http.ResponseWriter
	r     *http.Request
	kind  string // Content-Type
	write func(http.ResponseWriter, proto.Message) error
	stall time.Duration

	mu    sync.Mutex
	begun bool
}

func (s *Server) newHTTPStream(w http.ResponseWriter, r *http.Request, kind string, write func(http.ResponseWriter, proto.Message) error) *httpStream {
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{}) // the request is read
	return &httpStream{w: w, r: r, kind: kind, write: write, stall: s.Limits.Stall}
}

// SendMsg implements grpc.ServerStream. A client that takes nothing for too long is cut off.
func (o *httpStream) SendMsg(m any) error {
	return o.send(func() error { return o.write(o.w, m.(proto.Message)) })
}

func (o *httpStream) send(write func() error) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	control := http.NewResponseController(o.w)
	_ = control.SetWriteDeadline(deadline(o.stall)) // a recorder in a test has none
	if !o.begun {
		o.begin()
	}
	if o.r.Method == http.MethodHead {
		return errNoBody
	}
	if err := write(); err != nil {
		return err
	}
	return control.Flush()
}

// errNoBody ends a stream whose client wants the header alone.
var errNoBody = fail(reasonCanceled, "the client wants no body")

func (o *httpStream) begin() {
	o.begun = true
	o.w.Header().Set("Content-Type", o.kind)
	o.w.Header().Set("X-Accel-Buffering", "no") // of a proxy between
	o.w.WriteHeader(http.StatusOK)
}

// beating sends a comment from time to time, once the stream has begun. The returned function ends that.
func (o *httpStream) beating(ctx context.Context) func() {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		ticker := time.NewTicker(beat)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
				_ = o.send(func() error { _, err := o.w.Write([]byte(":\n\n")); return err }) // the stream itself meets the error
			}
		}
	}()
	return func() { cancel(); <-done }
}

// Context implements grpc.ServerStream.
func (o *httpStream) Context() context.Context { return o.r.Context() }

// SetHeader implements grpc.ServerStream.
func (o *httpStream) SetHeader(metadata.MD) error { return nil }

// SendHeader implements grpc.ServerStream.
func (o *httpStream) SendHeader(metadata.MD) error { return nil }

// SetTrailer implements grpc.ServerStream.
func (o *httpStream) SetTrailer(metadata.MD) {}

// RecvMsg implements grpc.ServerStream. There is one request, and it is known.
func (o *httpStream) RecvMsg(any) error {
	return fmt.Errorf("receive message: %w", http.ErrNotSupported)
}

var wire = protojson.MarshalOptions{EmitDefaultValues: true}

// writeEvent writes a change as an event whose type says what has changed. Only what a client may go on after
// has an id.
func writeEvent(w http.ResponseWriter, m proto.Message) error {
	c := m.(*tunedv1.WatchResponse)
	kind, about := "reset", proto.Message(nil)
	switch x := c.GetChange().(type) {
	case *tunedv1.WatchResponse_Experiment:
		kind, about = "experiment", x.Experiment
	case *tunedv1.WatchResponse_Trial:
		kind, about = "trial", x.Trial
	case *tunedv1.WatchResponse_Event:
		kind, about = "event", x.Event
	case *tunedv1.WatchResponse_Deleted:
		kind, about = "deleted", x.Deleted
	}
	data := []byte("{}")
	if about != nil {
		text, err := wire.Marshal(about)
		if err != nil {
			return err
		}
		var line bytes.Buffer
		if err := json.Compact(&line, text); err != nil {
			return err
		}
		data = line.Bytes()
	}
	if c.GetId() != "" {
		if _, err := fmt.Fprintf(w, "id: %s\n", c.GetId()); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(w, "event: %s\ndata: %s\n\n", kind, data)
	return err
}

func writeLog(w http.ResponseWriter, m proto.Message) error {
	_, err := w.Write(m.(*tunedv1.GetLogResponse).GetData())
	return err
}
