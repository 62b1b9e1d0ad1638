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

// Get implements store.Store.
func (s *Store) Get(ctx context.Context, key experiment.Key) (e *experiment.Experiment, err error) {
	err = s.read(ctx, func(tx *badgerdb.Txn) error {
		id, err := lookup(tx, key)
		if err == nil {
			e, err = readExperiment(tx, id)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("get experiment %s: %w", key, err)
	}
	return e, nil
}

func readExperiment(tx *badgerdb.Txn, id uint64) (*experiment.Experiment, error) {
	var e experiment.Experiment
	if err := readJSON(tx, idKey(kindExperiment, id), &e); err != nil {
		return nil, err
	}
	if err := readJSON(tx, idKey(kindStatus, id), &e.Status); err != nil {
		return nil, err
	}
	if err := findJSON(tx, idKey(kindControl, id), &e.Control); err != nil {
		return nil, err
	}
	if err := findJSON(tx, idKey(kindNote, id, 0), &e.Note); err != nil {
		return nil, err
	}
	t, err := readTotals(tx, id)
	e.Revision, e.Events = t.revision, t.events
	return &e, err
}

// findJSON reads a record that need not be there.
func findJSON(tx *badgerdb.Txn, key []byte, v any) error {
	payload, found, err := get(tx, key)
	if err != nil || !found {
		return err
	}
	if err := json.Unmarshal(payload, v); err != nil {
		return fmt.Errorf("record %q: %w: %w", key, err, store.ErrCorrupt)
	}
	return nil
}

// List implements store.Store.
func (s *Store) List(ctx context.Context) (out []*experiment.Experiment, err error) {
	err = s.read(ctx, func(tx *badgerdb.Txn) error {
		var m meta
		if _, err := getCounters(tx, metaKey, &m); err != nil {
			return err
		}
		err := scan(tx, []byte{kindName}, func(key, payload []byte) error {
			var id number
			if err := decodeCounters(payload, &id); err != nil {
				return fmt.Errorf("record %q: %w: %w", key, err, store.ErrCorrupt)
			}
			e, err := readExperiment(tx, uint64(id))
			if err != nil {
				return fmt.Errorf("record %q: %w", key, err)
			}
			out = append(out, e)
			return nil
		})
		if err != nil {
			return err
		}
		return complete("experiments", uint64(len(out)), m.experiments)
	})
	if err != nil {
		return nil, fmt.Errorf("list experiments: %w", err)
	}
	return out, nil
}

// complete returns store.ErrCorrupt when a scan found another number of records than were written.
func complete(what string, got, want uint64) error {
	if got == want {
		return nil
	}
	return fmt.Errorf("%d %s found, %d were written: %w", got, what, want, store.ErrCorrupt)
}

// Trials implements store.Store.
func (s *Store) Trials(ctx context.Context, key experiment.Key) ([]experiment.Trial, error) {
	var d trialDecoder
	err := s.read(ctx, func(tx *badgerdb.Txn) error {
		id, err := readAll(ctx, tx, key, kindTrial, 0, func(sums totals) (string, uint64) {
			d.expect(sums.trials)
			return "trials", sums.trials
		}, d.add)
		if err := errors.Join(err, d.finish()); err != nil {
			return err
		}
		return readNotes(tx, id, d.out)
	})
	if err != nil {
		return nil, fmt.Errorf("trials of experiment %s: %w", key, err)
	}
	return d.out, nil
}

// Events implements store.Store.
func (s *Store) Events(ctx context.Context, key experiment.Key, after uint64) ([]experiment.Event, error) {
	var out []experiment.Event
	err := s.read(ctx, func(tx *badgerdb.Txn) error {
		_, err := readAll(ctx, tx, key, kindEvent, after, func(sums totals) (string, uint64) {
			out = make([]experiment.Event, 0, sums.events-min(after, sums.events))
			return "events", sums.events
		}, func(payload []byte) error {
			out = append(out, experiment.Event{})
			return json.Unmarshal(payload, &out[len(out)-1])
		})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("events of experiment %s: %w", key, err)
	}
	return out, nil
}

// readNotes adds the notes of trials, all of which are given by number.
func readNotes(tx *badgerdb.Txn, id uint64, trials []experiment.Trial) error {
	return scanFrom(tx, idKey(kindNote, id), idKey(kindNote, id, 1), func(key, payload []byte) error {
		n := lastNumber(key)
		if n > uint64(len(trials)) {
			return fmt.Errorf("record %q is about no trial: %w", key, store.ErrCorrupt)
		}
		if err := json.Unmarshal(payload, &trials[n-1].Note); err != nil {
			return fmt.Errorf("record %q: %w: %w", key, err, store.ErrCorrupt)
		}
		return nil
	})
}

// Trial implements store.Store.
func (s *Store) Trial(ctx context.Context, key experiment.Key, n uint64) (t experiment.Trial, err error) {
	err = s.read(ctx, func(tx *badgerdb.Txn) error {
		id, err := lookup(tx, key)
		if err != nil {
			return err
		}
		payload, found, err := get(tx, idKey(kindTrial, id, n))
		if err != nil {
			return err
		}
		if !found {
			return missingTrial(tx, id, n)
		}
		if err := decodeTrial(payload, &t, &trialReader{}); err != nil {
			return fmt.Errorf("%w: %w", err, store.ErrCorrupt)
		}
		return findJSON(tx, idKey(kindNote, id, n), &t.Note)
	})
	if err != nil {
		return experiment.Trial{}, fmt.Errorf("trial %d of experiment %s: %w", n, key, err)
	}
	return t, nil
}

// missingTrial tells a trial that never was from one that was lost.
func missingTrial(tx *badgerdb.Txn, id, n uint64) error {
	sums, err := readTotals(tx, id)
	if err != nil {
		return err
	}
	if n == 0 || n > sums.trials {
		return store.ErrNotFound
	}
	return fmt.Errorf("it is missing of %d: %w", sums.trials, store.ErrCorrupt)
}

// readAll reads the records of one kind of an experiment, which are numbered from 1 without gaps, from
// number after+1 on, and returns the experiment's ID.
func readAll(ctx context.Context, tx *badgerdb.Txn, key experiment.Key, kind byte, after uint64,
	expect func(totals) (what string, n uint64), decode func(payload []byte) error,
) (id uint64, err error) {
	if id, err = lookup(tx, key); err != nil {
		return 0, err
	}
	sums, err := readTotals(tx, id)
	if err != nil {
		return 0, err
	}
	what, want := expect(sums)
	got := min(after, want)
	err = scanFrom(tx, idKey(kind, id), idKey(kind, id, got+1), func(key, payload []byte) error {
		got++
		if n := lastNumber(key); n != got {
			return fmt.Errorf("%s: number %d is missing: %w", what, got, store.ErrCorrupt)
		}
		if err := decode(payload); err != nil {
			return fmt.Errorf("%s: number %d: %w: %w", what, got, err, store.ErrCorrupt)
		}
		return ctx.Err()
	})
	if err != nil {
		return 0, err
	}
	return id, complete(what, got, want)
}

// Acked implements store.Store.
func (s *Store) Acked(ctx context.Context, stream experiment.Stream) (uint64, error) {
	var h head
	err := s.read(ctx, func(tx *badgerdb.Txn) error {
		id, err := lookup(tx, stream.Experiment)
		if err == nil {
			_, err = getCounters(tx, streamKey(kindStream, id, stream), &h)
		}
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("acked of %s, trial %d: %w", stream.Experiment, stream.Number, err)
	}
	return h.last, nil
}

// Measurements implements store.Store.
func (s *Store) Measurements(ctx context.Context, stream experiment.Stream, after uint64, limit int) (out []experiment.Measurement, err error) {
	err = s.read(ctx, func(tx *badgerdb.Txn) error {
		id, err := lookup(tx, stream.Experiment)
		if err == nil {
			out, err = readStream(ctx, tx, id, stream, after, limit)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("measurements of %s, trial %d, attempt %d, %q: %w",
			stream.Experiment, stream.Number, stream.Attempt, stream.Source, err)
	}
	return out, nil
}

func readStream(ctx context.Context, tx *badgerdb.Txn, id uint64, s experiment.Stream, after uint64, limit int) (out []experiment.Measurement, err error) {
	var h head
	if _, err := getCounters(tx, streamKey(kindStream, id, s), &h); err != nil {
		return nil, err
	}
	if h.blocks > 0 && after >= h.last {
		return nil, nil
	}
	in := span{after, h.last}
	prefix := streamKey(kindBlock, id, s)
	from, blocks := blockOf(tx, id, s, after+1), uint64(0)
	next := max(from, 1)
	if limit > 0 && h.last > after {
		in.last = after + min(uint64(limit), h.last-after)
		out = make([]experiment.Measurement, 0, in.last-after)
	}
	err = scanEach(tx, prefix, blockKey(id, s, from), func(key, payload []byte) error {
		first := lastNumber(key)
		if first != next {
			return fmt.Errorf("measurements %d to %d are missing: %w", next, first-1, store.ErrCorrupt)
		}
		var count uint64
		if out, count, err = decodeBlock(out, payload, first, in); err != nil {
			return fmt.Errorf("measurements from %d: %w: %w", first, err, store.ErrCorrupt)
		}
		next += count
		blocks++
		if next > in.last && in.last < h.last {
			return errEnough
		}
		return ctx.Err()
	})
	switch {
	case errors.Is(err, errEnough):
		return out, nil
	case err != nil:
		return nil, err
	case from <= 1 && blocks != h.blocks:
		return nil, complete("blocks of measurements", blocks, h.blocks)
	}
	return out, complete("measurements", next-1, h.last)
}

// errEnough ends a scan early.
var errEnough = errors.New("enough")

// blockOf returns the first sequence number of the block that has seq, 0 when there is none, and for the first number of
// all, whose block comes first and need not be looked for.
func blockOf(tx *badgerdb.Txn, id uint64, s experiment.Stream, seq uint64) uint64 {
	if seq <= 1 {
		return 0
	}
	o := badgerdb.DefaultIteratorOptions
	o.Reverse, o.PrefetchValues, o.Prefix = true, false, streamKey(kindBlock, id, s)
	it := tx.NewIterator(o)
	defer it.Close()
	if it.Seek(blockKey(id, s, seq)); it.Valid() {
		return lastNumber(it.Item().Key())
	}
	return 0
}
