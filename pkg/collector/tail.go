package collector

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// fingerprintLen is how many bytes before the offset are compared to see that a file was rewritten.
const fingerprintLen = 64

// Tail follows a file that grows, may appear late, and may be rotated, truncated or rewritten. The
// caller decides when to look.
type Tail struct {
	path   string
	lines  *Lines
	file   *os.File
	offset int64  // of the next byte to read
	last   []byte // what was read just before offset, at most fingerprintLen bytes
}

// NewTail returns a follower of the file at path that calls emit with each line, from within Poll
// and Close.
func NewTail(path string, emit func(line string)) *Tail {
	return &Tail{path: path, lines: NewLines(emit)}
}

// Poll reads what was written since the last call. A file that does not exist is no error: it may
// come. When another file took the path, the old one is read to its end first; when the file was
// truncated or rewritten, it is read from its start.
func (t *Tail) Poll() error {
	info, err := os.Stat(t.path)
	if errors.Is(err, fs.ErrNotExist) {
		return t.drain()
	}
	if err != nil {
		return fmt.Errorf("look at metrics file: %w", err)
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("look at metrics file: %s is not a regular file", t.path)
	}
	if err := t.reopen(info); err != nil {
		return err
	}
	return t.drain()
}

// Close emits the last line, even if it had no end, and closes the file.
func (t *Tail) Close() error {
	err := t.drain()
	return errors.Join(err, t.lines.Close(), t.release())
}

// reopen makes t.file the file that info describes, positioned at t.offset.
func (t *Tail) reopen(info os.FileInfo) error {
	if t.file != nil {
		open, err := t.file.Stat()
		if err == nil && os.SameFile(open, info) {
			return nil
		}
		if err := errors.Join(t.drain(), t.lines.Close(), t.release()); err != nil {
			return err
		}
	}
	file, err := os.Open(t.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // it was moved away since the look
	}
	if err != nil {
		return fmt.Errorf("follow metrics file: %w", err)
	}
	t.file = file
	return nil
}

// drain reads the open file to the end that it has now.
func (t *Tail) drain() error {
	if t.file == nil {
		return nil
	}
	info, err := t.file.Stat()
	if err != nil {
		return fmt.Errorf("follow metrics file: %w", err)
	}
	if info.Size() < t.offset || t.rewritten() {
		t.restart()
	}
	section := io.NewSectionReader(t.file, t.offset, info.Size()-t.offset)
	if _, err := io.Copy(writerFunc(t.take), section); err != nil {
		return fmt.Errorf("follow metrics file: %w", err)
	}
	return nil
}

// take passes on bytes and remembers where they ended.
func (t *Tail) take(p []byte) (int, error) {
	t.offset += int64(len(p))
	t.last = append(t.last, p[max(0, len(p)-fingerprintLen):]...)
	if extra := len(t.last) - fingerprintLen; extra > 0 {
		t.last = append(t.last[:0], t.last[extra:]...)
	}
	return t.lines.Write(p)
}

// rewritten tells whether the bytes before the offset are no longer those that were read.
func (t *Tail) rewritten() bool {
	now := make([]byte, len(t.last))
	n, err := t.file.ReadAt(now, t.offset-int64(len(t.last)))
	return err == nil && !bytes.Equal(now[:n], t.last)
}

// restart goes back to the start of the file; a line that had no end is given up.
func (t *Tail) restart() {
	t.offset, t.last = 0, t.last[:0]
	t.lines.partial = t.lines.partial[:0]
	t.lines.afterCR = false
}

func (t *Tail) release() error {
	if t.file == nil {
		return nil
	}
	err := t.file.Close()
	t.file, t.offset, t.last = nil, 0, t.last[:0]
	return err
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }
