package badger

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tuned-hpo/tuned/internal/failpoint"
	"github.com/tuned-hpo/tuned/pkg/store"
)

const (
	lockName = "daemon.lock"
	// gateName is the lock that everybody holds while waiting for the other: a writer there keeps
	// later readers out, so that it has to wait for the earlier ones only.
	gateName = "gate.lock"
)

// lock holds the directory from before its first file is touched; it names the process that
// writes. The kernel releases it with the process.
type lock struct {
	file    *os.File
	writing bool
}

// acquire waits for others for at most as long as said.
func acquire(dir string, readOnly bool, wait time.Duration) (*lock, error) {
	deadline := time.Now().Add(wait)
	gate, err := openLock(dir, gateName)
	if err != nil {
		return nil, err
	}
	defer gate.Close()
	file, err := openLock(dir, lockName)
	if err != nil {
		return nil, err
	}
	how := unix.LOCK_EX
	if readOnly {
		how = unix.LOCK_SH
	}
	err = flock(gate, how, deadline)
	if err == nil {
		err = flock(file, how, deadline)
	}
	if errors.Is(err, unix.EWOULDBLOCK) {
		return nil, errors.Join(fmt.Errorf("in use by %s: %w", holder(file), store.ErrLocked), file.Close())
	}
	if err != nil {
		return nil, fmt.Errorf("lock: %w", errors.Join(err, file.Close()))
	}
	l := &lock{file: file, writing: !readOnly}
	if l.writing {
		_, err := file.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
		if err := errors.Join(err, file.Truncate(int64(len(strconv.Itoa(os.Getpid()))+1))); err != nil {
			return nil, fmt.Errorf("lock: %w", errors.Join(err, file.Close()))
		}
	}
	failpoint.Hit("store.lock")
	return l, nil
}

func openLock(dir, name string) (*os.File, error) {
	file, err := os.OpenFile(filepath.Join(dir, name), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock: %w", err)
	}
	return file, nil
}

// flock tries until the deadline, at least once. The kernel can wait for a lock only without end.
func flock(file *os.File, how int, deadline time.Time) error {
	for pause := time.Millisecond; ; pause = min(2*pause, 20*time.Millisecond) {
		err := unix.Flock(int(file.Fd()), how|unix.LOCK_NB)
		if !errors.Is(err, unix.EWOULDBLOCK) || !time.Now().Before(deadline) {
			return err
		}
		<-time.After(pause)
	}
}

// holder says who has a lock that was refused. The process that the file names may have been
// killed since; a writer is there only if no reader may join.
func holder(file *os.File) string {
	text, _ := io.ReadAll(io.LimitReader(file, 20))
	if len(text) == 0 || unix.Flock(int(file.Fd()), unix.LOCK_SH|unix.LOCK_NB) == nil {
		return "readers"
	}
	return "process " + strings.TrimSpace(string(text))
}

func (l *lock) release() error {
	var err error
	if l.writing {
		err = l.file.Truncate(0)
	}
	return errors.Join(err, l.file.Close())
}
