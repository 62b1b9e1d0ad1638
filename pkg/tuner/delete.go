package tuner

import (
	"context"
	"errors"
	"fmt"

	"github.com/tuned-hpo/tuned/internal/failpoint"
	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/store"
	"github.com/tuned-hpo/tuned/pkg/trialrunner"
)

// Delete stops what runs of an experiment and removes its workloads, logs and records. A uid other
// than "" must be the experiment's, or it is store.ErrConflict. The experiment is gone when it returns
// nil. Once begun it is carried out, also when ctx ends before; after a crash Start goes on with it.
func (t *Tuner) Delete(ctx context.Context, key experiment.Key, uid string) error {
	d, err := t.useAny(ctx, key, func(*experiment.Experiment) error { return nil })
	if err != nil {
		return err
	}
	defer t.release(d)
	err = d.call(ctx, func() error {
		if is := d.e.Metadata.UID; uid != "" && uid != is {
			return fmt.Errorf("delete experiment %s: its uid is %s, not %s: %w", key, is, uid, store.ErrConflict)
		}
		failpoint.Hit("tuner.delete")
		return d.amend(ctx, func(draft *draft) error { draft.e.Control.Deleting = true; return nil })
	})
	failpoint.Hit("tuner.deleting")
	if err != nil {
		return err
	}
	select {
	case <-d.done:
		if err := d.gone(); !errors.Is(err, store.ErrNotFound) {
			return err
		}
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// demolish takes the deletion of an experiment as far as it goes now. It returns errGone at the end.
// The records go last: while they are there, what is left has an owner.
func (d *driver) demolish(ctx context.Context) error {
	d.leave()
	d.forget()
	if _, err := d.serve(ctx); err != nil { // with refusals
		return err
	}
	left, err := d.clear(ctx)
	if err != nil || left {
		return err
	}
	if err := d.Runner.Purge(ctx, d.key); err != nil {
		return fmt.Errorf("remove logs: %w: %w", err, errAgain)
	}
	d.bury(true)
	failpoint.Hit("tuner.purged")
	if err := d.Store.Delete(context.WithoutCancel(ctx), d.key); err != nil && !errors.Is(err, store.ErrNotFound) {
		d.bury(false)
		return err
	}
	failpoint.Hit("tuner.deleted")
	d.log.Info().Msg("experiment deleted")
	d.feed.publish(Change{Key: d.key, UID: d.e.Metadata.UID, Deleted: true})
	d.Tuner.mu.Lock()
	delete(d.drivers, d.key)
	d.Tuner.mu.Unlock()
	d.notify()
	return errGone
}

// bury lets nobody use the driver any more, or again.
func (d *driver) bury(dying bool) {
	d.Tuner.mu.Lock()
	defer d.Tuner.mu.Unlock()
	d.dying = dying
}

// clear stops the workloads that run, removes the others, and reports whether any is left.
func (d *driver) clear(ctx context.Context) (left bool, err error) {
	workloads, err := d.workloads(ctx)
	if err != nil {
		return false, fmt.Errorf("list workloads: %w: %w", err, errAgain)
	}
	for _, w := range workloads {
		act := d.Runner.Remove
		if w.Phase == trialrunner.Running {
			act, left = d.Runner.Stop, true
		}
		if err := act(ctx, d.key, w.Trial, w.Attempt); err != nil {
			return false, fmt.Errorf("end workload of %s: %w: %w", w.Trial, err, errAgain)
		}
	}
	return left, nil
}
