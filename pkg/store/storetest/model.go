package storetest

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/store"
)

// testModel does the same random operations to a store and to the model, which is Memory, and
// compares every answer and, now and then, all that is stored.
func testModel(t *testing.T, open Open) {
	rapid.Check(t, func(rt *rapid.T) {
		m := &model{want: NewMemory()}
		m.got, m.reopen = open(t)
		defer func() {
			if err := m.got.Close(); err != nil {
				rt.Errorf("close: %v", err)
			}
		}()
		rt.Repeat(map[string]func(*rapid.T){
			"create": m.create, "delete": m.delete, "commit": m.commit, "append": m.append,
			"append again": m.append, "commit again": m.commit, "reopen": m.restart, "compare": m.compare,
		})
		m.compare(rt)
	})
}

type model struct {
	want   *Memory
	got    store.Store
	reopen func() store.Store
}

// The kinds of error by which answers are compared.
var kinds = []error{nil, store.ErrNotFound, store.ErrConflict, store.ErrInvalid} //nolint:gochecknoglobals // constant

func kindOf(err error) int {
	for i, kind := range kinds {
		if errors.Is(err, kind) {
			return i
		}
	}
	return -1
}

func (m *model) agree(t *rapid.T, what string, got, want any, gotErr, wantErr error) {
	t.Helper()
	if kindOf(gotErr) != kindOf(wantErr) || kindOf(gotErr) < 0 {
		t.Fatalf("%s: got error %v, want %v", what, gotErr, wantErr)
	}
	if diff := cmp.Diff(got, want, same); gotErr == nil && diff != "" {
		t.Fatalf("%s: got (-), want (+):\n%s", what, diff)
	}
}

func (m *model) key(t *rapid.T) experiment.Key {
	return rapid.SampledFrom([]experiment.Key{
		{Namespace: "a/b", Name: "c"}, {Namespace: "a", Name: "b/c"}, {Namespace: "a\x00", Name: "b"},
	}).Draw(t, "key")
}

func (m *model) create(t *rapid.T) {
	e := newExperiment(m.key(t))
	m.agree(t, "create", nil, nil, m.got.Create(ctx, e), m.want.Create(ctx, e))
}

func (m *model) delete(t *rapid.T) {
	if rapid.IntRange(0, 3).Draw(t, "rare") > 0 {
		return
	}
	key := m.key(t)
	m.agree(t, "delete", nil, nil, m.got.Delete(ctx, key), m.want.Delete(ctx, key))
}

var anyState = rapid.SampledFrom([]experiment.TrialState{ //nolint:gochecknoglobals // constant
	experiment.TrialPending, experiment.TrialRunning, experiment.TrialRunning, experiment.TrialSucceeded, experiment.TrialFailed,
})

func (m *model) trial(t *rapid.T, n uint64) experiment.Trial {
	out := newTrial(n, anyState.Draw(t, "state"))
	out.Attempt = rapid.IntRange(1, 2).Draw(t, "attempt")
	out.Message = rapid.String().Draw(t, "message")
	return out
}

func (m *model) commit(t *rapid.T) {
	key := m.key(t)
	var c store.Change
	var stored uint64
	if e, err := m.want.Get(ctx, key); err == nil {
		trials, _ := m.want.Trials(ctx, key)
		c.Revision, stored = e.Revision, uint64(len(trials))
	}
	if rapid.IntRange(0, 9).Draw(t, "stale") == 0 {
		c.Revision++
	}
	for i := range rapid.IntRange(0, 2).Draw(t, "created") {
		c.Create = append(c.Create, m.trial(t, stored+uint64(i)+1))
	}
	for range rapid.IntRange(0, 2).Draw(t, "updated") {
		c.Update = append(c.Update, m.trial(t, rapid.Uint64Range(1, stored+2).Draw(t, "number")))
	}
	if rapid.Bool().Draw(t, "with status") {
		c.Status = &experiment.Status{Trials: rapid.Int32().Draw(t, "trials")}
	}
	if rapid.IntRange(0, 3).Draw(t, "with spec") == 0 {
		c.Spec = &experiment.Spec{MaxTrialCount: new(rapid.Int32().Draw(t, "max"))}
	}
	if rapid.IntRange(0, 2).Draw(t, "with control") == 0 {
		c.Control = &experiment.Control{Forgiven: rapid.Int32().Draw(t, "forgiven")}
	}
	if rapid.IntRange(0, 2).Draw(t, "with note") == 0 {
		c.Notes = map[uint64]experiment.Note{rapid.Uint64Range(0, stored+2).Draw(t, "about"): {Text: rapid.String().Draw(t, "note")}}
	}
	if rapid.IntRange(0, 2).Draw(t, "with measurements") == 0 {
		c.Append = []store.Appended{m.appended(t, key, stored)}
	}
	for range rapid.IntRange(0, 2).Draw(t, "events") {
		c.Events = append(c.Events, experiment.Event{Reason: "R", Message: rapid.String().Draw(t, "event")})
	}
	got, gotErr := m.got.Commit(ctx, key, c)
	want, wantErr := m.want.Commit(ctx, key, c)
	m.agree(t, "commit", got, want, gotErr, wantErr)
}

// appended continues a stream, or nearly so, of a trial that is there, is created or is none.
func (m *model) appended(t *rapid.T, key experiment.Key, stored uint64) store.Appended {
	s := m.stream(t)
	s.Experiment, s.Number = key, rapid.Uint64Range(1, stored+2).Draw(t, "appended to")
	acked, _ := m.want.Acked(ctx, s)
	first := acked + uint64(rapid.SampledFrom([]int{1, 1, 1, 2}).Draw(t, "from"))
	return store.Appended{
		Number: s.Number, Attempt: s.Attempt, Source: s.Source,
		Measurements: measurements(first, first+rapid.Uint64Range(0, 5).Draw(t, "more")),
	}
}

func (m *model) stream(t *rapid.T) experiment.Stream {
	return experiment.Stream{
		Experiment: m.key(t), Number: rapid.Uint64Range(1, 4).Draw(t, "number"), Attempt: rapid.IntRange(1, 2).Draw(t, "attempt"),
		Source: rapid.SampledFrom([]string{"agent", "a\x00"}).Draw(t, "source"),
	}
}

func (m *model) append(t *rapid.T) {
	s := m.stream(t)
	acked, _ := m.want.Acked(ctx, s)
	back := rapid.Uint64Range(0, 3).Draw(t, "back")
	first := acked + 2 - min(back, acked+1) // 2 more than acked is a gap
	ms := measurements(first, first+rapid.Uint64Range(0, 5).Draw(t, "count"))
	got, gotErr := m.got.Append(ctx, s, ms)
	want, wantErr := m.want.Append(ctx, s, ms)
	m.agree(t, "append", got, want, gotErr, wantErr)
}

func (m *model) restart(t *rapid.T) {
	if rapid.IntRange(0, 3).Draw(t, "rare") == 0 {
		m.got = m.reopen()
	}
}

func (m *model) compare(t *rapid.T) {
	experiments, err := m.want.List(ctx)
	got, gotErr := m.got.List(ctx)
	m.agree(t, "list", got, experiments, gotErr, err)
	for _, e := range experiments {
		trials, err := m.want.Trials(ctx, e.Key())
		gotTrials, gotErr := m.got.Trials(ctx, e.Key())
		m.agree(t, "trials", gotTrials, trials, gotErr, err)
		for n := range uint64(len(trials) + 2) {
			one, err := m.want.Trial(ctx, e.Key(), n)
			got, gotErr := m.got.Trial(ctx, e.Key(), n)
			m.agree(t, "trial", got, one, gotErr, err)
		}
		events, err := m.want.Events(ctx, e.Key(), 0)
		gotEvents, gotErr := m.got.Events(ctx, e.Key(), 0)
		m.agree(t, "events", gotEvents, events, gotErr, err)
	}
	s := m.stream(t)
	after := rapid.Uint64Range(0, 12).Draw(t, "after")
	limit := rapid.IntRange(0, 4).Draw(t, "limit")
	ms, err := m.want.Measurements(ctx, s, after, limit)
	gotMs, gotErr := m.got.Measurements(ctx, s, after, limit)
	m.agree(t, "measurements", gotMs, ms, gotErr, err)
}
