package tuner

import (
	"context"
	"sync"
	"weak"

	"github.com/tuned-hpo/tuned/pkg/experiment"
)

// Inspect lets look see an experiment as it stands, driven or only stored, and returns its error. Of one that
// is driven nothing is copied, so that it takes no longer with many trials: look must change nothing of what
// it sees, keep none of it but for the Experiment and the Best trial, and return soon, for no commit is
// shown meanwhile. store.ErrNotFound.
func (t *Tuner) Inspect(ctx context.Context, key experiment.Key, look func(*Snapshot) error) error {
	d, err := t.reader(ctx, key)
	if err != nil {
		return err
	}
	d.mu.RLock()
	defer d.mu.RUnlock()
	s := d.snapshotOf(d.shown.trials)
	return look(&s)
}

// Experiment returns an experiment as it stands, driven or only stored. store.ErrNotFound.
func (t *Tuner) Experiment(ctx context.Context, key experiment.Key) (*experiment.Experiment, error) {
	if d := t.driver(key); d != nil {
		return d.copyExperiment(), nil
	}
	return t.Store.Get(ctx, key)
}

// rested is the experiment at rest that was read last. Who reads it page by page has it loaded once, and the
// garbage collector takes it when it needs the room.
type rested struct {
	mu     sync.Mutex
	reader weak.Pointer[driver]
}

// get returns the reader of a stored experiment, nil unless it is as the store has it.
func (r *rested) get(e *experiment.Experiment) *driver {
	r.mu.Lock()
	defer r.mu.Unlock()
	d := r.reader.Value()
	if d == nil || d.key != e.Key() || d.e.Metadata.UID != e.Metadata.UID || d.e.Revision != e.Revision {
		return nil
	}
	return d
}

// drop lets nobody else have a reader.
func (r *rested) drop(d *driver) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.reader.Value() == d {
		r.reader = weak.Pointer[driver]{}
	}
}

func (r *rested) put(d *driver) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.reader = weak.Make(d)
}
