package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	tunedv1 "github.com/tuned-hpo/tuned/api/tuned/v1"
	"github.com/tuned-hpo/tuned/pkg/experiment"
)

// conditions are what can be waited for; trials=N too.
var conditions = []string{"completed", "settled", "succeeded", "failed", "running", "paused", "deleted"}

func (a *app) waitCommand() *cobra.Command {
	var p place
	var condition string
	var timeout time.Duration
	c := &cobra.Command{
		Use:   "wait NAME",
		Short: "Wait until an experiment has completed, or for another condition",
		Long: `Wait until an experiment has completed, or for another condition: completed, settled (and no trial
runs any more), succeeded, failed, running, paused, deleted, or trials=N, that so many have ended.

Exit codes: 0 the condition holds, and of completed and settled also the goal is reached or none
is set; 3 it has completed and the goal is not reached; 4 the experiment failed, or the condition
can hold no more; 124 the timeout is over; 1 other.`,
		Example: `  tuned wait mnist --timeout 2h && ./deploy
  tuned wait mnist --for trials=10`,
		Args:              words(1, 1, "NAME"),
		ValidArgsFunction: p.completeNames,
		RunE: func(c *cobra.Command, args []string) error {
			return a.wait(c.Context(), &p, args[0], condition, timeout)
		},
	}
	p.flags(c, a.getenv)
	c.Flags().StringVar(&condition, "for", conditions[0], "`CONDITION` to wait for: "+strings.Join(conditions, ", ")+" or trials=N")
	c.Flags().DurationVar(&timeout, "timeout", 0, "longest time to wait; 0 is without end")
	_ = c.RegisterFlagCompletionFunc("for", cobra.FixedCompletions(append(conditions, "trials="), noFiles)) // fails for unknown flags only
	return c
}

func (a *app) wait(ctx context.Context, p *place, name, condition string, timeout time.Duration) error {
	holds, err := holdsOf(condition)
	if err != nil {
		return err
	}
	if timeout < 0 {
		return usage("--timeout: want at least 0s, got %v", timeout)
	}
	key := p.key(name)
	waiting, cancel := context.WithCancel(ctx) // without a deadline, which the daemon would keep too, and end first
	defer cancel()
	if timeout > 0 {
		defer time.AfterFunc(timeout, cancel).Stop()
	}
	code, last := exitOK, (*tunedv1.Experiment)(nil)
	told := false
	err = p.await(waiting, a.stderr, key, func(e *tunedv1.Experiment) (done bool, err error) {
		last = e
		done, code = holds(e)
		switch {
		case !done && e == nil:
			return false, fmt.Errorf("%s was deleted", key)
		case !done && !told:
			told = true
			fmt.Fprintf(a.stderr, "tuned: %s%s; waiting until it is so: %s\n", key, standing(e, true), condition)
		}
		return done, nil
	})
	switch {
	case condition == "deleted" && status.Code(err) == codes.NotFound:
		last = nil
	case err != nil && waiting.Err() != nil && ctx.Err() == nil:
		stands := "; there was no answer yet"
		if last != nil {
			stands = standing(last, true)
		}
		return exit{exitTimeout, fmt.Errorf("wait for %s: after %v it is not so that %s%s", key, timeout, condition, stands)}
	case err != nil:
		return fmt.Errorf("wait for %s: %w", key, err)
	}
	fmt.Fprintf(a.stdout, "%s%s\n", key, standing(last, true))
	if code != exitOK {
		return exit{code, nil}
	}
	return nil
}

// await calls f with an experiment until it is done; at rest, an experiment changes no more.
func (p *place) await(ctx context.Context, warn io.Writer, key experiment.Key, f func(e *tunedv1.Experiment) (bool, error)) error {
	rests := false
	err := p.reading(ctx, func(c *client) error {
		rests = !c.daemon
		if !rests {
			return nil
		}
		e, err := c.get(ctx, key)
		if err != nil {
			return err
		}
		done, err := f(e)
		if err == nil && !done {
			err = fmt.Errorf("it is %s, and %w", e.GetState(), p.noDaemon())
		}
		return err
	})
	if err != nil || rests {
		return err
	}
	return p.following(ctx, warn, func(c *client) error { return c.observe(ctx, key, f) })
}

// holdsOf returns what says whether a condition holds of an experiment, or never will, and with which exit
// code. Nil is one that was deleted.
func holdsOf(condition string) (func(e *tunedv1.Experiment) (done bool, code int), error) {
	if text, ok := strings.CutPrefix(condition, "trials="); ok {
		n, err := strconv.ParseUint(text, 10, 32)
		if err != nil {
			return nil, usage("--for %s: want trials=N", condition)
		}
		return func(e *tunedv1.Experiment) (bool, int) { return reaches(e, uint32(n)) }, nil
	}
	if !slices.Contains(conditions, condition) {
		return nil, usage("--for %s: no such condition; want one of %s or trials=N", condition, strings.Join(conditions, ", "))
	}
	return func(e *tunedv1.Experiment) (bool, int) { return holds(condition, e) }, nil
}

func holds(condition string, e *tunedv1.Experiment) (done bool, code int) {
	is := strings.ToLower(e.GetState())
	switch {
	case condition == "deleted":
		return e == nil, exitOK
	case e == nil:
		return false, exitOK
	case condition == "completed":
		return e.GetCompleted(), outcome(e)
	case condition == "settled":
		return e.GetSettled(), outcome(e)
	case condition == is:
		return true, exitOK
	}
	return e.GetCompleted(), exitFailed // it will be nothing else any more
}

// reaches reports whether so many trials have ended.
func reaches(e *tunedv1.Experiment, n uint32) (done bool, code int) {
	c := e.GetCounts()
	switch ended := c.GetTrials() - c.GetPending() - c.GetRunning(); {
	case e == nil:
		return false, exitOK
	case ended >= n:
		return true, exitOK
	}
	return e.GetSettled(), exitFailed
}

// outcome is the exit code of an experiment that has completed, that of tuned run.
func outcome(e *tunedv1.Experiment) int {
	best := e.GetBest()
	if e.GetState() == string(experiment.Failed) || best == nil {
		return exitFailed
	}
	if len(e.GetObjectives()) == 0 || e.GetObjectives()[0].Goal == nil {
		return exitOK
	}
	o := e.GetObjectives()[0]
	if !experiment.GoalReached(&experiment.Objective{Type: o.GetType(), Goal: o.Goal}, best.GetValue()) {
		return exitGoalMissed
	}
	return exitOK
}
