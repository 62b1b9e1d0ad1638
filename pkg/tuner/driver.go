package tuner

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/rs/zerolog"

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

	launched bool // guarded by Tuner.mu

	suggestions *suggestions
	held        bool
	waiting     bool // the algorithm waits for a pending trial
	judged      bool // the status agrees with the trials
	backoff     time.Duration
	failures    map[string]int // starts that failed in a row, by trial

	// As the store has them, and ahead of it within a step: a draft changes them before it is committed.
	e         *experiment.Experiment
	trials    []experiment.Trial
	tally     experiment.Tally // of trials
	exhausted bool
	finishNo  uint64

	mu       sync.RWMutex // guards the rest, which readers look at
	shown    shown
	trouble  string // why the last step was put off; "" when all is well
	watchers map[chan struct{}]struct{}
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
		return fmt.Errorf("experiment %s: no longer driven", d.key)
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

// run is the one loop: look, plan, carry out, wait to be told to look again.
func (d *driver) run(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case f := <-d.calls:
			if err := f(); err != nil {
				return err
			}
		case <-d.wake:
		case <-timer.C:
		}
		if err := d.settle(ctx); err != nil {
			if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
				return nil
			}
			if errors.Is(err, errUnread) || !errors.Is(err, store.ErrFull) && !errors.Is(err, errAgain) {
				return fmt.Errorf("experiment %s: %w", d.key, err)
			}
			d.backoff = min(max(2*d.backoff, firstRetry), lastRetry)
			d.log.Warn().Err(err).Dur("retry_in", d.backoff).Msg("step put off")
			d.troubled(err.Error())
			timer.Reset(d.backoff)
			continue
		}
		d.backoff = 0
		d.troubled("")
		if next, any := d.deadline(); any {
			timer.Reset(next.Sub(d.Now()))
		}
	}
}

// troubled tells readers why the last step was put off, or that all is well.
func (d *driver) troubled(why string) {
	d.mu.Lock()
	changed := d.trouble != why
	d.trouble = why
	d.mu.Unlock()
	if changed {
		d.notify()
	}
}

var (
	// errAgain marks an error that a later look may find gone.
	errAgain = errors.New("to be tried again")
	// errUnread marks an error after which the driver must end: it does not know what the store has.
	errUnread = errors.New("records cannot be read back")
)

// settle steps until a plan is empty.
func (d *driver) settle(ctx context.Context) error {
	if err := d.expireLate(ctx); err != nil {
		return err
	}
	for {
		again, err := d.step(ctx)
		if err != nil || !again {
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
	draft := d.newDraft()
	draft.refresh()
	var actions Actions
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
	d.suggestions = nil
	e, err := d.Store.Get(ctx, d.key)
	if err != nil {
		return err
	}
	trials, err := d.Store.Trials(ctx, d.key)
	if err != nil {
		return err
	}
	d.e, d.trials, d.tally, d.finishNo = e, trials, experiment.NewTally(&e.Spec, trials), 0
	d.exhausted, d.waiting, d.judged = false, false, false
	for i := range trials {
		d.finishNo = max(d.finishNo, trials[i].FinishNo)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.shown = shown{e: *e}
	d.shown.take(trials)
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
	}
}

// effect touches the workloads. Every record it relies on is durable.
func (d *driver) effect(ctx context.Context, a Actions) (again bool, err error) {
	for _, target := range a.Stop {
		if err := d.Runner.Stop(ctx, d.key, target.Trial, target.Attempt); err != nil {
			return false, fmt.Errorf("stop trial %s: %w: %w", target.Trial, err, errAgain)
		}
	}
	for _, target := range a.Remove {
		if err := d.Runner.Remove(ctx, d.key, target.Trial, target.Attempt); err != nil {
			return false, fmt.Errorf("remove trial %s: %w: %w", target.Trial, err, errAgain)
		}
	}
	for _, number := range a.Start {
		err := d.start(ctx, &d.trials[number-1])
		if errors.Is(err, trialrunner.ErrBusy) {
			return again, nil // the runner says when to look again
		}
		if err != nil {
			return false, err
		}
		again = true
	}
	return again, nil
}

// start starts one trial, or records why it never can.
func (d *driver) start(ctx context.Context, t *experiment.Trial) error {
	spec, err := runSpec(d.e, t)
	if err == nil {
		err = d.Runner.Start(ctx, spec)
	}
	if err == nil {
		delete(d.failures, t.Name)
		d.log.Info().Str("trial", t.Name).Int("attempt", t.Attempt).Msg("trial started")
		return nil
	}
	if errors.Is(err, trialrunner.ErrBusy) {
		return err
	}
	d.failures[t.Name]++
	if errors.Is(err, trialrunner.ErrUnsupported) || d.failures[t.Name] >= 5 {
		return d.fail(ctx, "TrialCannotStart", fmt.Sprintf("trial %s cannot start: %v", t.Name, err))
	}
	return fmt.Errorf("start trial %s: %w: %w", t.Name, err, errAgain)
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
	d.mu.RLock()
	defer d.mu.RUnlock()
	for w := range d.watchers {
		select {
		case w <- struct{}{}:
		default:
		}
	}
}
