package main

import (
	"context"
	"fmt"
	"time"
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
	alive, s, err := b.serve(ctx, true)
	if err != nil {
		return err
	}
	defer s.end()
	conn, user, err := s.connect(alive)
	if err != nil {
		return err
	}
	defer conn.Close()
	opening := time.Now()
	l, err := s.newLoad(alive, user, conn, b.streams, agentBatch)
	if err != nil {
		return err
	}
	defer l.close()
	l.pause = agentPause
	opened := time.Since(opening)
	if err := l.run(b.agentLoad); err != nil {
		return err
	}
	own, peak, err := s.memory()
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
