package badger

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	badgerdb "github.com/dgraph-io/badger/v4"
	"golang.org/x/sys/unix"

	"github.com/tuned-hpo/tuned/pkg/store"
)

// Condition is what can be seen of a store from outside.
type Condition struct {
	Found   bool    // there is one
	Holder  string  // who uses it, such as "process 17", and may change it: nothing else was looked at. "": nobody
	Damaged []error // what keeps Open from opening it
	Odd     []error // what should not be so, and harms nothing
}

// Inspect looks at the files of the store in a directory, which it does not change in the least: neither
// are logs put in order, nor is a lock taken that was not there. That what is stored is sound, and none
// of it missing, only Open and Check can tell. The error says why it cannot look.
func Inspect(dir string) (c Condition, err error) {
	switch _, err := os.ReadDir(dir); {
	case errors.Is(err, fs.ErrNotExist):
		return c, nil
	case err != nil:
		return c, err
	}
	lock, err := os.Open(filepath.Join(dir, lockName))
	switch {
	case err == nil:
		defer lock.Close() // and with it the lock
		if err := unix.Flock(int(lock.Fd()), unix.LOCK_SH|unix.LOCK_NB); err != nil {
			c.Found, c.Holder = true, holder(lock)
			return c, nil
		}
	case !errors.Is(err, fs.ErrNotExist):
		return c, err
	}
	c.Found, err = checkManifest(dir)
	if err == nil && !c.Found {
		return c, nil
	}
	c.Found = true
	return c, c.look(dir, err)
}

// look examines each kind of file. manifest is what is wrong with that.
func (c *Condition) look(dir string, manifest error) error {
	odd, logs := checkValueLogs(dir)
	c.Odd = odd
	for _, err := range []error{manifest, checkKeys(dir), c.checkMark(dir), logs} {
		if err := c.damaged(err); err != nil {
			return err
		}
	}
	if manifest != nil {
		return nil //nolint:nilerr // it is among what was found
	}
	tables, err := damagedTables(dir, Options{ReadOnly: true})
	for _, err := range append(tables, err) {
		if err := c.damaged(err); err != nil {
			return err
		}
	}
	return nil
}

// damaged notes an error that is about the store, and returns any other.
func (c *Condition) damaged(err error) error {
	if errors.Is(err, store.ErrCorrupt) || errors.Is(err, store.ErrInvalid) {
		c.Damaged = append(c.Damaged, err)
		return nil
	}
	return err
}

// checkKeys reads the registry of keys, which holds none: nothing is encrypted. It may be missing.
func checkKeys(dir string) error {
	keys, err := badgerdb.OpenKeyRegistry(badgerdb.KeyRegistryOptions{Dir: dir, ReadOnly: true})
	if err == nil {
		return keys.Close()
	}
	if says(err, fs.ErrPermission) {
		return err
	}
	return fmt.Errorf("read KEYREGISTRY: %w: %w; %s", err, store.ErrCorrupt, adviceRestore)
}

// checkMark reads the watermark, which a store in which nothing was written yet may lack.
func (c *Condition) checkMark(dir string) error {
	_, err := readWatermark(dir)
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	err = fmt.Errorf("the file %q is missing, without which it is not known whether the last commits are there", watermarkName)
	if tables, _ := filepath.Glob(filepath.Join(dir, "*.sst")); len(tables) > 0 {
		return fmt.Errorf("%w: %w", err, store.ErrCorrupt)
	}
	c.Odd = append(c.Odd, err)
	return nil
}

// checkValueLogs reads the headers of the value logs, which hold nothing else: key and initial vector.
func checkValueLogs(dir string) (odd []error, err error) {
	logs, err := filepath.Glob(filepath.Join(dir, "*.vlog"))
	if err != nil {
		return nil, err
	}
	if len(logs) == 0 {
		odd = append(odd, errors.New("there is no value log (*.vlog), which holds nothing, but is always there"))
	}
	for _, path := range logs {
		key, err := keyOfLog(path)
		switch {
		case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
			odd = append(odd, fmt.Errorf("value log %s, which holds nothing, is cut short", filepath.Base(path)))
		case err != nil:
			return odd, err
		case key != 0:
			return odd, fmt.Errorf("value log %s is written with key %d, which does not exist: %w; %s",
				filepath.Base(path), key, store.ErrCorrupt, adviceRestore)
		}
	}
	return odd, nil
}

// keyOfLog reads the header of a log. The error is io.EOF or io.ErrUnexpectedEOF when it has none.
func keyOfLog(path string) (key uint64, err error) {
	file, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	var head [20]byte // key and initial vector
	_, err = io.ReadFull(file, head[:])
	return binary.BigEndian.Uint64(head[:]), errors.Join(err, file.Close())
}
