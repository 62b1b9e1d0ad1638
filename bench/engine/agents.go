package main

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	tunedv1 "github.com/tuned-hpo/tuned/api/tuned/v1"
)

// How an agent reports: what a training program prints in a second, in one batch.
const (
	agentBatch = 10
	agentPause = time.Second
)

// agents measures one daemon on one core with many agents, each with a connection of its own over
// TLS and the token of its trial.
func (b *bench) agents(ctx context.Context) error {
	fmt.Fprintf(b.progress, "  %d agents over TLS, the daemon on one core, %v\n", b.streams, b.agentLoad)
	dir, err := b.newDir()
	if err != nil {
		return err
	}
	alive, s, err := b.serve(ctx, filepath.Join(dir, "data"), true)
	if err != nil {
		return err
	}
	defer s.end()
	conn, user, err := s.connect(alive)
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := s.create(user, tunedv1.NewTuningServiceClient(conn), spec(b.streams, b.streams)); err != nil {
		return err
	}
	l := &load{daemon: s.daemon, streams: b.streams, size: agentBatch, pause: agentPause}
	defer l.close()
	for range b.streams {
		agent, err := s.agentConn()
		if err != nil {
			return err
		}
		l.conns = append(l.conns, agent)
	}
	opening := time.Now()
	if err := l.openAll(alive, user, conn); err != nil {
		return err
	}
	opened := time.Since(opening)
	if err := l.run(b.agentLoad); err != nil {
		return err
	}
	own, err := memoryOf(s.cmd.Process.Pid, "RssAnon")
	if err != nil {
		return err
	}
	peak, err := memoryOf(s.cmd.Process.Pid, "VmHWM")
	if err != nil {
		return err
	}
	if err := s.kill(); err != nil { // what was acknowledged must be there all the same
		return err
	}
	b.add("agents", fmt.Sprintf("%d agents over TLS, one core, %v", b.streams, b.agentLoad), append([]figure{
		seconds("until all are connected and hold a trial", opened),
		{Figure: "durable and acknowledged", Value: float64(l.acked()) / l.wall.Seconds(), Unit: "observations/s"},
		seconds("CPU time of the daemon", s.cpu()),
		mebibytes("RssAnon", own), mebibytes("VmHWM", peak),
	}, quantiles(l.latencies())...)...)
	return l.compare(ctx)
}
