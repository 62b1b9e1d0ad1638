package server

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"net"
	"strings"
	"sync"

	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/tap"

	"github.com/tuned-hpo/tuned/pkg/tuner"
)

// caller is who calls, as what comes before the body of a request proves it. The zero value is nobody.
type caller struct {
	user  bool            // may do everything
	trial *tuner.Reporter // whose token was shown, without Source; nil for none
}

type callerKey struct{}

// bearer returns the token of an Authorization header.
func bearer(header string) (token string, ok bool) {
	scheme, token, _ := strings.Cut(header, " ")
	return token, strings.EqualFold(scheme, "Bearer") && token != ""
}

// same compares in a time that tells nothing of what is right, not even its length.
func same(shown, right string) bool {
	x, y := sha256.Sum256([]byte(shown)), sha256.Sum256([]byte(right))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}

// identify finds out who calls on a connection, with such Authorization headers. It looks at nothing else, and
// asks neither tuner nor store. A token that is shown is what counts: who shows one of a trial acts for the
// trial, also on the daemon's own socket.
func (a *authority) identify(c *conn, authorization []string) (caller, error) {
	if len(authorization) == 0 && c.local {
		return caller{user: true}, nil
	}
	if len(authorization) == 1 {
		token, ok := bearer(authorization[0])
		if ok && a.UserToken != "" && same(token, a.UserToken) {
			return a.recognise(c, caller{user: true})
		}
		if t, ours := a.Trial(token); ok && ours {
			return a.recognise(c, caller{trial: &t})
		}
	}
	return caller{}, a.stranger(c, len(authorization) > 0)
}

// recognise counts a connection as one of its caller, no longer as one of a stranger.
func (a *authority) recognise(c *conn, who caller) (caller, error) {
	name := ""
	if who.trial != nil {
		name = nameOf(who.trial)
	}
	if !c.recognise(name) {
		return caller{}, fail(reasonRate, "trial %s has %d connections, no more are let in", name, a.Limits.PerTrial)
	}
	return who, nil
}

// stranger refuses somebody without a right token, who may have shown a wrong one: in time with less than that.
func (a *authority) stranger(c *conn, shown bool) error {
	if wait := a.failures.take(c.address(), 1); wait > 0 {
		return rateLimited(wait)
	}
	if shown {
		return errWrongToken
	}
	return errUnauthenticated
}

// tap is passed by each call over gRPC once its header is there: the message of somebody who may not call the
// method is not read. It runs in the goroutine of the connection, which it must not hold up.
func (s *Server) tap(ctx context.Context, info *tap.Info) (context.Context, error) {
	p, _ := peer.FromContext(ctx)
	known, ok := p.AuthInfo.(connInfo)
	if !ok {
		return ctx, errUnauthenticated
	}
	who, err := s.guard.identify(known.conn, info.Header.Get("authorization"))
	if err != nil {
		return ctx, err
	}
	if _, ruled := rules[info.FullMethodName]; ruled { // gRPC itself says that there is no other
		if err := s.guard.permit(who, info.FullMethodName); err != nil {
			return ctx, err
		}
	}
	return context.WithValue(ctx, callerKey{}, who), nil
}

// tally counts what is open at the same time by a name, up to a number.
type tally struct {
	most int

	mu sync.Mutex
	n  map[string]int
}

func newTally(most int) *tally { return &tally{most: most, n: map[string]int{}} }

// take counts one more, or reports false when there are as many as may be.
func (t *tally) take(name string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.n[name] >= t.most {
		return false
	}
	t.n[name]++
	return true
}

// give takes back one take.
func (t *tally) give(name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.n[name]--; t.n[name] == 0 {
		delete(t.n, name)
	}
}

// address is what limits know a peer by before it has shown who it is.
func (c *conn) address() string {
	if c.Conn == nil {
		return ""
	}
	if tcp, ok := c.RemoteAddr().(*net.TCPAddr); ok {
		return tcp.IP.String()
	}
	return c.RemoteAddr().Network()
}
