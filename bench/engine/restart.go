package main

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	tunedv1 "github.com/tuned-hpo/tuned/api/tuned/v1"
)

const turns = 20 // that a client asks and tells on a large store

// What a daemon does before it is killed, so that its log is not empty.
const (
	crashStreams = 100
	crashBatch   = 10
	crashLoad    = time.Second
)

// readiness is how one daemon started on a large store.
type readiness struct {
	answered, asked time.Duration // until the first answer, and until the first trial was handed out
	cpu             time.Duration // that it took until then, which other work on the machine changes little
	own, peak       int64         // memory in bytes when it is idle after that, and the most until then
	turn            time.Duration // of asking for a trial and telling its result, median
}

// restart measures daemons that start on a large store, after a clean end and after a crash.
func (b *bench) restart(ctx context.Context) error {
	dir, err := b.newDir()
	if err != nil {
		return err
	}
	data := filepath.Join(dir, "data")
	open := b.restarts * (crashStreams + 2) // trials that are asked for and never told
	text := spec(open+1, b.trials+open+2*b.restarts*turns)
	fmt.Fprintf(b.progress, "  filling in %d trials and %d observations\n", b.trials, b.trials*b.perTrial)
	if err := b.fill(ctx, filepath.Join(data, "store"), text); err != nil {
		return fmt.Errorf("fill in: %w", err)
	}
	size, err := sizeOf(data)
	if err != nil {
		return err
	}
	of := fmt.Sprintf("%d trials, %d observations", b.trials, b.trials*b.perTrial)
	b.add("restart", of, mebibytes("store on disk, its ballast included", size))
	var clean, crashed []readiness
	for i := range b.restarts {
		fmt.Fprintf(b.progress, "  restart %d of %d\n", i+1, b.restarts)
		first, second, err := b.restartTwice(ctx, data, text)
		if err != nil {
			return err
		}
		clean, crashed = append(clean, first), append(crashed, second)
	}
	b.addReadiness(of+", clean end", clean)
	b.addReadiness(of+", kill -9", crashed)
	return nil
}

// restartTwice starts a daemon after a clean end, kills it at work, and starts one after that.
func (b *bench) restartTwice(ctx context.Context, data, text string) (clean, crashed readiness, err error) {
	alive, d, err := b.start(ctx, data, text)
	if err != nil {
		return clean, crashed, err
	}
	defer d.end()
	if clean, err = b.awaitReady(alive, d); err != nil {
		return clean, crashed, err
	}
	l, err := d.newLoad(alive, crashStreams, crashBatch)
	if err != nil {
		return clean, crashed, err
	}
	defer l.close()
	if err := l.run(crashLoad); err != nil {
		return clean, crashed, err
	}
	if err := d.kill(); err != nil {
		return clean, crashed, err
	}
	alive, again, err := b.start(ctx, data, text)
	if err != nil {
		return clean, crashed, err
	}
	defer again.end()
	if crashed, err = b.awaitReady(alive, again); err != nil {
		return clean, crashed, err
	}
	if err := again.interrupt(); err != nil {
		return clean, crashed, err
	}
	return clean, crashed, l.compare(ctx)
}

// awaitReady measures a daemon that was just started.
func (b *bench) awaitReady(ctx context.Context, d *daemon) (r readiness, err error) {
	conn, err := d.dial()
	if err != nil {
		return r, err
	}
	defer conn.Close()
	users := tunedv1.NewTuningServiceClient(conn)
	if _, err := getExperiment(ctx, users); err != nil {
		return r, err
	}
	r.answered = time.Since(d.started)
	if _, err := askTrials(ctx, users, 1); err != nil {
		return r, err
	}
	r.asked = time.Since(d.started)
	if r.cpu, err = cpuOf(d.cmd.Process.Pid); err != nil {
		return r, err
	}
	e, err := getExperiment(ctx, users)
	if err != nil {
		return r, err
	}
	if got := int(e.GetCounts().GetSucceeded()); got < b.trials {
		return r, fmt.Errorf("the daemon knows of %d trials, want at least %d", got, b.trials)
	}
	select {
	case <-ctx.Done():
		return r, context.Cause(ctx)
	case <-time.After(b.idle):
	}
	if r.own, err = memoryOf(d.cmd.Process.Pid, "RssAnon"); err != nil {
		return r, err
	}
	if r.peak, err = memoryOf(d.cmd.Process.Pid, "VmHWM"); err != nil {
		return r, err
	}
	r.turn, err = medianTurn(ctx, users)
	return r, err
}

// medianTurn asks for trials and tells their results, one after the other.
func medianTurn(ctx context.Context, users tunedv1.TuningServiceClient) (time.Duration, error) {
	var all []time.Duration
	for range turns {
		started := time.Now()
		trials, err := askTrials(ctx, users, 1)
		if err != nil {
			return 0, err
		}
		_, err = users.Tell(ctx, &tunedv1.TellRequest{
			Namespace: key.Namespace, Experiment: key.Name, Trial: trials[0].GetName(),
			Measurements: []*tunedv1.Measurement{{Seq: 1, Metric: "loss", Text: "1"}},
		})
		if err != nil {
			return 0, fmt.Errorf("tell: %w", err)
		}
		all = append(all, time.Since(started))
	}
	slices.Sort(all)
	return all[len(all)/2], nil
}

// addReadiness adds the least, the median and the most of several starts.
func (b *bench) addReadiness(of string, rs []readiness) {
	for _, f := range []struct {
		name  string
		value func(r readiness) figure
	}{
		{"first answer", func(r readiness) figure { return milliseconds("", r.answered) }},
		{"first trial handed out", func(r readiness) figure { return milliseconds("", r.asked) }},
		{"CPU time until then", func(r readiness) figure { return milliseconds("", r.cpu) }},
		{"RssAnon, idle", func(r readiness) figure { return mebibytes("", r.own) }},
		{"ask and tell", func(r readiness) figure { return milliseconds("", r.turn) }},
		{"VmHWM", func(r readiness) figure { return mebibytes("", r.peak) }},
	} {
		var values []float64
		var one figure
		for _, r := range rs {
			one = f.value(r)
			values = append(values, one.Value)
		}
		slices.Sort(values)
		b.add("restart", of,
			figure{Figure: f.name + ", least", Value: values[0], Unit: one.Unit},
			figure{Figure: f.name + ", median", Value: values[len(values)/2], Unit: one.Unit},
			figure{Figure: f.name + ", most", Value: values[len(values)-1], Unit: one.Unit})
	}
}
