package tuner

import (
	"context"
	"errors"
	"math"
	"time"

	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/store"
	"github.com/tuned-hpo/tuned/pkg/trialrunner"
)

// How much of the time used a crash may forget: where it counts against a budget, and where it is only shown.
const (
	saveBudget = 2 * time.Second
	saveShown  = time.Minute
)

// saveTime is how much of the time used may be unsaved.
func saveTime(s *experiment.Spec) time.Duration {
	if x := s.Tuned; x != nil && (x.MaxDuration != nil || x.Cost != nil && x.Cost.PerHour != nil) {
		return saveBudget
	}
	return saveShown
}

// account adds the time since the last call to what the experiment has used. It is measured by a
// clock that does not jump, and while the daemon runs.
func (d *driver) account() {
	now := d.Uptime()
	age(d.e, now-d.accounted)
	d.accounted = now
	if x := d.e.Spec.Tuned; x != nil && (x.MaxDuration != nil || x.Cost != nil) {
		d.judged = false
	}
}

// age adds a time to what an experiment has used.
func age(e *experiment.Experiment, by time.Duration) {
	if by <= 0 {
		return
	}
	e.Control.TrialTime += experiment.Duration(by) * experiment.Duration(e.Status.TrialsRunning)
	if !e.Status.Completed() && !e.Control.Paused {
		e.Control.Elapsed += experiment.Duration(by)
	}
}

// catchUp adds the time that trials ran on under their agents since the time used was last stored: a daemon was
// away then. It counts by the clocks of the machine, and once in a driver's life.
func (d *driver) catchUp(workloads []trialrunner.Workload) {
	if d.caughtUp {
		return
	}
	d.caughtUp = true
	for _, w := range workloads {
		t, err := d.find(w.Trial)
		if err != nil || t.State.Final() || t.Attempt != w.Attempt || w.Phase == trialrunner.Lost {
			continue
		}
		begin, end := w.Started, d.began
		if begin.IsZero() {
			begin = t.Started
		}
		if w.Phase == trialrunner.Exited && w.Finished.Before(end) {
			end = w.Finished
		}
		if away := end.Sub(later(d.e.Control.Saved, begin)); !begin.IsZero() && away > 0 {
			d.e.Control.TrialTime += experiment.Duration(away)
			d.judged = false
		}
	}
}

// save stores the time used when the daemon ends.
func (d *driver) save(ctx context.Context) error {
	d.account()
	d.ending = true
	err := d.newDraft().commit(ctx)
	if errors.Is(err, store.ErrFull) || errors.Is(err, errAgain) {
		d.log.Warn().Err(err).Msg("time used is not stored")
		return nil
	}
	return err
}

// control returns what is to be stored of what was done to the experiment, nil when there is nothing
// new, or only time that can wait.
func (d *draft) control(otherwise bool) *experiment.Control {
	is, was := d.e.Control, d.kept
	used := max(is.Elapsed-was.Elapsed, is.TrialTime-was.TrialTime)
	wait := !otherwise && !d.ending && timeless(is) == timeless(was) && used < experiment.Duration(saveTime(&d.e.Spec))
	if wait || is == was {
		return nil
	}
	d.e.Control.Saved = d.now
	is.Saved = d.now
	return &is
}

// timeless returns what was done to an experiment, without the time that it used.
func timeless(c experiment.Control) experiment.Control {
	c.Elapsed, c.TrialTime, c.Saved = 0, 0, time.Time{}
	return c
}

// remaining returns how long it takes until the time or the cost allowed is used up, or until the time
// used must be stored.
func (d *driver) remaining() (left time.Duration, any bool) {
	running := int64(d.e.Status.TrialsRunning)
	going := !d.e.Status.Completed() && !d.e.Control.Paused
	if !going && running == 0 {
		return 0, false
	}
	left = saveTime(&d.e.Spec)
	x := d.e.Spec.Tuned
	if x == nil || !going {
		return left, true
	}
	if x.MaxDuration != nil {
		left = min(left, duration(x.MaxDuration)-time.Duration(d.e.Control.Elapsed))
	}
	if c := x.Cost; c != nil && c.Max != nil && c.PerHour != nil && running > 0 {
		hours := (*c.Max - d.tally.Cost(d.e)) / (*c.PerHour * float64(running))
		if ns := math.Ceil(hours * float64(time.Hour)); ns < float64(left) {
			left = time.Duration(ns)
		}
	}
	return max(left, 0), true
}
