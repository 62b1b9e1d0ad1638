package badger

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	badgerdb "github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"
	"golang.org/x/sys/unix"

	"github.com/tuned-hpo/tuned/internal/failpoint"
	"github.com/tuned-hpo/tuned/pkg/store"
)

// Open opens the store in a directory, which it creates if need be, and takes it for this process
// alone, or together with other readers when reading only. store.ErrLocked: another process has
// it. store.ErrFull: too little space even to open. store.ErrCorrupt: acknowledged writes are
// missing or unreadable; the error says how many and what to do. store.ErrInvalid: the directory
// is on a remote file system and not only read, or was written by a later version.
func Open(dir string, o Options) (*Store, error) {
	s, err := open(dir, o.withDefaults())
	if err != nil {
		return nil, fmt.Errorf("open store %s: %w", dir, err)
	}
	return s, nil
}

func open(dir string, o Options) (s *Store, err error) {
	if err := prepareDirectory(dir, o); err != nil {
		return nil, err
	}
	held, err := acquire(dir, o.ReadOnly, o.Wait)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, held.release())
		}
	}()
	guard := &disk{dir: dir, reserve: uint64(o.Reserve), ballast: uint64(o.Ballast), log: o.Log, free: freeSpace}
	if !o.ReadOnly {
		if err := guard.prepare(); err != nil {
			return nil, err
		}
	}
	if err := checkFiles(dir, o); err != nil {
		return nil, err
	}
	if !o.ReadOnly {
		if err := removeEmptyLogs(dir); err != nil {
			return nil, err
		}
	}
	failpoint.Hit("store.open")
	db, err := openBadger(dir, o)
	if err != nil {
		return nil, err
	}
	failpoint.Hit("store.opened")
	s = &Store{dir: dir, db: db, lock: held}
	if s.writer, err = recoverState(db, dir, o, guard); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	if s.writer != nil {
		go s.writer.run()
	}
	return s, nil
}

func prepareDirectory(dir string, o Options) error {
	if !o.ReadOnly && !o.AllowRemote { // before anything is made there
		if err := refuseRemote(dir, unix.Statfs); err != nil {
			return err
		}
	}
	if o.ReadOnly {
		if _, err := os.Stat(dir); err != nil {
			return fmt.Errorf("%w: %w", err, store.ErrNotFound)
		}
	} else {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
		// Badger creates files that others may read; the directory is what keeps them out.
		if err := os.Chmod(dir, 0o700); err != nil {
			return err
		}
	}
	return nil
}

// checkFiles looks at what Badger would repair by forgetting, or die of: without its manifest it
// deletes all tables, a format that it does not know it would only call by a number, of damaged tables
// it panics, and other damage makes it leave goroutines behind.
func checkFiles(dir string, o Options) error {
	found, err := checkManifest(dir)
	if err != nil {
		return err
	}
	if !found {
		if o.ReadOnly {
			return store.ErrNotFound
		}
		return nil
	}
	if err := checkKeys(dir); err != nil {
		return err
	}
	if _, err := checkValueLogs(dir); err != nil {
		return err
	}
	return checkTables(dir, o)
}

// checkManifest looks at the beginning of the manifest. False: the directory holds no store.
func checkManifest(dir string) (found bool, err error) {
	file, err := os.Open(filepath.Join(dir, badgerdb.ManifestFilename))
	if errors.Is(err, fs.ErrNotExist) {
		return false, refuseLeftovers(dir)
	}
	if err != nil {
		return false, err
	}
	var head [8]byte // "Bdgr", our version, Badger's version
	_, err = io.ReadFull(file, head[:])
	if err := errors.Join(err, file.Close()); err != nil {
		return false, fmt.Errorf("read MANIFEST: %w: %w; %s", err, store.ErrCorrupt, adviceRestore)
	}
	if version := binary.BigEndian.Uint16(head[4:]); string(head[:4]) == "Bdgr" && version != formatVersion {
		return false, fmt.Errorf("it has format %d, this program reads and writes format %d; use the program that wrote it: %w",
			version, formatVersion, store.ErrInvalid)
	}
	return true, nil
}

const adviceRestore = "restore the directory from a copy"

// refuseLeftovers returns store.ErrCorrupt when a directory without manifest holds data.
func refuseLeftovers(dir string) error {
	for _, pattern := range []string{"*.sst", "*.mem", watermarkName} {
		found, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			return err
		}
		if len(found) > 0 {
			return fmt.Errorf("MANIFEST is missing beside %s: %w; %s", filepath.Base(found[0]), store.ErrCorrupt, adviceRestore)
		}
	}
	return nil
}

// removeEmptyLogs removes logs that a killed process created and had no time to lay out, which
// Badger would refuse to open. If one was more than that, commits are missing, which is noticed; in
// those of values there never is anything.
func removeEmptyLogs(dir string) error {
	logs, err := filepath.Glob(filepath.Join(dir, "*.mem"))
	if err != nil {
		return err
	}
	values, err := filepath.Glob(filepath.Join(dir, "*.vlog"))
	if err != nil {
		return err
	}
	for _, path := range append(logs, values...) {
		info, err := os.Stat(path)
		if err == nil && info.Size() == 0 {
			err = os.Remove(path)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// openBadger opens the database. A panic of Badger in this goroutine is an error too; one in a
// goroutine of its own cannot be caught, see checkTables.
func openBadger(dir string, o Options) (db *badgerdb.DB, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("open database: %v: %w; %s", r, store.ErrCorrupt, adviceRestore)
		}
	}()
	db, err = badgerdb.Open(badgerOptions(dir, o))
	switch {
	case err == nil:
		return db, nil
	case says(err, badgerdb.ErrTruncateNeeded):
		return nil, fmt.Errorf("it was not closed properly; open it for writing once: %w", store.ErrInvalid)
	case says(err, syscall.EWOULDBLOCK):
		return nil, fmt.Errorf("in use by another process: %w", store.ErrLocked) // which its own lock file names no more
	}
	for _, notDamage := range []error{syscall.ENOSPC, syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM, syscall.EACCES, syscall.EPERM, syscall.EROFS} {
		if says(err, notDamage) {
			return nil, fmt.Errorf("open database: %w", err)
		}
	}
	return nil, fmt.Errorf("open database: %w: %w; %s", err, store.ErrCorrupt, adviceRestore)
}

// says reports whether an error is or mentions another: Badger drops the causes of some of its errors.
func says(err, cause error) bool {
	return errors.Is(err, cause) || strings.Contains(err.Error(), cause.Error())
}

// badgerOptions are the options under which every damaged bit of a table was noticed at opening,
// and no acknowledged commit was lost at any kill.
func badgerOptions(dir string, o Options) badgerdb.Options {
	return badgerdb.DefaultOptions(dir).
		WithReadOnly(o.ReadOnly).
		WithSyncWrites(true).
		// A damaged compressed block ends in a nil dereference inside Badger.
		WithCompression(options.None).
		// The other modes turn damage into keys that are not found.
		WithChecksumVerificationMode(options.OnTableRead).
		// Keeps every value out of the value log, whose failed syncs are not reported.
		WithValueThreshold(1 << 20).
		WithValueLogFileSize(16 << 20).
		WithMemTableSize(memTableSize).
		WithNumMemtables(memTables).
		WithNumCompactors(2).
		WithNumLevelZeroTables(2).
		WithNumLevelZeroTablesStall(6).
		WithBlockCacheSize(0).
		WithIndexCacheSize(8 << 20).
		WithNumVersionsToKeep(1).
		WithDetectConflicts(false). // there is one writer
		WithMetricsEnabled(false).
		WithCompactL0OnClose(true).
		WithExternalMagic(formatVersion).
		WithLogger(logger{o.Log})
}

const (
	memTableSize = 16 << 20 // bytes
	memTables    = 2        // that may wait to be written to a table
)
