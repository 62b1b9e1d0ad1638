package badger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	badgerdb "github.com/dgraph-io/badger/v4"

	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/store"
)

// Commit implements store.Store.
func (s *Store) Commit(ctx context.Context, key experiment.Key, change store.Change) (revision uint64, err error) {
	c, err := encodeChange(&change)
	if err == nil {
		revision, err = s.do(ctx, &request{plan: func(tx *badgerdb.Txn) (*plan, error) {
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
	revision            uint64
	spec, local, status []byte // nil: unchanged
	create, update      []encodedTrial
	events              [][]byte
}

type encodedTrial struct {
	number  uint64
	head    trialHead
	payload []byte
}

func encodeChange(c *store.Change) (out *encodedChange, err error) {
	out = &encodedChange{revision: c.Revision}
	if c.Spec != nil {
		if out.spec, err = encodeJSON(c.Spec); err != nil {
			return nil, fmt.Errorf("spec: %w", err)
		}
	}
	if c.Local != nil {
		if out.local, err = encodeJSON(c.Local); err != nil {
			return nil, fmt.Errorf("local: %w", err)
		}
	}
	if c.Status != nil {
		if out.status, err = encodeJSON(c.Status); err != nil {
			return nil, fmt.Errorf("status: %w", err)
		}
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
	totals totals               // afterwards
	heads  map[uint64]trialHead // of the trials written
}

func (w *writer) commitChange(tx *badgerdb.Txn, key experiment.Key, c *encodedChange) (*plan, error) {
	l, err := w.view.experiment(tx, key)
	if err != nil {
		return nil, err
	}
	if c.revision != l.totals.revision {
		return nil, fmt.Errorf("it is at revision %d, the change was made for %d: %w", l.totals.revision, c.revision, store.ErrConflict)
	}
	p := &changing{tx: tx, was: l, totals: l.totals, heads: map[uint64]trialHead{}}
	p.totals.revision++
	if err := errors.Join(p.experiment(c), p.create(c.create), p.update(c.update)); err != nil {
		return nil, err
	}
	for _, event := range c.events {
		p.totals.events++
		p.set(idKey(kindEvent, l.id, p.totals.events), event)
	}
	p.set(idKey(kindTotals, l.id), encodeCounters(&p.totals))
	p.apply = func() uint64 {
		l.totals = p.totals
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
func (p *changing) create(trials []encodedTrial) error {
	for _, t := range trials {
		p.totals.trials++
		if t.number != p.totals.trials {
			return fmt.Errorf("created trial has number %d, the next is %d: %w", t.number, p.totals.trials, store.ErrConflict)
		}
		p.write(t)
	}
	return nil
}

// update plans to replace trials, also those that the same change creates.
func (p *changing) update(trials []encodedTrial) error {
	for _, t := range trials {
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
