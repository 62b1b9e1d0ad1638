package tuner

import (
	"context"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/tuned-hpo/tuned/internal/failpoint"
	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/store"
)

// Pause lets no further trial of an experiment start, be suggested or be handed out, until Resume. Those
// that run go on. store.ErrConflict: it has ended.
func (t *Tuner) Pause(ctx context.Context, key experiment.Key) error {
	err := t.amend(ctx, key, func(d *draft) error {
		failpoint.Hit("tuner.pause")
		if d.e.Status.Completed() {
			return fmt.Errorf("pause experiment %s: it has ended (%s): %w", key, d.e.Status.Reason(), store.ErrConflict)
		}
		if !d.e.Control.Paused {
			d.e.Control.Paused = true
			d.event("", "ExperimentPaused", "no trial starts until it is resumed", false)
		}
		return nil
	})
	failpoint.Hit("tuner.paused")
	return err
}

// Resume lets a paused experiment go on, and one that has ended by a stop, a failure or its goal: it
// then runs until its budget is used up, whatever goal it reaches, and the trials that failed up to now
// do not count against maxFailedTrialCount. One that runs is left as it is. ErrBudget says what to do
// where the budget is used up already; store.ErrConflict: the algorithm has no more to suggest.
func (t *Tuner) Resume(ctx context.Context, key experiment.Key) error {
	err := t.amend(ctx, key, func(d *draft) error {
		failpoint.Hit("tuner.resume")
		switch {
		case d.e.Status.Completed():
			if err := d.e.Room(&d.tally); err != nil {
				return fmt.Errorf("resume experiment %s: %w: %w", key, ErrBudget, err)
			}
			if err := experiment.Resume(d.e, &d.tally, d.now); err != nil {
				return fmt.Errorf("resume experiment %s: %w: %w", key, err, store.ErrConflict)
			}
			d.exhausted, d.waiting = false, false
			d.forget()
			d.event("", "ExperimentResumed", "it goes on until its budget is used up", false)
		case d.e.Control.Paused:
			d.e.Control.Paused = false
			d.event("", "ExperimentResumed", "trials start again", false)
		}
		return nil
	})
	failpoint.Hit("tuner.resumed")
	return err
}

// Stop ends an experiment: it has succeeded when it has a best trial, else failed. Trials that run come
// to their ends when drain is true, and are stopped otherwise; those that wait are given up. Of one that
// has ended already, which keeps its state, running trials are stopped when drain is false.
func (t *Tuner) Stop(ctx context.Context, key experiment.Key, drain bool) error {
	err := t.amend(ctx, key, func(d *draft) error {
		failpoint.Hit("tuner.end")
		if !d.e.Status.Completed() {
			d.e.Status = experiment.Stop(d.e, d.now)
			d.e.Control.OnCompletion = experiment.Drain
			c := d.e.Status.Conditions[len(d.e.Status.Conditions)-1]
			d.event("", c.Reason, c.Message, false)
		}
		if !drain && d.tally.Active() > 0 {
			d.e.Control.OnCompletion = experiment.Kill
		}
		return nil
	})
	failpoint.Hit("tuner.ended")
	return err
}

// Budget is what an experiment may use; nil leaves a part as it is. MoreTrials, above 0, adds to the number of trials
// that it may have then, in place of MaxTrials.
type Budget struct {
	MaxTrials, MaxFailed, Parallel *int32
	MoreTrials                     int32
	Duration                       *time.Duration
	Cost                           *float64
}

// Extend changes an experiment's budget, at any time and whatever its resumePolicy. Where the budget is
// what ended it and there is room again, it goes on; after another end Resume takes it on. A budget below
// what is used already ends it, and stops no trial but as onCompletion says. store.ErrInvalid: a part
// makes no sense.
func (t *Tuner) Extend(ctx context.Context, key experiment.Key, b Budget) error {
	err := t.amend(ctx, key, func(d *draft) error {
		failpoint.Hit("tuner.extend")
		spec, err := b.apply(d.e)
		if err != nil {
			return fmt.Errorf("extend experiment %s: %w", key, err)
		}
		what := differences("spec", d.e.Spec, spec)
		if len(what) == 0 {
			return nil
		}
		d.e.Spec, d.spec = spec, true
		d.e.Control.TrialsThen, d.e.Control.ActiveThen = int32(len(d.trials)), int32(d.tally.Active())
		d.event("", "BudgetChanged", strings.Join(what, "; "), false)
		if d.e.Status.Completed() && experiment.Extended(d.e, &d.tally, d.now) {
			d.exhausted = false
		}
		d.waiting = false
		d.forget() // the algorithm is told the budget when it is made
		return nil
	})
	failpoint.Hit("tuner.extended")
	return err
}

// apply returns the spec with another budget.
func (b Budget) apply(e *experiment.Experiment) (experiment.Spec, error) {
	s := e.Spec
	set := func(field **int32, value *int32) {
		if value != nil {
			*field = new(*value)
		}
	}
	if b.MoreTrials > 0 {
		more, err := b.more(s.MaxTrialCount)
		if err != nil {
			return s, err
		}
		b.MaxTrials = &more
	}
	set(&s.MaxTrialCount, b.MaxTrials)
	set(&s.MaxFailedTrialCount, b.MaxFailed)
	set(&s.ParallelTrialCount, b.Parallel)
	if b.Duration == nil && b.Cost == nil {
		return s, b.check(&s)
	}
	var x experiment.Extension
	if s.Tuned != nil {
		x = *s.Tuned
	}
	s.Tuned = &x
	if b.Duration != nil {
		x.MaxDuration = new(experiment.Duration(*b.Duration))
	}
	if b.Cost != nil {
		if x.Cost == nil {
			return s, fmt.Errorf("spec.tuned.cost does not say how costs are counted: %w", store.ErrInvalid)
		}
		cost := *x.Cost
		cost.Max = new(*b.Cost)
		x.Cost = &cost
	}
	return s, b.check(&s)
}

// more returns the number of trials that a budget of so many grows to.
func (b Budget) more(now *int32) (int32, error) {
	switch {
	case now == nil:
		return 0, fmt.Errorf("%d more trials: the number of trials is not limited: %w", b.MoreTrials, store.ErrInvalid)
	case b.MoreTrials > math.MaxInt32-*now:
		return 0, fmt.Errorf("%d more trials than %d: want at most %d in all: %w", b.MoreTrials, *now, math.MaxInt32, store.ErrInvalid)
	}
	return *now + b.MoreTrials, nil
}

// check reports what of a budget makes no sense. Like Katib it wants no more trials at a time, and no
// more failed ones, than there may be at all.
func (b Budget) check(s *experiment.Spec) error {
	if faults := experiment.CheckBudget(s); len(faults) > 0 {
		return fmt.Errorf("%w: %w", faults, store.ErrInvalid)
	}
	return nil
}
