package tuner

import (
	"context"
	"fmt"
	"slices"

	"github.com/tuned-hpo/tuned/internal/failpoint"
	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/store"
)

// maxWaiting bounds the enqueued trials of an experiment that have not started.
const maxWaiting = 1000

// Enqueue creates a trial of a point that somebody wants to be tried. It is the next one to start, or to
// be handed out to a client, and counts against the budget. The same non-empty request gets the same
// trial again. store.ErrInvalid: it is no point of the search space. store.ErrConflict: the experiment has ended, or
// too many wait; ErrBudget, ErrReused. While the algorithm thinks, it waits.
func (t *Tuner) Enqueue(ctx context.Context, key experiment.Key, a []experiment.Pair, note, request string) (experiment.Trial, error) {
	d, err := t.use(ctx, key)
	if err != nil {
		return experiment.Trial{}, err
	}
	defer t.release(d)
	a = slices.Clone(a)
	trials, err := d.await(ctx, request, func(j *job) error { return d.takeIn(ctx, j, a, note) })
	if err != nil {
		return experiment.Trial{}, err
	}
	failpoint.Hit("tuner.enqueued")
	return trials[0], nil
}

// takeIn creates the trial of an Enqueue.
func (d *driver) takeIn(ctx context.Context, j *job, a []experiment.Pair, note string) error {
	a, err := d.onGrid(a)
	if err != nil {
		return fmt.Errorf("enqueue in %s: %w: %w", d.key, err, store.ErrInvalid)
	}
	remark := experiment.Note{Text: note}
	if err := remark.Check(); err != nil {
		return fmt.Errorf("enqueue in %s: %w: %w", d.key, err, store.ErrInvalid)
	}
	again, ok, err := d.givenAgain(j.request)
	if err != nil {
		return fmt.Errorf("enqueue in %s: %w", d.key, err)
	}
	if ok {
		if again.Origin != experiment.Enqueued || !equal(again.Assignment, a) {
			return reused(j.request, &again)
		}
		j.finish([]experiment.Trial{again}, nil)
		return nil
	}
	if err := d.affords(); err != nil {
		return fmt.Errorf("enqueue in %s: %w", d.key, err)
	}
	if waiting := d.waitingTrials(); len(waiting) >= maxWaiting {
		return fmt.Errorf("enqueue in %s: %d enqueued trials wait already: %w", d.key, maxWaiting, store.ErrConflict)
	}
	failpoint.Hit("tuner.enqueue")
	draft := d.newDraft()
	added := draft.add(experiment.Trial{
		State: experiment.TrialPending, Origin: experiment.Enqueued, GivenAs: j.request, Assignment: a, Note: remark,
	})
	if note != "" {
		draft.notes = map[uint64]experiment.Note{added.Number: remark}
	}
	return d.created(ctx, j, draft)
}

// created commits the trials of a draft and answers with them.
func (d *driver) created(ctx context.Context, j *job, draft *draft) error {
	d.judged = false
	draft.refresh()
	if err := draft.commit(ctx); err != nil {
		return d.abandon(ctx, err)
	}
	j.finish(values(d.trials[draft.stored:]), nil)
	return nil
}

// given returns the trial that a request enqueued or told.
func (d *driver) given(request string) (experiment.Trial, bool) {
	for i := len(d.trials) - 1; i >= 0 && request != ""; i-- {
		if d.trials[i].GivenAs == request {
			return *d.trials[i], true
		}
	}
	return experiment.Trial{}, false
}

// givenAgain is given; ErrReused: the request asked for trials.
func (d *driver) givenAgain(request string) (experiment.Trial, bool, error) {
	if asked := d.requested(request); len(asked) > 0 {
		return experiment.Trial{}, false, fmt.Errorf("request %q asked for trials, and got %s: %w", request, asked[0].Name, ErrReused)
	}
	again, ok := d.given(request)
	return again, ok, nil
}

// reused says what a request did before that now wants something else.
func reused(request string, t *experiment.Trial) error {
	return fmt.Errorf("request %q made trial %s, of another point or with another result: %w", request, t.Name, ErrReused)
}

// affords reports why no further trial may be created.
func (d *driver) affords() error {
	if err := d.e.Room(&d.tally); err != nil {
		return fmt.Errorf("%w: %w", ErrBudget, err)
	}
	if d.e.Status.Completed() {
		return fmt.Errorf("it has ended (%s); resume or extend it first: %w", d.e.Status.Reason(), store.ErrConflict)
	}
	return nil
}

// waitingTrials returns the numbers of the enqueued trials that have not started.
func (d *driver) waitingTrials() (numbers []uint64) {
	if d.e.Status.TrialsPending == 0 {
		return nil
	}
	for _, t := range d.trials {
		if t.State == experiment.TrialPending && t.Origin == experiment.Enqueued {
			numbers = append(numbers, t.Number)
		}
	}
	return numbers
}

// StopTrial ends one trial, by name or number, as Killed; what it measured is kept. A trial that clients
// evaluate ends at once; of one that runs here the returned trial is told to stop. One that is over is
// left as it is.
func (t *Tuner) StopTrial(ctx context.Context, key experiment.Key, trial string) (stopped experiment.Trial, err error) {
	var is experiment.Trial // written to still where amend returns early
	err = t.with(ctx, key, func(d *driver) error {
		if err := d.present(); err != nil {
			return err
		}
		found, err := d.find(trial)
		if err != nil {
			return err
		}
		number := found.Number
		if !found.State.Final() && !found.Stopping {
			err = d.amend(ctx, func(draft *draft) error {
				draft.alter(number, func(t *experiment.Trial) { t.Stopping = true })
				return nil
			})
		}
		if err == nil && d.e.External() {
			err = d.settle(ctx)
		}
		is = *d.trials[number-1]
		return err
	})
	if err != nil {
		return experiment.Trial{}, err
	}
	return is, nil
}
