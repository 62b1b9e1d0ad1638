package tuner

import (
	"context"

	"github.com/tuned-hpo/tuned/pkg/experiment"
)

// Inspect lets look see an experiment as it stands, submitted or only stored, and returns its error.
// Nothing is copied, so that it takes no longer with many trials: look must change nothing of what it
// sees, keep none of it but for the Experiment, and return soon, for no commit is shown meanwhile.
// store.ErrNotFound.
func (t *Tuner) Inspect(ctx context.Context, key experiment.Key, look func(*Snapshot) error) error {
	d := t.driver(key)
	if d == nil {
		d = t.newDriver(key)
		if err := d.load(ctx); err != nil {
			return err
		}
	}
	d.mu.RLock()
	defer d.mu.RUnlock()
	s := d.snapshotOf(d.shown.trials)
	return look(&s)
}
