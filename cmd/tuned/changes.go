package main

import (
	"context"
	"errors"
	"fmt"
	"io"
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

// outage is how long commands that follow something wait for a daemon that has ended to come back, unless
// ctx ends before.
const outage = 10 * time.Minute

// following calls f with a connection to a daemon, and again when the connection was cut, as of an old one, or
// that daemon has ended and another answers. It says once on warn that it waits for one.
func (p *place) following(ctx context.Context, warn io.Writer, f func(c *client) error) error {
	for told, answered := false, false; ; {
		err := p.asking(ctx, func(c *client) error {
			if _, err := c.GetVersion(ctx, &tunedv1.GetVersionRequest{}); err != nil {
				return rpcError(err)
			}
			answered = true
			return f(c)
		})
		if !errors.Is(err, errEnded) || !answered || ctx.Err() != nil {
			return err
		}
		if !told && !p.answers(ctx) {
			fmt.Fprintln(warn, "tuned: the daemon does not answer; waiting for it to come back")
			told = true
		}
		if !p.returns(ctx) {
			return errors.Join(err, context.Cause(ctx))
		}
	}
}

// returns waits for a daemon to answer again.
func (p *place) returns(ctx context.Context) bool {
	turns := time.NewTicker(turn)
	defer turns.Stop()
	for end := time.Now().Add(outage); time.Now().Before(end); {
		select {
		case <-ctx.Done():
			return false
		case <-turns.C:
		}
		if p.answers(ctx) {
			return true
		}
	}
	return false
}

// answers reports whether a daemon answers now.
func (p *place) answers(ctx context.Context) bool {
	return p.asking(ctx, func(c *client) error {
		_, err := c.GetVersion(ctx, &tunedv1.GetVersionRequest{})
		return rpcError(err)
	}) == nil
}

// errDone ends an observation.
var errDone = errors.New("done")

// observe calls f with an experiment as it stands, and again after each change, until f is done. Nil is an
// experiment that was deleted.
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
