// Package tuner drives experiments: it compares what each should have with what it has (Plan, a
// pure function) and carries the difference out, one loop per experiment. A start after a crash
// is an ordinary start.
package tuner

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/tuned-hpo/tuned/algorithms"
	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/store"
	"github.com/tuned-hpo/tuned/pkg/trialrunner"
)

// Kinds of error that callers act on.
var (
	ErrNotFound = store.ErrNotFound
	ErrConflict = store.ErrConflict
	ErrInvalid  = store.ErrInvalid
	ErrFull     = store.ErrFull
)

// Config is what a Tuner works with. All fields but Log are required.
type Config struct {
	Store      store.Store
	Runner     trialrunner.Runner
	Algorithms *algorithms.Registry
	Now        func() time.Time
	Log        zerolog.Logger
}

// Tuner drives the experiments submitted to it. Its methods may be called concurrently.
type Tuner struct {
	Config
	failed chan error    // first error of a driver
	fresh  chan struct{} // capacity 1: a driver waits to be launched
	models models

	mu      sync.Mutex
	drivers map[experiment.Key]*driver
}

// New returns a Tuner that drives nothing yet.
func New(c Config) (*Tuner, error) {
	if c.Store == nil || c.Runner == nil || c.Algorithms == nil || c.Now == nil {
		return nil, errors.New("new tuner: store, runner, algorithms and clock are required")
	}
	return &Tuner{
		Config: c, failed: make(chan error, 1), fresh: make(chan struct{}, 1),
		drivers: map[experiment.Key]*driver{},
	}, nil
}

// Run drives the submitted experiments until ctx ends or one of them cannot be driven any more
// (the store failed). A commit under way is waited for. Workloads are left running.
func (t *Tuner) Run(ctx context.Context) (err error) {
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	defer func() {
		cancel()
		running.Wait()
		select {
		case last := <-t.failed: // a commit that was under way when ctx ended
			err = errors.Join(err, last)
		default:
		}
	}()
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-t.failed:
			return err
		case <-t.fresh:
			for _, d := range t.unlaunched() {
				running.Go(func() { t.drive(ctx, d) })
			}
		case key := <-t.Runner.Changed():
			if d := t.driver(key); d != nil {
				d.look()
			}
		}
	}
}

// unlaunched returns the drivers that have no goroutine yet, each of them once.
func (t *Tuner) unlaunched() []*driver {
	t.mu.Lock()
	defer t.mu.Unlock()
	var out []*driver
	for _, d := range t.drivers {
		if !d.launched {
			d.launched = true
			out = append(out, d)
		}
	}
	return out
}

// drive runs a driver to its end.
func (t *Tuner) drive(ctx context.Context, d *driver) {
	defer close(d.done)
	if err := d.run(ctx); err != nil {
		select {
		case t.failed <- err:
		default: // the first one ends all
		}
	}
}

func (t *Tuner) driver(key experiment.Key) *driver {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.drivers[key]
}

// driven returns the driver of a submitted experiment.
func (t *Tuner) driven(key experiment.Key) (*driver, error) {
	if d := t.driver(key); d != nil {
		return d, nil
	}
	return nil, fmt.Errorf("experiment %s: %w", key, store.ErrNotFound)
}

// Submit stores an experiment and drives it. One that is stored already goes on where it stands:
// its three counts may differ (they are edited, and a larger budget restarts it where its
// resumePolicy allows), nothing else of its spec. store.ErrConflict says what differs.
func (t *Tuner) Submit(ctx context.Context, e *experiment.Experiment) (*experiment.Experiment, error) {
	if err := t.record(ctx, e); err != nil {
		return nil, err
	}
	d, err := t.adopt(ctx, e.Key())
	if err != nil {
		return nil, err
	}
	d.look()
	return d.copyExperiment(), nil
}

// adopt returns the driver of a stored experiment, made if there is none.
func (t *Tuner) adopt(ctx context.Context, key experiment.Key) (*driver, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if d := t.drivers[key]; d != nil {
		return d, nil
	}
	d := t.newDriver(key)
	if err := d.load(ctx); err != nil {
		return nil, err
	}
	t.drivers[key] = d
	select {
	case t.fresh <- struct{}{}:
	default:
	}
	return d, nil
}

// record creates or edits the stored experiment. One that is driven is edited by its driver, which
// alone commits to it.
func (t *Tuner) record(ctx context.Context, e *experiment.Experiment) error {
	if d := t.driver(e.Key()); d != nil {
		return d.call(ctx, func() error {
			if err := t.editStored(ctx, e); err != nil {
				return err
			}
			return d.load(ctx)
		})
	}
	err := t.editStored(ctx, e)
	if errors.Is(err, store.ErrNotFound) {
		return t.create(ctx, e)
	}
	return err
}

// editStored commits what an experiment changes of the stored one.
func (t *Tuner) editStored(ctx context.Context, e *experiment.Experiment) error {
	stored, err := t.Store.Get(ctx, e.Key())
	if err != nil {
		return err
	}
	change, err := edit(stored, e, t.Now())
	if err != nil || change == nil {
		return err
	}
	_, err = t.Store.Commit(ctx, e.Key(), *change)
	return err
}

// create stores a new experiment.
func (t *Tuner) create(ctx context.Context, e *experiment.Experiment) error {
	created := *e
	now := t.Now()
	created.Metadata.UID = newUID()
	created.Metadata.Created = &now
	created.Status = experiment.NewStatus(now)
	var err error
	if created.Priors, err = t.learn(ctx, e); err != nil {
		return fmt.Errorf("create experiment %s: %w", e.Key(), err)
	}
	return t.Store.Create(ctx, &created)
}

// newUID returns 128 random bits as text. It identifies an experiment; no result depends on it.
func newUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails, see crypto/rand
	return hex.EncodeToString(b[:])
}

func (t *Tuner) newDriver(key experiment.Key) *driver {
	return &driver{
		Tuner: t, key: key, log: t.Log.With().Str("experiment", key.String()).Logger(),
		wake: make(chan struct{}, 1), calls: make(chan func() error), done: make(chan struct{}),
		failures: map[string]int{}, watchers: map[chan struct{}]struct{}{},
	}
}
