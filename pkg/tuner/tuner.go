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
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/tuned-hpo/tuned/algorithms"
	"github.com/tuned-hpo/tuned/internal/failpoint"
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

// Kinds of ErrConflict.
var (
	ErrExists error = conflict("another experiment of this name exists")
	ErrBudget error = conflict("budget used up")
	ErrReused error = conflict("request id used twice")
	ErrTold   error = conflict("it has another result already")
	ErrOver   error = conflict("it is over, and takes no result")
)

// conflict is an ErrConflict that says itself what it is.
type conflict string

// Error implements error.
func (c conflict) Error() string { return string(c) }

// Unwrap returns ErrConflict.
func (c conflict) Unwrap() error { return ErrConflict }

// Config is what a Tuner works with. All fields but Pruners, Uptime, Log and Suggested are required.
type Config struct {
	Store      store.Store
	Runner     trialrunner.Runner
	Algorithms *algorithms.Registry
	Pruners    *algorithms.Pruners // nil: none is known
	Now        func() time.Time
	// Uptime is the time since some moment, which does not jump when the clock is set; nil: since New.
	Uptime func() time.Duration
	Log    zerolog.Logger

	// Secrets are values that no message may repeat, beside those of the experiment that it is about.
	Secrets []string

	// Suggested is told of each question to an algorithm, by the goroutine that asked. Nil: nobody is.
	Suggested func(Suggested)
}

// Tuner drives experiments. Its methods may be called concurrently.
type Tuner struct {
	Config
	failed chan error    // first error of a driver
	fresh  chan struct{} // capacity 1: a driver waits to be launched
	models models
	rested rested
	feed   *feed

	mu       sync.Mutex
	drivers  map[experiment.Key]*driver
	imports  map[experiment.Key]bool          // that are under way: these have no driver
	loading  map[experiment.Key]chan struct{} // closed when what is loaded now is
	watchers map[experiment.Key]map[chan struct{}]struct{}
}

// New returns a Tuner that drives nothing yet.
func New(c Config) (*Tuner, error) {
	if c.Store == nil || c.Runner == nil || c.Algorithms == nil || c.Now == nil {
		return nil, errors.New("new tuner: store, runner, algorithms and clock are required")
	}
	if c.Uptime == nil {
		begin := time.Now()
		c.Uptime = func() time.Duration { return time.Since(begin) }
	}
	return &Tuner{
		Config: c, failed: make(chan error, 1), fresh: make(chan struct{}, 1), feed: newFeed(),
		drivers: map[experiment.Key]*driver{}, imports: map[experiment.Key]bool{}, loading: map[experiment.Key]chan struct{}{},
		watchers: map[experiment.Key]map[chan struct{}]struct{}{},
	}, nil
}

// Run drives experiments until ctx ends or one of them cannot be driven any more (the store
// failed). A commit under way is waited for. Workloads are left running.
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

// Start drives every stored experiment that is not settled: that is not completed, or of which a trial
// or a workload is left, or whose deletion is. A daemon calls it once.
func (t *Tuner) Start(ctx context.Context) error {
	stored, err := t.Store.List(ctx)
	if err != nil {
		return fmt.Errorf("start: %w", err)
	}
	for _, e := range stored {
		unsettled, err := t.unsettled(ctx, e)
		if err != nil {
			return fmt.Errorf("start %s: %w", e.Key(), err)
		}
		if !unsettled {
			continue
		}
		d, err := t.use(ctx, e.Key())
		if err != nil {
			return fmt.Errorf("start %s: %w", e.Key(), err)
		}
		t.release(d)
	}
	return nil
}

// unsettled reports whether there is anything left to do for a stored experiment.
func (t *Tuner) unsettled(ctx context.Context, e *experiment.Experiment) (bool, error) {
	if unfinished(e) && !e.Control.Deleting {
		return false, nil
	}
	if s := &e.Status; !s.Completed() || s.TrialsPending+s.TrialsRunning > 0 || e.Control.Deleting {
		return true, nil
	}
	if e.External() {
		return false, nil
	}
	workloads, err := t.Runner.List(ctx, e.Key())
	return len(workloads) > 0, err
}

// Create stores a new experiment and drives it. The same content under the same name is returned as it
// stands; anything else of that name is ErrExists.
func (t *Tuner) Create(ctx context.Context, e *experiment.Experiment) (*experiment.Experiment, error) {
	err := t.create(ctx, e)
	exists := errors.Is(err, store.ErrConflict)
	if err != nil && !exists {
		return nil, err
	}
	d, err := t.use(ctx, e.Key())
	if exists && errors.Is(err, store.ErrNotFound) {
		return t.Create(ctx, e) // the other one was deleted meanwhile
	}
	if err != nil {
		return nil, err
	}
	defer t.release(d)
	stands := d.copyExperiment()
	if exists {
		if stands.Control.Deleting {
			return nil, fmt.Errorf("create experiment %s: it is being deleted: %w", e.Key(), ErrConflict)
		}
		if err := taken(stands, e); err != nil {
			return nil, err
		}
	}
	return stands, nil
}

// Check reports why Create would refuse an experiment now; it stores nothing.
func (t *Tuner) Check(ctx context.Context, e *experiment.Experiment) error {
	stored, err := t.Store.Get(ctx, e.Key())
	if err == nil {
		return taken(stored, e)
	}
	if !errors.Is(err, store.ErrNotFound) {
		return err
	}
	if _, err := t.learn(ctx, e); err != nil {
		return fmt.Errorf("create experiment %s: %w", e.Key(), err)
	}
	return nil
}

// taken reports that a stored experiment of the same name is another one.
func taken(stored, e *experiment.Experiment) error {
	if other := alike(stored, e); len(other) > 0 {
		return fmt.Errorf("create experiment %s: %w: %s; to change its budget alone extend the stored one, else give it another name or delete the stored one",
			e.Key(), ErrExists, strings.Join(other, "; "))
	}
	return nil
}

// alike lists in what two experiments of one name differ, secrets masked.
func alike(a, b *experiment.Experiment) []string {
	shown := unlike(experiment.Masked(a), experiment.Masked(b))
	if len(shown) == 0 && len(unlike(a, b)) > 0 {
		return []string{"they differ in a value that is masked"}
	}
	return shown
}

func unlike(a, b *experiment.Experiment) []string {
	out := differences("spec", a.Spec, b.Spec)
	return append(out, differences("local", program(a), program(b))...)
}

// Submit stores an experiment and drives it. One that is stored already goes on where it stands:
// its three counts may differ (they are edited, and a larger budget restarts it where its
// resumePolicy allows), nothing else of its spec. store.ErrConflict says what differs.
func (t *Tuner) Submit(ctx context.Context, e *experiment.Experiment) (*experiment.Experiment, error) {
	if err := t.record(ctx, e); err != nil {
		return nil, err
	}
	d, err := t.use(ctx, e.Key())
	if err != nil {
		return nil, err
	}
	defer t.release(d)
	return d.copyExperiment(), nil
}

// record creates or edits the stored experiment. One that is driven is edited by its driver, which
// alone commits to it.
func (t *Tuner) record(ctx context.Context, e *experiment.Experiment) error {
	if t.driver(e.Key()) == nil {
		err := t.editStored(ctx, e)
		if errors.Is(err, store.ErrNotFound) {
			return t.create(ctx, e)
		}
		return err
	}
	return t.with(ctx, e.Key(), func(d *driver) error {
		if err := t.editStored(ctx, e); err != nil {
			return err
		}
		return d.load(ctx)
	})
}

// editStored commits what an experiment changes of the stored one.
func (t *Tuner) editStored(ctx context.Context, e *experiment.Experiment) error {
	stored, err := t.Store.Get(ctx, e.Key())
	if err != nil {
		return err
	}
	if stored.Control.Deleting {
		return fmt.Errorf("experiment %s is being deleted: %w", e.Key(), ErrConflict)
	}
	if unfinished(stored) {
		return fmt.Errorf("experiment %s: %w", e.Key(), errUnfinished)
	}
	change, err := edit(stored, e, t.Now())
	if err != nil || change == nil {
		return err
	}
	failpoint.Hit("tuner.revise")
	if _, err = t.Store.Commit(ctx, e.Key(), *change); err == nil {
		failpoint.Hit("tuner.revised")
		t.feed.publish(Change{Key: e.Key(), Experiment: true})
	}
	return err
}

// create stores a new experiment. ErrConflict: it is there already.
func (t *Tuner) create(ctx context.Context, e *experiment.Experiment) error {
	created := *e
	now := t.Now()
	created.Metadata.UID = newUID()
	created.Metadata.Created = &now
	created.Status = experiment.NewStatus(now)
	created.Control, created.Note, created.Revision = experiment.Control{}, experiment.Note{}, 0
	var err error
	if created.Priors, err = t.learn(ctx, e); err != nil {
		return fmt.Errorf("create experiment %s: %w", e.Key(), err)
	}
	failpoint.Hit("tuner.create")
	if err := t.Store.Create(ctx, &created); err != nil {
		return err
	}
	failpoint.Hit("tuner.created")
	t.feed.publish(Change{Key: e.Key(), Experiment: true})
	return nil
}

// newUID returns 128 random bits as text. It identifies an experiment; no result depends on it.
func newUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails, see crypto/rand
	return hex.EncodeToString(b[:])
}
