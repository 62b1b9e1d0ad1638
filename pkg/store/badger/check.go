package badger

import (
	"context"
	"errors"
	"fmt"

	badgerdb "github.com/dgraph-io/badger/v4"

	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/store"
)

// Check looks for broken invariants (see store.Check), and for records that are damaged, missing
// or belong to nothing.
func (s *Store) Check(ctx context.Context, workloads store.Workloads) ([]store.Finding, error) {
	found, err := s.checkRecords(ctx)
	if err != nil {
		return nil, err
	}
	more, err := store.Check(ctx, s, workloads)
	if errors.Is(err, store.ErrCorrupt) {
		return append(found, store.Finding{Invariant: "I3", Found: err.Error(), Action: adviceRestore}), nil
	}
	return append(found, more...), err
}

func (s *Store) checkRecords(ctx context.Context) (found []store.Finding, err error) {
	add := func(key experiment.Key, err error) {
		found = append(found, store.Finding{Invariant: "I3", Experiment: key, Found: err.Error(), Action: adviceRestore})
	}
	err = s.read(ctx, func(tx *badgerdb.Txn) error {
		if err := verifyTables(s.db); err != nil {
			add(experiment.Key{}, err)
		}
		known, err := s.deleted(tx)
		if err != nil {
			add(experiment.Key{}, err)
		}
		err = scan(tx, []byte{kindName}, func(record, payload []byte) error {
			var id number
			key, ok := parseNameKey(record)
			if readable := decodeCounters(payload, &id) == nil; !readable || !ok {
				add(key, fmt.Errorf("record %q cannot be read: %w", record, store.ErrCorrupt))
				return nil
			}
			known[uint64(id)] = true
			if err := checkStreams(ctx, tx, uint64(id)); err != nil {
				add(key, err)
			}
			return ctx.Err()
		})
		if err != nil {
			add(experiment.Key{}, err)
		}
		for _, kind := range ofExperiment {
			if err := checkOwners(tx, kind, known); err != nil {
				add(experiment.Key{}, err)
			}
		}
		return ctx.Err()
	})
	return found, err
}

// verifyTables reads every block that Badger has on disk.
func verifyTables(db *badgerdb.DB) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("tables: %v: %w", r, store.ErrCorrupt)
		}
	}()
	if err := db.VerifyChecksum(); err != nil {
		return fmt.Errorf("tables: %w: %w", err, store.ErrCorrupt)
	}
	return nil
}

// deleted returns the IDs of experiments of which records may be left.
func (s *Store) deleted(tx *badgerdb.Txn) (map[uint64]bool, error) {
	ids := map[uint64]bool{}
	err := scan(tx, []byte{kindTombstone}, func(key, _ []byte) error {
		ids[lastNumber(key)] = true
		return nil
	})
	return ids, err
}

// checkStreams reads all measurements of an experiment, of whatever attempt and source.
func checkStreams(ctx context.Context, tx *badgerdb.Txn, id uint64) error {
	sums, err := readTotals(tx, id)
	if err != nil {
		return err
	}
	streams, measurements := uint64(0), uint64(0)
	err = scan(tx, idKey(kindStream, id), func(key, _ []byte) error {
		streams++
		s, _, ok := parseStreamKey(key)
		if !ok {
			return fmt.Errorf("record %q: the key cannot be read: %w", key, store.ErrCorrupt)
		}
		ms, err := readStream(ctx, tx, id, s, 0, 0)
		measurements += uint64(len(ms))
		if err != nil {
			return fmt.Errorf("trial %d, attempt %d, %q: %w", s.Number, s.Attempt, s.Source, err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := complete("streams", streams, sums.streams); err != nil {
		return err
	}
	packed := uint64(0)
	err = scan(tx, idKey(kindBlock, id), func(_, payload []byte) error {
		packed += blockCount(payload)
		return nil
	})
	if err != nil {
		return err
	}
	return complete("measurements in streams", measurements, packed)
}

// checkOwners looks for records of experiments that do not exist.
func checkOwners(tx *badgerdb.Txn, kind byte, known map[uint64]bool) error {
	o := badgerdb.DefaultIteratorOptions
	o.Prefix, o.PrefetchValues = []byte{kind}, false
	it := tx.NewIterator(o)
	defer it.Close()
	for it.Rewind(); it.Valid(); {
		id := keyID(it.Item().Key())
		if !known[id] {
			return fmt.Errorf("record %q belongs to no experiment: %w", it.Item().Key(), store.ErrCorrupt)
		}
		it.Seek(idKey(kind, id+1))
	}
	return nil
}
