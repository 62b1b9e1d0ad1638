package server

import (
	"context"
	"encoding/json"
	"fmt"
	stdlog "log" //nolint:depguard // package http takes no other logger
	"mime"
	"net"
	"net/http"
	"net/netip"
	"path"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/rs/zerolog"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// How long a request may take to arrive, and an answer that is no stream to be made and taken.
const (
	idleTimeout  = 2 * time.Minute
	writeTimeout = 2 * time.Minute
)

type connKey struct{}

func (s *Server) newHTTP() *http.Server {
	return &http.Server{
		Handler: s.handler(), ReadHeaderTimeout: s.Limits.Greeting, ReadTimeout: s.Limits.Stall,
		WriteTimeout: writeTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: s.Limits.HTTPHeader,
		ErrorLog: stdlog.New(httpLog{s.Log}, "", 0),
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			known, _ := c.(*conn)
			return context.WithValue(ctx, connKey{}, known)
		},
	}
}

// connOf returns the connection of a request.
func connOf(r *http.Request) *conn {
	if c, ok := r.Context().Value(connKey{}).(*conn); ok && c != nil {
		return c
	}
	return &conn{}
}

// handler is all of HTTP: every route stands behind the same guards.
func (s *Server) handler() http.Handler {
	origin := http.NewCrossOriginProtection()
	origin.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.turnAway(w, r, fail(reasonOrigin, "a page of another origin must not change anything here"))
	}))
	s.addRoutes()
	var h http.Handler = http.HandlerFunc(s.route)
	h = s.onlyCallers(h)
	h = origin.Handler(h)
	h = s.onlyHosts(h)
	return s.safely(h)
}

// headers are on every answer: nothing of it is to be guessed at, framed, kept, or read by other pages.
var headers = map[string]string{
	"Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; font-src 'self'; " +
		"base-uri 'none'; form-action 'self'; frame-ancestors 'none'; require-trusted-types-for 'script'",
	"X-Content-Type-Options":       "nosniff",
	"Referrer-Policy":              "no-referrer",
	"Cross-Origin-Resource-Policy": "same-origin",
	"Cross-Origin-Opener-Policy":   "same-origin",
	"X-Frame-Options":              "DENY",
	"Cache-Control":                "no-store",
}

// safely sets the headers of every answer and survives a handler that panics.
func (s *Server) safely(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for name, value := range headers {
			w.Header().Set(name, value)
		}
		defer func() {
			switch p := recover(); p {
			case nil:
			case http.ErrAbortHandler:
				panic(p) // the connection is cut
			default:
				s.Log.Error().Str("path", r.URL.Path).Str("panic", fmt.Sprint(p)).Bytes("stack", debug.Stack()).Msg("request panicked")
				s.refuse(w, fail(reasonInternal, "internal error; the daemon's log has the cause"))
			}
		}()
		next.ServeHTTP(w, r)
	})
}

// onlyHosts refuses names that a web page may have made to resolve to here. What comes over a Unix socket
// comes from no browser.
func (s *Server) onlyHosts(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !connOf(r).unix() && !s.knownHost(r.Host) {
			s.turnAway(w, r, fail(reasonHost, "host %q is not known here: the daemon is told its names when it is started", r.Host))
			return
		}
		next.ServeHTTP(w, r)
	})
}

// knownHost takes addresses, which nobody can make resolve to something else, and names that are listed.
func (s *Server) knownHost(host string) bool {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	if _, err := netip.ParseAddr(strings.Trim(name, "[]")); err == nil {
		return true
	}
	return strings.EqualFold(name, "localhost") || slices.ContainsFunc(s.Hosts, func(known string) bool { return strings.EqualFold(name, known) })
}

// cookieName names the cookie of browsers.
const cookieName = "tuned-hpo-session"

// public are the routes that need no token.
var public = map[string]bool{"/healthz": true, "/readyz": true}

// onlyCallers finds out who calls, and lets in nobody else: of a request that is refused no body is read.
// Routes that are for users ask that; those of methods are decided on by authority.admit.
func (s *Server) onlyCallers(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case public[r.URL.Path]:
			next.ServeHTTP(w, r)
			return
		case r.URL.Path == "/" && r.URL.Query().Has("login"):
			s.logIn(w, r)
			return
		}
		c, err := s.httpCaller(r)
		if err != nil {
			s.turnAway(w, r, err)
			return
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), callerKey{}, c)))
	})
}

// httpCaller returns who sends a request.
func (s *Server) httpCaller(r *http.Request) (caller, error) {
	shown := r.Header.Values("Authorization")
	cookie, err := r.Cookie(cookieName)
	if len(shown) == 0 && err == nil && sameSite(r) && s.guard.inSession(cookie.Value) {
		return s.guard.recognise(connOf(r), caller{user: true})
	}
	return s.guard.identify(connOf(r), shown)
}

// sameSite reports whether a browser sends a request for a page of ours, or because its user wants to see
// one: pages of other ports of the same machine get the cookie sent as well.
func sameSite(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "none", "same-origin":
		return true
	}
	return r.Method == http.MethodGet && r.Header.Get("Sec-Fetch-Mode") == "navigate"
}

// route serves a request of somebody known: methods decide themselves whether that is enough, all else is for
// users.
func (s *Server) route(w http.ResponseWriter, r *http.Request) {
	handler, pattern := s.routes.Handler(r)
	if path.Clean(r.URL.Path) != r.URL.Path {
		handler, pattern = http.NotFoundHandler(), "" // no redirection
	}
	c, _ := r.Context().Value(callerKey{}).(caller)
	if !public[r.URL.Path] && !s.methods[pattern] && !c.user {
		s.refuse(w, forbidden(c.trial, "it is for users alone"))
		return
	}
	if pattern == "" {
		s.lost(w, r, handler)
		return
	}
	if !s.readable(w, r) {
		return
	}
	s.routes.ServeHTTP(w, r)
}

// lost answers a request that no route takes.
func (s *Server) lost(w http.ResponseWriter, r *http.Request, handler http.Handler) {
	probe := &statusOnly{header: http.Header{}}
	handler.ServeHTTP(probe, r)
	allowed := probe.header.Get("Allow")
	switch {
	case probe.status != http.StatusMethodNotAllowed:
		s.refuse(w, fail(reasonRoute, "no route %s %s", r.Method, r.URL.Path))
	case r.Method == http.MethodOptions:
		w.Header().Set("Allow", allowed+", "+http.MethodOptions)
		w.WriteHeader(http.StatusNoContent)
	default:
		w.Header().Set("Allow", allowed)
		s.refuse(w, fail(reasonMethod, "%s %s: allowed is %s", r.Method, r.URL.Path, allowed))
	}
}

// statusOnly keeps the status and the header of an answer.
type statusOnly struct {
	header http.Header
	status int
}

// Header implements http.ResponseWriter.
func (p *statusOnly) Header() http.Header { return p.header }

// Write implements http.ResponseWriter.
func (p *statusOnly) Write(b []byte) (int, error) { return len(b), nil }

// WriteHeader implements http.ResponseWriter.
func (p *statusOnly) WriteHeader(status int) { p.status = status }

// readable bounds the body of a request, and refuses one that is no JSON.
func (s *Server) readable(w http.ResponseWriter, r *http.Request) bool {
	r.Body = s.bounded(w, r)
	kind := r.Header.Get("Content-Type")
	if kind == "" && r.ContentLength == 0 {
		return true
	}
	if r.Method == http.MethodGet || r.Method == http.MethodHead || r.Method == http.MethodDelete {
		return true
	}
	if media, _, err := mime.ParseMediaType(kind); err != nil || !slices.Contains(mediaTypes(r), media) {
		s.refuse(w, fail(reasonMediaType, "Content-Type %q: want %s", kind, mediaTypes(r)[0]))
		return false
	}
	return true
}

// turnAway answers with an error before the body is read, for which package net/http would wait.
func (s *Server) turnAway(w http.ResponseWriter, r *http.Request, err error) {
	if r.ContentLength != 0 {
		w.Header().Set("Connection", "close")
	}
	if status.Code(err) == codes.Unauthenticated && strings.Contains(r.Header.Get("Accept"), "text/html") {
		s.showDoor(w, err)
		return
	}
	s.refuse(w, err)
}

// refuse answers with an error.
func (s *Server) refuse(w http.ResponseWriter, err error) {
	problem := problemOf(err)
	if problem.retry > 0 {
		w.Header().Set("Retry-After", fmt.Sprint(int(problem.retry.Seconds())+1))
	}
	if problem.Status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Bearer realm="tuned"`)
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(problem.Status)
	_ = json.NewEncoder(w).Encode(problem) // the client is gone, or gets it
}

// httpLog passes on what package net/http has to say.
type httpLog struct{ zerolog.Logger }

// Write implements io.Writer.
func (l httpLog) Write(text []byte) (int, error) {
	l.Debug().Str("http", strings.TrimSpace(string(text))).Msg("connection")
	return len(text), nil
}
