package tuner

import (
	"context"
	"fmt"
	"time"

	"github.com/tuned-hpo/tuned/internal/failpoint"
	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/trialrunner"
)

// A client that dies never tells. Where spec.tuned.trialTimeout bounds a trial, a trial that was
// handed out ends with it, as one that runs here does. Its time is that of a clock that does not jump;
// when the daemon starts it begins anew.

// deadline returns how long it takes until there is something to do that nobody says.
func (d *driver) deadline() (next time.Duration, any bool) {
	next, any = d.remaining()
	limit := limits(d.e.Spec.Tuned).Wall
	if limit == 0 || !d.e.External() {
		return next, any
	}
	for _, t := range d.trials {
		if t.State == experiment.TrialRunning {
			if left := d.left(t, limit); !any || left < next {
				next, any = left, true
			}
		}
	}
	return next, any
}

// left returns how much time a client has for a trial.
func (d *driver) left(t *experiment.Trial, limit time.Duration) time.Duration {
	since, known := d.handed[t.Number]
	if !known {
		since = d.Uptime()
		d.handed[t.Number] = since
	}
	return max(0, since+limit-d.Uptime())
}

// expire ends the trials whose clients are too late.
func (d *draft) expire(limit time.Duration) {
	for _, t := range d.trials {
		if t.State != experiment.TrialRunning || d.left(t, limit) > 0 {
			continue
		}
		d.end(t.Number, outcome{experiment.TrialFailed, "TimedOut", fmt.Sprintf(
			"no result was told within %s, the trialTimeout of the experiment", limit)}, experiment.Observation{}, trialrunner.Workload{})
		d.judged = false
	}
}

// expireLate ends late trials in a step of its own, before the plan is made.
func (d *driver) expireLate(ctx context.Context) error {
	limit := limits(d.e.Spec.Tuned).Wall
	if limit == 0 || !d.e.External() || d.tally.Active() == 0 {
		return nil
	}
	draft := d.newDraft()
	failpoint.Hit("tuner.expire")
	draft.expire(limit)
	draft.refresh()
	if err := draft.commit(ctx); err != nil {
		return d.abandon(ctx, err)
	}
	return nil
}
