package server

import (
	"context"
	"fmt"
	"runtime/debug"

	"google.golang.org/grpc"
)

// unary is passed by each call of one answer, over gRPC and over HTTP.
func (s *Server) unary(ctx context.Context, request any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (response any, err error) {
	s.calls.begin()
	defer s.calls.end()
	defer s.recovered(info.FullMethod, &err)
	inNamespace(request)
	if err := s.guard.admit(ctx, info.FullMethod, request); err != nil {
		return nil, err
	}
	response, err = handle(ctx, request)
	return response, s.failure(ctx, err, scope{})
}

// stream is passed by each stream, over gRPC and over HTTP.
func (s *Server) stream(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handle grpc.StreamHandler) (err error) {
	defer s.recovered(info.FullMethod, &err)
	if _, ruled := rules[info.FullMethod]; !ruled {
		return noMethod(srv, stream)
	}
	if !info.IsClientStream {
		s.calls.begin()
		defer s.calls.end()
	}
	if err := s.guard.admit(stream.Context(), info.FullMethod, nil); err != nil {
		return err
	}
	if rules[info.FullMethod].access == forAgents {
		stream = &boundedStream{stream, int(s.Limits.TrialBody)}
	}
	return s.failure(stream.Context(), handle(srv, namedStream{stream}), scope{})
}

// recovered turns a panic into an error: one request must not end the daemon.
func (s *Server) recovered(method string, err *error) {
	if p := recover(); p != nil {
		s.Log.Error().Str("method", method).Str("panic", fmt.Sprint(p)).Bytes("stack", debug.Stack()).Msg("request panicked")
		*err = fail(reasonInternal, "internal error; the daemon's log has the cause")
	}
}
