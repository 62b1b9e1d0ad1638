package main

import (
	"context"
	"fmt"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// refused puts what a connection meets into the words of who made it: where the daemon was looked for, and which
// token it was shown.
type refused struct {
	address string // as it was given
	token   string // where the token comes from; "" when none is shown
}

func (r refused) options() []grpc.DialOption {
	return []grpc.DialOption{grpc.WithChainUnaryInterceptor(r.unary), grpc.WithChainStreamInterceptor(r.stream)}
}

func (r refused) unary(ctx context.Context, method string, request, reply any, c *grpc.ClientConn, call grpc.UnaryInvoker, o ...grpc.CallOption) error {
	return r.explain(call(ctx, method, request, reply, c, o...))
}

func (r refused) stream(ctx context.Context, d *grpc.StreamDesc, c *grpc.ClientConn, method string, begin grpc.Streamer, o ...grpc.CallOption) (grpc.ClientStream, error) {
	s, err := begin(ctx, d, c, method, o...)
	if err != nil {
		return nil, r.explain(err)
	}
	return refusedStream{s, r}, nil
}

type refusedStream struct {
	grpc.ClientStream
	refused refused
}

// RecvMsg implements grpc.ClientStream.
func (s refusedStream) RecvMsg(m any) error { return s.refused.explain(s.ClientStream.RecvMsg(m)) }

// explain returns the error of a call with another text; its code stays.
func (r refused) explain(err error) error {
	switch status.Code(err) {
	case codes.Unauthenticated:
		return status.Error(codes.Unauthenticated, r.tokenText())
	case codes.Unavailable:
		return status.Error(codes.Unavailable, fmt.Sprintf("%s: %s", r.address, r.outageText(status.Convert(err).Message())))
	}
	return err
}

func (r refused) tokenText() string {
	const where = "the right one is the file token in the daemon's data directory"
	switch {
	case strings.HasPrefix(r.address, "unix:"):
		return "the daemon of " + r.address + " runs as another user; run this as that user, or name the daemon by --server and its token by --token-file"
	case r.token == "":
		return "the daemon at " + r.address + " wants a token: give it with --token-file FILE, $TUNED_TOKEN_FILE or $TUNED_TOKEN; " + where
	}
	return "the token from " + r.token + " is not that of the daemon at " + r.address + "; " + where
}

// endedAtOnce is the sign of a connection that was ended before anything was answered.
const endedAtOnce = "error reading server preface: EOF"

// encrypted reports whether nobody asks here by plain http over TCP.
func (r refused) encrypted() bool {
	return strings.HasPrefix(r.address, "unix:") || strings.HasPrefix(r.address, "https:")
}

// by is the address with another scheme.
func (r refused) by(scheme string) string {
	_, host, ok := strings.Cut(r.address, "://")
	if !ok {
		host = r.address
	}
	return scheme + "://" + host
}

// outageText says why a daemon cannot be reached.
func (r refused) outageText(text string) string {
	for _, known := range []struct{ sign, say string }{
		{"connection refused", "nothing listens there; start the daemon, or name another with --server"},
		{"produced zero addresses", "there is no host of that name; name another with --server"},
		{"no such host", "there is no host of that name; name another with --server"},
		{"no such file or directory", "there is no such socket; start the daemon, or name another with --server"},
		{"permission denied", "this user may not use the socket; run this as the daemon's user"},
		{"first record does not look like a TLS handshake", "it speaks http, and was asked by https: give --server " + r.by("http")},
		{"server gave HTTP response to HTTPS client", "it speaks http, and was asked by https: give --server " + r.by("http")},
		{"looked like an HTTP/1.1 header", "an HTTP server answers there, but not a tuned daemon; name another with --server, or give https:// where it wants that"},
		{"frame too large", "it speaks no http, perhaps https: give --server " + r.by("https")},
		{endedAtOnce, "it ended the connection as one does that speaks https and was asked by http: if so, give --server " + r.by("https")},
		{"signed by unknown authority", "its certificate is not signed by an authority that is trusted here: name that by --ca-file"},
		{"context deadline exceeded", "it did not answer in time"},
		{"closing", "it is ending"},
	} {
		if strings.Contains(text, known.sign) && !(known.sign == endedAtOnce && r.encrypted()) {
			return known.say
		}
	}
	for _, inner := range []string{"connection error: desc = \"transport: ", "Error while dialing: ", "authentication handshake failed: ", "tls: ", "error reading from server: "} {
		text = strings.TrimPrefix(text, inner)
	}
	return strings.TrimSuffix(text, `"`)
}
