package tuner

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/store"
)

// An experiment has a driver while there is something to do for it or somebody uses it; one at rest
// costs nothing but its records.

// use returns the driver of a stored experiment, made if there is none. It is kept until release.
// store.ErrNotFound; store.ErrConflict: it is being imported, or an import has left a part of it.
func (t *Tuner) use(ctx context.Context, key experiment.Key) (*driver, error) {
	return t.useAny(ctx, key, func(e *experiment.Experiment) error {
		if unfinished(e) && !e.Control.Deleting {
			return fmt.Errorf("experiment %s: %w", key, errUnfinished)
		}
		return nil
	})
}

// useAny is use with what is to be asked of an experiment that has no driver yet.
func (t *Tuner) useAny(ctx context.Context, key experiment.Key, check func(*experiment.Experiment) error) (*driver, error) {
	for {
		t.mu.Lock()
		if t.imports[key] {
			t.mu.Unlock()
			return nil, fmt.Errorf("experiment %s is being imported: %w", key, store.ErrConflict)
		}
		d := t.drivers[key]
		if d == nil {
			d = t.newDriver(key)
			t.drivers[key] = d
		}
		if !d.dying {
			d.users++
			t.mu.Unlock()
			if err := d.prepare(ctx, check); err != nil {
				t.release(d)
				return nil, err
			}
			return d, nil
		}
		t.mu.Unlock()
		select {
		case <-d.done: // the experiment of this name is gone; there may be another one
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// release ends what use began.
func (t *Tuner) release(d *driver) {
	t.mu.Lock()
	d.users--
	if d.users == 0 && !d.loaded && t.drivers[d.key] == d {
		delete(t.drivers, d.key)
	}
	t.mu.Unlock()
	d.look()
}

// alone waits until nobody else loads an experiment, so that a large one is not loaded twice at a time. The
// caller calls done.
func (t *Tuner) alone(ctx context.Context, key experiment.Key) (done func(), err error) {
	for {
		t.mu.Lock()
		other := t.loading[key]
		if other == nil {
			ours := make(chan struct{})
			t.loading[key] = ours
			t.mu.Unlock()
			return func() {
				t.mu.Lock()
				defer t.mu.Unlock()
				delete(t.loading, key)
				close(ours)
			}, nil
		}
		t.mu.Unlock()
		select {
		case <-other:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// prepare loads a driver that is new, or takes over what a reader has loaded, and has it launched unless check
// says no.
func (d *driver) prepare(ctx context.Context, check func(*experiment.Experiment) error) error {
	done, err := d.alone(ctx, d.key)
	if err != nil {
		return err
	}
	defer done()
	d.Tuner.mu.Lock()
	loaded := d.loaded
	d.Tuner.mu.Unlock()
	if loaded {
		return nil
	}
	e, err := d.Store.Get(ctx, d.key)
	if err != nil {
		return err
	}
	if r := d.rested.get(e); r != nil {
		d.adopt(r)
	} else if err := d.load(ctx); err != nil {
		return err
	}
	d.pruning, d.ruleless = newPruning(d, d.Pruners)
	if err := check(d.e); err != nil {
		return err
	}
	d.Tuner.mu.Lock()
	d.loaded = true
	d.Tuner.mu.Unlock()
	select {
	case d.fresh <- struct{}{}:
	default:
	}
	return nil
}

// adopt takes over what a reader has loaded, whose users go on looking at what it shows.
func (d *driver) adopt(r *driver) {
	d.rested.drop(r)
	d.e, d.tally, d.kept, d.finishNo, d.firsts = r.e, r.tally, r.kept, r.finishNo, r.firsts
	d.mu.Lock()
	defer d.mu.Unlock()
	d.shown = r.shown
	d.shown.at = d.accounted
	d.shown.trials, d.shown.tally = slices.Clone(r.shown.trials), r.shown.tally.Clone()
	d.trials = pointers(d.shown.trials)
}

// unlaunched returns the drivers that have no goroutine yet, each of them once.
func (t *Tuner) unlaunched() []*driver {
	t.mu.Lock()
	defer t.mu.Unlock()
	var out []*driver
	for _, d := range t.drivers {
		if d.loaded && !d.launched {
			d.launched = true
			out = append(out, d)
		}
	}
	return out
}

// driver returns the driver of an experiment, nil when it has none.
func (t *Tuner) driver(key experiment.Key) *driver {
	t.mu.Lock()
	defer t.mu.Unlock()
	if d := t.drivers[key]; d != nil && d.loaded {
		return d
	}
	return nil
}

// retire ends a driver that nobody uses; false when somebody does.
func (d *driver) retire() bool {
	d.Tuner.mu.Lock()
	defer d.Tuner.mu.Unlock()
	if d.users > 0 || d.drivers[d.key] != d {
		return false
	}
	delete(d.drivers, d.key)
	return true
}

// with runs f in the goroutine of an experiment's driver, between its steps.
func (t *Tuner) with(ctx context.Context, key experiment.Key, f func(d *driver) error) error {
	d, err := t.use(ctx, key)
	if err != nil {
		return err
	}
	defer t.release(d)
	return d.call(ctx, func() error { return f(d) })
}

// amend lets f change an experiment's records, and commits what it did. An error of f means that it
// changed nothing.
func (t *Tuner) amend(ctx context.Context, key experiment.Key, f func(d *draft) error) error {
	return t.with(ctx, key, func(d *driver) error {
		if err := d.present(); err != nil {
			return err
		}
		return d.amend(ctx, f)
	})
}

// present reports an experiment that is being deleted, or of which an import has left a part.
func (d *driver) present() error {
	if d.e.Control.Deleting {
		return fmt.Errorf("experiment %s is being deleted: %w", d.key, store.ErrConflict)
	}
	if unfinished(d.e) {
		return fmt.Errorf("experiment %s: %w", d.key, errUnfinished)
	}
	return nil
}

// amend is Tuner.amend, in the driver's goroutine.
func (d *driver) amend(ctx context.Context, f func(d *draft) error) error {
	return anew(func() error { return d.amendOnce(ctx, f) })
}

// anew does something once more that was refused because an edit came between: the experiment was read anew
// since.
func anew(act func() error) error {
	err := act()
	if errors.Is(err, errAgain) && errors.Is(err, store.ErrConflict) {
		return act()
	}
	return err
}

func (d *driver) amendOnce(ctx context.Context, f func(d *draft) error) error {
	draft := d.newDraft()
	if err := f(draft); err != nil {
		return err
	}
	d.judged = false
	draft.refresh()
	if err := draft.commit(ctx); err != nil {
		return d.abandon(ctx, err)
	}
	return nil
}
