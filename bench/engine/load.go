package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/types/known/timestamppb"

	tunedv1 "github.com/tuned-hpo/tuned/api/tuned/v1"
	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/store/badger"
	"github.com/tuned-hpo/tuned/pkg/trialrunner"
)

// perConnection is the number of streams that share one connection.
const perConnection = 100

// load is a number of agents that have nothing to do but to report.
type load struct {
	daemon    *daemon
	conns     []*grpc.ClientConn
	reporters []*reporter
	streams   int
	size      int           // measurements in a batch
	pause     time.Duration // of each stream between an acknowledgement and the next batch

	wall, cpu time.Duration // of the run; CPU time is this process's
}

// reporter is one stream.
type reporter struct {
	trial     string
	stream    tunedv1.AgentService_ReportClient
	acked     uint64
	latencies []time.Duration
}

// newLoad asks for trials and opens a stream for each, until ctx ends. The caller calls close.
func (d *daemon) newLoad(ctx context.Context, streams, size int) (l *load, err error) {
	l = &load{daemon: d, streams: streams, size: size}
	defer func() {
		if err != nil {
			l.close()
		}
	}()
	for range (streams + perConnection - 1) / perConnection {
		conn, err := d.dial()
		if err != nil {
			return nil, err
		}
		l.conns = append(l.conns, conn)
	}
	return l, l.openAll(ctx, ctx, l.conns[0])
}

// openAll asks for a trial per stream as a user and opens the streams, which share the connections evenly.
// The streams end with ctx.
func (l *load) openAll(ctx, user context.Context, conn *grpc.ClientConn) error {
	users := tunedv1.NewTuningServiceClient(conn)
	e, err := getExperiment(user, users)
	if err != nil {
		return err
	}
	trials, err := askTrials(user, users, l.streams)
	if err != nil {
		return err
	}
	secret, err := os.ReadFile(filepath.Join(l.daemon.data, "secret"))
	if err != nil {
		return err
	}
	for i, t := range trials {
		r := &reporter{trial: t.GetName()}
		l.reporters = append(l.reporters, r)
		token := trialrunner.Token(secret, key, e.GetUid(), r.trial, 1)
		if err := r.open(ctx, l.conns[i*len(l.conns)/l.streams], e.GetUid(), token); err != nil {
			return fmt.Errorf("open stream of trial %s: %w", r.trial, err)
		}
	}
	return nil
}

// open opens the stream, at whose beginning nothing is acknowledged.
func (r *reporter) open(ctx context.Context, conn *grpc.ClientConn, uid, token string) (err error) {
	if r.stream, err = tunedv1.NewAgentServiceClient(conn).Report(metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+token)); err != nil {
		return err
	}
	hello := &tunedv1.Hello{
		Namespace: key.Namespace, Experiment: key.Name, Uid: uid,
		Trial: r.trial, Attempt: 1, Stream: "agent",
	}
	if err := r.stream.Send(&tunedv1.ReportRequest{Hello: hello}); err != nil {
		_, err = r.stream.Recv() // it has the cause
		return err
	}
	first, err := r.stream.Recv()
	if err == nil && first.GetAckedSeq() != 0 {
		err = fmt.Errorf("%d observations are there already", first.GetAckedSeq())
	}
	return err
}

func (l *load) close() {
	for _, conn := range l.conns {
		conn.Close()
	}
}

// run reports over all streams for a while.
func (l *load) run(d time.Duration) error {
	cpu, started := cpuTime(syscall.RUSAGE_SELF), time.Now()
	until := started.Add(d)
	var group errgroup.Group
	for _, r := range l.reporters {
		group.Go(func() error {
			if err := r.report(until, l.size, l.pause); err != nil {
				return fmt.Errorf("report for trial %s: %w", r.trial, err)
			}
			return nil
		})
	}
	err := group.Wait()
	l.wall, l.cpu = time.Since(started), cpuTime(syscall.RUSAGE_SELF)-cpu
	return err
}

// report sends a batch and waits for its acknowledgement, again and again.
func (r *reporter) report(until time.Time, size int, pause time.Duration) error {
	for {
		now := time.Now()
		if !now.Before(until) {
			return nil
		}
		if err := r.stream.Send(batchAfter(r.acked, size, now)); err != nil {
			_, err = r.stream.Recv() // it has the cause
			return err
		}
		ack, err := r.stream.Recv()
		if err != nil {
			return err
		}
		r.latencies = append(r.latencies, time.Since(now))
		if want := r.acked + uint64(size); ack.GetAckedSeq() != want {
			return fmt.Errorf("%d acknowledged, want %d", ack.GetAckedSeq(), want)
		}
		r.acked = ack.GetAckedSeq()
		<-time.After(pause)
	}
}

// batchAfter returns the measurements that follow a number, as an agent sends them.
func batchAfter(after uint64, size int, now time.Time) *tunedv1.ReportRequest {
	at := timestamppb.New(now)
	out := make([]*tunedv1.Measurement, size)
	for i := range out {
		seq := after + uint64(i) + 1
		out[i] = &tunedv1.Measurement{
			Seq: seq, Time: at, Step: int64(seq), Metric: "loss",
			Text: strconv.FormatFloat(1/float64(seq), 'g', 6, 64),
		}
	}
	return &tunedv1.ReportRequest{Measurements: out}
}

// acked returns how many observations were acknowledged.
func (l *load) acked() (n uint64) {
	for _, r := range l.reporters {
		n += r.acked
	}
	return n
}

// latencies returns the times from sending a batch to its acknowledgement.
func (l *load) latencies() (out []time.Duration) {
	for _, r := range l.reporters {
		out = append(out, r.latencies...)
	}
	return out
}

// compare makes sure that all that was acknowledged is stored. The daemon must have ended.
func (l *load) compare(ctx context.Context) (err error) {
	s, err := badger.Open(filepath.Join(l.daemon.data, "store"), badger.Options{Log: zerolog.Nop()})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	trials, err := s.Trials(ctx, key)
	if err != nil {
		return err
	}
	numbers := map[string]uint64{}
	for _, t := range trials {
		numbers[t.Name] = t.Number
	}
	for _, r := range l.reporters {
		ms, err := s.Measurements(ctx, experiment.Stream{Experiment: key, Number: numbers[r.trial], Attempt: 1, Source: "agent"}, 0, 0)
		if err != nil {
			return err
		}
		if uint64(len(ms)) < r.acked {
			return fmt.Errorf("trial %s: %d observations were acknowledged, %d are stored", r.trial, r.acked, len(ms))
		}
	}
	return nil
}
