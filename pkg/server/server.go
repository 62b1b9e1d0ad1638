// Package server is the daemon's API: TuningService for users and AgentService for the agents beside
// trials, over gRPC, and the same methods over HTTP with JSON, server-sent events and plain text.
//
// A Server is made by New, given further HTTP routes by Handle, and then serves any number of listeners,
// each with gRPC and HTTP on it: the first bytes of a connection say which. Every call and every request,
// whatever its transport, passes one authority (see authority.go), which lets in nobody by default.
//
//	s := server.New(server.Config{...})
//	s.Handle("GET /metrics", metrics)
//	go s.Serve(unixListener)         // peers of the daemon's own user need no token
//	go s.ServeTLS(tcpListener, tls)  // or Serve, on the loopback: a token is needed
//	...
//	s.Shutdown(ctx)                  // the listeners are closed, calls under way are answered
package server

import (
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
	"google.golang.org/grpc"

	"github.com/tuned-hpo/tuned/algorithms"
	tunedv1 "github.com/tuned-hpo/tuned/api/tuned/v1"
	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/tuner"
)

// Config is what a server works with. Tuner, Trial, Algorithms and Now are required.
type Config struct {
	Tuner Tuner
	// Trial returns whose token it is that was shown, without Source; false for one that the daemon has not
	// made. It is called for whatever anybody shows, and must cost little.
	Trial func(token string) (r tuner.Reporter, ok bool)
	// UserToken proves the right to everything; "" lets in the peers of Unix sockets alone.
	UserToken string
	// Hosts are the names under which browsers reach the server, beside localhost and IP addresses. A
	// request for another name is refused, for a web page may have made its name resolve to here.
	Hosts []string
	// Algorithms are those that an experiment can name.
	Algorithms *algorithms.Registry
	// Options are those of reading an experiment that is created; Strict comes with the request.
	Options experiment.Options
	// Prepare completes and checks an experiment that is about to be created: whether its trials can run
	// here. Its experiment.Faults are those of the manifest. Nil does nothing.
	Prepare func(e *experiment.Experiment) error
	// Local says that trials run as processes beside the daemon, so that an experiment may say how.
	Local bool
	// Ready says why the server should get no requests now, such as a full disk. Nil is always ready.
	Ready   func() error
	Version string
	Limits  Limits // zero fields are those of DefaultLimits
	Now     func() time.Time
	Log     zerolog.Logger
}

// Server serves the API on its listeners.
type Server struct {
	Config
	grpc    *grpc.Server
	http    *http.Server
	routes  *http.ServeMux
	methods map[string]bool // patterns of routes that decide themselves who is let in
	guard   *authority
	front   *front
	calls   underWay     // but for the streams of agents, and imports that come
	agents  atomic.Int32 // whose streams are open

	logins   logins
	sessions *tally // streams of agents by trial

	watches atomic.Int32 // that are open
	imports imports

	begin, end sync.Once
	serving    sync.WaitGroup
	closing    chan struct{} // closed by Shutdown: streams end
}

// New returns a server without listeners.
func New(c Config) *Server {
	c.Limits = c.Limits.withDefaults()
	s := &Server{Config: c, routes: http.NewServeMux(), methods: map[string]bool{}, closing: make(chan struct{}), imports: newImports()}
	s.guard = newAuthority(&s.Config)
	s.logins.now = s.Now
	s.front = newFront(s.Limits)
	s.sessions = newTally(s.Limits.PerTrial)
	s.grpc = s.newGRPC()
	s.http = s.newHTTP()
	tunedv1.RegisterAgentServiceServer(s.grpc, &agents{Server: s})
	tunedv1.RegisterTuningServiceServer(s.grpc, &users{Server: s})
	return s
}

// Handle adds an HTTP route for users, behind the same guards as all others. It must not be called once the
// server serves. The pattern is that of http.ServeMux; one that openapi.json describes takes the parameters that it
// has there.
func (s *Server) Handle(pattern string, h http.Handler) {
	for _, o := range operations() {
		if o.pattern == pattern {
			h = s.strictly(o, h)
		}
	}
	s.routes.Handle(pattern, h)
}
