package badger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	badgerdb "github.com/dgraph-io/badger/v4"

	"github.com/tuned-hpo/tuned/internal/failpoint"
	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/store"
)

// What a key may hold, in bytes. A source is in many keys, which are deleted together.
const (
	longestName   = 4096 // namespace and name
	longestSource = 255
)

// do hands a request to the writer.
func (s *Store) do(ctx context.Context, r *request) (uint64, error) {
	if s.writer == nil {
		return 0, fmt.Errorf("store is open for reading only: %w", store.ErrInvalid)
	}
	return s.writer.do(ctx, r)
}

// Create implements store.Store.
func (s *Store) Create(ctx context.Context, e *experiment.Experiment) error {
	if err := s.create(ctx, e); err != nil {
		return fmt.Errorf("create experiment %s: %w", e.Key(), err)
	}
	return nil
}

func (s *Store) create(ctx context.Context, e *experiment.Experiment) error {
	if size := len(e.Metadata.Namespace) + len(e.Metadata.Name); size > longestName {
		return fmt.Errorf("name of %d bytes, at most %d: %w", size, longestName, store.ErrInvalid)
	}
	body, err := encodeExperiment(e)
	if err != nil {
		return err
	}
	status, err := encodeJSON(e.Status)
	if err != nil {
		return fmt.Errorf("status: %w", err)
	}
	failpoint.Hit("store.create")
	key := e.Key()
	_, err = s.do(ctx, &request{plan: func(tx *badgerdb.Txn) (*plan, error) {
		if _, err := s.writer.view.experiment(tx, key); !errors.Is(err, store.ErrNotFound) {
			return nil, errors.Join(err, store.ErrConflict)
		}
		id := number(s.writer.meta.lastID + 1)
		first := &live{id: uint64(id), totals: totals{revision: 1}, trials: map[uint64]*liveTrial{}}
		p := &plan{apply: func() uint64 {
			s.writer.meta.lastID++
			s.writer.meta.experiments++
			s.writer.view[key] = first
			return 0
		}}
		p.set(nameKey(key), encodeCounters(&id))
		p.set(idKey(kindExperiment, first.id), body)
		p.set(idKey(kindStatus, first.id), status)
		p.set(idKey(kindTotals, first.id), encodeCounters(&first.totals))
		return p, nil
	}})
	return err
}

// encodeExperiment leaves out what other records hold.
func encodeExperiment(e *experiment.Experiment) ([]byte, error) {
	body := *e
	body.Status, body.Revision, body.Control, body.Note = experiment.Status{}, 0, experiment.Control{}, experiment.Note{}
	return encodeJSON(&body)
}

// Delete implements store.Store. The experiment is gone when it returns; its records are deleted
// bit by bit, if need be after the next Open.
func (s *Store) Delete(ctx context.Context, key experiment.Key) error {
	failpoint.Hit("store.delete")
	_, err := s.do(ctx, &request{isDelete: true, plan: func(tx *badgerdb.Txn) (*plan, error) {
		w := s.writer
		id, err := lookup(tx, key)
		if err != nil {
			return nil, err
		}
		p := &plan{apply: func() uint64 {
			delete(w.view, key)
			w.meta.experiments--
			w.dead = append(w.dead, grave{id: id})
			return 0
		}}
		p.delete(nameKey(key))
		p.set(idKey(kindTombstone, id), nil)
		return p, nil
	}})
	if err != nil {
		return fmt.Errorf("delete experiment %s: %w", key, err)
	}
	return nil
}

// Append implements store.Store. More than one block is written in several commits: after an error
// the first measurements may be durable, which the returned number says.
func (s *Store) Append(ctx context.Context, stream experiment.Stream, ms []experiment.Measurement) (acked uint64, err error) {
	if acked, err = s.append(ctx, stream, ms); err != nil {
		return acked, fmt.Errorf("append to %s, trial %d, attempt %d, %q: %w", stream.Experiment, stream.Number, stream.Attempt, stream.Source, err)
	}
	return acked, nil
}

func (s *Store) append(ctx context.Context, stream experiment.Stream, ms []experiment.Measurement) (acked uint64, err error) {
	failpoint.Hit("store.append")
	if err := checkStream(stream, ms); err != nil {
		return 0, err
	}
	for first := true; first || len(ms) > 0; first = false {
		block, n, err := packBlock(ms)
		if err != nil {
			return acked, err
		}
		next, err := s.do(ctx, &request{plan: func(tx *badgerdb.Txn) (*plan, error) {
			return s.writer.appendBlock(tx, stream, block)
		}})
		if err != nil {
			return acked, err
		}
		acked, ms = next, ms[n:]
	}
	return acked, nil
}

// checkStream refuses a source that is too long and measurements with gaps.
func checkStream(stream experiment.Stream, ms []experiment.Measurement) error {
	if len(stream.Source) > longestSource {
		return fmt.Errorf("source of %d bytes, at most %d: %w", len(stream.Source), longestSource, store.ErrInvalid)
	}
	for i := range ms {
		if ms[0].Seq == 0 {
			return fmt.Errorf("measurement 0: sequence numbers count from 1: %w", store.ErrInvalid)
		}
		if want := ms[0].Seq + uint64(i); ms[i].Seq != want {
			return fmt.Errorf("measurement %d follows %d: %w", ms[i].Seq, want-1, store.ErrInvalid)
		}
	}
	return nil
}

// packed is the measurements from first to last. The writer sees them in this form alone: the
// caller's slice may change as soon as its context ends.
type packed struct {
	first, last uint64
	payload     []byte
}

// packBlock packs as many measurements as make a block, and returns how many those are.
func packBlock(ms []experiment.Measurement) (b packed, n int, err error) {
	b.payload, n, err = encodeBlock(ms)
	if n > 0 {
		b.first, b.last = ms[0].Seq, ms[n-1].Seq
	}
	return b, n, err
}

// after returns the block without the measurements up to a sequence number within it.
func (b packed) after(seq uint64) (packed, error) {
	if seq < b.first {
		return b, nil
	}
	ms, _, err := decodeBlock(nil, b.payload, b.first, whole)
	if err != nil {
		return b, err
	}
	b, _, err = packBlock(ms[seq+1-b.first:])
	return b, err
}

// appendBlock plans to write a block; an empty one has last 0.
func (w *writer) appendBlock(tx *badgerdb.Txn, s experiment.Stream, b packed) (*plan, error) {
	l, t, h, err := w.view.stream(tx, s)
	if err != nil {
		return nil, err
	}
	if b.last <= h.last {
		return &plan{apply: func() uint64 { return h.last }}, nil
	}
	if b.first > h.last+1 {
		return nil, fmt.Errorf("measurement %d follows %d: %w", b.first, h.last, store.ErrInvalid)
	}
	if b, err = b.after(h.last); err != nil {
		return nil, err
	}
	after := head{last: b.last, blocks: h.blocks + 1}
	p := &plan{apply: func() uint64 {
		t.streams[s] = after
		if h.blocks == 0 {
			l.totals.streams++
		}
		return after.last
	}}
	p.set(blockKey(l.id, s, b.first), b.payload)
	p.set(streamKey(kindStream, l.id, s), encodeCounters(&after))
	if h.blocks == 0 {
		sums := l.totals
		sums.streams++
		p.set(idKey(kindTotals, l.id), encodeCounters(&sums))
	}
	return p, nil
}

// readJSON reads a record that must be there.
func readJSON(tx *badgerdb.Txn, key []byte, v any) error {
	payload, found, err := get(tx, key)
	if err != nil {
		return err
	}
	if !found {
		return fmt.Errorf("record %q is missing: %w", key, store.ErrCorrupt)
	}
	if err := json.Unmarshal(payload, v); err != nil {
		return fmt.Errorf("record %q: %w: %w", key, err, store.ErrCorrupt)
	}
	return nil
}
