package main

import (
	"context"
	"fmt"
	"io"
	"math"
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
	waiting, cancel := context.WithCancel(ctx) // without a deadline, which the daemon would keep too, and end first
	defer cancel()
	if timeout > 0 {
		defer time.AfterFunc(timeout, cancel).Stop()
	}
	w := waiter{key: p.key(name), condition: condition, holds: holds, warn: a.stderr}
	err = w.await(waiting, p)
	switch {
	case condition == "deleted" && status.Code(err) == codes.NotFound:
		w.last = nil
	case err != nil && waiting.Err() != nil && ctx.Err() == nil:
		stands := "; there was no answer yet"
		if w.last != nil {
			stands = standing(w.last, true)
		}
		return exit{exitTimeout, fmt.Errorf("wait for %s: after %v %s%s", w.key, timeout, unmet(condition), stands)}
	case err != nil:
		return fmt.Errorf("wait for %s: %w", w.key, err)
	}
	fmt.Fprintf(a.stdout, "%s%s\n", w.key, standing(w.last, true))
	if w.code != exitOK {
		return exit{w.code, nil}
	}
	return nil
}

// met says that a condition holds.
func met(condition string) string {
	if n, ok := strings.CutPrefix(condition, "trials="); ok {
		return n + " trials have ended"
	}
	switch condition {
	case "running", "paused", "deleted":
		return "it is " + condition
	}
	return "it has " + condition
}

// unmet says that a condition does not hold yet.
func unmet(condition string) string {
	if n, ok := strings.CutPrefix(condition, "trials="); ok {
		return "fewer than " + n + " trials have ended"
	}
	switch condition {
	case "running", "paused":
		return "it is not " + condition
	case "deleted":
		return "it was not deleted"
	}
	return "it has not " + condition
}

// waiter waits for a condition of an experiment.
type waiter struct {
	key       experiment.Key
	condition string
	holds     func(e *tunedv1.Experiment) (done bool, code int)
	warn      io.Writer

	code int                 // exit code, once it holds or never will
	last *tunedv1.Experiment // as it stood at the last look; nil when it was deleted
	told bool
}

// look looks at an experiment, nil for one that was deleted.
func (w *waiter) look(e *tunedv1.Experiment) (done bool, err error) {
	w.last = e
	done, w.code = w.holds(e)
	if !done && e == nil {
		return false, fmt.Errorf("%s was deleted", w.key)
	}
	return done, nil
}

// lookAndTell is look that says once what is waited for.
func (w *waiter) lookAndTell(e *tunedv1.Experiment) (done bool, err error) {
	if done, err = w.look(e); !done && err == nil && !w.told {
		w.told = true
		fmt.Fprintf(w.warn, "tuned: %s%s; waiting until %s\n", w.key, standing(e, true), met(w.condition))
	}
	return done, err
}

// await looks at the experiment until the condition holds or never will; at rest, an experiment changes no more.
func (w *waiter) await(ctx context.Context, p *place) error {
	rests := false
	err := p.reading(ctx, func(c *client) error {
		rests = !c.daemon
		if !rests {
			return nil
		}
		e, err := c.get(ctx, w.key)
		if err != nil {
			return err
		}
		done, err := w.look(e)
		if err == nil && !done {
			err = fmt.Errorf("it is %s, and %w", e.GetState(), p.noDaemon())
		}
		return err
	})
	if err != nil || rests {
		return err
	}
	return p.following(ctx, w.warn, func(c *client) error { return c.observe(ctx, w.key, w.lookAndTell) })
}

// holdsOf returns what says whether a condition holds of an experiment, or never will, and with which exit
// code. Nil is one that was deleted.
func holdsOf(condition string) (func(e *tunedv1.Experiment) (done bool, code int), error) {
	if text, ok := strings.CutPrefix(condition, "trials="); ok {
		n, err := strconv.ParseUint(text, 10, 32)
		if err != nil {
			return nil, usage("--for %s: want trials=N, N from 0 to %d", condition, uint32(math.MaxUint32))
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
