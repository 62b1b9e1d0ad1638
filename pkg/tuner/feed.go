package tuner

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"strings"
	"sync"

	"github.com/tuned-hpo/tuned/pkg/experiment"
)

// Change says what has become of an experiment. It is durable when the Change comes. Measurements are
// no change.
type Change struct {
	ID         string // to go on after it
	Key        experiment.Key
	Experiment bool     // its spec, status, notes or what was done to it
	Trials     []uint64 // numbers of those created or changed, ascending
	Event      uint64   // number of the first new event
	Events     int      // how many are new
	Deleted    bool     // the experiment is gone
	UID        string   // of one that is gone
	Reset      bool     // changes are missing here: look at everything again. Only ID is set beside it
}

// feedLength is how many changes are kept for those who are late.
const feedLength = 4096

// feed hands the changes of all experiments to any number of readers, each at its own pace. Who
// publishes never waits.
type feed struct {
	life string // begins the IDs; another one in each life of the daemon

	mu    sync.Mutex
	ring  [feedLength]Change
	next  uint64        // number of the next change, from 1
	grown chan struct{} // closed when there is another change
}

func newFeed() *feed { return &feed{life: newUID()[:16], next: 1, grown: make(chan struct{})} }

func (f *feed) id(number uint64) string { return fmt.Sprintf("%s-%d", f.life, number) }

// publish adds a change.
func (f *feed) publish(c Change) {
	f.mu.Lock()
	defer f.mu.Unlock()
	c.ID = f.id(f.next)
	f.ring[f.next%feedLength] = c
	f.next++
	close(f.grown)
	f.grown = make(chan struct{})
}

// after returns the change that follows a number: a Reset when it is no longer kept or the number is
// none. Without one it returns a channel that is closed when there is.
func (f *feed) after(number uint64) (c Change, at uint64, wait <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	last := f.next - 1
	switch {
	case number == last:
		return c, number, f.grown
	case number > last || last-number > feedLength:
		return Change{ID: f.id(last), Reset: true}, last, nil
	}
	return f.ring[(number+1)%feedLength], number + 1, nil
}

// nowhere is a number that no change ever has, however many there will be.
const nowhere = math.MaxUint64

// position returns the number in an ID that was given in this life, and nowhere for another one.
func (f *feed) position(id string) uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	if id == "" {
		return f.next - 1
	}
	life, text, _ := strings.Cut(id, "-")
	number, err := strconv.ParseUint(text, 10, 64)
	if life != f.life || err != nil || number >= f.next {
		return nowhere
	}
	return number
}

// Feed yields the changes of all experiments, in the order in which they were committed for each, that
// come after the one with the given ID; "": from now on. Where changes are missing it yields a Reset:
// the ID is of another life of the daemon, or the reader was too slow. The channel is closed when ctx
// ends.
func (t *Tuner) Feed(ctx context.Context, after string) (<-chan Change, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	out := make(chan Change)
	at := t.feed.position(after)
	go func() {
		defer close(out)
		for {
			c, next, wait := t.feed.after(at)
			if wait != nil {
				select {
				case <-wait:
					continue
				case <-ctx.Done():
					return
				}
			}
			select {
			case out <- c:
				at = next
			case <-ctx.Done():
				return
			}
		}
	}()
	return out, nil
}
