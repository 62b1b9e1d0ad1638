package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	tunedv1 "github.com/tuned-hpo/tuned/api/tuned/v1"
	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/tuner"
)

// followRemote follows an experiment that a daemon drives, also where another daemon goes on with it, and prints its
// result as tuned run does. When ctx is interrupted the experiment is left to the daemon.
func (a *app) followRemote(ctx context.Context, p *place, key experiment.Key, mode string) error {
	var s tuner.Snapshot
	var dir dataDir
	start, v := time.Now(), &lasting{view: a.newView(mode)}
	err := p.following(ctx, a.stderr, func(c *client) (err error) {
		dir = dataDir(c.dataDir)
		s, err = c.followOnce(ctx, key, v, start)
		return err
	})
	v.close()
	switch {
	case errors.Is(context.Cause(ctx), errInterrupted):
		fmt.Fprintf(a.stderr, "tuned: %s goes on in the daemon; %s waits for it, %s ends it\n", key.Name, p.hintOn(key, "wait"), p.hintOn(key, "stop"))
		return exit{exitInterrupted, nil}
	case err != nil:
		return fmt.Errorf("follow %s: %w; the experiment goes on when the daemon does", key, err)
	}
	return a.conclude(s, dir, mode)
}

// followOnce is follow by way of one connection.
func (c *client) followOnce(ctx context.Context, key experiment.Key, v view, start time.Time) (tuner.Snapshot, error) {
	r := &remote{client: c, changed: make(chan struct{}, 1)}
	if err := r.begin(ctx, key); err != nil {
		return tuner.Snapshot{}, err
	}
	defer r.end()
	return follow(ctx, r.changed, func() (tuner.Snapshot, error) { return r.snapshot(ctx, key) }, v, start)
}

// lasting is a view that is begun once, and ends with close: it is for several calls of follow.
type lasting struct {
	view
	begun bool
}

func (v *lasting) begin(p progress) {
	if v.begun {
		v.change(p)
		return
	}
	v.begun = true
	v.view.begin(p)
}

func (v *lasting) end() {}

func (v *lasting) close() {
	if v.begun {
		v.view.end()
	}
}

// remote is an experiment that a daemon drives, with its trials kept up to date.
type remote struct {
	*client
	changed chan struct{} // capacity 1
	cancel  context.CancelFunc
	done    chan struct{}

	mu     sync.Mutex
	trials map[uint64]experiment.Trial
	err    error // that ended the feed
}

// begin opens the feed and reads the trials that there are.
func (r *remote) begin(ctx context.Context, key experiment.Key) error {
	ctx, r.cancel = context.WithCancel(ctx)
	feed, err := r.watch(ctx, &tunedv1.WatchRequest{Namespace: key.Namespace, Experiment: key.Name})
	if err == nil {
		err = r.reload(ctx, key)
	}
	if err != nil {
		r.cancel()
		return err
	}
	r.done = make(chan struct{})
	go func() {
		defer close(r.done)
		for {
			change, err := feed.Recv()
			if err == nil {
				err = r.take(ctx, key, change)
			}
			if errors.Is(err, io.EOF) {
				err = errEnded
			}
			if err != nil {
				r.mu.Lock()
				r.err = rpcError(err)
				r.mu.Unlock()
			}
			select {
			case r.changed <- struct{}{}:
			default:
			}
			if err != nil {
				return
			}
		}
	}()
	return nil
}

// end closes the feed.
func (r *remote) end() {
	r.cancel()
	<-r.done
}

// take brings the trials up to date with a change.
func (r *remote) take(ctx context.Context, key experiment.Key, change *tunedv1.WatchResponse) error {
	switch {
	case change.GetReset_():
		return r.reload(ctx, key)
	case change.GetDeleted() != nil:
		return fmt.Errorf("experiment %s was deleted", key)
	case change.GetTrial() != nil:
		r.mu.Lock()
		r.trials[change.GetTrial().GetNumber()] = trialOf(change.GetTrial())
		r.mu.Unlock()
	}
	return nil
}

// reload reads all trials.
func (r *remote) reload(ctx context.Context, key experiment.Key) error {
	list, err := r.client.trials(ctx, key)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.trials = map[uint64]experiment.Trial{}
	for _, m := range list {
		r.trials[m.GetNumber()] = trialOf(m)
	}
	return nil
}

// snapshot returns the experiment as it stands.
func (r *remote) snapshot(ctx context.Context, key experiment.Key) (s tuner.Snapshot, err error) {
	m, err := r.get(ctx, key)
	if err != nil {
		return s, err
	}
	if s.Experiment, err = experimentOf(m); err != nil {
		return s, fmt.Errorf("read the daemon's answer: %w", err)
	}
	if m.GetSettled() { // the feed may be behind, and this is the last look
		if err := r.reload(ctx, key); err != nil {
			return s, err
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err != nil && !m.GetSettled() {
		return s, r.err
	}
	for _, t := range r.trials {
		s.Trials = append(s.Trials, t)
	}
	slices.SortFunc(s.Trials, func(a, b experiment.Trial) int { return int(int64(a.Number) - int64(b.Number)) })
	if m.GetBest() != nil {
		best := trialOf(m.GetBest())
		s.Best = &best
	}
	s.Front, s.Infeasible = m.GetFront(), int(m.GetInfeasible())
	s.External, s.Trouble, s.Settled = m.GetExternal(), m.GetTrouble(), m.GetSettled()
	return s, nil
}
