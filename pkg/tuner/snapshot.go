package tuner

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/store"
	"github.com/tuned-hpo/tuned/pkg/trialrunner"
)

// Snapshot is an experiment at one moment, as the store has it. The receiver owns it.
type Snapshot struct {
	Experiment *experiment.Experiment
	Trials     []experiment.Trial // by number
	Best       *experiment.Trial  // by spec.objective; nil while no trial qualifies
	Front      []uint64           // numbers of the trials on the Pareto front, see experiment.Tally
	Infeasible int                // trials with a value of each objective that do not keep the constraints
	Exhausted  bool               // the algorithm has no further suggestion
	External   bool               // clients evaluate the trials
	Trouble    string             // why the last step, or a measurement, was put off, and is tried again; "" when all is well
	Settled    bool               // completed, and no trial is under way any more
	Paused     bool               // no trial starts until it is resumed
	Cost       float64            // by spec.tuned.cost; 0 without
	Elapsed    time.Duration      // how long it was driven, without pauses
}

// Snapshot returns an experiment as it stands. store.ErrNotFound.
func (t *Tuner) Snapshot(key experiment.Key) (Snapshot, error) {
	d, err := t.reader(context.Background(), key)
	if err != nil {
		return Snapshot{}, err
	}
	return d.snapshot(), nil
}

// Load returns an experiment as it stands, with the lists of its trials. store.ErrNotFound.
func (t *Tuner) Load(ctx context.Context, key experiment.Key) (Snapshot, error) {
	d, err := t.reader(ctx, key)
	if err != nil {
		return Snapshot{}, err
	}
	s := d.snapshot()
	s.Experiment.Status = s.Experiment.Status.WithLists(s.Trials)
	return s, nil
}

// reader returns a driver to look at: that which drives the experiment, or one that is loaded for this.
func (t *Tuner) reader(ctx context.Context, key experiment.Key) (*driver, error) {
	if d := t.driver(key); d != nil {
		return d, nil
	}
	done, err := t.alone(ctx, key)
	if err != nil {
		return nil, err
	}
	defer done()
	if d := t.driver(key); d != nil {
		return d, nil
	}
	e, err := t.Store.Get(ctx, key)
	if err != nil {
		return nil, err
	}
	if d := t.rested.get(e); d != nil {
		return d, nil
	}
	d := t.newDriver(key)
	if err := d.load(ctx); err != nil {
		return nil, err
	}
	t.rested.put(d)
	return d, nil
}

// List returns all stored experiments, ordered by key.
func (t *Tuner) List(ctx context.Context) ([]*experiment.Experiment, error) {
	return t.Store.List(ctx)
}

// shown is what readers see of an experiment: what the store has, and never what is on its way there.
type shown struct {
	e         experiment.Experiment
	trials    []experiment.Trial
	tally     experiment.Tally // of trials
	exhausted bool
	finishNo  uint64        // of the trial that finished last
	at        time.Duration // uptime up to which e counts the time used
}

// take brings the trials up to date with some that were created or changed, in time proportional to them.
func (s *shown) take(trials []experiment.Trial) {
	for i := range trials {
		t := &trials[i]
		s.finishNo = max(s.finishNo, t.FinishNo)
		if int(t.Number) > len(s.trials) {
			s.trials = append(s.trials, *t)
			s.tally.Add(&s.e.Spec, t)
			continue
		}
		before := s.trials[t.Number-1].State
		s.trials[t.Number-1] = *t
		s.tally.Update(&s.e.Spec, before, t)
	}
}

// show lets readers see a change that was committed.
func (d *driver) show(c *store.Change) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.shown.e, d.shown.exhausted, d.shown.at = *d.e, d.exhausted, d.accounted
	place := cap(d.shown.trials)
	d.shown.take(c.Update)
	d.shown.take(c.Create)
	for number, note := range c.Notes {
		if number > 0 {
			d.shown.trials[number-1].Note = note
			d.trials[number-1] = &d.shown.trials[number-1]
		}
	}
	if cap(d.shown.trials) != place { // they have moved
		d.trials = pointers(d.shown.trials)
		return
	}
	for _, changed := range [][]experiment.Trial{c.Update, c.Create} {
		for i := range changed {
			n := changed[i].Number
			d.trials[n-1] = &d.shown.trials[n-1]
		}
	}
}

func (d *driver) snapshot() Snapshot {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.snapshotOf(slices.Clone(d.shown.trials))
}

// snapshotOf makes a snapshot with the given trials. The caller holds mu.
func (d *driver) snapshotOf(trials []experiment.Trial) Snapshot {
	is := &d.shown
	s := Snapshot{
		Experiment: is.copyExperiment(), Trials: trials, Exhausted: is.exhausted,
		External: is.e.External(), Trouble: cmp.Or(d.trouble, d.starved), Settled: is.e.Status.Completed() && is.tally.Active() == 0,
	}
	s.Front, s.Infeasible = is.tally.Front(), is.tally.Infeasible()
	if best, ok := is.tally.Best(); ok {
		s.Best = &best
	}
	if d.live {
		age(s.Experiment, d.Uptime()-is.at)
	}
	s.Paused, s.Elapsed = is.e.Control.Paused, time.Duration(s.Experiment.Control.Elapsed)
	s.Cost = is.tally.Cost(s.Experiment)
	return s
}

func (d *driver) copyExperiment() *experiment.Experiment {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.shown.copyExperiment()
}

// copyExperiment copies what the receiver of a copy may change; a Spec is replaced, never changed.
func (s *shown) copyExperiment() *experiment.Experiment {
	e := s.e
	e.Status.Conditions = slices.Clone(e.Status.Conditions)
	return &e
}

// Watch yields after changes of an experiment; several changes may yield once. The caller looks with
// Snapshot, and calls cancel when it no longer watches.
func (t *Tuner) Watch(key experiment.Key) (changes <-chan struct{}, cancel func()) {
	c := make(chan struct{}, 1)
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.watchers[key] == nil {
		t.watchers[key] = map[chan struct{}]struct{}{}
	}
	t.watchers[key][c] = struct{}{}
	return c, func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		delete(t.watchers[key], c)
		if len(t.watchers[key]) == 0 {
			delete(t.watchers, key)
		}
	}
}

// Interrupt stops the running trials of an experiment and leaves them pending, to be started
// anew by the next Submit in another Tuner. It returns when none runs any more.
func (t *Tuner) Interrupt(ctx context.Context, key experiment.Key) error {
	d, err := t.use(ctx, key)
	if err != nil {
		return err
	}
	defer t.release(d)
	changes, cancel := t.Watch(key)
	defer cancel()
	if err := d.call(ctx, func() error { d.held = true; return nil }); err != nil {
		return err
	}
	for {
		runs, err := d.runs(ctx)
		if err != nil || !runs {
			return err
		}
		select {
		case <-changes:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// runs reports whether a workload runs, or a trial is recorded to run.
func (d *driver) runs(ctx context.Context) (yes bool, err error) {
	answer := make(chan bool, 1)
	err = d.call(ctx, func() error {
		workloads, err := d.workloads(ctx)
		answer <- slices.ContainsFunc(workloads, func(w trialrunner.Workload) bool { return w.Phase == trialrunner.Running }) ||
			!d.e.External() && d.e.Status.TrialsRunning > 0
		return err
	})
	if err != nil {
		return false, err
	}
	return <-answer, nil
}
