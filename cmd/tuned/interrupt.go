package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/store"
	"github.com/tuned-hpo/tuned/pkg/tuner"
)

// errInterrupted is the cause of a context that a signal ended.
var errInterrupted = errors.New("interrupted")

// interruptible returns a context that SIGINT, SIGTERM or SIGHUP ends with errInterrupted, and the channel
// on which a second signal arrives; of SIGHUP there may be several when a terminal is closed, so that counts once. One
// that nohup has the program ignore stays ignored. stop gives the signals their usual meaning again.
func interruptible(parent context.Context) (ctx context.Context, second <-chan os.Signal, stop func()) {
	signals := make(chan os.Signal, 2)
	again := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	if !signal.Ignored(syscall.SIGHUP) {
		signal.Notify(signals, syscall.SIGHUP)
	}
	ctx, cancel := context.WithCancelCause(parent)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for s := range signals {
			if ctx.Err() != nil && s != syscall.SIGHUP {
				select {
				case again <- s:
				default:
				}
			}
			cancel(errInterrupted)
		}
	}()
	return ctx, again, func() {
		signal.Stop(signals)
		close(signals)
		<-ended
		cancel(nil)
	}
}

// cutShort reports whether an error came of a signal, not of what had begun: a write that failed counts more.
func cutShort(ctx context.Context, err error) bool {
	return err != nil && errors.Is(context.Cause(ctx), errInterrupted) && !errors.Is(err, store.ErrFailed)
}

// interrupter is what ending a run early needs of a tuner.
type interrupter interface {
	Interrupt(ctx context.Context, key experiment.Key) error
}

// interrupt stops the running trials of an experiment, or leaves them when a second signal says
// so. The returned error carries the exit code; nil means that the experiment had ended before.
func (a *app) interrupt(ended context.Context, t interrupter, s tuner.Snapshot, second <-chan os.Signal) error {
	key := s.Experiment.Key()
	ctx, cancel := context.WithCancel(context.WithoutCancel(ended))
	defer cancel()
	if !s.External {
		fmt.Fprintf(a.stderr, "tuned: interrupted: stopping the running trials; interrupt again to leave at once\n")
	}
	var err error
	done := make(chan struct{})
	go func() {
		defer close(done)
		err = t.Interrupt(ctx, key)
	}()
	select {
	case <-done:
	case <-second:
		cancel()
		<-done
		fmt.Fprintf(a.stderr, "tuned: left at once: trials may still run; the next run takes them up again\n")
		return exit{exitInterrupted, nil}
	}
	if err != nil {
		return exit{exitInterrupted, fmt.Errorf("stop trials of %s: %w; the next run takes them up again", key, err)}
	}
	if s.Experiment.Status.Completed() {
		return nil
	}
	fmt.Fprintf(a.stderr, "tuned: %s is not finished: run the same command again to go on\n", key.Name)
	return exit{exitInterrupted, nil}
}

// outliveWrites makes writing to a pipe that nobody reads any more an error, which views ignore, in place of the end of
// the program, and writing beyond the longest file that the process may have. The signals are caught, not ignored: trials
// would inherit that.
func outliveWrites() { signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE, syscall.SIGXFSZ) }
