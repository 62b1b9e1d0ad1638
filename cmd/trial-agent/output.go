package main

import (
	"fmt"
	"io"
	"os"
	"syscall"
	"time"

	"github.com/tuned-hpo/tuned/pkg/collector"
)

// output carries what a command prints to the log and, line by line, to a collector.
type output struct {
	log  io.Writer
	line func(string)
	open []*os.File      // the ends that are read
	done []chan struct{} // of the same index, closed when it has been read
}

func newOutput(log io.Writer, line func(string)) *output {
	return &output{log: log, line: line}
}

// pipe returns the end to write to. Each pipe has its own lines: what is printed to one does not
// tear a line of the other.
func (o *output) pipe() (*os.File, error) {
	var ends [2]int
	if err := syscall.Pipe2(ends[:], syscall.O_CLOEXEC); err != nil {
		return nil, fmt.Errorf("make a pipe for the output: %w", err)
	}
	// Only our end is non-blocking, so that it can be closed while it is read. Programs expect to
	// wait when they write.
	if err := syscall.SetNonblock(ends[0], true); err != nil {
		return nil, fmt.Errorf("make a pipe for the output: %w", err)
	}
	r, w := os.NewFile(uintptr(ends[0]), "output"), os.NewFile(uintptr(ends[1]), "output")
	done := make(chan struct{})
	o.open, o.done = append(o.open, r), append(o.done, done)
	go func() {
		defer close(done)
		lines := collector.NewLines(o.line)
		_, _ = io.CopyBuffer(io.MultiWriter(o.log, lines), onlyReader{r}, make([]byte, 64<<10))
		lines.Close()
		r.Close()
	}()
	return w, nil
}

// onlyReader hides what else a file can do, so that a copy uses its buffer.
type onlyReader struct{ io.Reader }

// also makes waiting for o wait for the other one too.
func (o *output) also(other *output) {
	o.open, o.done = append(o.open, other.open...), append(o.done, other.done...)
}

// abandon gives the pipes up. It does not wait for what is still being read.
func (o *output) abandon() {
	for _, r := range o.open {
		r.Close()
	}
}

// wait waits until everything has been read, and reports whether it was within the limit.
func (o *output) wait(limit time.Duration) bool {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	for _, done := range o.done {
		select {
		case <-done:
		case <-timer.C:
			o.abandon()
			return false
		}
	}
	return true
}
