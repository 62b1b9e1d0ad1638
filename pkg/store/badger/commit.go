package badger

import (
	"context"
	"fmt"

	badgerdb "github.com/dgraph-io/badger/v4"

	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/store"
)

// Commit implements store.Store.
func (s *Store) Commit(ctx context.Context, key experiment.Key, change store.Change) (revision uint64, err error) {
	encoded, err := encodeChange(&change)
	if err == nil {
		revision, err = s.do(ctx, &request{plan: func(tx *badgerdb.Txn) (*plan, error) {
			return s.writer.commitChange(tx, key, &change, encoded)
		}})
	}
	if err != nil {
		return 0, fmt.Errorf("commit to experiment %s: %w", key, err)
	}
	return revision, nil
}

// encodedChange is the payloads of a change, made by the caller so that the writer has less to do.
type encodedChange struct {
	status []byte // nil: unchanged
	create [][]byte
	update [][]byte
	events [][]byte
}

func encodeChange(c *store.Change) (out *encodedChange, err error) {
	out = &encodedChange{}
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

func encodeTrials(trials []experiment.Trial) (out [][]byte, err error) {
	for i := range trials {
		payload, err := encodeTrial(&trials[i])
		if err != nil {
			return nil, err
		}
		out = append(out, payload)
	}
	return out, nil
}

// commitChange plans a change. Nothing of the writer's memory changes before apply.
func (w *writer) commitChange(tx *badgerdb.Txn, key experiment.Key, c *store.Change, encoded *encodedChange) (*plan, error) {
	l, err := w.view.experiment(tx, key)
	if err != nil {
		return nil, err
	}
	if c.Revision != l.totals.revision {
		return nil, fmt.Errorf("it is at revision %d, the change was made for %d: %w", l.totals.revision, c.Revision, store.ErrConflict)
	}
	p, after, heads := &plan{}, l.totals, map[uint64]trialHead{}
	after.revision++
	if c.Spec != nil || c.Local != nil {
		body, err := replaceSpec(tx, l.id, c)
		if err != nil {
			return nil, err
		}
		p.set(idKey(kindExperiment, l.id), body)
	}
	if encoded.status != nil {
		p.set(idKey(kindStatus, l.id), encoded.status)
	}
	for i := range c.Create {
		after.trials++
		if n := c.Create[i].Number; n != after.trials {
			return nil, fmt.Errorf("created trial has number %d, the next is %d: %w", n, after.trials, store.ErrConflict)
		}
		heads[after.trials] = headOf(&c.Create[i])
		p.set(idKey(kindTrial, l.id, after.trials), encoded.create[i])
	}
	if err := p.update(tx, l, c.Update, encoded.update, heads); err != nil {
		return nil, err
	}
	for _, event := range encoded.events {
		after.events++
		p.set(idKey(kindEvent, l.id, after.events), event)
	}
	p.set(idKey(kindTotals, l.id), encodeCounters(&after))
	p.apply = func() uint64 {
		l.totals = after
		for n, h := range heads {
			l.remember(n, h)
		}
		return after.revision
	}
	return p, nil
}

// update plans to replace trials. heads has those that the same change wrote before.
func (p *plan) update(tx *badgerdb.Txn, l *live, trials []experiment.Trial, payloads [][]byte, heads map[uint64]trialHead) error {
	for i := range trials {
		n := trials[i].Number
		was, written := heads[n]
		if !written {
			t, err := l.trial(tx, n)
			if err != nil {
				return err
			}
			was = t.trialHead
		}
		is := headOf(&trials[i])
		if was.final == 1 {
			return fmt.Errorf("trial %d is final already: %w", n, store.ErrConflict)
		}
		if is.attempt < was.attempt {
			return fmt.Errorf("trial %d is at attempt %d, not %d: %w", n, was.attempt, is.attempt, store.ErrConflict)
		}
		heads[n] = is
		p.set(idKey(kindTrial, l.id, n), payloads[i])
	}
	return nil
}
