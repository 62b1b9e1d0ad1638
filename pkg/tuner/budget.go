package tuner

import (
	"math"
	"time"

	"github.com/tuned-hpo/tuned/pkg/experiment"
)

// saveTime is how much of the time used a crash may forget.
const saveTime = time.Minute

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

// control returns what is to be stored of what was done to the experiment, nil when there is nothing
// new, or only time that can wait.
func (d *draft) control(otherwise bool) *experiment.Control {
	is, was := d.e.Control, d.kept
	used := max(is.Elapsed-was.Elapsed, is.TrialTime-was.TrialTime)
	later := !otherwise && timeless(is) == timeless(was) && used < experiment.Duration(saveTime)
	if later || is == was {
		return nil
	}
	return &is
}

// timeless returns what was done to an experiment, without the time that it used.
func timeless(c experiment.Control) experiment.Control {
	c.Elapsed, c.TrialTime = 0, 0
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
	left = saveTime
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
