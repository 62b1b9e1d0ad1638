package server_test

import (
	"context"
	"net"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/tuned-hpo/tuned/algorithms/builtin"
	tunedv1 "github.com/tuned-hpo/tuned/api/tuned/v1"
	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/server"
	"github.com/tuned-hpo/tuned/pkg/store/storetest"
	"github.com/tuned-hpo/tuned/pkg/trialrunner"
	"github.com/tuned-hpo/tuned/pkg/tuner"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// idle is a runner all of whose slots are taken.
type idle struct{ trialrunner.Runner }

func (idle) Changed() <-chan experiment.Key                                       { return nil }
func (idle) Leave(experiment.Key)                                                 {}
func (idle) Start(context.Context, trialrunner.Spec) error                        { return trialrunner.ErrBusy }
func (idle) Purge(context.Context, experiment.Key) error                          { return nil }
func (idle) List(context.Context, experiment.Key) ([]trialrunner.Workload, error) { return nil, nil }

// rig is a real tuner behind a real server, on a Unix socket and on a TCP port of the loopback.
type rig struct {
	users  tunedv1.TuningServiceClient // over the socket, without a token
	agents tunedv1.AgentServiceClient
	tuner  *tuner.Tuner
	server *server.Server
	client *http.Client // over TCP
	tcp    string       // address
	socket string
	store  interface {
		Measurements(context.Context, experiment.Stream, uint64, int) ([]experiment.Measurement, error)
	}
	uid string
}

const userToken = "of-the-user"

var secret = []byte("secret")

func token(key experiment.Key, uid, trial string, attempt int) string {
	return trialrunner.Token(secret, key, uid, trial, attempt)
}

func trialOf(token string) (tuner.Reporter, bool) {
	h, ok := trialrunner.HolderOf(secret, token)
	return tuner.Reporter{Experiment: h.Key(), UID: h.UID, Trial: h.Trial, Attempt: h.Attempt}, ok
}

func newRig(t testing.TB, budget int32) *rig {
	t.Helper()
	return newRigOf(t, asked(budget))
}

// newRigOf serves one experiment.
func newRigOf(t testing.TB, submitted *experiment.Experiment, adjust ...func(*server.Config)) *rig {
	t.Helper()
	ctx := t.Context()
	memory := storetest.NewMemory()
	tn, err := tuner.New(tuner.Config{Store: memory, Runner: idle{}, Algorithms: builtin.Registry(), Now: time.Now, Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{tuner: tn, store: memory}
	r.drive(t)
	if submitted != nil {
		e, err := tn.Submit(ctx, submitted)
		if err != nil {
			t.Fatal(err)
		}
		r.uid = e.Metadata.UID
	}
	c := server.Config{
		Tuner: tn, Trial: trialOf, UserToken: userToken, Algorithms: builtin.Registry(),
		Version: "v0.0.0-test", Now: time.Now, Log: zerolog.New(zerolog.NewTestWriter(t)),
	}
	for _, f := range adjust {
		f(&c)
	}
	r.serve(t, c)
	return r
}

// drive runs the tuner until the test ends, and the server that is started later has ended.
func (r *rig) drive(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	driven := make(chan error, 1)
	go func() { driven <- r.tuner.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-driven; err != nil {
			t.Errorf("tuner: %v", err)
		}
	})
}

// serve starts the server and its clients.
func (r *rig) serve(t testing.TB, c server.Config) {
	t.Helper()
	r.server, r.socket = server.New(c), filepath.Join(t.TempDir(), "s")
	unix, err := net.Listen("unix", r.socket)
	if err != nil {
		t.Fatal(err)
	}
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 2)
	go func() { served <- r.server.Serve(unix) }()
	go func() { served <- r.server.Serve(tcp) }()
	conn := dial(t, "unix:"+r.socket)
	r.users, r.agents, r.tcp = tunedv1.NewTuningServiceClient(conn), tunedv1.NewAgentServiceClient(conn), tcp.Addr().String()
	r.server.Announce("http://" + r.tcp)
	r.client = &http.Client{Transport: &http.Transport{}}
	t.Cleanup(func() {
		_ = conn.Close()
		r.client.CloseIdleConnections()
		stop, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 5*time.Minute)
		defer cancel()
		if err := r.server.Shutdown(stop); err != nil {
			t.Errorf("shutdown: %v", err)
		}
		for range 2 {
			if err := <-served; err != nil {
				t.Errorf("serve: %v", err)
			}
		}
	})
}

// dial connects to a server.
func dial(t testing.TB, address string) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}
