package main

import (
	"fmt"
	"os"
	"sync"
)

// largestLog is the size in bytes at which the log is put aside when a run starts.
const largestLog = 10 << 20

// logFile is the daemon's log. It is not touched before the first line: the store, which writes
// that while it opens, has the data directory to itself then.
type logFile struct {
	path string
	once sync.Once
	file *os.File
	err  error // of opening
}

// open opens the file unless that is done, and puts a large one aside before.
func (l *logFile) open() error {
	l.once.Do(func() {
		if info, err := os.Stat(l.path); err == nil && info.Size() > largestLog {
			if err := os.Rename(l.path, l.path+".old"); err != nil {
				l.err = fmt.Errorf("put log aside: %w", err)
				return
			}
		}
		if l.file, l.err = os.OpenFile(l.path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600); l.err != nil {
			l.err = fmt.Errorf("open log: %w", l.err)
		}
	})
	return l.err
}

// Write appends to the log.
func (l *logFile) Write(line []byte) (int, error) {
	if err := l.open(); err != nil {
		return 0, err
	}
	return l.file.Write(line)
}

// close closes the file if it was opened.
func (l *logFile) close() error {
	if l.file == nil {
		return nil
	}
	return l.file.Close()
}
