package tuner

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/tuned-hpo/tuned/internal/failpoint"
	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/store"
	"github.com/tuned-hpo/tuned/pkg/trialrunner"
)

// draft gathers the changes of one step, already made in the driver's memory, for one commit.
type draft struct {
	*driver
	now     time.Time
	stored  int                 // trials that the store has
	touched map[uint64]struct{} // numbers of stored trials that changed
	events  []experiment.Event
	appends []store.Appended
	notes   map[uint64]experiment.Note
	spec    bool // it changed
	before  experiment.Status
}

func (d *driver) newDraft() *draft {
	return &draft{
		driver: d, now: d.Now(), stored: len(d.trials),
		touched: map[uint64]struct{}{}, before: d.e.Status,
	}
}

// apply changes the records as planned.
func (d *draft) apply(ctx context.Context, a Actions) error {
	for _, number := range a.Mark {
		d.mark(number)
	}
	for _, r := range a.Retry {
		if err := d.retry(ctx, r); err != nil {
			return err
		}
	}
	for _, f := range a.Finish {
		if err := d.finish(ctx, f); err != nil {
			return err
		}
	}
	if a.Ask > 0 {
		if left := a.Ask - d.addFirstPoints(a.Ask, nil); left > 0 && !d.e.Status.Completed() {
			if err := d.think(ctx, left, nil); err != nil {
				d.fail("SuggestionFailed", err.Error())
			}
		}
	}
	d.judged = false
	d.refresh()
	return nil
}

// alter runs f on a trial.
func (d *draft) alter(number uint64, f func(t *experiment.Trial)) {
	t := d.own(number)
	before := t.State
	f(t)
	d.tally.Update(&d.e.Spec, before, t)
	if int(number) <= d.stored {
		d.touched[number] = struct{}{}
	}
}

func (d *draft) mark(number uint64) {
	d.alter(number, func(t *experiment.Trial) {
		t.State, t.Started = experiment.TrialRunning, d.now
	})
}

// retry starts a new attempt of a trial whose workload ended before the trial did. What the ended attempt
// had measured is kept, and does not count.
func (d *draft) retry(ctx context.Context, f Finish) error {
	if _, _, err := d.deliver(ctx, f); err != nil {
		return err
	}
	failpoint.Hit("tuner.retry")
	d.alter(f.Number, func(t *experiment.Trial) {
		t.Attempt++
		switch {
		case f.Workload.Phase == trialrunner.Lost:
			t.Lost++
		case f.Workload.Crashed():
			t.Crashed++
		}
		t.State, t.Started = experiment.TrialPending, time.Time{}
	})
	reason, message := retried(f.Workload)
	d.event(f.Workload.Trial, reason, message, true)
	return nil
}

// retried says why a trial has another attempt.
func retried(w trialrunner.Workload) (reason, message string) {
	switch {
	case w.Crashed():
		return "TrialRetried", fmt.Sprintf("attempt %d failed; it starts anew, as the template's backoffLimit wants it: %s", w.Attempt, w.Exit.Message)
	case w.Phase == trialrunner.Lost:
		reason = "TrialLost"
	default:
		reason = "TrialInterrupted"
	}
	return reason, fmt.Sprintf("attempt %d ended before the trial did; it starts anew", w.Attempt)
}

// finish ends a trial: all its measurements first, then the verdict.
func (d *draft) finish(ctx context.Context, f Finish) error {
	ms, missing, err := d.deliver(ctx, f)
	if err != nil {
		return err
	}
	obs := experiment.Observe(d.e.Spec.Objective, ms)
	d.end(f.Number, judge(d.trials[f.Number-1], f.Workload, obs, missing, &d.e.Spec), obs, f.Workload)
	return nil
}

// end records a trial's final state.
func (d *draft) end(number uint64, o outcome, obs experiment.Observation, w trialrunner.Workload) {
	d.alter(number, func(t *experiment.Trial) {
		d.finishNo++
		t.State, t.Reason, t.Message = o.state, o.reason, d.redact(o.message)
		t.FinishNo, t.Observation, t.Finished = d.finishNo, obs, w.Finished
		if t.Finished.IsZero() {
			t.Finished = d.now
		}
		if !w.Started.IsZero() {
			t.Started = w.Started
		}
		inOrder(t)
	})
	d.waiting = false
	delete(d.handed, number)
	t := d.trials[number-1]
	d.log.Info().Str("trial", t.Name).Str("reason", t.Reason).Str("state", string(t.State)).Msg("trial finished")
	fine := t.State == experiment.TrialSucceeded || t.State == experiment.TrialEarlyStopped // it has a value, and was wanted so
	d.event(t.Name, t.Reason, t.Message, !fine)
}

// inOrder makes the times of a trial follow each other, though the clock was set back meanwhile.
func inOrder(t *experiment.Trial) {
	if !t.Started.IsZero() {
		t.Started = later(t.Created, t.Started)
	}
	t.Finished = later(later(t.Created, t.Started), t.Finished)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// deliver stores what the workload measured but could not report. It returns all measurements of the
// attempt, and how many of those that the workload had collected are missing.
func (d *draft) deliver(ctx context.Context, f Finish) (ms []experiment.Measurement, missing uint64, err error) {
	s := experiment.Stream{Experiment: d.key, Number: f.Number, Attempt: f.Workload.Attempt, Source: "agent"}
	acked, err := d.Store.Acked(ctx, s)
	if err != nil {
		return nil, 0, fmt.Errorf("deliver measurements of %s: %w", f.Workload.Trial, err)
	}
	if f.Workload.Phase == trialrunner.Lost || acked < f.Workload.LastSeq {
		rest, err := d.Runner.Leftover(ctx, d.key, f.Workload.Trial, f.Workload.Attempt, acked)
		if err != nil {
			return nil, 0, fmt.Errorf("collect what %s left behind: %w: %w", f.Workload.Trial, err, errAgain)
		}
		failpoint.Hit("tuner.deliver")
		for chunk := range slices.Chunk(rest, 2000) {
			if acked, err = d.Store.Append(ctx, s, chunk); err != nil {
				return nil, 0, fmt.Errorf("store what %s left behind: %w", f.Workload.Trial, err)
			}
		}
	}
	failpoint.Hit("tuner.delivered")
	ms, err = d.measurements(ctx, f.Number, f.Workload.Attempt)
	return ms, f.Workload.LastSeq - min(acked, f.Workload.LastSeq), err
}

// measurements returns those of one attempt, from all sources.
func (d *driver) measurements(ctx context.Context, number uint64, attempt int) ([]experiment.Measurement, error) {
	return d.Tuner.measurements(ctx, d.key, number, attempt)
}

func (t *Tuner) measurements(ctx context.Context, key experiment.Key, number uint64, attempt int) ([]experiment.Measurement, error) {
	var all []experiment.Measurement
	for _, source := range experiment.Sources {
		s := experiment.Stream{Experiment: key, Number: number, Attempt: attempt, Source: source}
		ms, err := t.Store.Measurements(ctx, s, 0, 0)
		if err != nil {
			return nil, fmt.Errorf("read measurements of trial %d: %w", number, err)
		}
		all = append(all, ms...)
	}
	return all, nil
}

// fail ends the experiment with a cause that is not any trial's.
func (d *draft) fail(reason, message string) {
	message = d.redact(message)
	d.e.Status = experiment.MarkFailed(d.e.Status, reason, message, d.now)
	d.log.Error().Str("reason", reason).Msg(message)
	d.event("", reason, message, true)
}

func (d *draft) event(trial, reason, message string, warning bool) {
	d.events = append(d.events, experiment.Event{Time: d.now, Trial: trial, Reason: reason, Message: d.redact(message), Warning: warning})
}

// redact takes the experiment's secrets, and the daemon's own, out of what is kept and shown: messages repeat
// what trials printed.
func (d *driver) redact(text string) string {
	if d.redacts != d.e { // nothing that holds a secret changes in an experiment
		d.redacts, d.redactor = d.e, experiment.NewRedactor(append(experiment.Secrets(d.e), d.Secrets...))
	}
	return short(d.redactor.Redact(text))
}

// refresh brings the experiment's status up to date with its trials.
func (d *draft) refresh() {
	if d.judged {
		return
	}
	d.judged = true
	next := d.tally.Next(d.e, d.exhausted, d.now)
	if was, is := d.e.Status.State(), next.State(); was != is {
		c := next.Conditions[len(next.Conditions)-1]
		d.log.Info().Str("reason", c.Reason).Str("state", string(is)).Msg("experiment changed")
		d.event("", c.Reason, c.Message, is == experiment.Failed)
	}
	d.e.Status = next
}

// commit makes the draft durable, and shows it to readers then. What was taken in is kept though ctx
// has ended: the commit is not given up, and takes as long as the store does.
func (d *draft) commit(ctx context.Context) error {
	change := d.change()
	if change == nil {
		d.show(&store.Change{})
		return nil
	}
	if err := failpoint.Err("tuner.commit"); err != nil {
		return fmt.Errorf("commit: %w: %w", err, errAgain)
	}
	revision, err := d.Store.Commit(context.WithoutCancel(ctx), d.key, *change)
	if errors.Is(err, store.ErrConflict) {
		return fmt.Errorf("commit: %w: %w", err, errAgain)
	}
	if err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	failpoint.Hit("tuner.committed")
	d.e.Revision = revision
	d.starve(nil)
	d.e.Events += uint64(len(change.Events))
	news := d.published(change)
	if change.Control != nil {
		d.kept = *change.Control
	}
	d.show(change)
	d.notify()
	d.feed.publish(news)
	return nil
}

// change returns what is to be stored; nil when nothing is.
func (d *draft) change() *store.Change {
	if d.e.Status.Completed() {
		d.e.Control.Paused = false // or it would not go on when its budget is extended
	}
	c := &store.Change{
		Revision: d.e.Revision, Create: values(d.trials[d.stored:]), Events: d.events, Append: d.appends, Notes: d.notes,
		Freeing: d.e.Control.Deleting,
	}
	for number := range d.touched {
		c.Update = append(c.Update, *d.trials[number-1])
	}
	slices.SortFunc(c.Update, func(a, b experiment.Trial) int { return cmp.Compare(a.Number, b.Number) })
	if !reflect.DeepEqual(d.e.Status, d.before) {
		c.Status = &d.e.Status
	}
	if d.spec {
		c.Spec = &d.e.Spec
	}
	more := c.Status != nil || c.Spec != nil || len(c.Create)+len(c.Update)+len(c.Events)+len(c.Append)+len(c.Notes) > 0
	if c.Control = d.control(more); c.Control == nil && !more {
		return nil
	}
	return c
}

// published is what readers are told of a change.
func (d *draft) published(c *store.Change) Change {
	out := Change{Key: d.key, Experiment: c.Status != nil || c.Spec != nil, Events: len(c.Events)}
	if out.Events > 0 {
		out.Event = d.e.Events - uint64(out.Events) + 1
	}
	if c.Control != nil && timeless(*c.Control) != timeless(d.kept) {
		out.Experiment = true
	}
	for _, list := range [][]experiment.Trial{c.Update, c.Create} {
		for i := range list {
			out.Trials = append(out.Trials, list[i].Number)
		}
	}
	for number := range c.Notes {
		if number == 0 {
			out.Experiment = true
		} else if !slices.Contains(out.Trials, number) {
			out.Trials = append(out.Trials, number)
		}
	}
	slices.Sort(out.Trials)
	return out
}
