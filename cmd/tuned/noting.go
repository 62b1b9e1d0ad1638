package main

import (
	"errors"
	"fmt"
	"io"
	"sync"
	"syscall"
)

// noting notes the first error of writing, which most of those who print do not look at.
type noting struct {
	to  io.Writer
	mu  sync.Mutex
	err error
}

// Write implements io.Writer.
func (n *noting) Write(data []byte) (int, error) {
	written, err := n.to.Write(data)
	if err != nil {
		n.mu.Lock()
		defer n.mu.Unlock()
		if n.err == nil {
			n.err = err
		}
	}
	return written, err
}

// lost says that output did not arrive; nil also where a reader wanted no more of it.
func (n *noting) lost() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.err == nil || errors.Is(n.err, syscall.EPIPE) {
		return nil
	}
	return fmt.Errorf("write output: %w", n.err)
}
