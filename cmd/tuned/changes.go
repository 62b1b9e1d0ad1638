package main

import (
	"context"
	"errors"
	"time"

	"google.golang.org/grpc"

	tunedv1 "github.com/tuned-hpo/tuned/api/tuned/v1"
	"github.com/tuned-hpo/tuned/pkg/experiment"
)

// watch opens a feed of changes and returns once the daemon has begun it, which its first message says, so
// that who reads after that misses none.
func (c *client) watch(ctx context.Context, request *tunedv1.WatchRequest) (grpc.ServerStreamingClient[tunedv1.WatchResponse], error) {
	changes, err := c.Watch(ctx, request)
	if err != nil {
		return nil, rpcError(err)
	}
	if _, err := changes.Recv(); err != nil {
		return nil, rpcError(err)
	}
	return changes, nil
}

// observe calls f with an experiment as it stands, and again after each change, until f is done. A daemon
// that ends and comes back within patience is waited for. gone is a sign that the experiment is deleted.
func (p *place) observe(ctx context.Context, key experiment.Key, f func(e *tunedv1.Experiment) (done bool, err error)) error {
	for {
		err := p.asking(ctx, func(c *client) error { return c.observe(ctx, key, f) })
		if !errors.Is(err, errEnded) {
			return err
		}
		if !p.returns(ctx) {
			return errors.Join(err, context.Cause(ctx))
		}
	}
}

// returns waits for a daemon to answer again, for as long as patience.
func (p *place) returns(ctx context.Context) bool {
	turns := time.NewTicker(turn)
	defer turns.Stop()
	for end := time.Now().Add(patience); time.Now().Before(end); {
		select {
		case <-ctx.Done():
			return false
		case <-turns.C:
		}
		err := p.asking(ctx, func(c *client) error {
			_, err := c.GetVersion(ctx, &tunedv1.GetVersionRequest{})
			return rpcError(err)
		})
		if err == nil {
			return true
		}
	}
	return false
}

// errDone ends an observation.
var errDone = errors.New("done")

func (c *client) observe(ctx context.Context, key experiment.Key, f func(e *tunedv1.Experiment) (done bool, err error)) error {
	request := &tunedv1.WatchRequest{Namespace: key.Namespace, Experiment: key.Name}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	changes, err := c.watch(ctx, request)
	if err != nil {
		return err
	}
	look := func(e *tunedv1.Experiment) error {
		done, err := f(e)
		if err == nil && done {
			return errDone
		}
		return err
	}
	for err = c.each(ctx, request, look); err == nil; {
		var change *tunedv1.WatchResponse
		if change, err = changes.Recv(); err != nil {
			return rpcError(err)
		}
		switch {
		case change.GetExperiment() != nil || change.GetReset_():
			err = c.each(ctx, request, look) // whole, with its best trial and its front
		case change.GetDeleted() != nil:
			err = look(nil)
		}
	}
	if errors.Is(err, errDone) {
		return nil
	}
	return err
}
