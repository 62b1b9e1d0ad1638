//go:build failpoint

package simulate

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"

	"github.com/tuned-hpo/tuned/algorithms/builtin"
	tunedv1 "github.com/tuned-hpo/tuned/api/tuned/v1"
	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/server"
	"github.com/tuned-hpo/tuned/pkg/store"
	"github.com/tuned-hpo/tuned/pkg/trialrunner"
	"github.com/tuned-hpo/tuned/pkg/tuner"
)

var secret = []byte("secret")

func token(key experiment.Key, uid, trial string, attempt int) string {
	return trialrunner.Token(secret, key, uid, trial, attempt)
}

func trialOf(token string) (tuner.Reporter, bool) {
	h, ok := trialrunner.HolderOf(secret, token)
	return tuner.Reporter{Experiment: h.Key(), UID: h.UID, Trial: h.Trial, Attempt: h.Attempt}, ok
}

const userToken = "of the user"

// user shows the user's token to the service of users.
type user struct{}

func (user) GetRequestMetadata(_ context.Context, service ...string) (map[string]string, error) {
	if strings.HasSuffix(service[0], tunedv1.AgentService_ServiceDesc.ServiceName) {
		return nil, nil // agents show the token of their trial
	}
	return map[string]string{"authorization": "Bearer " + userToken}, nil
}

func (user) RequireTransportSecurity() bool { return false }

// life is the daemon from one start to its death.
type life struct {
	sim    *sim
	dead   atomic.Bool
	died   time.Time // once dead
	store  *gate
	runner *handle
	tuner  *tuner.Tuner
	server *server.Server
	conn   *grpc.ClientConn
	users  tunedv1.TuningServiceClient
	agents tunedv1.AgentServiceClient
	cancel context.CancelFunc
	run    chan error // capacity 1: what Run returned
	served chan error
	result error

	sentences map[*trialled]map[uint64]sentence // by trial number, not known to be carried out
}

// boot starts the daemon, which goes on with all experiments.
func (s *sim) boot() {
	opened, err := s.disk.open()
	if err != nil {
		s.broken("the store cannot be opened: %v", err)
	}
	l := &life{sim: s, run: make(chan error, 1), served: make(chan error, 1), sentences: map[*trialled]map[uint64]sentence{}}
	l.store = &gate{Store: opened, sim: s, dead: &l.dead}
	l.runner = &handle{life: l, changed: make(chan experiment.Key, 10_000)}
	s.life = l
	l.tuner, err = tuner.New(tuner.Config{Store: l.store, Runner: l.runner, Algorithms: builtin.Registry(), Pruners: l.witnessed(), Now: time.Now, Log: zerolog.Nop()})
	if err != nil {
		s.broken("%v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	l.cancel = cancel
	go func() { l.run <- l.tuner.Run(ctx) }()
	l.serve()
	for err := l.tuner.Start(ctx); err != nil; err = l.tuner.Start(ctx) {
		if !errors.Is(err, errRunner) {
			s.broken("start: %v", err)
		}
		time.Sleep(time.Second) // whoever watches over the daemon starts it anew
	}
}

func (l *life) serve() {
	listener := bufconn.Listen(1 << 20)
	l.server = server.New(server.Config{
		Tuner: l.tuner, Trial: trialOf, UserToken: userToken, Algorithms: builtin.Registry(), Now: time.Now, Log: zerolog.Nop(),
		Limits: server.Limits{Age: 1e6 * time.Hour}, // it varies at random
	})
	go func() { l.served <- l.server.Serve(listener) }()
	conn, err := grpc.NewClient("passthrough:///", grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithPerRPCCredentials(user{}),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }))
	if err != nil {
		l.sim.broken("%v", err)
	}
	l.conn, l.users, l.agents = conn, tunedv1.NewTuningServiceClient(conn), tunedv1.NewAgentServiceClient(conn)
}

// kill ends the life at this instant: nobody hears of it any more, and nothing that it does counts.
func (l *life) kill() {
	if l.dead.Swap(true) {
		return
	}
	l.died = time.Now()
	l.sim.forget(l.died)
	if err := l.sim.disk.crash(); err != nil {
		panic(err)
	}
}

// stop ends the life as a daemon ends that is told to.
func (l *life) stop() {
	l.hangUp()
	l.cancel()
	l.sim.rest()
	if !l.ended() || l.result != nil && !errors.Is(l.result, errDead) && !errors.Is(l.result, errBroken) && !errors.Is(l.result, store.ErrFull) {
		l.sim.broken("stopped: %v, ended: %t", l.result, l.ended())
	}
	if err := l.store.Close(); err != nil {
		l.sim.broken("close: %v", err)
	}
	l.died = time.Now()
	l.sim.forget(l.died)
	l.dead.Store(true)
}

// hangUp cuts all connections.
func (l *life) hangUp() {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_ = l.server.Shutdown(ctx) // a second time, when it was stopped
}

// ended reports whether the daemon has ended by itself, which it must when its disk fails.
func (l *life) ended() bool {
	select {
	case l.result = <-l.run:
		l.run <- l.result
		if l.result != nil && !l.dead.Load() && !errors.Is(l.result, errBroken) {
			l.sim.broken("the daemon ended: %v", l.result)
		}
		return true
	default:
		return false
	}
}

// bury clears a life away.
func (l *life) bury() {
	l.dead.Store(true)
	_ = l.conn.Close()
	l.hangUp()
	l.cancel()
	<-l.run
	<-l.served
	_ = l.store.Close() // a second time, when it was stopped
	if f, ok := l.sim.disk.(*folder); ok {
		if err := f.tidy(); err != nil {
			l.sim.t.Error(err)
		}
	}
	l.sim.life = nil
}

// heard reports whether an answer counts: the daemon lived when it was given.
func (l *life) heard() bool { return !l.dead.Load() }

// forget notes that the daemon has ended: what it had not stored of the time used is forgotten.
func (s *sim) forget(died time.Time) {
	lost := saved + time.Since(died)
	if s.fullSince.Before(died) && s.full.After(s.fullSince) {
		lost += died.Sub(s.fullSince)
	}
	s.stood(lost)
}

// stood notes that for some time nothing may have been counted.
func (s *sim) stood(lost time.Duration) {
	for _, x := range s.experiments {
		x.clock.forgot += lost
	}
}
