package badger

import (
	"context"
	"encoding/json"
	"fmt"

	badgerdb "github.com/dgraph-io/badger/v4"

	"github.com/tuned-hpo/tuned/internal/failpoint"
	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/store"
)

// Commit implements store.Store.
func (s *Store) Commit(ctx context.Context, key experiment.Key, change store.Change) (revision uint64, err error) {
	failpoint.Hit("store.encode")
	c, err := encodeChange(key, &change)
	if err == nil {
		revision, err = s.do(ctx, &request{isDelete: change.Freeing, plan: func(tx *badgerdb.Txn) (*plan, error) {
			return s.writer.commitChange(tx, key, c)
		}})
	}
	if err != nil {
		return 0, fmt.Errorf("commit to experiment %s: %w", key, err)
	}
	return revision, nil
}

// encodedChange is a change as payloads. The caller makes it: the writer has less to do then, and
// does not look at what the caller may change as soon as its context ends.
type encodedChange struct {
	revision        uint64
	spec, local     []byte // nil: unchanged
	status, control []byte // nil: unchanged
	create, update  []encodedTrial
	appended        []encodedAppend
	events          [][]byte
	notes           map[uint64][]byte
}

type encodedAppend struct {
	stream experiment.Stream
	blocks []packed
}

type encodedTrial struct {
	number  uint64
	head    trialHead
	payload []byte
}

func encodeChange(key experiment.Key, c *store.Change) (out *encodedChange, err error) {
	out = &encodedChange{revision: c.Revision, notes: make(map[uint64][]byte, len(c.Notes))}
	if err := out.experiment(c); err != nil {
		return nil, err
	}
	if out.create, err = encodeTrials(c.Create); err != nil {
		return nil, err
	}
	if out.update, err = encodeTrials(c.Update); err != nil {
		return nil, err
	}
	for i := range c.Events {
		text, err := encodeJSON(&c.Events[i])
		if err != nil {
			return nil, fmt.Errorf("event %s: %w", c.Events[i].Reason, err)
		}
		out.events = append(out.events, text)
	}
	for i := range c.Append {
		a, err := encodeAppend(key, &c.Append[i])
		if err != nil {
			return nil, fmt.Errorf("measurements of trial %d: %w", c.Append[i].Number, err)
		}
		out.appended = append(out.appended, a)
	}
	for number, note := range c.Notes {
		if out.notes[number], err = encodeJSON(&note); err != nil {
			return nil, fmt.Errorf("note of trial %d: %w", number, err)
		}
	}
	return out, nil
}

// experiment encodes what changes of the experiment's own records.
func (out *encodedChange) experiment(c *store.Change) (err error) {
	for _, part := range []struct {
		name  string
		given bool
		value any
		to    *[]byte
	}{
		{"spec", c.Spec != nil, c.Spec, &out.spec},
		{"local", c.Local != nil, c.Local, &out.local},
		{"status", c.Status != nil, c.Status, &out.status},
		{"control", c.Control != nil, c.Control, &out.control},
	} {
		if !part.given {
			continue
		}
		if *part.to, err = encodeJSON(part.value); err != nil {
			return fmt.Errorf("%s: %w", part.name, err)
		}
	}
	return nil
}

func encodeAppend(key experiment.Key, a *store.Appended) (out encodedAppend, err error) {
	out.stream = a.Stream(key)
	if err := checkStream(out.stream, a.Measurements); err != nil {
		return out, err
	}
	for ms := a.Measurements; len(ms) > 0; {
		block, n, err := packBlock(ms)
		if err != nil {
			return out, err
		}
		out.blocks, ms = append(out.blocks, block), ms[n:]
	}
	return out, nil
}

func encodeTrials(trials []experiment.Trial) (out []encodedTrial, err error) {
	for i := range trials {
		t := &trials[i]
		payload, err := encodeTrial(t)
		if err != nil {
			return nil, err
		}
		out = append(out, encodedTrial{t.Number, headOf(t), payload})
	}
	return out, nil
}

// changing is a plan for one experiment. Nothing of the writer's memory changes before apply.
type changing struct {
	plan
	tx     *badgerdb.Txn
	was    *live
	totals totals                     // afterwards
	heads  map[uint64]trialHead       // of the trials written
	grown  map[experiment.Stream]head // of the streams written
}

func (w *writer) commitChange(tx *badgerdb.Txn, key experiment.Key, c *encodedChange) (*plan, error) {
	l, err := w.view.experiment(tx, key)
	if err != nil {
		return nil, err
	}
	if c.revision != l.totals.revision {
		return nil, fmt.Errorf("it is at revision %d, the change was made for %d: %w", l.totals.revision, c.revision, store.ErrConflict)
	}
	p := &changing{tx: tx, was: l, totals: l.totals, heads: map[uint64]trialHead{}, grown: map[experiment.Stream]head{}}
	p.totals.revision++
	for _, part := range []func(*encodedChange) error{p.experiment, p.create, p.append, p.update, p.note} {
		if err := part(c); err != nil {
			return nil, err
		}
	}
	for _, event := range c.events {
		p.totals.events++
		p.set(idKey(kindEvent, l.id, p.totals.events), event)
	}
	p.set(idKey(kindTotals, l.id), encodeCounters(&p.totals))
	p.apply = func() uint64 {
		l.totals = p.totals
		for s, h := range p.grown {
			if t := l.trials[s.Number]; t != nil {
				t.streams[s] = h
			}
		}
		for n, h := range p.heads {
			l.remember(n, h)
		}
		return l.totals.revision
	}
	return &p.plan, nil
}

// experiment plans to replace the experiment's own records.
func (p *changing) experiment(c *encodedChange) error {
	if c.status != nil {
		p.set(idKey(kindStatus, p.was.id), c.status)
	}
	if c.control != nil {
		p.set(idKey(kindControl, p.was.id), c.control)
	}
	if c.spec == nil && c.local == nil {
		return nil
	}
	var e experiment.Experiment
	if err := readJSON(p.tx, idKey(kindExperiment, p.was.id), &e); err != nil {
		return err
	}
	if c.spec != nil {
		e.Spec = experiment.Spec{}
		if err := json.Unmarshal(c.spec, &e.Spec); err != nil {
			return fmt.Errorf("spec: %w", err)
		}
	}
	if c.local != nil {
		e.Local = experiment.Local{}
		if err := json.Unmarshal(c.local, &e.Local); err != nil {
			return fmt.Errorf("local: %w", err)
		}
	}
	body, err := encodeExperiment(&e)
	if err != nil {
		return err
	}
	p.set(idKey(kindExperiment, p.was.id), body)
	return nil
}

// create plans to add trials.
func (p *changing) create(c *encodedChange) error {
	for _, t := range c.create {
		p.totals.trials++
		if t.number != p.totals.trials {
			return fmt.Errorf("created trial has number %d, the next is %d: %w", t.number, p.totals.trials, store.ErrConflict)
		}
		p.write(t)
	}
	return nil
}

// append plans to continue streams.
func (p *changing) append(c *encodedChange) error {
	for _, a := range c.appended {
		h, err := p.head(a.stream)
		if err != nil {
			return err
		}
		if h.blocks == 0 && len(a.blocks) > 0 {
			p.totals.streams++
		}
		for _, b := range a.blocks {
			if b.first != h.last+1 {
				return fmt.Errorf("measurement %d of trial %d follows %d: %w", b.first, a.stream.Number, h.last, store.ErrConflict)
			}
			p.set(blockKey(p.was.id, a.stream, b.first), b.payload)
			h = head{last: b.last, blocks: h.blocks + 1}
		}
		if len(a.blocks) > 0 {
			p.set(streamKey(kindStream, p.was.id, a.stream), encodeCounters(&h))
			p.grown[a.stream] = h
		}
	}
	return nil
}

// head returns where a stream stands before the change; at nothing for a trial that the change creates.
func (p *changing) head(s experiment.Stream) (h head, err error) {
	if h, grown := p.grown[s]; grown {
		return h, nil
	}
	if created, ok := p.heads[s.Number]; ok {
		if created.attempt != uint64(s.Attempt) {
			err = fmt.Errorf("trial %d is at attempt %d, not %d: %w", s.Number, created.attempt, s.Attempt, store.ErrConflict)
		}
		return h, err
	}
	t, err := p.was.trial(p.tx, s.Number)
	if err != nil {
		return h, err
	}
	if t.final == 1 || t.attempt != uint64(s.Attempt) {
		return h, fmt.Errorf("trial %d is at attempt %d, final: %t: %w", s.Number, t.attempt, t.final == 1, store.ErrConflict)
	}
	return t.head(p.tx, p.was.id, s)
}

// note plans to replace notes.
func (p *changing) note(c *encodedChange) error {
	for number, text := range c.notes {
		if number > p.totals.trials {
			return fmt.Errorf("trial %d of %d: %w", number, p.totals.trials, store.ErrNotFound)
		}
		p.set(idKey(kindNote, p.was.id, number), text)
	}
	return nil
}

// update plans to replace trials, also those that the same change creates.
func (p *changing) update(c *encodedChange) error {
	for _, t := range c.update {
		was, written := p.heads[t.number]
		if !written {
			stored, err := p.was.trial(p.tx, t.number)
			if err != nil {
				return err
			}
			was = stored.trialHead
		}
		if was.final == 1 {
			return fmt.Errorf("trial %d is final already: %w", t.number, store.ErrConflict)
		}
		if t.head.attempt < was.attempt {
			return fmt.Errorf("trial %d is at attempt %d, not %d: %w", t.number, was.attempt, t.head.attempt, store.ErrConflict)
		}
		p.write(t)
	}
	return nil
}

func (p *changing) write(t encodedTrial) {
	p.heads[t.number] = t.head
	p.set(idKey(kindTrial, p.was.id, t.number), t.payload)
}
