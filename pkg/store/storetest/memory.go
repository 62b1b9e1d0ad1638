// Package storetest has what every store.Store must pass, and the simplest one that does.
package storetest

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/store"
)

// Memory is a store.Store that forgets everything at the end of the process. Values are kept as
// JSON, so that nobody shares memory with it.
type Memory struct {
	mu          sync.Mutex
	closed      bool
	experiments map[experiment.Key]*kept
}

type kept struct {
	body     []byte // the experiment without status
	status   []byte
	control  []byte
	notes    map[uint64][]byte
	revision uint64
	trials   [][]byte
	heads    []trialHead
	events   [][]byte
	streams  map[experiment.Stream][]experiment.Measurement
}

type trialHead struct {
	attempt int
	final   bool
}

var _ store.Store = (*Memory)(nil)

// NewMemory returns an empty store.
func NewMemory() *Memory {
	return &Memory{experiments: map[experiment.Key]*kept{}}
}

var errClosed = errors.New("store is closed")

// enter begins a method; the caller must unlock when it succeeds.
func (m *Memory) enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	if m.closed {
		m.mu.Unlock()
		return errClosed
	}
	return nil
}

// find begins a method that is about one experiment; the caller must unlock when it succeeds.
func (m *Memory) find(ctx context.Context, key experiment.Key) (*kept, error) {
	if err := m.enter(ctx); err != nil {
		return nil, err
	}
	k := m.experiments[key]
	if k == nil {
		m.mu.Unlock()
		return nil, fmt.Errorf("experiment %s: %w", key, store.ErrNotFound)
	}
	return k, nil
}

// encode panics for what cannot be JSON, which the domain's types never are.
func encode(v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return text
}

func decode[T any](text []byte) T {
	var v T
	if err := json.Unmarshal(text, &v); err != nil {
		panic(err)
	}
	return v
}

func decodeAll[T any](texts [][]byte) []T {
	out := make([]T, len(texts))
	for i, text := range texts {
		out[i] = decode[T](text)
	}
	return out
}

// Create implements store.Store.
func (m *Memory) Create(ctx context.Context, e *experiment.Experiment) error {
	if err := m.enter(ctx); err != nil {
		return err
	}
	defer m.mu.Unlock()
	if m.experiments[e.Key()] != nil {
		return fmt.Errorf("create experiment %s: %w", e.Key(), store.ErrConflict)
	}
	body := *e
	body.Status, body.Control, body.Note = experiment.Status{}, experiment.Control{}, experiment.Note{}
	m.experiments[e.Key()] = &kept{
		body: encode(body), status: encode(e.Status), control: encode(experiment.Control{}), revision: 1, notes: map[uint64][]byte{},
		streams: map[experiment.Stream][]experiment.Measurement{},
	}
	return nil
}

func (k *kept) experiment() *experiment.Experiment {
	e := decode[experiment.Experiment](k.body)
	e.Status, e.Revision = decode[experiment.Status](k.status), k.revision
	e.Control = decode[experiment.Control](k.control)
	e.Note, e.Events = k.note(0), uint64(len(k.events))
	return &e
}

// Get implements store.Store.
func (m *Memory) Get(ctx context.Context, key experiment.Key) (*experiment.Experiment, error) {
	k, err := m.find(ctx, key)
	if err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	return k.experiment(), nil
}

// List implements store.Store.
func (m *Memory) List(ctx context.Context) ([]*experiment.Experiment, error) {
	if err := m.enter(ctx); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	var out []*experiment.Experiment
	for _, k := range m.experiments {
		out = append(out, k.experiment())
	}
	slices.SortFunc(out, func(a, b *experiment.Experiment) int {
		return cmp.Or(cmp.Compare(a.Metadata.Namespace, b.Metadata.Namespace), cmp.Compare(a.Metadata.Name, b.Metadata.Name))
	})
	return out, nil
}

// Delete implements store.Store.
func (m *Memory) Delete(ctx context.Context, key experiment.Key) error {
	if _, err := m.find(ctx, key); err != nil {
		return err
	}
	defer m.mu.Unlock()
	delete(m.experiments, key)
	return nil
}

// Commit implements store.Store.
func (m *Memory) Commit(ctx context.Context, key experiment.Key, c store.Change) (uint64, error) {
	k, err := m.find(ctx, key)
	if err != nil {
		return 0, err
	}
	defer m.mu.Unlock()
	if c.Revision != k.revision {
		return 0, fmt.Errorf("commit to experiment %s: it is at revision %d, not %d: %w", key, k.revision, c.Revision, store.ErrConflict)
	}
	next := *k
	next.trials, next.heads, next.events = slices.Clone(k.trials), slices.Clone(k.heads), slices.Clone(k.events)
	next.notes, next.streams = maps.Clone(k.notes), maps.Clone(k.streams)
	if err := next.apply(key, &c); err != nil {
		return 0, fmt.Errorf("commit to experiment %s: %w", key, err)
	}
	*k = next
	return k.revision, nil
}

func (k *kept) apply(key experiment.Key, c *store.Change) error {
	k.revision++
	k.change(c)
	created := uint64(len(k.trials))
	for i := range c.Create {
		t := &c.Create[i]
		if t.Number != uint64(len(k.trials))+1 {
			return fmt.Errorf("created trial has number %d, the next is %d: %w", t.Number, len(k.trials)+1, store.ErrConflict)
		}
		k.trials = append(k.trials, encodeTrial(t))
		k.heads = append(k.heads, trialHead{t.Attempt, t.State.Final()})
	}
	for i := range c.Append {
		if err := k.append(key, &c.Append[i], created); err != nil {
			return err
		}
	}
	for i := range c.Update {
		if err := k.update(&c.Update[i]); err != nil {
			return err
		}
	}
	for i := range c.Events {
		k.events = append(k.events, encode(c.Events[i]))
	}
	for number, note := range c.Notes {
		if number > uint64(len(k.trials)) {
			return fmt.Errorf("trial %d of %d: %w", number, len(k.trials), store.ErrNotFound)
		}
		k.notes[number] = encode(note)
	}
	return nil
}

// change replaces the experiment's own records.
func (k *kept) change(c *store.Change) {
	body := decode[experiment.Experiment](k.body)
	if c.Spec != nil {
		body.Spec = *c.Spec
	}
	if c.Local != nil {
		body.Local = *c.Local
	}
	k.body = encode(body)
	if c.Status != nil {
		k.status = encode(c.Status)
	}
	if c.Control != nil {
		k.control = encode(c.Control)
	}
}

// append continues a stream; only trials with numbers up to created were there before the change.
func (k *kept) append(key experiment.Key, a *store.Appended, created uint64) error {
	if a.Number == 0 || a.Number > uint64(len(k.trials)) {
		return fmt.Errorf("trial %d of %d: %w", a.Number, len(k.trials), store.ErrNotFound)
	}
	if h := k.heads[a.Number-1]; h.attempt != a.Attempt || h.final && a.Number <= created {
		return fmt.Errorf("trial %d is at attempt %d, final: %t: %w", a.Number, h.attempt, h.final, store.ErrConflict)
	}
	s := a.Stream(key)
	stored := slices.Clone(k.streams[s])
	for i := range a.Measurements {
		added := a.Measurements[i]
		if added.Seq != a.Measurements[0].Seq+uint64(i) {
			return fmt.Errorf("measurement %d does not follow: %w", added.Seq, store.ErrInvalid)
		}
		if added.Seq != uint64(len(stored))+1 {
			return fmt.Errorf("measurement %d follows %d: %w", added.Seq, len(stored), store.ErrConflict)
		}
		added.Time = added.Time.UTC()
		stored = append(stored, added)
	}
	k.streams[s] = stored
	return nil
}

// encodeTrial leaves out the note, which is kept apart.
func encodeTrial(t *experiment.Trial) []byte {
	body := *t
	body.Note = experiment.Note{}
	return encode(body)
}

func (k *kept) update(t *experiment.Trial) error {
	if t.Number == 0 || t.Number > uint64(len(k.trials)) {
		return fmt.Errorf("trial %d of %d: %w", t.Number, len(k.trials), store.ErrNotFound)
	}
	was := k.heads[t.Number-1]
	if was.final || t.Attempt < was.attempt {
		return fmt.Errorf("trial %d is at attempt %d, final: %t: %w", t.Number, was.attempt, was.final, store.ErrConflict)
	}
	k.trials[t.Number-1] = encodeTrial(t)
	k.heads[t.Number-1] = trialHead{t.Attempt, t.State.Final()}
	return nil
}

// Trials implements store.Store.
func (m *Memory) Trials(ctx context.Context, key experiment.Key) ([]experiment.Trial, error) {
	k, err := m.find(ctx, key)
	if err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	out := decodeAll[experiment.Trial](k.trials)
	for i := range out {
		out[i].Note = k.note(out[i].Number)
	}
	return out, nil
}

func (k *kept) note(number uint64) (n experiment.Note) {
	if text, ok := k.notes[number]; ok {
		n = decode[experiment.Note](text)
	}
	return n
}

// Trial implements store.Store.
func (m *Memory) Trial(ctx context.Context, key experiment.Key, number uint64) (experiment.Trial, error) {
	k, err := m.find(ctx, key)
	if err != nil {
		return experiment.Trial{}, err
	}
	defer m.mu.Unlock()
	if number == 0 || number > uint64(len(k.trials)) {
		return experiment.Trial{}, fmt.Errorf("trial %d of %d: %w", number, len(k.trials), store.ErrNotFound)
	}
	t := decode[experiment.Trial](k.trials[number-1])
	t.Note = k.note(number)
	return t, nil
}

// Events implements store.Store.
func (m *Memory) Events(ctx context.Context, key experiment.Key, after uint64) ([]experiment.Event, error) {
	k, err := m.find(ctx, key)
	if err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	return decodeAll[experiment.Event](k.events[min(after, uint64(len(k.events))):]), nil
}

// Append implements store.Store.
func (m *Memory) Append(ctx context.Context, s experiment.Stream, ms []experiment.Measurement) (uint64, error) {
	k, err := m.find(ctx, s.Experiment)
	if err != nil {
		return 0, err
	}
	defer m.mu.Unlock()
	if s.Number == 0 || s.Number > uint64(len(k.trials)) {
		return 0, fmt.Errorf("append to %s: trial %d of %d: %w", s.Experiment, s.Number, len(k.trials), store.ErrNotFound)
	}
	if h := k.heads[s.Number-1]; h.final || h.attempt != s.Attempt {
		return 0, fmt.Errorf("append to %s: trial %d is at attempt %d, final: %t: %w", s.Experiment, s.Number, h.attempt, h.final, store.ErrConflict)
	}
	stored := k.streams[s]
	acked := uint64(len(stored))
	for i := range ms {
		if want := ms[0].Seq + uint64(i); ms[i].Seq != want || want == 0 || ms[0].Seq > acked+1 {
			return 0, fmt.Errorf("append to %s, trial %d: measurement %d does not follow: %w", s.Experiment, s.Number, ms[i].Seq, store.ErrInvalid)
		}
	}
	for i := range ms {
		if ms[i].Seq > acked {
			added := ms[i]
			added.Time = added.Time.UTC()
			stored = append(stored, added)
		}
	}
	k.streams[s] = stored
	return uint64(len(stored)), nil
}

// Acked implements store.Store.
func (m *Memory) Acked(ctx context.Context, s experiment.Stream) (uint64, error) {
	k, err := m.find(ctx, s.Experiment)
	if err != nil {
		return 0, err
	}
	defer m.mu.Unlock()
	return uint64(len(k.streams[s])), nil
}

// Measurements implements store.Store.
func (m *Memory) Measurements(ctx context.Context, s experiment.Stream, after uint64, limit int) ([]experiment.Measurement, error) {
	k, err := m.find(ctx, s.Experiment)
	if err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	stored := k.streams[s]
	rest := stored[min(after, uint64(len(stored))):]
	if limit > 0 {
		rest = rest[:min(limit, len(rest))]
	}
	return slices.Clone(rest), nil
}

// Close implements store.Store.
func (m *Memory) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	return nil
}

// Reopen returns a store with what this one holds; this one is closed.
func (m *Memory) Reopen() *Memory {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	return &Memory{experiments: m.experiments}
}
