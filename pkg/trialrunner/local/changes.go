package local

import (
	"sync"

	"github.com/tuned-hpo/tuned/pkg/experiment"
)

// changes hands out keys, each once however often it was added, and never makes the one who adds
// wait.
type changes struct {
	out  chan experiment.Key
	wake chan struct{} // capacity 1

	mu      sync.Mutex
	pending map[experiment.Key]struct{}
}

func newChanges() *changes {
	return &changes{
		out: make(chan experiment.Key), wake: make(chan struct{}, 1),
		pending: map[experiment.Key]struct{}{},
	}
}

func (c *changes) add(key experiment.Key) {
	c.mu.Lock()
	c.pending[key] = struct{}{}
	c.mu.Unlock()
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// announce hands out keys until done is closed.
func (c *changes) announce(done <-chan struct{}) {
	for {
		key, ok := c.take()
		if !ok {
			select {
			case <-c.wake:
				continue
			case <-done:
				return
			}
		}
		select {
		case c.out <- key:
		case <-done:
			return
		}
	}
}

func (c *changes) take() (key experiment.Key, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for key = range c.pending {
		delete(c.pending, key)
		return key, true
	}
	return key, false
}
