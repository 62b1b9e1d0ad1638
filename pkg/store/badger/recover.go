package badger

import (
	"errors"
	"fmt"
	"io/fs"

	badgerdb "github.com/dgraph-io/badger/v4"

	"github.com/tuned-hpo/tuned/internal/failpoint"
	"github.com/tuned-hpo/tuned/pkg/store"
)

// recoverState compares what Badger holds with what was acknowledged and returns the writer that
// goes on from there, nil when reading only.
func recoverState(db *badgerdb.DB, dir string, o Options, guard *disk) (*writer, error) {
	w := newWriter(db, guard, o.OnFailure)
	acked, err := readWatermark(dir)
	fresh := errors.Is(err, fs.ErrNotExist)
	if err != nil && !fresh && !o.AcceptLoss {
		return nil, fmt.Errorf("%w; %s", err, adviceLoss)
	}
	found, err := w.load()
	if err != nil {
		return nil, err
	}
	failpoint.Hit("store.loaded")
	if !o.AcceptLoss {
		if err := w.verify(found, fresh, acked); err != nil {
			return nil, err
		}
	}
	if o.ReadOnly {
		return nil, nil
	}
	err = w.begin(dir, found, o.AcceptLoss)
	if err != nil && !errors.Is(err, fs.ErrPermission) {
		err = failure(dir, err)
	}
	return w, err
}

const adviceLoss = "restore the directory from a copy, or accept the loss: tuned fsck --accept-loss"

// load reads the state that the writer keeps in memory. False: the database is empty.
func (w *writer) load() (found bool, err error) {
	err = w.db.View(func(tx *badgerdb.Txn) error {
		if found, err = getCounters(tx, metaKey, &w.meta); err != nil {
			return err
		}
		if !found {
			return scan(tx, nil, func(key, _ []byte) error {
				return fmt.Errorf("record %q exists but not the one that describes the store: %w; %s", key, store.ErrCorrupt, adviceRestore)
			})
		}
		if w.meta.format != formatVersion {
			return fmt.Errorf("it has format %d, this program reads and writes format %d: %w", w.meta.format, formatVersion, store.ErrInvalid)
		}
		if err := w.loadChain(tx); err != nil {
			return err
		}
		return scan(tx, []byte{kindTombstone}, func(key, _ []byte) error {
			w.dead = append(w.dead, grave{id: lastNumber(key)})
			return nil
		})
	})
	return found, err
}

// loadChain reads the records of the last commits. Those that are missing leave a gap.
func (w *writer) loadChain(tx *badgerdb.Txn) error {
	w.chain.oldest = w.meta.oldest
	return scanFrom(tx, []byte{kindChain}, idKey(kindChain, w.meta.oldest), func(key, payload []byte) error {
		var size number
		if err := decodeCounters(payload, &size); err != nil {
			return fmt.Errorf("record %q: %w: %w", key, err, store.ErrCorrupt)
		}
		seq := lastNumber(key)
		for next := w.chain.next(); seq > next; next++ {
			w.chain.missing++
			w.chain.push(0)
		}
		w.chain.push(int64(size))
		return nil
	})
}

// verify returns store.ErrCorrupt when acknowledged commits are missing at the end or in between.
func (w *writer) verify(found, fresh bool, acked uint64) error {
	switch {
	case !found && !fresh:
		return fmt.Errorf("the database is empty, but %d commits were acknowledged: %w; %s", acked, store.ErrCorrupt, adviceLoss)
	case found && fresh && w.meta.seq > 0:
		return fmt.Errorf("the file %q is missing, without which it is not known whether the last of %d commits are there: %w; %s",
			watermarkName, w.meta.seq, store.ErrCorrupt, adviceLoss)
	case w.meta.seq < acked:
		return fmt.Errorf("the last %d of %d acknowledged commits are missing: %w; %s",
			acked-w.meta.seq, acked, store.ErrCorrupt, adviceLoss)
	}
	if missing := w.chain.missing + int(w.meta.seq+1-w.chain.next()); found && missing > 0 {
		return fmt.Errorf("%d commits before the last, number %d, are missing: %w; %s", missing, w.meta.seq, store.ErrCorrupt, adviceLoss)
	}
	return nil
}

// begin makes the store ready for writing.
func (w *writer) begin(dir string, found, acceptLoss bool) (err error) {
	if !found {
		w.meta = meta{format: formatVersion, oldest: 1}
		w.chain = chain{oldest: 1}
		err = w.db.Update(func(tx *badgerdb.Txn) error {
			return tx.Set(metaKey, seal(metaKey, encodeCounters(&w.meta)))
		})
		failpoint.Hit("store.first")
	} else if acceptLoss {
		err = w.restartChain()
	}
	if err != nil {
		return err
	}
	w.mark, err = createWatermark(dir, w.meta.seq)
	return err
}

// restartChain forgets the chain, which has gaps.
func (w *writer) restartChain() error {
	for w.chain.oldest <= w.meta.seq {
		err := w.db.Update(func(tx *badgerdb.Txn) error {
			for range min(1000, w.meta.seq+1-w.chain.oldest) {
				if err := tx.Delete(idKey(kindChain, w.chain.oldest)); err != nil {
					return err
				}
				w.chain.oldest++
			}
			w.meta.oldest = w.chain.oldest
			return tx.Set(metaKey, seal(metaKey, encodeCounters(&w.meta)))
		})
		if err != nil {
			return fmt.Errorf("restart chain: %w", err)
		}
	}
	w.chain = chain{oldest: w.meta.seq + 1}
	return nil
}

// chainKeep is how many bytes of commits the chain reaches back. It must cover what Badger may
// not have written to tables yet: the memtable in use, one that is being written, and those that
// wait, each with the commit that filled it.
const chainKeep = (memTables + 2) * (memTableSize + memTableSize/4)

// chain is the sizes in bytes of the last commits. A commit of which Badger lost the log, while it
// kept later ones, is missing in it.
type chain struct {
	oldest  uint64 // sequence number of sizes[0]
	sizes   []int64
	total   int64
	missing int
}

func (c *chain) next() uint64 { return c.oldest + uint64(len(c.sizes)) }

func (c *chain) push(size int64) {
	c.sizes = append(c.sizes, size)
	c.total += size
}

// drop forgets the oldest commit if the others reach back far enough, and returns its number.
func (c *chain) drop() (seq uint64, ok bool) {
	if len(c.sizes) == 0 || c.total-c.sizes[0] < chainKeep {
		return 0, false
	}
	c.total -= c.sizes[0]
	c.sizes = c.sizes[1:]
	c.oldest++
	return c.oldest - 1, true
}
