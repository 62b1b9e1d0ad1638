// Package badger is the store of one daemon on one machine: a directory with a Badger database
// and, beside it, what makes Badger's silent losses loud. docs/adr/001-badger-key-layout.md has
// the layout.
package badger

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	badgerdb "github.com/dgraph-io/badger/v4"
	"github.com/rs/zerolog"

	"github.com/tuned-hpo/tuned/internal/failpoint"
	"github.com/tuned-hpo/tuned/pkg/store"
)

// formatVersion is the version of the stored format that this package reads and writes.
const formatVersion = 1

// Options are the choices of one Open.
type Options struct {
	ReadOnly bool           // writes are refused with store.ErrInvalid; needs a store that was closed properly
	Log      zerolog.Logger // the zero value is silent

	// Wait is how long Open waits for other processes that have the directory: a writer for all, a
	// reader for a writer. While a writer waits, no reader is let in.
	Wait time.Duration

	// Reserve is how much of the disk must stay free after a write, in bytes, or it is refused
	// with store.ErrFull. 0: 256 MiB.
	Reserve int64
	// Ballast is the size in bytes of a file that is given up so that a store on a full disk can be
	// opened; at most a twentieth of the free space is taken for it. 0: 128 MiB. Negative: none.
	Ballast int64

	// OnFailure is called once, when a write has failed and no other will be tried, with the error that
	// all get from then on. The process should end: what the disk holds is known after the next Open.
	OnFailure func(error)

	// AllowRemote accepts to write to a directory on a remote FileSystem, where durability cannot be
	// promised.
	AllowRemote bool
	// AcceptLoss opens a store although acknowledged commits are missing, and makes what is left
	// the new truth.
	AcceptLoss bool
}

func (o Options) withDefaults() Options {
	if o.Reserve == 0 {
		o.Reserve = defaultReserve
	}
	if o.Ballast == 0 {
		o.Ballast = defaultBallast
	}
	o.Reserve, o.Ballast = max(o.Reserve, 0), max(o.Ballast, 0)
	if o.OnFailure == nil {
		o.OnFailure = func(error) {}
	}
	return o
}

// Store implements store.Store.
type Store struct {
	dir    string
	db     *badgerdb.DB
	lock   *lock
	writer *writer // nil when reading only

	using  sync.RWMutex // held for writing by Close alone
	closed bool
}

var _ store.Store = (*Store)(nil)

var errClosed = errors.New("store is closed")

// Close waits for the writes under way and releases the directory. A second call does nothing.
func (s *Store) Close() error {
	if s.writer != nil {
		s.writer.close()
	}
	s.using.Lock()
	defer s.using.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	failpoint.Hit("store.close")
	err := s.db.Close()
	if s.writer != nil {
		err = errors.Join(err, s.writer.mark.file.Close())
	}
	if err = errors.Join(err, s.lock.release()); err != nil {
		return fmt.Errorf("close store %s: %w", s.dir, err)
	}
	return nil
}

// read runs f on a snapshot.
func (s *Store) read(ctx context.Context, f func(tx *badgerdb.Txn) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.using.RLock()
	defer s.using.RUnlock()
	if s.closed {
		return errClosed
	}
	return s.db.View(f)
}

// get returns a record's payload; false when there is none.
func get(tx *badgerdb.Txn, key []byte) ([]byte, bool, error) {
	item, err := tx.Get(key)
	if errors.Is(err, badgerdb.ErrKeyNotFound) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("read %q: %w", key, err)
	}
	record, err := item.ValueCopy(nil)
	if err != nil {
		return nil, false, fmt.Errorf("read %q: %w", key, err)
	}
	payload, err := unseal(key, record)
	return payload, err == nil, err
}

// getCounters reads a record of counters; false when there is none.
func getCounters(tx *badgerdb.Txn, key []byte, c counters) (bool, error) {
	payload, found, err := get(tx, key)
	if err != nil || !found {
		return false, err
	}
	if err := decodeCounters(payload, c); err != nil {
		return false, fmt.Errorf("record %q: %w: %w", key, err, store.ErrCorrupt)
	}
	return true, nil
}

// scan calls f with each record whose key begins with prefix, in the order of keys, until f
// returns an error. Key and payload are valid during the call only.
func scan(tx *badgerdb.Txn, prefix []byte, f func(key, payload []byte) error) error {
	return scanFrom(tx, prefix, prefix, f)
}

// scanFrom is scan that begins at the key from.
func scanFrom(tx *badgerdb.Txn, prefix, from []byte, f func(key, payload []byte) error) error {
	return scanWith(tx, badgerdb.DefaultIteratorOptions, prefix, from, f)
}

// scanEach is scanFrom for large records: it holds one at a time, and reads none that f does not get.
func scanEach(tx *badgerdb.Txn, prefix, from []byte, f func(key, payload []byte) error) error {
	o := badgerdb.DefaultIteratorOptions
	o.PrefetchValues = false
	return scanWith(tx, o, prefix, from, f)
}

func scanWith(tx *badgerdb.Txn, o badgerdb.IteratorOptions, prefix, from []byte, f func(key, payload []byte) error) error {
	o.Prefix = prefix
	it := tx.NewIterator(o)
	defer it.Close()
	for it.Seek(from); it.Valid(); it.Next() {
		item := it.Item()
		err := item.Value(func(record []byte) error {
			payload, err := unseal(item.Key(), record)
			if err != nil {
				return err
			}
			return f(item.Key(), payload)
		})
		if err != nil {
			return err
		}
	}
	return nil
}
