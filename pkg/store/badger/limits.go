package badger

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/tuned-hpo/tuned/pkg/store"
)

const (
	longestFile = 128 << 20 // bytes; Badger's longest are tables of the last level, of twice 64 MiB at most
	spareFiles  = 4         // that a write may have to open: a log, a table, the manifest anew
)

// Limited returns store.ErrFull when the kernel does not let this process make the files that a write may need.
// Badger would meet that in the middle of a write, of which nobody knows then what became durable.
func Limited() error {
	var size unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_FSIZE, &size); err != nil {
		return fmt.Errorf("look at the limit of the size of files: %w", err)
	}
	if size.Cur < longestFile {
		return fmt.Errorf("a file may be %d KiB long, and %d MiB are needed; raise the limit (ulimit -f, LimitFSIZE=): %w",
			size.Cur>>10, longestFile>>20, store.ErrFull)
	}
	return spare(spareFiles)
}

// spare makes sure that so many files can be opened.
func spare(files int) error {
	for range files {
		fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
		if errors.Is(err, unix.EMFILE) || errors.Is(err, unix.ENFILE) {
			return fmt.Errorf("%w; end trials or clients, or raise the limit (ulimit -n, LimitNOFILE=): %w", err, store.ErrFull)
		}
		if err != nil {
			return fmt.Errorf("look whether files can be opened: %w", err)
		}
		defer func() { _ = unix.Close(fd) }() // Linux has closed it, whatever it says
	}
	return nil
}
