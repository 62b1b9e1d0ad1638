package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sync/errgroup"

	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/store/badger"
)

// batch is a number of trials to be run, by the daemon or by what it is compared with.
type batch struct {
	dir      string // of its own
	bench    *bench
	parallel int
	trials   int
	mean     time.Duration // of one trial
}

// cost is what running a batch took.
type cost struct {
	wall time.Duration
	cpu  time.Duration // of all processes
}

func (b *batch) notes() string { return filepath.Join(b.dir, "notes") }
func (b *batch) data() string  { return filepath.Join(b.dir, "data") }

// command is the argv of a trial, save for x.
func (b *batch) command() []string {
	return []string{b.bench.stopwatch(), b.notes(), b.mean.String()}
}

// tuned runs the batch as an experiment, and makes sure that all of it is stored.
func (b *batch) tuned(ctx context.Context) (cost, error) {
	c, err := measured(syscall.RUSAGE_CHILDREN, func() error {
		_, d, err := b.bench.start(ctx, b.data(), spec(b.parallel, b.trials), append(b.command(), "${trialParameters.x}")...)
		if err != nil {
			return err
		}
		defer d.end()
		return d.wait(0)
	})
	if err != nil {
		return c, err
	}
	return c, b.checkStored(ctx)
}

// xargs runs the batch by xargs.
func (b *batch) xargs(ctx context.Context) (cost, error) {
	var input strings.Builder
	for i := range b.trials {
		fmt.Fprintln(&input, spread(i))
	}
	out, err := os.Create(filepath.Join(b.dir, "output"))
	if err != nil {
		return cost{}, err
	}
	defer out.Close()
	return measured(syscall.RUSAGE_CHILDREN, func() error {
		args := append([]string{"-P", strconv.Itoa(b.parallel), "-n", "1"}, b.command()...)
		cmd := exec.CommandContext(ctx, "xargs", args...)
		cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(input.String()), out, os.Stderr
		return cmd.Run()
	})
}

// loop runs the batch by the least that a Go program can do.
func (b *batch) loop(ctx context.Context) (cost, error) {
	own := cpuTime(syscall.RUSAGE_SELF)
	c, err := measured(syscall.RUSAGE_CHILDREN, func() error {
		group, ctx := errgroup.WithContext(ctx)
		group.SetLimit(b.parallel)
		for i := range b.trials {
			group.Go(func() error {
				argv := append(b.command(), spread(i))
				text, err := exec.CommandContext(ctx, argv[0], argv[1:]...).Output()
				if err == nil && !strings.HasPrefix(string(text), "loss=") {
					err = fmt.Errorf("trial %d printed %q", i, text)
				}
				return err
			})
		}
		return group.Wait()
	})
	c.cpu += cpuTime(syscall.RUSAGE_SELF) - own
	return c, err
}

// spread returns the i-th of numbers that are spread evenly over [0, 1), by the golden ratio.
func spread(i int) string {
	const golden = 0.6180339887498949
	_, x := math.Modf(float64(i) * golden)
	return strconv.FormatFloat(x, 'g', 6, 64)
}

// measured runs f and says what it and the processes it waited for took.
func measured(who int, f func() error) (cost, error) {
	cpu, started := cpuTime(who), time.Now()
	err := f()
	return cost{wall: time.Since(started), cpu: cpuTime(who) - cpu}, err
}

// cpuTime returns the CPU time that this process, or those it has waited for, have used.
func cpuTime(who int) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(who, &u); err != nil {
		panic(err) // only a wrong argument is an error
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// lap is one run of the training program.
type lap struct{ started, ended int64 } // nanoseconds since 1970

// laps returns what the trials noted. There must be exactly one note per trial.
func (b *batch) laps() ([]lap, error) {
	text, err := os.ReadFile(b.notes())
	if err != nil {
		return nil, err
	}
	var out []lap
	for line := range strings.Lines(string(text)) {
		var l lap
		if _, err := fmt.Sscan(line, &l.started, &l.ended); err != nil {
			return nil, fmt.Errorf("read note %q: %w", line, err)
		}
		out = append(out, l)
	}
	if len(out) != b.trials {
		return nil, fmt.Errorf("%d trials ran, want %d", len(out), b.trials)
	}
	return out, nil
}

// gaps returns how long each slot stayed empty: the k-th trial to end makes room for the trial
// that is the k-th to start after the first few, which found their slots empty.
func (b *batch) gaps() ([]time.Duration, error) {
	laps, err := b.laps()
	if err != nil {
		return nil, err
	}
	starts, ends := make([]int64, len(laps)), make([]int64, len(laps))
	for i, l := range laps {
		starts[i], ends[i] = l.started, l.ended
	}
	slices.Sort(starts)
	slices.Sort(ends)
	var out []time.Duration
	for i, start := range starts[b.parallel:] {
		gap := time.Duration(start - ends[i])
		if gap < 0 {
			return nil, fmt.Errorf("more than %d trials ran at a time", b.parallel)
		}
		out = append(out, gap)
	}
	return out, nil
}

// checkStored makes sure that the daemon has stored every trial with its one measurement.
func (b *batch) checkStored(ctx context.Context) (err error) {
	s, err := badger.Open(filepath.Join(b.data(), "store"), badger.Options{ReadOnly: true, Log: zerolog.Nop()})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	trials, err := s.Trials(ctx, key)
	if err != nil {
		return err
	}
	if len(trials) != b.trials {
		return fmt.Errorf("%d trials are stored, want %d", len(trials), b.trials)
	}
	for _, t := range trials {
		stream := experiment.Stream{Experiment: key, Number: t.Number, Attempt: t.Attempt, Source: "agent"}
		ms, err := s.Measurements(ctx, stream, 0, 0)
		if err != nil {
			return err
		}
		if t.State != experiment.TrialSucceeded || t.Attempt != 1 || len(ms) != 1 {
			return fmt.Errorf("trial %s is %s (%s) with %d measurements at attempt %d, want Succeeded with 1 at 1",
				t.Name, t.State, t.Message, len(ms), t.Attempt)
		}
	}
	return nil
}
