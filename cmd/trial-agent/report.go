package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	tunedv1 "github.com/tuned-hpo/tuned/api/tuned/v1"
	"github.com/tuned-hpo/tuned/internal/failpoint"
	"github.com/tuned-hpo/tuned/pkg/trialrunner/trialdir"
)

const (
	// dialAfter spares short commands the connection: what they measured is read from the spool.
	dialAfter    = 150 * time.Millisecond
	firstBackoff = 50 * time.Millisecond
	lastBackoff  = 2 * time.Second
	deliverLimit = 2 * time.Second // after the command's end

	maxBatch      = 512
	maxBatchBytes = 64 << 10
	maxInFlight   = 4 // batches that are not yet acknowledged
)

// reporter sends the spool to the daemon: from the first number that the daemon does not have, and
// again from there after each break.
type reporter struct {
	spec       *trialdir.Spec
	spool      *trialdir.Spool
	notes      *notes
	superseded chan struct{} // capacity 1: the daemon wants nothing more of this attempt
	poke       chan struct{} // capacity 1: there is more to send, or something was acknowledged
	cancel     context.CancelFunc
	done       chan struct{}

	mu      sync.Mutex
	live    bool          // a session is open
	acked   uint64        // highest number that is durable
	changed chan struct{} // closed and replaced when live or acked change
}

func newReporter(spec *trialdir.Spec, spool *trialdir.Spool, notes *notes) *reporter {
	return &reporter{
		spec: spec, spool: spool, notes: notes, superseded: make(chan struct{}, 1),
		poke: make(chan struct{}, 1), done: make(chan struct{}), changed: make(chan struct{}),
	}
}

// wake says that there is more to send.
func (r *reporter) wake() {
	select {
	case r.poke <- struct{}{}:
	default:
	}
}

// begin reports until end is called.
func (r *reporter) begin() {
	ctx, cancel := context.WithCancel(context.Background())
	r.cancel = cancel
	go func() {
		defer close(r.done)
		r.run(ctx)
	}()
}

// end waits for the delivery of the rest while a session is open, and stops.
func (r *reporter) end() {
	timer := time.NewTimer(deliverLimit)
	defer timer.Stop()
	last := r.spool.Last()
	for waiting := true; waiting; {
		r.mu.Lock()
		live, acked, changed := r.live, r.acked, r.changed
		r.mu.Unlock()
		if !live || acked >= last {
			break
		}
		select {
		case <-changed:
		case <-timer.C:
			waiting = false
		}
	}
	r.cancel()
	<-r.done
}

// run opens sessions, for ever.
func (r *reporter) run(ctx context.Context) {
	if !sleep(ctx, dialAfter) {
		return
	}
	conn, err := dial(r.spec.Address)
	if err != nil {
		r.notes.add("report measurements: %v", err)
		return
	}
	defer conn.Close()
	client := tunedv1.NewAgentServiceClient(conn)
	// Agents that lost the same daemon must not come back at the same time.
	jitter := rand.New(rand.NewPCG(uint64(os.Getpid()), uint64(time.Now().UnixNano())))
	for wait := firstBackoff; ; wait = min(2*wait, lastBackoff) {
		opened := time.Now()
		err := r.session(ctx, client)
		r.set(false, 0)
		if ctx.Err() != nil {
			return
		}
		r.notes.add("report measurements: %v", err)
		if status.Code(err) == codes.FailedPrecondition {
			r.superseded <- struct{}{}
			return
		}
		if time.Since(opened) > lastBackoff {
			wait = firstBackoff
		}
		if !sleep(ctx, wait/2+time.Duration(jitter.Int64N(int64(wait)))) {
			return
		}
	}
}

// session reports over one stream until it breaks.
func (r *reporter) session(ctx context.Context, client tunedv1.AgentServiceClient) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := client.Report(metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+r.spec.Token), grpc.WaitForReady(true))
	if err != nil {
		return err
	}
	failpoint.Hit("agent.hello")
	// The error of Send says only that there is one; Recv has it.
	if err := stream.Send(&tunedv1.ReportRequest{Hello: r.hello()}); err != nil {
		_, err = stream.Recv()
		return err
	}
	first, err := stream.Recv()
	if err != nil {
		return err
	}
	r.set(true, first.GetAckedSeq())
	broken := make(chan error, 1)
	go func() { broken <- r.receive(stream) }()
	r.send(ctx, stream, broken, first.GetAckedSeq())
	cancel()
	return <-broken
}

func (r *reporter) hello() *tunedv1.Hello {
	s := r.spec
	return &tunedv1.Hello{
		Namespace: s.Namespace, Experiment: s.Experiment, Uid: s.UID,
		Trial: s.Trial, Attempt: int32(s.Attempt), Stream: "agent",
	}
}

// receive notes acknowledgements until the stream breaks, and returns why.
func (r *reporter) receive(stream tunedv1.AgentService_ReportClient) error {
	for {
		response, err := stream.Recv()
		if err != nil {
			return err
		}
		failpoint.Hit("agent.acked")
		r.set(true, response.GetAckedSeq())
		r.wake()
	}
}

// send sends what comes after a number. A few batches are under way at a time: when the daemon is
// slow, they grow, not their number. It puts back into broken what it takes from there.
func (r *reporter) send(ctx context.Context, stream tunedv1.AgentService_ReportClient, broken chan error, after uint64) {
	cursor := r.spool.After(after)
	var flight []uint64 // last number of each batch
	for {
		r.mu.Lock()
		acked := r.acked
		r.mu.Unlock()
		for len(flight) > 0 && flight[0] <= acked {
			flight = flight[1:]
		}
		if len(flight) < maxInFlight && after < r.spool.Last() {
			batch := r.batch(cursor, after)
			failpoint.Hit("agent.send")
			if len(batch) == 0 || stream.Send(&tunedv1.ReportRequest{Measurements: batch}) != nil {
				return
			}
			after = batch[len(batch)-1].GetSeq()
			flight = append(flight, after)
			continue
		}
		select {
		case <-r.poke:
		case err := <-broken:
			broken <- err
			return
		case <-ctx.Done():
			return
		}
	}
}

// batch takes the next measurements from the spool.
func (r *reporter) batch(cursor *trialdir.Cursor, after uint64) []*tunedv1.Measurement {
	last := r.spool.Last()
	var batch []*tunedv1.Measurement
	for size := 0; after < last && len(batch) < maxBatch && size < maxBatchBytes; after++ {
		m, err := cursor.Next()
		if err != nil {
			r.notes.add("read spool at %d of %d: %v", after+1, last, err)
			break
		}
		size += len(m.Metric) + len(m.Text) + 32 // 32: the numbers
		out := &tunedv1.Measurement{Seq: m.Seq, Step: m.Step, Metric: m.Metric, Text: m.Text}
		if !m.Time.IsZero() {
			out.Time = timestamppb.New(m.Time)
		}
		batch = append(batch, out)
	}
	return batch
}

// set notes what is known about the daemon.
func (r *reporter) set(live bool, acked uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.live = live
	r.acked = max(r.acked, acked)
	close(r.changed)
	r.changed = make(chan struct{})
}

// dial prepares a connection; it is made, and made again, in the background.
func dial(address string) (*grpc.ClientConn, error) {
	return grpc.NewClient("passthrough:///tuned",
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithNoProxy(),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return connect(ctx, address) }),
		grpc.WithConnectParams(grpc.ConnectParams{MinConnectTimeout: 5 * time.Second, Backoff: backoff.Config{
			BaseDelay: firstBackoff, Multiplier: 1.6, Jitter: 0.2, MaxDelay: lastBackoff,
		}}))
}

// maxSocketPath is the longest path of a socket that the kernel takes, in bytes: sun_path with a NUL at
// its end (unix(7)).
const maxSocketPath = len(syscall.RawSockaddrUnix{}.Path) - 1

// connect connects to unix:PATH or host:port. A path that is too long is reached through its folder.
func connect(ctx context.Context, address string) (net.Conn, error) {
	var d net.Dialer
	path, unix := strings.CutPrefix(address, "unix:")
	if !unix {
		return d.DialContext(ctx, "tcp", address)
	}
	path = strings.TrimPrefix(path, "//")
	if len(path) <= maxSocketPath {
		return d.DialContext(ctx, "unix", path)
	}
	folder, err := os.Open(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	conn, err := d.DialContext(ctx, "unix", fmt.Sprintf("/proc/self/fd/%d/%s", folder.Fd(), filepath.Base(path)))
	return conn, errors.Join(err, folder.Close())
}

func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
