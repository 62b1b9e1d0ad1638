package storetest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/store"
)

func testCopies(_ *testing.T, r *rig) {
	e := newExperiment(keyA)
	r.must(r.Create(ctx, e))
	e.Metadata.Labels["a"] = "changed"
	*e.Spec.ParallelTrialCount = 9
	trials := []experiment.Trial{newTrial(1, experiment.TrialRunning)}
	_, err := r.Commit(ctx, keyA, store.Change{Revision: 1, Create: trials})
	r.must(err)
	trials[0].Memo[0], trials[0].Assignment[0].Value = 9, "changed"
	ms := measurements(1, 2)
	r.append(streamA, ms, 2)
	ms[0].Metric = "changed"
	unchanged := newExperiment(keyA)
	unchanged.Revision = 2
	for range 2 { // the second time finds what the first one changed, if it is not a copy
		got, err := r.Get(ctx, keyA)
		r.must(err)
		want(r, "experiment", got, unchanged)
		got.Metadata.Labels["a"] = "changed"
		listed, err := r.List(ctx)
		r.must(err)
		want(r, "list", listed, []*experiment.Experiment{unchanged})
		listed[0].Status.Conditions[0].Reason = "changed"
		stored, err := r.Trials(ctx, keyA)
		r.must(err)
		want(r, "trials", stored, []experiment.Trial{newTrial(1, experiment.TrialRunning)})
		stored[0].Memo[0], stored[0].Assignment[0].Value = 9, "changed"
		found, err := r.Measurements(ctx, streamA, 0, 0)
		r.must(err)
		want(r, "measurements", found, measurements(1, 2))
		found[0].Metric = "changed"
	}
}

func testLarge(t *testing.T, r *rig) {
	if testing.Short() {
		t.Skip("it stores 100,000 measurements, one call after the other")
	}
	r.start(1)
	long := newTrial(2, experiment.TrialPending)
	long.Message = strings.Repeat("x", 300<<10)
	_, err := r.Commit(ctx, keyA, store.Change{Revision: 2, Create: []experiment.Trial{long}})
	r.must(err)
	many := measurements(1, 100_000)
	many[70_000].Text = strings.Repeat("y", 200<<10)
	r.append(streamA, many, 100_000)
	r.reopen()
	got, err := r.Measurements(ctx, streamA, 0, 0)
	r.must(err)
	want(r, "all", got, many)
	got, err = r.Measurements(ctx, streamA, 99_000, 0)
	r.must(err)
	want(r, "the last", got, many[99_000:])
	for _, part := range [][2]int{{0, 1}, {69_990, 20}, {70_000, 1}, {50_000, 50_000}, {99_999, 2}} {
		some, err := r.Measurements(ctx, streamA, uint64(part[0]), part[1])
		r.must(err)
		want(r, fmt.Sprintf("%d after %d", part[1], part[0]), some, many[part[0]:min(part[0]+part[1], len(many))])
	}
	trials, err := r.Trials(ctx, keyA)
	r.must(err)
	want(r, "trials", trials, []experiment.Trial{newTrial(1, experiment.TrialRunning), long})
}

func testDelete(_ *testing.T, r *rig) {
	r.start(2)
	r.append(streamA, measurements(1, 5000), 5000)
	next := experiment.Key{Namespace: "default", Name: "next"}
	r.must(r.Create(ctx, newExperiment(next)))
	for range 2 {
		r.must(r.Delete(ctx, keyA))
		r.wantErr("delete again", r.Delete(ctx, keyA), store.ErrNotFound)
		_, err := r.Append(ctx, streamA, measurements(1, 1))
		r.wantErr("append to the deleted one", err, store.ErrNotFound)
		r.must(r.Create(ctx, newExperiment(keyA)))
		_, err = r.Append(ctx, streamA, measurements(5001, 5001))
		r.wantErr("append to the new one, which has no trial", err, store.ErrNotFound)
		e, err := r.Get(ctx, keyA)
		r.must(err)
		want(r, "revision", e.Revision, uint64(1))
		trials, err := r.Trials(ctx, keyA)
		r.must(err)
		want(r, "trials", trials, nil)
		_, err = r.Commit(ctx, keyA, store.Change{Revision: 1, Create: []experiment.Trial{newTrial(1, experiment.TrialRunning)}})
		r.must(err)
		found, err := r.Measurements(ctx, streamA, 0, 0)
		r.must(err)
		want(r, "measurements", found, nil)
		r.append(streamA, measurements(1, 2), 2)
		r.reopen()
	}
	r.must(r.Delete(ctx, keyA))
	r.reopen()
	listed, err := r.List(ctx)
	r.must(err)
	if len(listed) != 1 || listed[0].Key() != next {
		r.t.Errorf("got %d experiments, want %s alone", len(listed), next)
	}
}

// calls are all methods that take a context.
func (r *rig) calls(ctx context.Context, key experiment.Key) map[string]error {
	s := experiment.Stream{Experiment: key, Number: 1, Attempt: 1, Source: "agent"}
	out := map[string]error{"delete": r.Delete(ctx, key)}
	_, out["get"] = r.Get(ctx, key)
	_, out["commit"] = r.Commit(ctx, key, store.Change{Revision: 1})
	_, out["trials"] = r.Trials(ctx, key)
	_, out["append"] = r.Append(ctx, s, measurements(1, 1))
	_, out["acked"] = r.Acked(ctx, s)
	_, out["measurements"] = r.Measurements(ctx, s, 0, 0)
	_, out["events"] = r.Events(ctx, key, 0)
	return out
}

func testNotFound(_ *testing.T, r *rig) {
	r.start(1)
	for name, err := range r.calls(ctx, nobody) {
		r.wantErr(name, err, store.ErrNotFound)
	}
	absent := experiment.Stream{Experiment: keyA, Number: 7, Attempt: 1, Source: "agent"}
	acked, err := r.Acked(ctx, absent)
	r.must(err)
	want(r, "acked of a stream that is not there", acked, uint64(0))
	ms, err := r.Measurements(ctx, absent, 0, 0)
	r.must(err)
	want(r, "measurements of a stream that is not there", ms, nil)
}

func testCancelled(_ *testing.T, r *rig) {
	r.start(1)
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	calls := r.calls(cancelled, keyA)
	calls["create"] = r.Create(cancelled, newExperiment(nobody))
	_, calls["list"] = r.List(cancelled)
	for name, err := range calls {
		r.wantErr(name, err, context.Canceled)
	}
	e, err := r.Get(ctx, keyA)
	r.must(err)
	want(r, "revision", e.Revision, uint64(2))
	_, err = r.Get(ctx, nobody)
	r.wantErr("get what was not created", err, store.ErrNotFound)
}

func testConcurrent(_ *testing.T, r *rig) {
	const writers, rounds = 16, 20
	r.start(writers)
	var wg sync.WaitGroup
	for i := range uint64(writers) {
		wg.Go(func() {
			for round := range uint64(rounds) {
				r.appendThree(i+1, round)
			}
			r.commitUntilDone(fmt.Sprint("Writer", i))
		})
	}
	wg.Wait()
	r.reopen()
	e, err := r.Get(ctx, keyA)
	r.must(err)
	want(r, "revision", e.Revision, uint64(2+writers))
	events, err := r.Events(ctx, keyA, 0)
	r.must(err)
	want(r, "number of events", len(events), writers)
	for i := range writers {
		s := streamA
		s.Number = uint64(i) + 1
		got, err := r.Measurements(ctx, s, 0, 0)
		r.must(err)
		want(r, "measurements", got, measurements(1, 3*rounds))
	}
}

// appendThree adds the measurements of one round to a trial's stream, and reads all that it has.
func (r *rig) appendThree(trial, round uint64) {
	s, last := streamA, round*3+3
	s.Number = trial
	if acked, err := r.Append(ctx, s, measurements(last-2, last)); err != nil || acked != last {
		r.t.Errorf("append to trial %d: got %d, %v, want %d", trial, acked, err, last)
	}
	if got, err := r.Measurements(ctx, s, 0, 0); err != nil || uint64(len(got)) != last {
		r.t.Errorf("measurements of trial %d: got %d, %v, want %d", trial, len(got), err, last)
	}
}

// commitUntilDone adds an event, against others who commit too.
func (r *rig) commitUntilDone(reason string) {
	for {
		e, err := r.Get(ctx, keyA)
		if err == nil {
			_, err = r.Commit(ctx, keyA, store.Change{Revision: e.Revision, Events: []experiment.Event{{Reason: reason}}})
		}
		if err == nil {
			return
		}
		if !errors.Is(err, store.ErrConflict) {
			r.t.Error(err)
			return
		}
	}
}

func testClosed(_ *testing.T, r *rig) {
	r.start(1)
	r.must(r.Close())
	for name, err := range r.calls(ctx, keyA) {
		if err == nil {
			r.t.Errorf("%s: got no error, want one, for the store is closed", name)
		}
	}
	r.reopen()
	e, err := r.Get(ctx, keyA)
	r.must(err)
	want(r, "revision", e.Revision, uint64(2))
}
