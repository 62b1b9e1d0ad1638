//go:build failpoint

package simulate

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/store"
)

// learn looks what is stored of an experiment: what people know must be there, and what they do not
// know, because an answer was lost, they know then.
func (s *sim) learn(x *trialled) {
	if x.gone {
		return
	}
	ctx := context.Background()
	e, err := s.life.store.Get(ctx, x.key)
	if errors.Is(err, store.ErrNotFound) {
		s.vanished(x)
		return
	}
	if err != nil || e.Metadata.UID != x.uid {
		s.broken("%s was acknowledged: %v", x.key, err)
	}
	trials, err := s.life.store.Trials(ctx, x.key)
	if err != nil {
		s.broken("%s: %v", x.key, err)
	}
	if !x.deleting.settle(e.Control.Deleting) {
		s.broken("%s: deletion has begun: %t, stored is %t", x.key, x.deleting.is, e.Control.Deleting)
	}
	s.learnEnd(x, e, trials)
	if e.Status.Completed() {
		x.paused = known[bool]{}
	}
	if !x.paused.settle(e.Control.Paused) {
		s.broken("%s: paused is %t, stored is %t", x.key, x.paused.is, e.Control.Paused)
	}
	s.learnBudget(x, e, trials)
	if !x.note.settle(e.Note.Text) {
		s.broken("%s: its note is %q, stored is %q", x.key, x.note.is, e.Note.Text)
	}
	for number, note := range x.trialNotes {
		if !note.settle(trials[number-1].Note.Text) {
			s.broken("%s: the note on trial %d is %q, stored is %q", x.key, number, note.is, trials[number-1].Note.Text)
		}
	}
	x.trials = len(trials)
}

// learnEnd looks how an experiment has ended. One that has stays as it is until somebody takes it on.
func (s *sim) learnEnd(x *trialled, e *experiment.Experiment, trials []experiment.Trial) {
	how := ""
	if e.Status.Completed() {
		how = e.Status.Reason() + " at " + e.Status.CompletionTime.String()
	}
	was := x.ended
	if was != "" && !x.restarts {
		if how != was {
			s.broken("%s had ended (%s), and now has (%s)", x.key, was, how)
		}
		if len(trials) != x.trials {
			s.broken("%s has ended with %d trials, and now has %d", x.key, x.trials, len(trials))
		}
	}
	if was != how {
		x.stopped, x.drains = time.Time{}, false
		if how != "" {
			x.endings++
		}
	}
	x.ended, x.restarts = how, false
	x.clock.see(e, x.paused)
	if how == "" {
		s.checkUsed(x, e, trials)
	}
}

// learnBudget looks at the budget, and sets the bounds anew that follow from it.
func (s *sim) learnBudget(x *trialled, e *experiment.Experiment, trials []experiment.Trial) {
	stored := budgetOf(&e.Spec)
	if !x.budget.settle(stored) {
		s.broken("%s: its budget is %+v, stored is %+v", x.key, x.budget.is, stored)
	}
	running, own := 0, 0
	for i := range trials {
		t := &trials[i]
		if t.State == experiment.TrialRunning {
			running++
		}
		if !t.State.Final() && t.Origin != experiment.Enqueued {
			own++
		}
	}
	if n := len(trials); n > max(x.mostTrials, int(stored.trials)) {
		s.broken("%s has %d trials, its budget is %d (I1)", x.key, n, x.mostTrials)
	}
	if most := max(x.mostParallel, int(stored.parallel)); running > most || own > most {
		s.broken("%s has %d trials running, %d under way that were not enqueued, at most %d may be (I2)", x.key, running, own, most)
	}
	x.mostTrials = max(int(stored.trials), len(trials))
	x.mostParallel = max(int(stored.parallel), running, own)
}

// checkUsed asserts that an experiment which goes on has something left of its time and its cost.
func (s *sim) checkUsed(x *trialled, e *experiment.Experiment, trials []experiment.Trial) {
	b := budgetOf(&e.Spec)
	snapshot, err := s.life.tuner.Snapshot(x.key)
	if err != nil || snapshot.Trouble != "" || s.isFull() || len(trials) == 0 || e.Control.Deleting {
		return
	}
	if cost := costOf(e, trials); b.cost > 0 && cost >= b.cost {
		s.broken("%s has cost %g of %g, and goes on", x.key, cost, b.cost)
	}
	least, most := x.clock.bounds()
	if b.duration > 0 && least > b.duration+time.Second {
		s.broken("%s has used %s or more of %s, and goes on", x.key, least, b.duration)
	}
	if used := snapshot.Elapsed; used > most || used < least {
		s.broken("%s has used %s by its own account, by ours %s to %s", x.key, used, least, most)
	}
}

// checkReason asserts that an experiment whose time or cost is said to be used up has used it. One that
// was extended after its end may not.
func (s *sim) checkReason(x *trialled, e *experiment.Experiment, trials []experiment.Trial) {
	b, reason := budgetOf(&e.Spec), e.Status.Reason()
	_, most := x.clock.bounds()
	switch {
	case x.lowered || x.endings > 1 || x.budget.is != budgetOf(&x.wanted.Spec):
	case reason == "ExperimentMaxCostReached" && costOf(e, trials) < b.cost,
		reason == "ExperimentMaxDurationReached" && most < b.duration,
		reason == "ExperimentMaxTrialsReached" && len(trials) != int(b.trials):
		s.broken("%s ended by %s with %d trials, a cost of %g and %s used, of %+v", x.key, reason, len(trials), costOf(e, trials), most, b)
	}
}

// costOf adds up the values of loss, by which costs are counted, by other means than the program does.
func costOf(e *experiment.Experiment, trials []experiment.Trial) (cost float64) {
	if e.Spec.Tuned.Cost == nil {
		return 0
	}
	for i := range trials {
		if v, err := strconv.ParseFloat(leastLoss(&trials[i]), 64); err == nil && v > 0 && trials[i].State.Final() {
			cost += v
		}
	}
	return cost
}

// clock counts how long an experiment is driven, as time passes in the world.
type clock struct {
	since  time.Time // zero while it stands
	ran    time.Duration
	forgot time.Duration // what deaths of the daemon may have left out
}

const (
	saved = 2 * time.Minute // a daemon that dies forgets less
	short = 2 * time.Second // what a call takes at most
)

// see starts and stops the clock as is stored.
func (c *clock) see(e *experiment.Experiment, paused known[bool]) {
	switch stands := e.Status.Completed() || e.Control.Paused; {
	case stands && !c.since.IsZero():
		end := time.Now()
		if at := e.Status.CompletionTime; at != nil && !at.Before(c.since) && !paused.is {
			end = *at
		}
		c.ran += end.Sub(c.since)
		c.since = time.Time{}
		c.forgot += short
	case !stands && c.since.IsZero():
		c.since = time.Now()
		c.forgot += short
	}
}

// bounds returns what an experiment has used at least and at most.
func (c *clock) bounds() (least, most time.Duration) {
	most = c.ran
	if !c.since.IsZero() {
		most += time.Since(c.since)
	}
	return most - c.forgot, most + c.forgot
}
