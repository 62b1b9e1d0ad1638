// Package observe stands between the tuner and its store, and tells of what has become durable:
// experiments and trials that change, measurements, events. Metrics, traces and webhooks are made of
// that, and the tuner knows nothing of them.
package observe

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/store"
)

// Observer is told of what a Store has made durable. The calls about one experiment come one at a
// time, in the order in which they became durable, save for Measured and Wrote; those about several
// come concurrently. The writer waits for them: an Observer returns at once and does not call the
// store. What it is given is not changed by anybody, and must not be.
type Observer interface {
	// Found is called for each experiment that was stored before, when the Store is made.
	Found(e *experiment.Experiment)
	// Experiment was created (before is nil), changed, or deleted (after is nil).
	Experiment(before, after *experiment.Experiment)
	// Trial was created (before is nil) or changed, its note apart. e is its experiment after the change.
	Trial(e *experiment.Experiment, before, after *experiment.Trial)
	// Measured is called after n further measurements of a stream, of which the first has the number first.
	Measured(s experiment.Stream, first uint64, n int)
	// Events were recorded, n of them.
	Events(key experiment.Key, n int)
	// Wrote says how long a write took: "create", "commit", "append" or "delete".
	Wrote(operation string, took time.Duration)
}

// Store is a store.Store that tells observers of what it has written.
type Store struct {
	store.Store
	now       func() time.Time
	observers []Observer

	mu    sync.Mutex
	books map[experiment.Key]*book
}

// New returns a store that behaves as inner does, and tells observers. The clock measures how long writes take.
func New(ctx context.Context, inner store.Store, now func() time.Time, observers ...Observer) (*Store, error) {
	s := &Store{Store: inner, now: now, observers: observers, books: map[experiment.Key]*book{}}
	found, err := inner.List(ctx)
	if err != nil {
		return nil, fmt.Errorf("observe the store: %w", err)
	}
	for _, e := range found {
		for _, o := range observers {
			o.Found(e)
		}
	}
	return s, nil
}

// book is what is known of an experiment that is being written: what its next change is compared with.
type book struct {
	mu     sync.Mutex // held while a commit is under way
	known  bool       // e is set
	e      experiment.Experiment
	trials map[uint64]experiment.Trial // those that are not final

	streamsMu sync.Mutex
	streams   map[experiment.Stream]*progress // of trials that are not final
}

// progress is how far a stream is durable.
type progress struct{ acked uint64 }

func (s *Store) book(key experiment.Key) *book {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.books[key]
	if b == nil {
		b = &book{trials: map[uint64]experiment.Trial{}, streams: map[experiment.Stream]*progress{}}
		s.books[key] = b
	}
	return b
}

// wrote tells how long a write took that began at start.
func (s *Store) wrote(operation string, start time.Time) {
	took := s.now().Sub(start)
	for _, o := range s.observers {
		o.Wrote(operation, took)
	}
}

// Create implements store.Store.
func (s *Store) Create(ctx context.Context, e *experiment.Experiment) error {
	b := s.book(e.Key())
	b.mu.Lock()
	defer b.mu.Unlock()
	start := s.now()
	if err := s.Store.Create(ctx, e); err != nil {
		return err
	}
	s.wrote("create", start)
	b.keep(e)
	b.e.Revision = 1
	after := b.e
	for _, o := range s.observers {
		o.Experiment(nil, &after)
	}
	return nil
}

// keep takes a copy of an experiment that nobody changes: a Spec is replaced, never changed.
func (b *book) keep(e *experiment.Experiment) {
	b.e, b.known = *e, true
	b.e.Status.Conditions = slices.Clone(e.Status.Conditions)
}

// forget makes the next change read the store.
func (b *book) forget() {
	b.e, b.known = experiment.Experiment{}, false
	clear(b.trials)
}

// Delete implements store.Store.
func (s *Store) Delete(ctx context.Context, key experiment.Key) error {
	b := s.book(key)
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := s.open(ctx, b, key); err != nil {
		return err
	}
	start := s.now()
	if err := s.Store.Delete(ctx, key); err != nil {
		return err
	}
	s.wrote("delete", start)
	before := b.e
	b.forget()
	b.clearStreams()
	for _, o := range s.observers {
		o.Experiment(&before, nil)
	}
	return nil
}

// open makes sure that the experiment is known.
func (s *Store) open(ctx context.Context, b *book, key experiment.Key) error {
	if b.known {
		return nil
	}
	e, err := s.Get(ctx, key)
	if err != nil {
		return err
	}
	b.keep(e)
	return nil
}

// Commit implements store.Store.
func (s *Store) Commit(ctx context.Context, key experiment.Key, c store.Change) (uint64, error) {
	b := s.book(key)
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := s.open(ctx, b, key); err != nil {
		return 0, err
	}
	if err := s.openTrials(ctx, b, key, c.Update); err != nil {
		return 0, err
	}
	start := s.now()
	revision, err := s.Store.Commit(ctx, key, c)
	if err != nil {
		b.forget() // it may be durable nevertheless
		return revision, err
	}
	s.wrote("commit", start)
	s.told(b, &c, revision)
	return revision, nil
}

// openTrials makes sure that those which a change updates are known. They are not after a restart.
func (s *Store) openTrials(ctx context.Context, b *book, key experiment.Key, updated []experiment.Trial) error {
	for i := range updated {
		number := updated[i].Number
		if _, known := b.trials[number]; known {
			continue
		}
		t, err := s.Trial(ctx, key, number)
		if errors.Is(err, store.ErrNotFound) {
			continue // made by the same change, or to be refused
		}
		if err != nil {
			return err
		}
		if !t.State.Final() {
			b.trials[number] = t
		}
	}
	return nil
}

// told brings the book up to date with a change and tells the observers of it.
func (s *Store) told(b *book, c *store.Change, revision uint64) {
	before := b.e
	if c.Spec != nil {
		b.e.Spec = *c.Spec
	}
	if c.Local != nil {
		b.e.Local = *c.Local
	}
	if c.Status != nil {
		b.e.Status = *c.Status
		b.e.Status.Conditions = slices.Clone(c.Status.Conditions)
	}
	if c.Control != nil {
		b.e.Control = *c.Control
	}
	if note, ok := c.Notes[0]; ok {
		b.e.Note = note
	}
	b.e.Revision = revision
	after := b.e
	for _, t := range c.Create {
		s.trial(b, &after, nil, t)
	}
	for i := range c.Append {
		s.appended(b, c.Append[i].Stream(after.Key()), c.Append[i].Measurements)
	}
	for _, t := range c.Update {
		if was, ok := b.trials[t.Number]; ok {
			s.trial(b, &after, &was, t)
		}
	}
	for _, o := range s.observers {
		o.Experiment(&before, &after)
		if len(c.Events) > 0 {
			o.Events(after.Key(), len(c.Events))
		}
	}
}

func (s *Store) trial(b *book, e *experiment.Experiment, before *experiment.Trial, after experiment.Trial) {
	if after.State.Final() {
		delete(b.trials, after.Number)
		b.endStreams(after.Number)
	} else {
		b.trials[after.Number] = after
	}
	for _, o := range s.observers {
		o.Trial(e, before, &after)
	}
}

var _ store.Store = (*Store)(nil)
