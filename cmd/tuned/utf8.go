package main

import (
	"context"
	"strconv"
	"strings"
	"unicode/utf8"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protopath"
	"google.golang.org/protobuf/reflect/protorange"
)

// textAlone are the options of a connection that refuses what is not UTF-8 before it is sent: gRPC sends no other text,
// and does not say in which field it is.
func textAlone() []grpc.DialOption {
	return []grpc.DialOption{
		grpc.WithChainUnaryInterceptor(func(ctx context.Context, method string, request, reply any, c *grpc.ClientConn, invoke grpc.UnaryInvoker, options ...grpc.CallOption) error {
			if err := checkText(request); err != nil {
				return err
			}
			return invoke(ctx, method, request, reply, c, options...)
		}),
		grpc.WithChainStreamInterceptor(func(ctx context.Context, d *grpc.StreamDesc, c *grpc.ClientConn, method string, begin grpc.Streamer, options ...grpc.CallOption) (grpc.ClientStream, error) {
			stream, err := begin(ctx, d, c, method, options...)
			return textStream{stream}, err
		}),
	}
}

// textStream is a stream of messages whose texts are UTF-8.
type textStream struct{ grpc.ClientStream }

// SendMsg implements grpc.ClientStream.
func (s textStream) SendMsg(m any) error {
	if err := checkText(m); err != nil {
		return err
	}
	return s.ClientStream.SendMsg(m)
}

// checkText says which text of a message is not UTF-8.
func checkText(message any) error {
	m, ok := message.(proto.Message)
	if !ok {
		return nil
	}
	return protorange.Range(m.ProtoReflect(), func(p protopath.Values) error {
		last := p.Index(-1)
		texts := []any{last.Value.Interface()}
		if last.Step.Kind() == protopath.MapIndexStep {
			texts = append(texts, last.Step.MapIndex().Interface())
		}
		for _, x := range texts {
			if text, ok := x.(string); ok && !utf8.ValidString(text) {
				_, field, _ := strings.Cut(p.Path.String(), ").") // which begins with the message's name
				return usage("%s: %s is not UTF-8 text: byte %d is 0x%02x", field, shortQuote(text), badByte(text)+1, text[badByte(text)])
			}
		}
		return nil
	})
}

// shortQuote is a text as a literal, cut where it is long.
func shortQuote(text string) string {
	const most = 60 // bytes
	if len(text) > most {
		return strconv.Quote(text[:most]) + "..."
	}
	return strconv.Quote(text)
}

// badByte returns the place of the first byte that is not UTF-8.
func badByte(text string) int {
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRuneInString(text[i:])
		if r == utf8.RuneError && size <= 1 {
			return i
		}
		i += size
	}
	return 0
}
