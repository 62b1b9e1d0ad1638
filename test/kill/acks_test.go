package kill_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"

	tunedv1 "github.com/tuned-hpo/tuned/api/tuned/v1"
	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/trialrunner"
)

const streams = 32

// TestAcknowledgementsSurviveKills reports measurements without keeping them, remembers only what
// was acknowledged, and asks after each death of the daemon whether all of it is still there.
func TestAcknowledgementsSurviveKills(t *testing.T) {
	dir := t.TempDir()
	text := strings.Replace(spec(streams), "parallelTrialCount: 4", fmt.Sprintf("parallelTrialCount: %d", streams), 1)
	file, data := filepath.Join(dir, "experiment.yaml"), filepath.Join(dir, "data")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	conn, err := grpc.NewClient("unix:"+filepath.Join(data, "tuned.sock"), grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: backoff.Config{BaseDelay: 5 * time.Millisecond, Multiplier: 1, MaxDelay: 5 * time.Millisecond}}))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()

	var reporters []*reporter
	moment := moments(t)
	for cycle := range *cycles {
		d := start(t, "--data-dir", data, file)
		if cycle == 0 {
			reporters = newReporters(t, conn, data)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var all sync.WaitGroup
		var greeted atomic.Int32
		for _, r := range reporters {
			all.Go(func() { r.report(ctx, t, &greeted) })
		}
		if d.kill(moment()) {
			t.Errorf("cycle %d: the daemon ended by itself: %v\n%s", cycle, d.err, d.output.String())
		}
		cancel()
		all.Wait()
		t.Logf("cycle %d: %d of %d streams compared, %d acknowledged in all", cycle, greeted.Load(), streams, acknowledged(reporters))
	}
	d := start(t, "--data-dir", data, file)
	defer d.kill(0)
	for _, r := range reporters {
		r.compare(t)
	}
	if acknowledged(reporters) == 0 {
		t.Error("nothing was ever acknowledged: the test shows nothing")
	}
}

func acknowledged(rs []*reporter) (n uint64) {
	for _, r := range rs {
		n += r.acked.Load()
	}
	return n
}

// reporter is an agent without a memory but for the highest acknowledged number.
type reporter struct {
	client tunedv1.AgentServiceClient
	hello  *tunedv1.Hello
	token  string
	acked  atomic.Uint64
}

// newReporters asks for all trials.
func newReporters(t *testing.T, conn *grpc.ClientConn, data string) (out []*reporter) {
	t.Helper()
	users := tunedv1.NewTuningServiceClient(conn)
	wait := grpc.WaitForReady(true)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var got *tunedv1.Experiment
	var asked *tunedv1.AskResponse
	for { // the socket listens before the experiment is submitted, and that is before it can be asked
		var err error
		if got, err = users.GetExperiment(ctx, &tunedv1.GetExperimentRequest{Namespace: "default", Name: "kill"}, wait); err == nil {
			asked, err = users.Ask(ctx, &tunedv1.AskRequest{Namespace: "default", Experiment: "kill", Count: streams, RequestId: "all"}, wait)
		}
		if err == nil {
			break
		}
		select {
		case <-ctx.Done():
			t.Fatal(err)
		case <-time.After(20 * time.Millisecond):
		}
	}
	uid := got.GetUid()
	secret, err := os.ReadFile(filepath.Join(data, "secret"))
	if err != nil {
		t.Fatal(err)
	}
	key := experiment.Key{Namespace: "default", Name: "kill"}
	for _, trial := range asked.GetTrials() {
		out = append(out, &reporter{client: tunedv1.NewAgentServiceClient(conn), hello: &tunedv1.Hello{
			Namespace: key.Namespace, Experiment: key.Name, Uid: uid, Trial: trial.GetName(), Attempt: 1, Stream: "agent",
		}, token: trialrunner.Token(secret, key, uid, trial.GetName(), 1)})
	}
	return out
}

// open connects and returns the sequence number that the daemon says is durable.
func (r *reporter) open(ctx context.Context) (tunedv1.AgentService_ReportClient, uint64, error) {
	stream, err := r.client.Report(metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+r.token), grpc.WaitForReady(true))
	if err != nil {
		return nil, 0, err
	}
	if err := stream.Send(&tunedv1.ReportRequest{Hello: r.hello}); err != nil {
		return nil, 0, err
	}
	ack, err := stream.Recv()
	return stream, ack.GetAckedSeq(), err
}

// report sends until the daemon dies or ctx ends.
func (r *reporter) report(ctx context.Context, t *testing.T, greeted *atomic.Int32) {
	stream, seq, err := r.open(ctx)
	if err != nil {
		return
	}
	greeted.Add(1)
	if acked := r.acked.Load(); seq < acked {
		t.Errorf("trial %s: %d was acknowledged, the daemon has %d", r.hello.GetTrial(), acked, seq)
	}
	for {
		batch := &tunedv1.ReportRequest{}
		for range 10 {
			seq++
			batch.Measurements = append(batch.Measurements, &tunedv1.Measurement{Seq: seq, Metric: "loss", Text: fmt.Sprint(seq)})
		}
		if stream.Send(batch) != nil {
			return
		}
		ack, err := stream.Recv()
		if err != nil {
			return
		}
		r.acked.Store(ack.GetAckedSeq())
	}
}

// compare asks the daemon once more.
func (r *reporter) compare(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	_, seq, err := r.open(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if acked := r.acked.Load(); seq < acked {
		t.Errorf("trial %s: %d was acknowledged, the daemon has %d", r.hello.GetTrial(), acked, seq)
	}
}
