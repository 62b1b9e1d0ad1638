package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	gateway "github.com/tuned-hpo/tuned/api/tuned/v1/gateway"
	"github.com/tuned-hpo/tuned/api/tuned/v1/openapi"
)

// addRoutes adds the routes that the server has by itself: those of the description, and a page for browsers.
func (s *Server) addRoutes() {
	own := map[string]http.HandlerFunc{ // by operation; all others are methods
		"Healthy": s.healthy, "Ready": s.ready, "GetOpenAPI": s.description,
		"WatchAll": s.watch, "WatchNamespace": s.watch, "WatchExperiment": s.watch, "GetLog": s.log,
	}
	methods := s.newGateway()
	for _, o := range operations() {
		switch h, ok := own[o.id]; {
		case ok:
			s.routes.Handle(o.pattern, s.strictly(o, h))
		case !o.joined:
			s.methods[o.pattern] = true
			s.routes.Handle(o.pattern, s.strictly(o, methods))
		}
	}
	s.routes.HandleFunc("GET /{$}", s.home)
}

func (s *Server) description(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(openapi.JSON) // the client is gone, or gets it
}

func (s *Server) healthy(w http.ResponseWriter, _ *http.Request) { writeText(w, http.StatusOK, "ok") }

// ready says whether requests are welcome now.
func (s *Server) ready(w http.ResponseWriter, _ *http.Request) {
	select {
	case <-s.closing:
		writeText(w, http.StatusServiceUnavailable, "shutting down")
		return
	default:
	}
	if s.Ready != nil {
		if err := s.Ready(); err != nil {
			writeText(w, http.StatusServiceUnavailable, err.Error())
			return
		}
	}
	writeText(w, http.StatusOK, "ok")
}

func writeText(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text + "\n")) // the client is gone, or gets it
}

// newGateway serves the methods of TuningService at the routes of http.yaml.
func (s *Server) newGateway() http.Handler {
	mux := runtime.NewServeMux(
		runtime.WithMarshalerOption(runtime.MIMEWildcard, whole{&runtime.JSONPb{MarshalOptions: protojson.MarshalOptions{EmitDefaultValues: true}}}),
		runtime.WithErrorHandler(func(_ context.Context, _ *runtime.ServeMux, _ runtime.Marshaler, w http.ResponseWriter, r *http.Request, err error) {
			s.refuse(w, s.unread(r, err))
		}),
		runtime.WithRoutingErrorHandler(func(ctx context.Context, _ *runtime.ServeMux, _ runtime.Marshaler, w http.ResponseWriter, _ *http.Request, status int) {
			if c, _ := ctx.Value(callerKey{}).(caller); !c.user {
				s.refuse(w, forbidden(c.trial, "it is for users alone"))
				return
			}
			s.refuse(w, misrouted(errors.New("malformed request"), status))
		}),
		runtime.WithForwardResponseOption(func(_ context.Context, w http.ResponseWriter, _ proto.Message) error {
			w.Header().Set("Content-Type", "application/json")
			return nil
		}),
	)
	if err := gateway.RegisterTuningServiceHandlerClient(context.Background(), mux, s.Client()); err != nil {
		panic(err) // a route that cannot be parsed: any test would meet it
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodHead { // package net/http leaves the body out
			r = r.Clone(r.Context())
			r.Method = http.MethodGet
		}
		mux.ServeHTTP(w, r)
	})
}

// whole reads the body of a request as one message, so that a fault has its place in it; that of an import is
// many.
type whole struct{ *runtime.JSONPb }

// NewDecoder implements runtime.Marshaler.
func (j whole) NewDecoder(body io.Reader) runtime.Decoder {
	if _, many := body.(*patient); many {
		return j.JSONPb.NewDecoder(body)
	}
	return runtime.DecoderFunc(func(v any) error {
		text, err := io.ReadAll(body)
		if err != nil {
			return err
		}
		if len(text) == 0 {
			return io.EOF // the gateway takes it for an empty message
		}
		if m, ok := v.(proto.Message); ok {
			err = protojson.Unmarshal(text, m)
		} else {
			err = j.Unmarshal(text, v)
		}
		if err != nil && strings.Contains(err.Error(), io.ErrUnexpectedEOF.Error()) { // protobuf wraps no error
			return fmt.Errorf("syntax error (line %d:%d): it ends too early", 1+bytes.Count(text, []byte("\n")), len(text)-bytes.LastIndexByte(text, '\n'))
		}
		return err
	})
}

// unread says why a body is no message, of which the gateway has made text.
func (s *Server) unread(r *http.Request, err error) error {
	st := status.Convert(err)
	switch {
	case st.Code() != codes.InvalidArgument || len(st.Details()) > 0: // a method has said so
		return err
	case strings.Contains(st.Message(), (&http.MaxBytesError{}).Error()):
		return fail(reasonTooLarge, "the request is larger than %d bytes", s.largest(r))
	}
	// protobuf writes some spaces as another one, so that nobody relies on the text.
	return fail(reasonMalformed, "%s", strings.TrimPrefix(strings.ReplaceAll(st.Message(), "\u00a0", " "), "proto: "))
}
