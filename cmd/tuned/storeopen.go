package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tuned-hpo/tuned/pkg/store"
	"github.com/tuned-hpo/tuned/pkg/store/badger"
)

const (
	// patience is how long a command waits for others that have the data directory.
	patience = 5 * time.Second
	// turn is how long it waits before it looks anew whether a daemon has come up.
	turn = 100 * time.Millisecond
)

// openStore opens the store of a data directory. It waits for other commands that have it, but not
// for a daemon: store.ErrLocked.
func openStore(ctx context.Context, d dataDir, o badger.Options) (*badger.Store, error) {
	o.Wait = turn
	turns := time.NewTicker(turn)
	defer turns.Stop()
	for end := time.Now().Add(patience); ; {
		s, err := tryStore(d, o)
		if !errors.Is(err, store.ErrLocked) {
			return s, err
		}
		if d.served() {
			return nil, fmt.Errorf("%w, which is a daemon: end it first, or give another --data-dir", err)
		}
		if time.Now().After(end) {
			return nil, fmt.Errorf("%w; wait for it, stop it, or give another --data-dir", err)
		}
		select {
		case <-turns.C:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

func tryStore(d dataDir, o badger.Options) (*badger.Store, error) {
	s, err := badger.Open(d.store(), o)
	if o.ReadOnly && (errors.Is(err, store.ErrInvalid) || errors.Is(err, store.ErrCorrupt)) {
		// After a daemon that was killed only a writer can put the log in order; it refuses what is
		// really damaged.
		o.ReadOnly = false
		s, err = badger.Open(d.store(), o)
	}
	return s, err
}
