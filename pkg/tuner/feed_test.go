package tuner

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tuned-hpo/tuned/algorithms/builtin"
	"github.com/tuned-hpo/tuned/pkg/experiment"
)

// take reads n changes.
func take(t *testing.T, from <-chan Change, n int) (out []Change) {
	t.Helper()
	for range n {
		select {
		case c := <-from:
			out = append(out, c)
		case <-time.After(patience):
			t.Fatalf("got %d changes, want %d: %+v", len(out), n, out)
		}
	}
	return out
}

func (r *rig) follow(after string) <-chan Change {
	r.t.Helper()
	changes, err := r.Feed(r.t.Context(), after)
	r.must(err)
	return changes
}

func TestFeed(t *testing.T) {
	r := newRig(t, builtin.Registry())
	changes := r.follow("")
	key := r.create(clientsOwn("e", 1, 2))
	first := r.ask1(key)
	r.must(r.Annotate(t.Context(), key, first.Name, Note{Text: new("odd")}))
	r.tell(key, first.Name, "0.5")
	r.must(r.Pause(t.Context(), key))
	s, err := r.Snapshot(key)
	r.must(err)
	uid := s.Experiment.Metadata.UID
	r.must(r.Delete(t.Context(), key, uid))
	got := take(t, changes, 7)
	ids := map[string]bool{}
	for i := range got {
		ids[got[i].ID] = true
		got[i].ID = ""
	}
	want := []Change{
		{Key: key, Experiment: true},
		{Key: key, Experiment: true, Trials: []uint64{1}, Event: 1, Events: 1}, // which takes it to Running
		{Key: key, Trials: []uint64{1}},
		{Key: key, Experiment: true, Trials: []uint64{1}, Event: 2, Events: 1},
		{Key: key, Experiment: true, Event: 3, Events: 1},
		{Key: key, Experiment: true}, // is being deleted
		{Key: key, UID: uid, Deleted: true},
	}
	if diff := cmp.Diff(got, want); diff != "" {
		t.Errorf("got (-), want (+):\n%s", diff)
	}
	if len(ids) != 7 {
		t.Errorf("got %d different IDs, want 7", len(ids))
	}
}

// TestFeedResumes: whoever comes back with the last ID gets what the others got meanwhile.
func TestFeedResumes(t *testing.T) {
	r := newRig(t, builtin.Registry())
	whole := r.follow("")
	ctx, leave := context.WithCancel(t.Context())
	part, err := r.Feed(ctx, "")
	r.must(err)
	const experiments, trials = 4, 10
	var group sync.WaitGroup
	for i := range experiments {
		group.Go(func() {
			key := r.create(clientsOwn(fmt.Sprint("e", i), 1, trials))
			for range trials {
				r.tell(key, r.ask1(key).Name, "0.5")
			}
		})
	}
	n := experiments * (1 + 2*trials) // created; handed out and told
	head := take(t, part, 7)
	leave()
	for range part { // until it is closed
	}
	group.Wait()
	all := take(t, whole, n)
	if diff := cmp.Diff(append(head, take(t, r.follow(head[6].ID), n-7)...), all); diff != "" {
		t.Errorf("with a break (-), without (+):\n%s", diff)
	}
	seen := map[experiment.Key]map[uint64]int{}
	for _, c := range all {
		if seen[c.Key] == nil {
			seen[c.Key] = map[uint64]int{}
		}
		for _, number := range c.Trials {
			if seen[c.Key][number]++; number > 1 && seen[c.Key][number-1] != 2 {
				t.Errorf("%s: trial %d comes before the end of the one before", c.Key, number)
			}
		}
	}
	for key, of := range seen {
		for number, times := range of {
			if times != 2 {
				t.Errorf("%s: trial %d came %d times, want 2", key, number, times)
			}
		}
	}
}

func TestFeedResets(t *testing.T) {
	r := newRig(t, builtin.Registry())
	slow := r.follow("")
	for i := range feedLength + 10 {
		r.feed.publish(Change{Events: i})
	}
	last := r.feed.id(feedLength + 10)
	first := take(t, slow, 1)[0] // it was on its way out, or was never
	if !first.Reset {
		first = take(t, slow, 1)[0]
	}
	if !first.Reset || first.ID != last {
		t.Errorf("too slow: got %+v, want a reset at %s", first, last)
	}
	for _, id := range []string{"another-7", "x", r.feed.id(3), r.feed.id(1 << 40), r.feed.life + "--1"} {
		if got := take(t, r.follow(id), 1)[0]; !got.Reset || got.ID != last {
			t.Errorf("after %q: got %+v, want a reset at %s", id, got, last)
		}
	}
	kept := r.follow(r.feed.id(10))
	if got := take(t, kept, feedLength); got[0].Events != 10 || got[feedLength-1].ID != last {
		t.Errorf("the oldest that is kept: got %+v to %+v", got[0], got[feedLength-1])
	}
	again := r.follow(last)
	r.feed.publish(Change{Deleted: true})
	for _, f := range []<-chan Change{slow, again, kept} {
		if got := take(t, f, 1)[0]; !got.Deleted {
			t.Errorf("after that: got %+v, want what is new", got)
		}
	}
}

// TestFeedResetsWhateverComes: a place that is none is one also after a change that is published before it is looked at.
func TestFeedResetsWhateverComes(t *testing.T) {
	for _, after := range []string{"anew", "another-1", "LIFE-1"} {
		f := newFeed()
		at := f.position(strings.Replace(after, "LIFE", f.life, 1))
		f.publish(Change{Experiment: true})
		if c, next, wait := f.after(at); !c.Reset || next != 1 || wait != nil {
			t.Errorf("after %q: got %+v and %d, want a reset, and to go on after the change", after, c, next)
		}
	}
}
