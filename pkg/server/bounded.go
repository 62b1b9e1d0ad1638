package server

import (
	"google.golang.org/grpc"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"
)

// bounded is a message that must not be larger than a number of bytes.
type bounded struct {
	message any
	most    int
	size    int   // of what came; it is not decoded where it is more than most
	err     error // why it cannot be decoded
}

// bounding is a codec that knows bounded messages: gRPC has one limit for all methods of a server.
type bounding struct{ encoding.CodecV2 }

// Unmarshal implements encoding.CodecV2.
func (b bounding) Unmarshal(data mem.BufferSlice, v any) error {
	into, ok := v.(*bounded)
	if !ok {
		return b.CodecV2.Unmarshal(data, v)
	}
	if into.size = data.Len(); into.size > into.most {
		return nil
	}
	into.err = b.CodecV2.Unmarshal(data, into.message)
	return nil
}

// boundedStream is a stream whose messages are at most so many bytes.
type boundedStream struct {
	grpc.ServerStream
	most int
}

// RecvMsg implements grpc.ServerStream.
func (s *boundedStream) RecvMsg(m any) error {
	b := &bounded{message: m, most: s.most}
	if err := s.ServerStream.RecvMsg(b); err != nil {
		return err
	}
	switch {
	case b.size > b.most:
		return fail(reasonTooLarge, "a message of %d bytes: want at most %d", b.size, b.most)
	case b.err != nil:
		return fail(reasonMalformed, "a message of %d bytes is none of this stream", b.size)
	}
	return nil
}
