package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"sync"

	"github.com/tuned-hpo/tuned/pkg/trialrunner/trialdir"
)

const defaultLogBytes = 1 << 20

// boundedLog is a file that keeps the beginning and the end of what is written to it. When the end
// has grown to twice its length, its older half gives way to a line that says how much is missing.
// Writing never fails: a log that cannot be written must not end a training.
type boundedLog struct {
	mu      sync.Mutex
	file    *os.File
	length  int64 // of the beginning and of the end, each
	size    int64 // of the file
	gap     int64 // where the beginning ends: a line's end; 0 while nothing is missing
	rest    int64 // where the kept end begins, after the line about what is missing
	dropped int64 // bytes
	err     error // the first one
}

func createLog(root *os.Root, length int64) (*boundedLog, error) {
	if length <= 0 {
		length = defaultLogBytes
	}
	file, err := root.OpenFile(trialdir.LogFile, os.O_CREATE|os.O_TRUNC|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("create log: %w", err)
	}
	return &boundedLog{file: file, length: length}, nil
}

// Write appends p.
func (l *boundedLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := len(p)
	for len(p) > 0 && l.err == nil {
		part := p[:min(int64(len(p)), l.length)]
		p = p[len(part):]
		var wrote int
		wrote, l.err = l.file.WriteAt(part, l.size)
		l.size += int64(wrote)
		if l.err == nil && l.size > 3*l.length {
			l.err = l.shorten()
		}
	}
	return n, nil
}

// shorten moves the end to where the beginning ends, with a line between them.
func (l *boundedLog) shorten() error {
	if l.gap == 0 {
		beginning := make([]byte, l.length)
		if _, err := l.file.ReadAt(beginning, 0); err != nil {
			return err
		}
		l.gap = int64(bytes.LastIndexByte(beginning, '\n') + 1)
		if l.gap == 0 {
			l.gap = l.length
		}
		l.rest = l.gap
	}
	end := make([]byte, l.length)
	if _, err := l.file.ReadAt(end, l.size-l.length); err != nil {
		return err
	}
	end = end[bytes.IndexByte(end, '\n')+1:]
	l.dropped += l.size - int64(len(end)) - l.rest
	note := fmt.Sprintf("\n[%d bytes of the output were dropped here]\n", l.dropped)
	if _, err := l.file.WriteAt(append([]byte(note), end...), l.gap); err != nil {
		return err
	}
	l.rest = l.gap + int64(len(note))
	l.size = l.rest + int64(len(end))
	return l.file.Truncate(l.size)
}

// Close closes the file.
func (l *boundedLog) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return errors.Join(l.err, l.file.Close())
}
