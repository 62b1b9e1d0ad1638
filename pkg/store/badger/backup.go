package badger

import (
	"bufio"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	badgerdb "github.com/dgraph-io/badger/v4"

	"github.com/tuned-hpo/tuned/pkg/store"
)

// restoreBatches is how many batches of records may be on their way into a store that is restored.
const restoreBatches = 16

// Backup writes all records as they are at one moment, compressed, while the store goes on being used. What is
// acknowledged before the call is in it; Restore makes a store of it.
func (s *Store) Backup(ctx context.Context, to io.Writer) error {
	return s.read(ctx, func(*badgerdb.Txn) error {
		packed := gzip.NewWriter(to)
		if _, err := s.db.Backup(stoppable{ctx, packed}, 0); err != nil {
			return fmt.Errorf("back up: %w", err)
		}
		return packed.Close()
	})
}

// stoppable is a writer that fails once ctx has ended.
type stoppable struct {
	ctx context.Context //nolint:containedctx // of the one call that it serves
	to  io.Writer
}

// Write implements io.Writer.
func (w stoppable) Write(data []byte) (int, error) {
	if err := w.ctx.Err(); err != nil {
		return 0, err
	}
	return w.to.Write(data)
}

// Restore makes a store in a directory that holds none of what Backup wrote. The directory is there with the whole of it
// when it returns nil, else not at all, also when the process is killed: the store is made beside it, in a draft that
// the next Restore begins anew. store.ErrConflict: the directory is not empty. store.ErrLocked: another process restores it.
func Restore(dir string, from io.Reader) (err error) {
	if entries, err := os.ReadDir(dir); err == nil && len(entries) > 0 {
		return notEmpty(dir)
	}
	draft := filepath.Clean(dir) + ".restoring"
	if err := prepareDirectory(draft, Options{}); err != nil {
		return err
	}
	held, err := acquire(draft, false, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, held.release()) }()
	if err := removeDraft(draft); err != nil {
		return err
	}
	if err := restore(draft, from); err != nil {
		return errors.Join(err, os.RemoveAll(draft))
	}
	if err := os.Rename(draft, dir); err != nil {
		if errors.Is(err, syscall.ENOTEMPTY) || errors.Is(err, fs.ErrExist) { // somebody made one meanwhile
			err = notEmpty(dir)
		}
		return errors.Join(err, os.RemoveAll(draft))
	}
	return syncDirectory(filepath.Dir(dir))
}

func notEmpty(dir string) error { return fmt.Errorf("%s is not empty: %w", dir, store.ErrConflict) }

// removeDraft removes what a Restore that was killed has left, but for the locks.
func removeDraft(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if name := entry.Name(); name != lockName && name != gateName {
			if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
				return err
			}
		}
	}
	return nil
}

// restore fills a directory that holds nothing but locks.
func restore(dir string, from io.Reader) error {
	packed, err := gzip.NewReader(bufio.NewReader(from))
	if err != nil {
		return fmt.Errorf("it is no backup: %w: %w", err, store.ErrInvalid)
	}
	if err := Limited(); err != nil {
		return err
	}
	db, err := openBadger(dir, Options{}.withDefaults())
	if err != nil {
		return err
	}
	guard := &disk{dir: dir, reserve: defaultReserve, free: freeSpace} // a full disk would end the process
	err = load(db, packed, func(size int) error { return guard.admit(size, false) })
	seq, readErr := uint64(0), error(nil)
	if err == nil {
		seq, readErr = restored(db)
	}
	if err := errors.Join(err, readErr, db.Close()); err != nil {
		return err
	}
	mark, err := createWatermark(dir, seq)
	if err != nil {
		return err
	}
	return mark.file.Close()
}

// load fills an empty database with the parts of a backup that admit lets in. The end of the compressed text
// is checked: a backup that was cut is refused.
func load(db *badgerdb.DB, packed io.Reader, admit func(size int) error) (err error) {
	defer func() {
		if r := recover(); r != nil { // of Badger, over what is no backup
			err = fmt.Errorf("it is no backup: %v: %w", r, store.ErrInvalid)
		}
	}()
	err = db.Load(&frames{from: packed, admit: admit}, restoreBatches)
	if errors.Is(err, store.ErrFull) {
		return err
	}
	if err != nil {
		return damaged(err)
	}
	if _, err := io.Copy(io.Discard, packed); err != nil {
		return damaged(err)
	}
	return nil
}

// damaged is store.ErrCorrupt of a backup.
func damaged(err error) error {
	if errors.Is(err, store.ErrCorrupt) {
		return fmt.Errorf("it is damaged: %w", err)
	}
	return fmt.Errorf("it is damaged: %w: %w", err, store.ErrCorrupt)
}

// restored returns the number of the last commit of a database that was filled.
func restored(db *badgerdb.DB) (seq uint64, err error) {
	w := newWriter(db, nil, nil)
	found, err := w.load()
	if err == nil && !found {
		err = fmt.Errorf("it holds no store: %w", store.ErrInvalid)
	}
	if err != nil {
		return 0, err
	}
	return w.meta.seq, w.verify(true, false, w.meta.seq)
}
