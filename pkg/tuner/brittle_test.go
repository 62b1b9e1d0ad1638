package tuner

import (
	"context"
	"errors"
	"sync"

	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/store"
)

// brittle is a store with which the daemon dies at the n-th write, and which writes down what was
// committed in its life.
type brittle struct {
	store.Store
	mu      sync.Mutex
	fuse    fuse
	blown   bool
	commits []Change
}

func (b *brittle) Commit(ctx context.Context, k experiment.Key, c store.Change) (revision uint64, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	err = b.fuse.around(func() error {
		if revision, err = b.Store.Commit(ctx, k, c); err == nil {
			b.commits = append(b.commits, Change{Key: k, Events: len(c.Events), Trials: touched(&c)})
		}
		return err
	})
	b.blown = b.blown || errors.Is(err, errCrash)
	return revision, err
}

func (b *brittle) Append(ctx context.Context, s experiment.Stream, ms []experiment.Measurement) (acked uint64, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	err = b.fuse.around(func() error { acked, err = b.Store.Append(ctx, s, ms); return err })
	b.blown = b.blown || errors.Is(err, errCrash)
	return acked, err
}

func (b *brittle) light(n int, after bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fuse, b.blown = fuse{left: n, after: after}, false
}

// touched lists the trials of a change as Feed does.
func touched(c *store.Change) []uint64 {
	d := draft{driver: &driver{e: &experiment.Experiment{}}}
	return d.published(c).Trials
}
