package server

import (
	"context"
	"io"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"

	tunedv1 "github.com/tuned-hpo/tuned/api/tuned/v1"
)

// inProcess is a connection to the server's own methods: calls go through the same interceptors as those that
// come over the network, and are those of the caller that the context knows.
type inProcess struct {
	*Server
	methods map[string]grpc.MethodHandler
	streams map[string]grpc.StreamHandler // of clients
}

func newInProcess(s *Server) *inProcess {
	c := &inProcess{s, map[string]grpc.MethodHandler{}, map[string]grpc.StreamHandler{}}
	service := tunedv1.TuningService_ServiceDesc
	for _, m := range service.Methods {
		c.methods["/"+service.ServiceName+"/"+m.MethodName] = m.Handler
	}
	for _, m := range service.Streams {
		if m.ClientStreams && !m.ServerStreams {
			c.streams["/"+service.ServiceName+"/"+m.StreamName] = m.Handler
		}
	}
	return c
}

// Invoke implements grpc.ClientConnInterface.
func (c *inProcess) Invoke(ctx context.Context, method string, request, reply any, _ ...grpc.CallOption) error {
	handle, ok := c.methods[method]
	if !ok {
		return fail(reasonMethod, "no method %s", method)
	}
	answer, err := handle(&users{Server: c.Server}, ctx, func(into any) error {
		proto.Merge(into.(proto.Message), request.(proto.Message))
		return nil
	}, c.unary)
	if err != nil {
		return err
	}
	proto.Merge(reply.(proto.Message), answer.(proto.Message))
	return nil
}

// NewStream implements grpc.ClientConnInterface for streams of clients. Those of the server have routes of their
// own. The handler has ended once RecvMsg has returned, or soon after ctx has ended.
func (c *inProcess) NewStream(ctx context.Context, _ *grpc.StreamDesc, method string, _ ...grpc.CallOption) (grpc.ClientStream, error) {
	handle, ok := c.streams[method]
	if !ok {
		return nil, fail(reasonMethod, "no route leads to %s", method)
	}
	p := &pipe{ctx: ctx, messages: make(chan proto.Message), done: make(chan struct{})}
	go func() { //nolint:contextcheck // the stream has it
		defer close(p.done)
		p.err = c.stream(&users{Server: c.Server}, pipeEnd{p}, &grpc.StreamServerInfo{FullMethod: method, IsClientStream: true}, handle)
	}()
	return p, nil
}

// pipe is a stream of messages from a client to a handler in the same process, and the client's end of it.
type pipe struct {
	ctx      context.Context //nolint:containedctx // as of every grpc.ClientStream
	messages chan proto.Message
	closing  sync.Once
	done     chan struct{} // closed once the rest is set
	reply    proto.Message
	err      error
}

// SendMsg implements grpc.ClientStream. The message is the stream's from now on.
func (p *pipe) SendMsg(m any) error {
	select {
	case p.messages <- m.(proto.Message):
		return nil
	case <-p.done:
		return io.EOF // RecvMsg has the error
	}
}

// CloseSend implements grpc.ClientStream.
func (p *pipe) CloseSend() error {
	p.closing.Do(func() { close(p.messages) })
	return nil
}

// RecvMsg implements grpc.ClientStream.
func (p *pipe) RecvMsg(into any) error {
	<-p.done
	if p.err == nil && p.reply != nil {
		proto.Merge(into.(proto.Message), p.reply)
	}
	return p.err
}

// Context implements grpc.ClientStream.
func (p *pipe) Context() context.Context { return p.ctx }

// Header implements grpc.ClientStream.
func (p *pipe) Header() (metadata.MD, error) { return nil, nil }

// Trailer implements grpc.ClientStream.
func (p *pipe) Trailer() metadata.MD { return nil }

// pipeEnd is the handler's end.
type pipeEnd struct{ *pipe }

// RecvMsg implements grpc.ServerStream.
func (p pipeEnd) RecvMsg(into any) error {
	select {
	case m, ok := <-p.messages:
		if !ok {
			return io.EOF
		}
		proto.Merge(into.(proto.Message), m)
		return nil
	case <-p.ctx.Done():
		return p.ctx.Err()
	}
}

// SendMsg implements grpc.ServerStream.
func (p pipeEnd) SendMsg(m any) error {
	p.reply = m.(proto.Message)
	return nil
}

// SetHeader implements grpc.ServerStream.
func (pipeEnd) SetHeader(metadata.MD) error { return nil }

// SendHeader implements grpc.ServerStream.
func (pipeEnd) SendHeader(metadata.MD) error { return nil }

// SetTrailer implements grpc.ServerStream.
func (pipeEnd) SetTrailer(metadata.MD) {}
