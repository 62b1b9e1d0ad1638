package storetest

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/store"
)

func testExperiments(_ *testing.T, r *rig) {
	e := newExperiment(keyA)
	r.must(r.Create(ctx, e))
	r.wantErr("create again", r.Create(ctx, e), store.ErrConflict)
	stored := *e
	stored.Revision = 1
	for range 2 {
		got, err := r.Get(ctx, keyA)
		r.must(err)
		want(r, "get", got, &stored)
		r.reopen()
	}
}

func testNames(_ *testing.T, r *rig) {
	keys := []experiment.Key{
		{Namespace: "a/b", Name: "c"},
		{Namespace: "a", Name: "b/c"},
		{Namespace: "a\x00", Name: "b"},
		{Namespace: "a", Name: "\x00b"},
		{Namespace: "a\x00\x01", Name: ""},
		{Namespace: "a", Name: ""},
		{Namespace: "", Name: "a"},
		{Namespace: "a", Name: "b"},
		{Namespace: "a", Name: "\u00ff\u20ac"},
		{Namespace: "a", Name: "../../etc"},
		{Namespace: "a\x00\u00ff", Name: "x"},
		{Namespace: "ab", Name: "c"},
	}
	for _, key := range keys {
		r.must(r.Create(ctx, newExperiment(key)))
		_, err := r.Commit(ctx, key, store.Change{Revision: 1, Create: []experiment.Trial{{Number: 1, Name: key.String(), Attempt: 1}}})
		r.must(err)
	}
	r.reopen()
	for _, key := range keys {
		trials, err := r.Trials(ctx, key)
		r.must(err)
		want(r, "trials of "+key.String(), trials, []experiment.Trial{{Number: 1, Name: key.String(), Attempt: 1}})
	}
	slices.SortFunc(keys, func(a, b experiment.Key) int {
		if a.Namespace != b.Namespace {
			return strings.Compare(a.Namespace, b.Namespace)
		}
		return strings.Compare(a.Name, b.Name)
	})
	listed, err := r.List(ctx)
	r.must(err)
	var got []experiment.Key
	for _, e := range listed {
		got = append(got, e.Key())
	}
	want(r, "list", got, keys)
}

func testCommit(_ *testing.T, r *rig) {
	r.start(2)
	e := newExperiment(keyA)
	e.Spec.Algorithm = &experiment.Algorithm{AlgorithmName: "random"}
	e.Local = experiment.Local{Dir: "/tmp", Command: []string{"echo", ""}}
	e.Status.Trials = 3
	done := newTrial(2, experiment.TrialSucceeded)
	done.FinishNo, done.Message = 1, "it \"worked\"\n"
	events := []experiment.Event{{Time: time.Unix(7, 0).UTC(), Trial: "t-2", Reason: "Done", Message: "x", Warning: true}}
	revision, err := r.Commit(ctx, keyA, store.Change{
		Revision: 2, Spec: &e.Spec, Local: &e.Local, Status: &e.Status,
		Create: []experiment.Trial{newTrial(3, experiment.TrialPending)}, Update: []experiment.Trial{done}, Events: events,
	})
	r.must(err)
	want(r, "revision", revision, uint64(3))
	revision, err = r.Commit(ctx, keyA, store.Change{Revision: 3, Events: events})
	r.must(err)
	want(r, "revision", revision, uint64(4))
	e.Revision, e.Events = 4, 2
	for range 2 {
		got, err := r.Get(ctx, keyA)
		r.must(err)
		want(r, "experiment", got, e)
		trials, err := r.Trials(ctx, keyA)
		r.must(err)
		want(r, "trials", trials, []experiment.Trial{newTrial(1, experiment.TrialRunning), done, newTrial(3, experiment.TrialPending)})
		stored, err := r.Events(ctx, keyA, 0)
		r.must(err)
		want(r, "events", stored, append(slices.Clone(events), events...))
		for after := range uint64(len(stored) + 2) {
			tail, err := r.Events(ctx, keyA, after)
			r.must(err)
			want(r, "events after some", tail, stored[min(after, uint64(len(stored))):])
		}
		r.reopen()
	}
}

func testRefusedCommits(t *testing.T, r *rig) {
	r.start(2)
	final := newTrial(2, experiment.TrialFailed)
	final.Attempt = 2
	_, err := r.Commit(ctx, keyA, store.Change{Revision: 2, Update: []experiment.Trial{final}})
	r.must(err)
	older := newTrial(1, experiment.TrialRunning)
	older.Attempt = 0
	for _, test := range []struct {
		name   string
		change store.Change
		want   error
	}{
		{"old revision", store.Change{Revision: 2}, store.ErrConflict},
		{"later revision", store.Change{Revision: 4}, store.ErrConflict},
		{"number taken", store.Change{Revision: 3, Create: []experiment.Trial{newTrial(2, experiment.TrialPending)}}, store.ErrConflict},
		{"number left out", store.Change{Revision: 3, Create: []experiment.Trial{newTrial(3, experiment.TrialPending), newTrial(5, experiment.TrialPending)}}, store.ErrConflict},
		{"number 0", store.Change{Revision: 3, Create: []experiment.Trial{newTrial(0, experiment.TrialPending)}}, store.ErrConflict},
		{"final trial", store.Change{Revision: 3, Update: []experiment.Trial{final}}, store.ErrConflict},
		{"final in the same change", store.Change{Revision: 3, Update: []experiment.Trial{
			newTrial(1, experiment.TrialSucceeded), newTrial(1, experiment.TrialRunning),
		}}, store.ErrConflict},
		{"earlier attempt", store.Change{Revision: 3, Update: []experiment.Trial{older}}, store.ErrConflict},
		{"unknown trial", store.Change{Revision: 3, Update: []experiment.Trial{newTrial(3, experiment.TrialRunning)}}, store.ErrNotFound},
		{"trial 0", store.Change{Revision: 3, Update: []experiment.Trial{newTrial(0, experiment.TrialRunning)}}, store.ErrNotFound},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := &rig{Store: r.Store, t: t}
			c := test.change
			status := experiment.Status{Trials: 99}
			c.Status, c.Events = &status, []experiment.Event{{Reason: "Never"}}
			_, err := r.Commit(ctx, keyA, c)
			r.wantErr("commit", err, test.want)
		})
	}
	r.reopen()
	trials, err := r.Trials(ctx, keyA)
	r.must(err)
	want(r, "trials", trials, []experiment.Trial{newTrial(1, experiment.TrialRunning), final})
	r.unchanged(3)
}

// unchanged checks that none of the refused commits left something.
func (r *rig) unchanged(revision uint64) {
	r.t.Helper()
	e, err := r.Get(ctx, keyA)
	r.must(err)
	want(r, "revision", e.Revision, revision)
	want(r, "status", e.Status.Trials, int32(0))
	events, err := r.Events(ctx, keyA, 0)
	r.must(err)
	want(r, "events", events, nil)
}
