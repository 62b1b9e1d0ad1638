package tuner

import (
	"context"
	"fmt"
	"time"

	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/trialrunner"
)

// A client that dies never tells. Where spec.tuned.trialTimeout bounds a trial, a trial that was
// handed out ends with it, as one that runs here does.

// deadline returns when the next trial that was handed out must have been told.
func (d *driver) deadline() (next time.Time, any bool) {
	limit := limits(d.e.Spec.Tuned).Wall
	if limit == 0 || !d.e.External() {
		return next, false
	}
	for i := range d.trials {
		if t := &d.trials[i]; t.State == experiment.TrialRunning {
			if at := t.Started.Add(limit); !any || at.Before(next) {
				next, any = at, true
			}
		}
	}
	return next, any
}

// expire ends the trials whose clients are too late.
func (d *draft) expire() {
	limit := limits(d.e.Spec.Tuned).Wall
	for i := range d.trials {
		t := &d.trials[i]
		if t.State != experiment.TrialRunning || d.now.Before(t.Started.Add(limit)) {
			continue
		}
		d.end(t.Number, outcome{experiment.TrialFailed, "TimedOut", fmt.Sprintf(
			"no result was told within %s, the trialTimeout of the experiment", limit)}, experiment.Observation{}, trialrunner.Workload{})
		d.judged = false
	}
}

// expireLate ends late trials in a step of its own, before the plan is made.
func (d *driver) expireLate(ctx context.Context) error {
	next, any := d.deadline()
	if !any || d.Now().Before(next) {
		return nil
	}
	draft := d.newDraft()
	draft.expire()
	draft.refresh()
	if err := draft.commit(ctx); err != nil {
		return d.abandon(ctx, err)
	}
	return nil
}
