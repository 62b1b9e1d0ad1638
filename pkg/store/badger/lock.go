package badger

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/tuned-hpo/tuned/pkg/store"
)

const lockName = "daemon.lock"

// lock holds the directory from before its first file is touched; it names the process that
// writes. The kernel releases it with the process.
type lock struct {
	file    *os.File
	writing bool
}

func acquire(dir string, readOnly bool) (*lock, error) {
	file, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock: %w", err)
	}
	how := unix.LOCK_EX
	if readOnly {
		how = unix.LOCK_SH
	}
	if err := unix.Flock(int(file.Fd()), how|unix.LOCK_NB); err != nil {
		holder := "by readers"
		if text, _ := io.ReadAll(io.LimitReader(file, 20)); len(text) > 0 {
			holder = "by process " + strings.TrimSpace(string(text))
		}
		return nil, errors.Join(fmt.Errorf("in use %s (%w): %w", holder, err, store.ErrLocked), file.Close())
	}
	l := &lock{file: file, writing: !readOnly}
	if l.writing {
		_, err := file.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
		if err := errors.Join(err, file.Truncate(int64(len(strconv.Itoa(os.Getpid()))+1))); err != nil {
			return nil, fmt.Errorf("lock: %w", errors.Join(err, file.Close()))
		}
	}
	return l, nil
}

func (l *lock) release() error {
	var err error
	if l.writing {
		err = l.file.Truncate(0)
	}
	return errors.Join(err, l.file.Close())
}
