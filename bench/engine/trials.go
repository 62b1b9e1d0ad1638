package main

import (
	"context"
	"fmt"
	"time"
)

const slots = 8 // of trials, where several run at a time

// way is a way to run a batch of trials.
type way struct {
	name string
	run  func(b *batch, ctx context.Context) (cost, error)
}

var (
	byTuned = way{"tuned run", (*batch).tuned}
	byXargs = way{fmt.Sprintf("xargs -P %d -n 1", slots), (*batch).xargs}
	byLoop  = way{"os/exec loop", (*batch).loop}
)

// gap measures how long a slot stays empty between two trials. A loop that does no more than to
// start the same program shows what of that is the processes' own.
func (b *bench) gap(ctx context.Context) error {
	for _, c := range []struct{ parallel, trials int }{{1, b.gapOne}, {slots, b.gapMany}} {
		for _, w := range []way{byTuned, byLoop} {
			gaps, _, err := b.run(ctx, w, c.parallel, c.trials, time.Duration(c.parallel)*b.trial)
			if err != nil {
				return err
			}
			b.add("gap", fmt.Sprintf("%s, %d at a time", w.name, c.parallel), quantiles(gaps)...)
		}
	}
	return nil
}

// run runs trials in one way and returns how long slots stayed empty, and the cost.
func (b *bench) run(ctx context.Context, w way, parallel, trials int, mean time.Duration) ([]time.Duration, cost, error) {
	fmt.Fprintf(b.progress, "  %s: %d trials of %v, %d at a time\n", w.name, trials, mean, parallel)
	dir, err := b.newDir()
	if err != nil {
		return nil, cost{}, err
	}
	batch := &batch{bench: b, dir: dir, parallel: parallel, trials: trials, mean: mean}
	c, err := w.run(batch, ctx)
	if err != nil {
		return nil, c, fmt.Errorf("%s: %w", w.name, err)
	}
	gaps, err := batch.gaps()
	if err != nil {
		return nil, c, fmt.Errorf("%s: %w", w.name, err)
	}
	return gaps, c, nil
}

// throughput measures how many trials that do nothing are run in a second.
func (b *bench) throughput(ctx context.Context) error {
	stop, err := b.watch(ctx)
	if err != nil {
		return err
	}
	_, tuned, err := b.run(ctx, byTuned, slots, b.short, 0)
	peaks := stop()
	if err != nil {
		return err
	}
	b.addCost(byTuned, tuned)
	for _, program := range []string{"tuned", "trial-agent"} {
		if peaks[program] == 0 {
			return fmt.Errorf("no process of %s was seen", program)
		}
		b.add("throughput", byTuned.name, mebibytes("VmHWM of "+program, peaks[program]))
	}
	for _, w := range []way{byXargs, byLoop} {
		_, c, err := b.run(ctx, w, slots, b.short, 0)
		if err != nil {
			return err
		}
		b.addCost(w, c)
		b.add("throughput", byTuned.name+" / "+w.name,
			figure{Figure: "trials per second", Value: c.wall.Seconds() / tuned.wall.Seconds(), Unit: "ratio"},
			figure{Figure: "CPU time", Value: tuned.cpu.Seconds() / c.cpu.Seconds(), Unit: "ratio"})
	}
	return nil
}

func (b *bench) addCost(w way, c cost) {
	b.add("throughput", w.name,
		figure{Figure: "trials per second", Value: float64(b.short) / c.wall.Seconds(), Unit: "1/s"},
		seconds("CPU time of all processes", c.cpu),
		milliseconds("CPU time per trial", c.cpu/time.Duration(b.short)))
}
