package badger

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"

	"github.com/tuned-hpo/tuned/internal/failpoint"
	"github.com/tuned-hpo/tuned/pkg/store"
)

const (
	defaultReserve = 256 << 20 // bytes
	defaultBallast = 128 << 20 // bytes
	ballastName    = "ballast"
)

// disk keeps Badger from meeting a full file system: its files are mapped into memory, so that
// there it would be killed by SIGBUS, and could not open again.
type disk struct {
	dir     string
	reserve uint64 // bytes that must stay free after a write
	ballast uint64 // bytes of the file that is given up when there is too little space to open
	log     zerolog.Logger
	full    bool // as of the last look
	built   bool // the ballast is there, or cannot be made
	free    func(dir string) (uint64, error)
}

// freeSpace returns the bytes that this process may still use on the disk of a directory.
func freeSpace(dir string) (uint64, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return 0, fmt.Errorf("look at free space of %s: %w", dir, err)
	}
	return s.Bavail * uint64(s.Bsize), nil
}

// admit refuses a write of size bytes with store.ErrFull when too little would be left. A delete, which is
// the way out, gets the ballast where half of the reserve is not free, and needs no more than opening does.
func (d *disk) admit(size int, isDelete bool) error {
	if err := failpoint.Err("store.full"); err != nil {
		return fmt.Errorf("%w: %w", err, store.ErrFull)
	}
	free, err := d.free(d.dir)
	if err != nil {
		return err
	}
	need, out := d.reserve, "delete experiments or make room"
	if isDelete {
		need, out = d.reserve/opening, "make room by other means: deleting needs some, too"
		if free, err = d.relieve(free); err != nil {
			return err
		}
	}
	// A record is written twice before the log's copy goes: to the log, then to a table.
	if need += 2 * uint64(size); free < need {
		err := fmt.Errorf("%s has %d MiB free, %d MiB must stay free; %s: %w", d.dir, free>>20, need>>20, out, store.ErrFull)
		d.note(err)
		return err
	}
	if !isDelete {
		d.note(nil)
	}
	if free >= d.reserve+2*d.ballast {
		d.build(free)
	}
	return nil
}

// opening is the part of the reserve that is enough to open: that writes out the logs of two memtables.
const opening = 4

// relieve gives up the ballast where less than half of the reserve is free, and returns what is free then.
func (d *disk) relieve(free uint64) (uint64, error) {
	if free >= d.reserve/2 {
		return free, nil
	}
	switch err := os.Remove(filepath.Join(d.dir, ballastName)); {
	case errors.Is(err, fs.ErrNotExist):
		return free, nil
	case err != nil:
		return free, fmt.Errorf("release ballast: %w", err)
	}
	d.built = false
	d.log.Warn().Str("reason", "StorageFull").Uint64("freeBytes", free).Msg("ballast released to delete")
	return d.free(d.dir)
}

// limited is Limited, and logs it.
func (d *disk) limited() error {
	err := Limited()
	if err != nil {
		d.note(err)
	}
	return err
}

// note logs when writes are refused from now on, and when they are no more.
func (d *disk) note(err error) {
	full := err != nil
	if full == d.full {
		return
	}
	d.full = full
	if full {
		d.log.Error().Str("reason", "StorageFull").Err(err).Msg("writes are refused until there is space")
		return
	}
	d.log.Info().Str("reason", "StorageRecovered").Msg("writes are accepted again")
}

// prepare gives the ballast up if that is needed to open.
func (d *disk) prepare() error {
	if err := Limited(); err != nil {
		return err
	}
	free, err := d.free(d.dir)
	if err != nil {
		return err
	}
	if free >= d.reserve/opening {
		return nil
	}
	if err := os.Remove(filepath.Join(d.dir, ballastName)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("release ballast: %w", err)
	}
	d.log.Warn().Str("reason", "StorageFull").Uint64("freeBytes", free).Msg("ballast released to open the store")
	if free, err = d.free(d.dir); err != nil {
		return err
	}
	if free < d.reserve/opening {
		return fmt.Errorf("%s has %d MiB free, opening needs %d MiB: %w", d.dir, free>>20, d.reserve/opening>>20, store.ErrFull)
	}
	return nil
}

// build makes the ballast unless it is there, with at most a twentieth of the free space. That
// it cannot be made is no error: it is a help for bad days.
func (d *disk) build(free uint64) {
	size := min(d.ballast, free/20)
	path := filepath.Join(d.dir, ballastName)
	if size == 0 || d.built {
		return
	}
	d.built = true
	if info, err := os.Stat(path); err == nil && info.Size() > 0 {
		return
	}
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		d.log.Warn().Err(err).Msg("create ballast")
		return
	}
	failpoint.Hit("store.ballast")
	if err := errors.Join(unix.Fallocate(int(file.Fd()), 0, 0, int64(size)), file.Close()); err != nil {
		d.log.Warn().Err(errors.Join(err, os.Remove(path))).Msg("create ballast")
	}
	failpoint.Hit("store.ballast.made")
}
