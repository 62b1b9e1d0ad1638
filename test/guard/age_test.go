package guard_test

import (
	"context"
	"net"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/tuned-hpo/tuned/algorithms/builtin"
	tunedv1 "github.com/tuned-hpo/tuned/api/tuned/v1"
	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/server"
	"github.com/tuned-hpo/tuned/pkg/store/storetest"
	"github.com/tuned-hpo/tuned/pkg/trialrunner"
	"github.com/tuned-hpo/tuned/pkg/trialrunner/local"
	"github.com/tuned-hpo/tuned/pkg/tuner"
)

// counting counts how often an agent has opened a stream.
type counting struct {
	server.Tuner
	streams *atomic.Int32
}

// Stream implements server.Tuner.
func (c counting) Stream(ctx context.Context, r tuner.Reporter) (experiment.Stream, uint64, error) {
	c.streams.Add(1)
	return c.Tuner.Stream(ctx, r)
}

const values = 400 // that each trial prints

// printing is an experiment of two trials that print many values, for some seconds.
const printing = `apiVersion: kubeflow.org/v1beta1
kind: Experiment
metadata: {name: printing}
spec:
  maxTrialCount: 2
  parallelTrialCount: 2
  objective: {type: minimize, objectiveMetricName: loss}
  algorithm: {algorithmName: random}
  parameters:
  - {name: x, parameterType: double, feasibleSpace: {min: "0", max: "1"}}
`

// TestOldConnections: connections that are sent away because of their age lose nothing. Real agents and clients
// connect anew, and no call that yields one answer fails.
func TestOldConnections(t *testing.T) {
	dir, memory, streams := t.TempDir(), storetest.NewMemory(), &atomic.Int32{}
	socket, secret := filepath.Join(dir, "s"), []byte("secret")
	runner, err := local.New(local.Config{
		Dir: filepath.Join(dir, "trials"), Agent: filepath.Join(bin, "trial-agent"), Address: "unix:" + socket, Secret: secret, Now: time.Now, Log: zerolog.Nop(),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = runner.Close() })
	tn, err := tuner.New(tuner.Config{Store: memory, Runner: runner, Algorithms: builtin.Registry(), Now: time.Now, Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	run(t, tn.Run)
	s := server.New(server.Config{
		Tuner: counting{tn, streams}, Algorithms: builtin.Registry(), Now: time.Now, Log: zerolog.Nop(), Local: true,
		Trial: func(token string) (tuner.Reporter, bool) {
			h, ok := trialrunner.HolderOf(secret, token)
			return tuner.Reporter{Experiment: h.Key(), UID: h.UID, Trial: h.Trial, Attempt: h.Attempt}, ok
		},
		Limits: server.Limits{Age: 200 * time.Millisecond, AgeGrace: 100 * time.Millisecond},
	})
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	run(t, func(ctx context.Context) error {
		context.AfterFunc(ctx, func() { _ = s.Shutdown(context.WithoutCancel(ctx)) })
		return s.Serve(listener)
	})
	users := client(t, "unix:"+socket)
	if _, err := users.CreateExperiment(t.Context(), &tunedv1.CreateExperimentRequest{Manifest: printing, Local: &tunedv1.Local{
		Command: []string{"sh", "-c", "i=0; while [ $i -lt 400 ]; do i=$((i+1)); echo loss=0.$i; sleep 0.01; done"},
	}}); err != nil {
		t.Fatal(err)
	}
	calls, cuts := followToTheEnd(t, users)
	for number := range uint64(2) {
		s := experiment.Stream{Experiment: experiment.Key{Namespace: "default", Name: "printing"}, Number: number + 1, Attempt: 1, Source: "agent"}
		ms, err := memory.Measurements(t.Context(), s, 0, 0)
		if err != nil || len(ms) != values || ms[values-1].Seq != values || ms[values-1].Text != "0.400" {
			t.Errorf("trial %d: %d measurements, %v; want %d", number+1, len(ms), err, values)
		}
	}
	if streams.Load() < 4 || cuts < 2 || calls < 100 {
		t.Errorf("2 agents opened %d streams, a watch was cut %d times, among %d calls: too few to believe", streams.Load(), cuts, calls)
	}
	t.Logf("2 agents opened %d streams, a watch was cut %d times, %d calls were answered", streams.Load(), cuts, calls)
}

// run runs f until the test ends.
func run(t *testing.T, f func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- f(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

func client(t *testing.T, address string) tunedv1.TuningServiceClient {
	t.Helper()
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return tunedv1.NewTuningServiceClient(conn)
}

// followToTheEnd watches, and goes on from where a stream was cut, until the experiment has settled, while
// another goroutine calls all the time.
func followToTheEnd(t *testing.T, users tunedv1.TuningServiceClient) (calls, cuts int) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	called := make(chan int)
	go func() {
		n, pause := 0, time.NewTicker(2*time.Millisecond)
		defer pause.Stop()
		for ; ctx.Err() == nil; <-pause.C {
			if _, err := users.GetVersion(ctx, &tunedv1.GetVersionRequest{}); err != nil && ctx.Err() == nil {
				t.Errorf("call %d: %v", n, err)
				break
			}
			n++
		}
		called <- n
	}()
	for after := ""; ; cuts++ {
		stream, err := users.Watch(ctx, &tunedv1.WatchRequest{After: after})
		if err != nil {
			t.Fatal(err)
		}
		for err == nil {
			var m *tunedv1.WatchResponse
			if m, err = stream.Recv(); m.GetId() != "" {
				after = m.GetId()
			}
			if m.GetExperiment().GetSettled() {
				cancel()
				return <-called, cuts
			}
		}
		if status.Code(err) != codes.Unavailable {
			t.Fatalf("the watch ended with %v, want Unavailable", err)
		}
	}
}
