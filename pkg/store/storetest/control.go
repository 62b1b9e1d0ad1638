package storetest

import (
	"testing"

	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/store"
)

func testControl(_ *testing.T, r *rig) {
	e := newExperiment(keyA)
	e.Control, e.Note = experiment.Control{Paused: true}, experiment.Note{Text: "not by Create"}
	r.must(r.Create(ctx, e))
	e.Control, e.Note, e.Revision = experiment.Control{}, experiment.Note{}, 1
	got, err := r.Get(ctx, keyA)
	r.must(err)
	want(r, "created", got, e)
	e.Control = experiment.Control{Paused: true, Elapsed: 5, Forgiven: 2, OnCompletion: experiment.Drain}
	noted := newTrial(1, experiment.TrialSucceeded)
	noted.Note.Text = "not with the trial"
	_, err = r.Commit(ctx, keyA, store.Change{Revision: 1, Control: &e.Control, Create: []experiment.Trial{noted, newTrial(2, experiment.TrialPending)}})
	r.must(err)
	noted.Note = experiment.Note{Text: "\x00 odd", Tags: []string{"a", "b"}}
	e.Note = experiment.Note{Text: "all"}
	_, err = r.Commit(ctx, keyA, store.Change{Revision: 2, Notes: map[uint64]experiment.Note{0: e.Note, 1: noted.Note}}) // of a final trial, too
	r.must(err)
	_, err = r.Commit(ctx, keyA, store.Change{Revision: 3, Status: &e.Status}) // which leaves the rest
	r.must(err)
	_, err = r.Commit(ctx, keyA, store.Change{Revision: 4, Notes: map[uint64]experiment.Note{3: {}}})
	r.wantErr("note of no trial", err, store.ErrNotFound)
	e.Revision = 4
	for range 2 {
		r.wantNoted(e, noted)
		r.reopen()
	}
	for _, number := range []uint64{0, 3} {
		_, err := r.Trial(ctx, keyA, number)
		r.wantErr("trial that is none", err, store.ErrNotFound)
	}
	r.must(r.Delete(ctx, keyA))
	r.must(r.Create(ctx, newExperiment(keyA)))
	got, err = r.Get(ctx, keyA)
	r.must(err)
	want(r, "created again", []any{got.Control, got.Note}, []any{experiment.Control{}, experiment.Note{}})
}

// wantNoted checks an experiment, its first trial, and that its second one is pending.
func (r *rig) wantNoted(e *experiment.Experiment, first experiment.Trial) {
	got, err := r.Get(ctx, keyA)
	r.must(err)
	want(r, "experiment", got, e)
	trials, err := r.Trials(ctx, keyA)
	r.must(err)
	want(r, "trials", trials, []experiment.Trial{first, newTrial(2, experiment.TrialPending)})
	one, err := r.Trial(ctx, keyA, 1)
	r.must(err)
	want(r, "trial", one, first)
}

// testAppendedCommit checks measurements that come with the rest of a change.
func testAppendedCommit(t *testing.T, r *rig) {
	r.start(2)
	r.append(streamA, measurements(1, 2), 2)
	told := streamA
	told.Source = "tell"
	created := told
	created.Number = 3
	_, err := r.Commit(ctx, keyA, store.Change{
		Revision: 2, Create: []experiment.Trial{newTrial(3, experiment.TrialSucceeded)}, Update: []experiment.Trial{newTrial(1, experiment.TrialSucceeded)},
		Append: []store.Appended{
			{Number: 1, Attempt: 1, Source: "agent", Measurements: measurements(3, 5)},
			{Number: 1, Attempt: 1, Source: "tell", Measurements: measurements(1, 30_000)}, // in several blocks
			{Number: 3, Attempt: 1, Source: "tell", Measurements: measurements(1, 1)},
			{Number: 1, Attempt: 1, Source: "agent", Measurements: measurements(6, 6)}, // once more
		},
	})
	r.must(err)
	testRefusedAppended(t, r)
	for range 2 {
		for stream, last := range map[experiment.Stream]uint64{streamA: 6, told: 30_000, created: 1} {
			ms, err := r.Measurements(ctx, stream, 0, 0)
			r.must(err)
			want(r, "measurements", ms, measurements(1, last))
			acked, err := r.Acked(ctx, stream)
			r.must(err)
			want(r, "acked", acked, last)
		}
		r.reopen()
	}
	found, err := store.Check(ctx, r.Store, nil)
	r.must(err)
	for _, f := range found {
		if f.Invariant == "I3" || f.Invariant == "I8" {
			t.Errorf("check: %s", f)
		}
	}
}

// testRefusedAppended refuses measurements that do not continue what testAppendedCommit has stored.
func testRefusedAppended(t *testing.T, r *rig) {
	for _, test := range []struct {
		name string
		a    store.Appended
		want error
	}{
		{"final trial", store.Appended{Number: 1, Attempt: 1, Source: "agent", Measurements: measurements(7, 7)}, store.ErrConflict},
		{"unknown trial", store.Appended{Number: 4, Attempt: 1, Source: "agent", Measurements: measurements(1, 1)}, store.ErrNotFound},
		{"another attempt", store.Appended{Number: 2, Attempt: 2, Source: "agent", Measurements: measurements(1, 1)}, store.ErrConflict},
		{"gap to what is there", store.Appended{Number: 2, Attempt: 1, Source: "agent", Measurements: measurements(2, 2)}, store.ErrConflict},
		{"gap within", store.Appended{Number: 2, Attempt: 1, Source: "agent", Measurements: append(measurements(1, 1), measurements(3, 3)...)}, store.ErrInvalid},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := &rig{Store: r.Store, t: t}
			_, err := r.Commit(ctx, keyA, store.Change{Revision: 3, Append: []store.Appended{test.a}, Events: []experiment.Event{{Reason: "Never"}}})
			r.wantErr("commit", err, test.want)
			r.unchanged(3)
		})
	}
}
