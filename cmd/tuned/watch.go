package main

import (
	"context"
	"time"

	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/tuner"
)

// refresh is the least time between two looks at an experiment: what a person can follow, and
// little work even with very many trials.
const refresh = 100 * time.Millisecond

// watched is what following an experiment needs of a tuner.
type watched interface {
	Snapshot(key experiment.Key) (tuner.Snapshot, error)
	Watch(key experiment.Key) (changes <-chan struct{}, cancel func())
}

// follow shows an experiment's progress until it is settled or ctx ends, and returns how it stood.
func follow(ctx context.Context, w watched, key experiment.Key, v view, now func() time.Time) (tuner.Snapshot, error) {
	changes, cancel := w.Watch(key)
	defer cancel()
	defer v.end()
	start := now()
	show := v.begin
	for {
		s, err := w.Snapshot(key)
		if err != nil {
			return s, err
		}
		show(newProgress(s, start, now()))
		show = v.change
		if s.Settled {
			return s, nil
		}
		select {
		case <-time.After(refresh):
		case <-ctx.Done():
			return s, ctx.Err()
		}
		select {
		case <-changes:
		case <-ctx.Done():
			return s, ctx.Err()
		}
	}
}
