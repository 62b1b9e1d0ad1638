package kill_test

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	tunedv1 "github.com/tuned-hpo/tuned/api/tuned/v1"
	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/trialrunner"
)

var histories = flag.Int("histories", 5, "how many histories of concurrent calls and kills are checked")

const (
	clients  = 6
	parallel = 4 // fewer than clients, so that some find no room
	budget   = 10_000
	lives    = 3 // of the daemon in each history
)

// TestHistories has clients call a daemon that is killed now and then, and looks for an order of the
// calls, one after the other, in which a daemon that never dies would have given the same answers.
func TestHistories(t *testing.T) {
	calls, unanswered, slow := 0, 0, 0
	for n := range *histories {
		h := record(t, *seed+uint64(n))
		calls += len(h.done)
		for _, op := range h.done {
			if !op.Output.(output).came {
				unanswered++
			}
		}
		m := model(parallel, budget)
		result, info := porcupine.CheckOperationsVerbose(m, h.done, 30*time.Second)
		switch result {
		case porcupine.Illegal:
			path := filepath.Join(os.TempDir(), fmt.Sprintf("history-%d.html", *seed+uint64(n))) //nolint:usetesting // it is to outlive the test
			_ = porcupine.VisualizePath(m, info, path)
			t.Fatalf("history %d, -kill-seed %d, is illegal: see %s", n, *seed+uint64(n), path)
		case porcupine.Unknown:
			slow++
		}
	}
	t.Logf("%d histories, %d calls, %d of them unanswered, %d kills: illegal 0, not decided in time %d",
		*histories, calls, unanswered, *histories*lives, slow)
	if 100*slow > *histories {
		t.Errorf("%d of %d histories were not decided in time, want 1 in 100 at most", slow, *histories)
	}
}

// history is what happened to one experiment.
type history struct {
	t      *testing.T
	begun  time.Time
	users  tunedv1.TuningServiceClient
	agents tunedv1.AgentServiceClient
	secret []byte
	uid    string

	mu   sync.Mutex
	done []porcupine.Operation
}

// record has clients at work while the daemon is killed and started again.
func record(t *testing.T, seed uint64) *history {
	t.Helper()
	dir, err := os.MkdirTemp("", "hist") //nolint:usetesting // a folder of the test's name is too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	file, data := filepath.Join(dir, "experiment.yaml"), filepath.Join(dir, "data")
	if err := os.WriteFile(file, []byte(spec(budget)), 0o600); err != nil {
		t.Fatal(err)
	}
	conn, err := grpc.NewClient("unix:"+filepath.Join(data, "tuned.sock"), grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: backoff.Config{BaseDelay: 5 * time.Millisecond, Multiplier: 1, MaxDelay: 5 * time.Millisecond}}))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	h := &history{t: t, begun: time.Now(), users: tunedv1.NewTuningServiceClient(conn), agents: tunedv1.NewAgentServiceClient(conn)}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	random := rand.New(rand.NewPCG(seed, 99))
	d := start(t, "--data-dir", data, file)
	h.identify(ctx, data)
	var all sync.WaitGroup
	for i := range clients {
		all.Go(func() { h.client(ctx, i, rand.New(rand.NewPCG(seed, uint64(i)))) })
	}
	for life := range lives {
		if d.kill(150*time.Millisecond + time.Duration(random.Int64N(int64(250*time.Millisecond)))) {
			t.Fatalf("the daemon ended by itself: %v\n%s", d.err, d.output.String())
		}
		if life < lives-1 {
			d = start(t, "--data-dir", data, file)
		}
	}
	cancel()
	all.Wait()
	return h
}

// identify waits for the daemon and learns what agents must know.
func (h *history) identify(ctx context.Context, data string) {
	h.t.Helper()
	for {
		e, err := h.users.GetExperiment(ctx, &tunedv1.GetExperimentRequest{Namespace: "default", Name: "kill"}, grpc.WaitForReady(true))
		if err == nil {
			h.uid = e.GetUid()
			break
		}
		if status.Code(err) != codes.NotFound {
			h.t.Fatal(err)
		}
		pause(ctx, 5*time.Millisecond)
	}
	var err error
	if h.secret, err = os.ReadFile(filepath.Join(data, "secret")); err != nil {
		h.t.Fatal(err)
	}
}

// client evaluates trials, one after the other, and looks at the experiment in between.
func (h *history) client(ctx context.Context, id int, random *rand.Rand) {
	for n := 0; ctx.Err() == nil; n++ {
		request := fmt.Sprintf("c%d-%d", id, n)
		var trial uint64
		for trial == 0 && ctx.Err() == nil {
			trial = h.call(ctx, id, input{op: opAsk, request: request}).trial
			h.look(ctx, id, random)
		}
		last := uint64(0)
		for range random.IntN(3) {
			next := last + 1 + random.Uint64N(3)
			h.report(ctx, id, trial, last, next)
			last = next
			pause(ctx, time.Duration(random.IntN(10))*time.Millisecond)
		}
		for told := false; !told && ctx.Err() == nil; {
			out := h.call(ctx, id, input{op: opTell, trial: trial, value: strconv.Itoa(id*1000 + n)})
			told = out.came
			pause(ctx, time.Duration(random.IntN(10))*time.Millisecond)
		}
	}
}

// look reads.
func (h *history) look(ctx context.Context, id int, random *rand.Rand) {
	op := opList
	if random.IntN(2) == 0 {
		op = opGet
	}
	h.call(ctx, id, input{op: op})
	pause(ctx, time.Duration(random.IntN(20))*time.Millisecond)
}

// report appends to the stream of a trial what comes after a number, until it is acknowledged.
func (h *history) report(ctx context.Context, id int, trial, after, last uint64) {
	for ctx.Err() == nil {
		if h.call(ctx, id, input{op: opGreet, trial: trial}).came && h.call(ctx, id, input{op: opAppend, trial: trial, first: after + 1, last: last}).came {
			return
		}
		pause(ctx, 5*time.Millisecond)
	}
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// call makes a call and notes it. A call that was refused without having been looked at is made again.
func (h *history) call(ctx context.Context, client int, in input) output {
	for ctx.Err() == nil {
		began := time.Since(h.begun)
		limited, cancel := context.WithTimeout(ctx, 5*time.Second)
		out, err := h.do(limited, in)
		cancel()
		code := status.Code(err)
		if code == codes.NotFound { // the daemon is up and has not yet been given the experiment
			pause(ctx, 2*time.Millisecond)
			continue
		}
		if err != nil && code != codes.Unavailable && code != codes.Canceled {
			h.t.Errorf("%+v: %v", in, err)
		}
		op := porcupine.Operation{ClientId: client, Input: in, Call: int64(began), Output: out, Return: int64(time.Since(h.begun))}
		if err != nil {
			op.Output, op.Return = output{}, 1<<62 // it may be carried out at any time, or never
		}
		if err != nil && in.op != opAsk && in.op != opTell && in.op != opAppend {
			return output{} // it has changed nothing
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		if err != nil { // one client can have only one call open
			op.ClientId = clients + len(h.done)
		}
		h.done = append(h.done, op)
		return op.Output.(output)
	}
	return output{}
}

// do makes a call.
func (h *history) do(ctx context.Context, in input) (out output, err error) {
	out.came = true
	ready := grpc.WaitForReady(true)
	switch in.op {
	case opAsk:
		a, err := h.users.Ask(ctx, &tunedv1.AskRequest{Namespace: "default", Experiment: "kill", Count: 1, RequestId: in.request}, ready)
		if len(a.GetTrials()) > 0 {
			out.trial = a.GetTrials()[0].GetNumber()
		}
		return out, err
	case opTell:
		_, err := h.users.Tell(ctx, &tunedv1.TellRequest{
			Namespace: "default", Experiment: "kill", Trial: strconv.FormatUint(in.trial, 10),
			Measurements: []*tunedv1.Measurement{{Seq: 1, Metric: "loss", Text: in.value}},
		}, ready)
		if status.Code(err) == codes.FailedPrecondition {
			return out, nil
		}
		out.accepted = true
		return out, err
	case opList:
		l, err := h.users.ListTrials(ctx, &tunedv1.ListTrialsRequest{Namespace: "default", Experiment: "kill", PageSize: 1000}, ready)
		for _, t := range l.GetTrials() {
			one := listed{state: t.GetState()}
			if t.Value != nil {
				one.value = strconv.FormatFloat(t.GetValue(), 'g', -1, 64)
			}
			out.trials = append(out.trials, one)
		}
		return out, err
	case opGet:
		e, err := h.users.GetExperiment(ctx, &tunedv1.GetExperimentRequest{Namespace: "default", Name: "kill"}, ready)
		out.total, out.done = int(e.GetCounts().GetTrials()), int(e.GetCounts().GetSucceeded())
		return out, err
	}
	return h.stream(ctx, in)
}

// stream greets as an agent of a trial, and may append.
func (h *history) stream(ctx context.Context, in input) (out output, err error) {
	out.came = true
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	name, key := experiment.TrialName("kill", h.uid, in.trial), experiment.Key{Namespace: "default", Name: "kill"}
	stream, err := h.agents.Report(metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+trialrunner.Token(h.secret, key, h.uid, name, 1)), grpc.WaitForReady(true))
	if err != nil {
		return out, err
	}
	request := &tunedv1.ReportRequest{Hello: &tunedv1.Hello{
		Namespace: key.Namespace, Experiment: key.Name, Uid: h.uid, Trial: name, Attempt: 1, Stream: "agent",
	}}
	for seq := in.first; seq <= in.last && seq > 0; seq++ {
		request.Measurements = append(request.Measurements, &tunedv1.Measurement{Seq: seq, Metric: "speed", Text: "1"})
	}
	_ = stream.Send(request) // Recv has the error
	ack, err := stream.Recv()
	if err == nil && in.op == opAppend {
		ack, err = stream.Recv() // the first one is the greeting
	}
	out.acked = ack.GetAckedSeq()
	return out, err
}
