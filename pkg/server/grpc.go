package server

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/keepalive"
)

func (s *Server) newGRPC() *grpc.Server {
	return grpc.NewServer(
		grpc.Creds(accepted{}),
		grpc.MaxRecvMsgSize(int(s.Limits.Body)),
		grpc.MaxHeaderListSize(uint32(s.Limits.Header)),
		grpc.MaxConcurrentStreams(s.Limits.Streams),
		grpc.ConnectionTimeout(s.Limits.Greeting),
		grpc.WriteBufferSize(4<<10),
		grpc.ReadBufferSize(0),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: s.Limits.Pings, PermitWithoutStream: true}),
		grpc.KeepaliveParams(keepalive.ServerParameters{
			MaxConnectionIdle: 15 * time.Minute, MaxConnectionAge: s.Limits.Age, MaxConnectionAgeGrace: s.Limits.AgeGrace,
			Time: time.Minute, Timeout: s.Limits.Stall,
		}),
		grpc.ForceServerCodecV2(bounding{encoding.GetCodecV2(proto.Name)}),
		grpc.InTapHandle(s.tap),
		grpc.UnknownServiceHandler(noMethod),
		grpc.ChainUnaryInterceptor(s.unary),
		grpc.ChainStreamInterceptor(s.stream),
	)
}

// noMethod answers a call of a method that there is not.
func noMethod(_ any, stream grpc.ServerStream) error {
	method, _ := grpc.MethodFromServerStream(stream)
	return fail(reasonMethod, "no method %s", method)
}

// Serve serves gRPC and HTTP on a listener until Shutdown. Peers of a Unix socket that run as the
// daemon's own user need no token. Everybody else who can reach the listener can read the traffic on its
// way unless it is the loopback: see ServeTLS.
func (s *Server) Serve(l net.Listener) error { return s.serve(l, nil) }

// ServeTLS is Serve with TLS. The config holds the certificates; at least TLS 1.2 is spoken.
func (s *Server) ServeTLS(l net.Listener, c *tls.Config) error {
	c = c.Clone()
	c.MinVersion = max(c.MinVersion, tls.VersionTLS12)
	c.NextProtos = []string{"http/1.1", "h2"} // browsers know both and get the first, clients of gRPC know h2 alone
	return s.serve(l, c)
}

func (s *Server) serve(l net.Listener, c *tls.Config) error {
	s.begin.Do(func() {
		s.serving.Go(func() { _ = s.grpc.Serve(s.front.grpc) }) // ends with its listener, as Shutdown wants
		s.serving.Go(func() { _ = s.http.Serve(s.front.http) })
	})
	return s.front.serve(l, c)
}

// lastFrames is how long answers may take to leave once their calls are done.
const lastFrames = 100 * time.Millisecond

// Shutdown closes the listeners, ends streams and waits until the calls under way are answered or ctx
// ends; then it cuts all connections. Agents keep what is not acknowledged, and connect anew.
func (s *Server) Shutdown(ctx context.Context) error {
	s.end.Do(func() { close(s.closing) })
	err := s.front.close()
	graceful := make(chan struct{})
	go func() { defer close(graceful); s.grpc.GracefulStop() }()
	if e := s.http.Shutdown(ctx); e != nil && !errors.Is(e, http.ErrServerClosed) {
		err = errors.Join(err, e, s.http.Close())
	}
	select {
	case <-s.calls.idle():
		ctx, cancel := context.WithTimeout(ctx, lastFrames)
		defer cancel()
		select {
		case <-graceful:
		case <-ctx.Done():
		}
	case <-graceful:
	case <-ctx.Done():
	}
	s.imports.cutOff()
	s.grpc.Stop()
	<-graceful
	s.imports.wait()
	s.front.end()
	s.serving.Wait()
	return err
}

// accepted tells gRPC of each connection what is known of its peer; that it speaks TLS where it must is
// seen to already.
type accepted struct{}

type connInfo struct{ *conn }

// AuthType implements credentials.AuthInfo.
func (connInfo) AuthType() string { return "tuned" }

// ServerHandshake implements credentials.TransportCredentials.
func (accepted) ServerHandshake(c net.Conn) (net.Conn, credentials.AuthInfo, error) {
	known, ok := c.(*conn)
	if !ok {
		return nil, nil, errors.New("connection of another listener")
	}
	return c, connInfo{known}, nil
}

// ClientHandshake implements credentials.TransportCredentials.
func (accepted) ClientHandshake(context.Context, string, net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return nil, nil, errors.New("for servers alone")
}

// Info implements credentials.TransportCredentials.
func (accepted) Info() credentials.ProtocolInfo {
	return credentials.ProtocolInfo{SecurityProtocol: "tuned"}
}

// Clone implements credentials.TransportCredentials.
func (a accepted) Clone() credentials.TransportCredentials { return a }

// OverrideServerName implements credentials.TransportCredentials.
func (accepted) OverrideServerName(string) error { return nil }

// underWay counts calls.
type underWay struct {
	mu      sync.Mutex
	n       int
	waiting []chan struct{}
}

func (u *underWay) begin() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.n++
}

func (u *underWay) end() {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.n--; u.n == 0 {
		for _, c := range u.waiting {
			close(c)
		}
		u.waiting = nil
	}
}

// idle returns a channel that is closed once no call is under way.
func (u *underWay) idle() <-chan struct{} {
	u.mu.Lock()
	defer u.mu.Unlock()
	c := make(chan struct{})
	if u.n == 0 {
		close(c)
	} else {
		u.waiting = append(u.waiting, c)
	}
	return c
}
