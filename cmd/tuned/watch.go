package main

import (
	"context"
	"time"

	"github.com/tuned-hpo/tuned/pkg/tuner"
)

// refresh is the least time between two looks at an experiment: what a person can follow, and
// little work even with very many trials.
const refresh = 100 * time.Millisecond

// follow shows an experiment's progress until it is settled or ctx ends, and returns how it stood. changes yields
// when there is something new for look to see.
func follow(ctx context.Context, changes <-chan struct{}, look func() (tuner.Snapshot, error), v view, start time.Time) (tuner.Snapshot, error) {
	defer v.end()
	show := v.begin
	for {
		s, err := look()
		if err != nil {
			return s, err
		}
		show(newProgress(s, start, time.Now()))
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
