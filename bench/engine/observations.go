package main

import (
	"context"
	"fmt"
	"path/filepath"
)

// observations measures how fast observations become durable: all streams send a batch, wait for
// its acknowledgement, and send the next. This process is the load, the daemon has its own.
func (b *bench) observations(ctx context.Context) error {
	for _, size := range []int{10, 100} {
		if err := b.observationsBy(ctx, size); err != nil {
			return err
		}
	}
	return nil
}

// observationsBy measures with one size of batches.
func (b *bench) observationsBy(ctx context.Context, size int) error {
	fmt.Fprintf(b.progress, "  %d streams, batches of %d, %v\n", b.streams, size, b.load)
	dir, err := b.newDir()
	if err != nil {
		return err
	}
	alive, d, err := b.start(ctx, filepath.Join(dir, "data"), spec(b.streams, b.streams))
	if err != nil {
		return err
	}
	defer d.end()
	l, err := d.newLoad(alive, b.streams, size)
	if err != nil {
		return err
	}
	defer l.close()
	if err := l.run(b.load); err != nil {
		return err
	}
	if err := d.kill(); err != nil { // what was acknowledged must be there all the same
		return err
	}
	b.add("observations", fmt.Sprintf("%d streams, batches of %d", b.streams, size), append([]figure{
		{Figure: "durable and acknowledged", Value: float64(l.acked()) / l.wall.Seconds(), Unit: "observations/s"},
		seconds("CPU time of the daemon", d.cpu()),
		seconds("CPU time of the load", l.cpu),
	}, quantiles(l.latencies())...)...)
	return l.compare(ctx)
}
