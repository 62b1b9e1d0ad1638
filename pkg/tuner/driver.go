package tuner

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/tuned-hpo/tuned/internal/failpoint"
	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/store"
	"github.com/tuned-hpo/tuned/pkg/trialrunner"
)

// Back-off of a step that could not be carried out: storage full, a runner that refuses.
const (
	firstRetry = 200 * time.Millisecond
	lastRetry  = 30 * time.Second
)

// driver carries out the plans of one experiment. Its goroutine alone changes the experiment.
type driver struct {
	*Tuner
	key   experiment.Key
	log   zerolog.Logger
	wake  chan struct{}     // capacity 1: look again
	calls chan func() error // run by the goroutine between steps
	done  chan struct{}     // closed when the goroutine has ended

	// Guarded by Tuner.mu.
	users    int  // it does not end while there are any
	loaded   bool // it can be used
	launched bool // it has its goroutine
	dying    bool // the experiment's records are deleted just now

	pruning     *pruning // set once, before it is used; nil: no rules
	ruleless    error    // why there are none although the experiment names some
	suggestions *suggestions
	thinking    *thought // what the algorithm works on; nil: nothing
	points      points   // of the trials, for who wants to know of duplicates
	queue       []*job   // what creates trials, one after the other
	held        bool
	waiting     bool // the algorithm waits for a pending trial
	judged      bool // the status agrees with the trials
	queued      bool // a trial waits for a slot of the runner
	quiet       bool // no workload is left
	backoff     time.Duration
	failures    map[string]int           // starts that failed in a row, by trial
	handed      map[uint64]time.Duration // uptime when a trial was handed out to a client, by number

	// As the store has them, and ahead of it within a step: a draft changes them before it is committed.
	e         *experiment.Experiment
	trials    []*experiment.Trial // those that no draft has changed are those of shown, see own
	tally     experiment.Tally    // of trials
	exhausted bool
	finishNo  uint64
	firsts    int                // trials made of spec.tuned.firstPoints
	accounted time.Duration      // uptime up to which e.Control counts time
	began     time.Time          // when it was made
	caughtUp  bool               // e.Control counts the time before that, too
	ending    bool               // the daemon is
	kept      experiment.Control // as the store has it
	redactor  experiment.Redactor
	redacts   *experiment.Experiment // that the redactor is of

	mu      sync.RWMutex // guards the rest, which readers look at
	shown   shown
	live    bool   // time passes for it
	trouble string // why the last step was put off; "" when all is well
	starved string // why measurements of its trials are refused; "" when they are not
}

func (t *Tuner) newDriver(key experiment.Key) *driver {
	return &driver{
		Tuner: t, key: key, log: t.Config.Log.With().Str("experiment", key.String()).Logger(),
		wake: make(chan struct{}, 1), calls: make(chan func() error), done: make(chan struct{}),
		failures: map[string]int{}, handed: map[uint64]time.Duration{},
		accounted: t.Uptime(), began: t.Now(),
	}
}

// look makes the driver look at its experiment again.
func (d *driver) look() {
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

// call runs f in the driver's goroutine and returns its error. When ctx ends first, f may run still.
func (d *driver) call(ctx context.Context, f func() error) error {
	result := make(chan error, 1)
	select {
	case d.calls <- func() error {
		err := f()
		result <- err
		if errors.Is(err, errUnread) {
			return err
		}
		return nil
	}:
	case <-d.done:
		return d.gone()
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-result:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// gone says why a driver has ended.
func (d *driver) gone() error {
	d.Tuner.mu.Lock()
	defer d.Tuner.mu.Unlock()
	if d.dying {
		return fmt.Errorf("experiment %s: %w", d.key, store.ErrNotFound)
	}
	return fmt.Errorf("experiment %s: no longer driven", d.key)
}

// run is the one loop: look, plan, carry out, wait to be told to look again.
func (d *driver) run(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	defer d.leave()
	d.mu.Lock()
	d.live = true
	d.mu.Unlock()
	for {
		err := d.turn(ctx, timer.C)
		switch {
		case errors.Is(err, errGone):
			return nil
		case ctx.Err() != nil && (err == nil || errors.Is(err, ctx.Err())):
			return d.save(ctx)
		case err == nil && d.atRest() && d.retire():
			return nil
		case err == nil:
			d.backoff = 0
			d.troubled("")
			if next, any := d.deadline(); any {
				timer.Reset(next)
			}
		case errors.Is(err, errUnread) || !errors.Is(err, store.ErrFull) && !errors.Is(err, errAgain):
			return fmt.Errorf("experiment %s: %w", d.key, err)
		default:
			d.backoff = min(max(2*d.backoff, firstRetry), lastRetry)
			why := d.redact(err.Error())
			d.log.Warn().Str("error", why).Dur("retry_in", d.backoff).Msg("step put off")
			d.troubled(why)
			d.refuse(err)
			timer.Reset(d.backoff)
		}
	}
}

// turn waits until there is something to look at, and does what there is to do.
func (d *driver) turn(ctx context.Context, timer <-chan time.Time) error {
	var act func() error
	select {
	case <-ctx.Done():
		return ctx.Err()
	case act = <-d.calls:
	case <-d.thinking.ended():
		act = func() error { return d.take(ctx) }
	case <-d.wake:
	case <-timer:
	}
	d.account()
	if act != nil {
		if err := act(); err != nil {
			return err
		}
	}
	return d.settle(ctx)
}

// atRest reports whether nothing is left to do until somebody wants something.
func (d *driver) atRest() bool {
	still := d.e.Status.Completed() && d.tally.Active() == 0 && d.quiet || unfinished(d.e) && !d.e.Control.Deleting
	return still && len(d.queue) == 0 && d.thinking == nil
}

// troubled tells readers why the last step was put off, or that all is well.
func (d *driver) troubled(why string) {
	d.mu.Lock()
	changed := d.trouble != why
	d.trouble = why
	d.mu.Unlock()
	if changed {
		d.notify()
		d.feed.publish(Change{Key: d.key, Experiment: true})
	}
}

// starve tells readers that measurements, or whatever is written of the experiment, were refused for want of
// space, or are taken again.
func (d *driver) starve(err error) {
	why := ""
	if errors.Is(err, store.ErrFull) {
		why = "measurements are refused, and sent again: " + err.Error()
	} else if err != nil {
		return // of the call alone
	}
	d.mu.Lock()
	changed := (d.starved == "") != (why == "")
	d.starved = why
	d.mu.Unlock()
	if changed {
		d.notify()
		d.feed.publish(Change{Key: d.key, Experiment: true})
	}
}

var (
	// errAgain marks an error that a later look may find gone.
	errAgain = errors.New("to be tried again")
	// errUnread marks an error after which the driver must end: it does not know what the store has.
	errUnread = errors.New("records cannot be read back")
	// errGone ends the driver of an experiment that was deleted.
	errGone = errors.New("the experiment is deleted")
)

// settle steps until a plan is empty.
func (d *driver) settle(ctx context.Context) error {
	if d.e.Control.Deleting {
		return d.demolish(ctx)
	}
	if unfinished(d.e) {
		_, err := d.serve(ctx) // with refusals
		return err
	}
	if err := d.expireLate(ctx); err != nil {
		return err
	}
	if d.ruleless != nil && !d.e.Status.Completed() {
		return d.fail(ctx, "EarlyStoppingInvalid", d.ruleless.Error())
	}
	for {
		again, err := d.step(ctx)
		if err != nil {
			return err
		}
		served, err := d.serve(ctx)
		if err != nil || !again && !served {
			return err
		}
	}
}

// step looks at the workloads, makes the records agree with them in one commit, and then makes
// the workloads agree with the records. It reports whether there may be more to do.
func (d *driver) step(ctx context.Context) (again bool, err error) {
	workloads, err := d.workloads(ctx)
	if err != nil {
		return false, fmt.Errorf("list workloads: %w: %w", err, errAgain)
	}
	d.catchUp(workloads)
	draft := d.newDraft()
	draft.refresh()
	var actions Actions
	d.quiet = len(workloads) == 0
	for {
		actions = Plan(d.view(workloads))
		if !actions.changesRecords() {
			break
		}
		if err := draft.apply(ctx, actions); err != nil {
			return false, d.abandon(ctx, err)
		}
	}
	if err := draft.commit(ctx); err != nil {
		return false, d.abandon(ctx, err)
	}
	if err := ctx.Err(); err != nil {
		return false, err // after the end nothing is started
	}
	return d.effect(ctx, actions)
}

// abandon forgets what a draft changed in memory after its commit did not happen, even when ctx has
// ended: what follows would take it for stored.
func (d *driver) abandon(ctx context.Context, cause error) error {
	if err := d.load(context.WithoutCancel(ctx)); err != nil {
		return errors.Join(cause, fmt.Errorf("%w: %w", errUnread, err))
	}
	return cause
}

// load reads the experiment from the store, in place of what is in memory.
func (d *driver) load(ctx context.Context) error {
	failpoint.Hit("tuner.load")
	d.forget()
	e, err := d.Store.Get(ctx, d.key)
	if err != nil {
		return err
	}
	trials, err := d.Store.Trials(ctx, d.key)
	if err != nil {
		return err
	}
	d.kept = e.Control
	if !e.Status.Completed() {
		e.Control.OnCompletion = "" // it was about an end that an edit has taken back
	}
	if d.e != nil { // time that was counted already is not forgotten
		e.Control.Elapsed = max(e.Control.Elapsed, d.e.Control.Elapsed)
		e.Control.TrialTime = max(e.Control.TrialTime, d.e.Control.TrialTime)
	}
	d.e, d.trials, d.tally, d.finishNo = e, pointers(trials), experiment.NewTally(&e.Spec, trials), 0
	d.exhausted, d.waiting, d.judged, d.firsts = false, false, false, 0
	for i := range trials {
		d.finishNo = max(d.finishNo, trials[i].FinishNo)
		if trials[i].Origin == experiment.FirstPoint {
			d.firsts++
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.shown = shown{e: *e, at: d.accounted, finishNo: d.finishNo, trials: trials, tally: d.tally.Clone()}
	return nil
}

func (d *driver) workloads(ctx context.Context) ([]trialrunner.Workload, error) {
	if d.e.External() {
		return nil, nil
	}
	return d.Runner.List(ctx, d.key)
}

func (d *driver) view(ws []trialrunner.Workload) View {
	return View{
		Experiment: d.e, Trials: d.trials, Workloads: ws,
		Exhausted: d.exhausted, Waiting: d.waiting, External: d.e.External(), Held: d.held,
		Thinking: d.thinking != nil,
	}
}

// fail ends the experiment with a cause.
func (d *driver) fail(ctx context.Context, reason, message string) error {
	draft := d.newDraft()
	draft.fail(reason, message)
	if err := draft.commit(ctx); err != nil {
		return d.abandon(ctx, err)
	}
	d.look()
	return nil
}

// notify tells the watchers that something changed.
func (d *driver) notify() {
	d.Tuner.mu.Lock()
	defer d.Tuner.mu.Unlock()
	for w := range d.watchers[d.key] {
		select {
		case w <- struct{}{}:
		default:
		}
	}
}
