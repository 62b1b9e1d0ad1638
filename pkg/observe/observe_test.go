package observe_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/observe"
	"github.com/tuned-hpo/tuned/pkg/store"
	"github.com/tuned-hpo/tuned/pkg/store/storetest"
)

// diary writes down what it is told.
type diary struct {
	mu     sync.Mutex
	lines  []string
	writes map[string]int
}

func newDiary() *diary { return &diary{writes: map[string]int{}} }

func (d *diary) add(format string, args ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lines = append(d.lines, fmt.Sprintf(format, args...))
}

func (d *diary) Found(e *experiment.Experiment) { d.add("found %s", e.Key()) }

func (d *diary) Experiment(before, after *experiment.Experiment) {
	switch {
	case before == nil:
		d.add("created %s at %d", after.Key(), after.Revision)
	case after == nil:
		d.add("deleted %s", before.Key())
	default:
		d.add("changed %s from %d trials to %d", after.Key(), before.Status.Trials, after.Status.Trials)
	}
}

func (d *diary) Trial(e *experiment.Experiment, before, after *experiment.Trial) {
	was := "nothing"
	if before != nil {
		was = string(before.State)
	}
	d.add("trial %d of %s: %s to %s", after.Number, e.Key(), was, after.State)
}

func (d *diary) Measured(s experiment.Stream, first uint64, n int) {
	d.add("measured %d %s from %d, %d", s.Number, s.Source, first, n)
}

func (d *diary) Events(key experiment.Key, n int) { d.add("%d events of %s", n, key) }

func (d *diary) Wrote(operation string, _ time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.writes[operation]++
}

func (d *diary) take() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	lines := d.lines
	d.lines = nil
	return lines
}

func observed(t *testing.T, inner store.Store, d *diary) *observe.Store {
	t.Helper()
	s, err := observe.New(t.Context(), inner, time.Now, d)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestStore checks that an observed store behaves as the one inside.
func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) (store.Store, func() store.Store) {
		m := storetest.NewMemory()
		return observed(t, m, newDiary()), func() store.Store {
			m = m.Reopen()
			return observed(t, m, newDiary())
		}
	})
}

var key = experiment.Key{Namespace: "default", Name: "e"}

func trial(number uint64, state experiment.TrialState) experiment.Trial {
	return experiment.Trial{Number: number, Name: fmt.Sprint("e-", number), Attempt: 1, State: state}
}

func measured(from, to uint64) (out []experiment.Measurement) {
	for seq := from; seq <= to; seq++ {
		out = append(out, experiment.Measurement{Seq: seq, Metric: "loss", Text: "1", Value: 1})
	}
	return out
}

// step is a write, and what is told of it.
type step struct {
	name  string
	write func(context.Context, store.Store) error
	want  []string
}

func commit(c store.Change) func(context.Context, store.Store) error {
	return func(ctx context.Context, s store.Store) error {
		_, err := s.Commit(ctx, key, c)
		return err
	}
}

func appended(number, from, to uint64) func(context.Context, store.Store) error {
	return func(ctx context.Context, s store.Store) error {
		_, err := s.Append(ctx, experiment.Stream{Experiment: key, Number: number, Attempt: 1, Source: "agent"}, measured(from, to))
		return err
	}
}

func steps() []step {
	return []step{
		{"create", func(ctx context.Context, s store.Store) error {
			return s.Create(ctx, &experiment.Experiment{Metadata: experiment.Metadata{Namespace: "default", Name: "e"}})
		}, []string{"created default/e at 1"}},
		{"two trials", commit(store.Change{
			Revision: 1, Status: &experiment.Status{Trials: 2}, Events: []experiment.Event{{Reason: "A"}, {Reason: "B"}},
			Create: []experiment.Trial{trial(1, experiment.TrialPending), trial(2, experiment.TrialPending)},
		}), []string{
			"trial 1 of default/e: nothing to Pending", "trial 2 of default/e: nothing to Pending",
			"changed default/e from 0 trials to 2", "2 events of default/e",
		}},
		{
			"start", commit(store.Change{Revision: 2, Update: []experiment.Trial{trial(2, experiment.TrialRunning)}}),
			[]string{"trial 2 of default/e: Pending to Running", "changed default/e from 2 trials to 2"},
		},
		{"first measurements", appended(2, 1, 3), []string{"measured 2 agent from 1, 3"}},
		{"sent again, and more", appended(2, 2, 5), []string{"measured 2 agent from 4, 2"}},
		{"sent again", appended(2, 1, 5), nil},
		{"end", commit(store.Change{
			Revision: 3, Update: []experiment.Trial{trial(2, experiment.TrialFailed)},
			Append: []store.Appended{
				{Number: 2, Attempt: 1, Source: "agent", Measurements: measured(6, 7)},
				{Number: 2, Attempt: 1, Source: "tell", Measurements: measured(1, 1)},
			},
		}), []string{
			"measured 2 agent from 6, 2", "measured 2 tell from 1, 1",
			"trial 2 of default/e: Running to Failed", "changed default/e from 2 trials to 2",
		}},
		{"told without being asked for", commit(store.Change{
			Revision: 4, Create: []experiment.Trial{trial(3, experiment.TrialRunning)}, Update: []experiment.Trial{trial(3, experiment.TrialSucceeded)},
			Append: []store.Appended{{Number: 3, Attempt: 1, Source: "tell", Measurements: measured(1, 2)}},
		}), []string{
			"trial 3 of default/e: nothing to Running", "measured 3 tell from 1, 2",
			"trial 3 of default/e: Running to Succeeded", "changed default/e from 2 trials to 2",
		}},
		{"delete", func(ctx context.Context, s store.Store) error { return s.Delete(ctx, key) }, []string{"deleted default/e"}},
	}
}

func TestObserver(t *testing.T) {
	d := newDiary()
	s := observed(t, storetest.NewMemory(), d)
	for _, step := range steps() {
		if err := step.write(t.Context(), s); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		if diff := cmp.Diff(d.take(), step.want); diff != "" {
			t.Errorf("%s: got, want:\n%s", step.name, diff)
		}
	}
	if diff := cmp.Diff(d.writes, map[string]int{"create": 1, "commit": 4, "append": 3, "delete": 1}); diff != "" {
		t.Errorf("writes: got, want:\n%s", diff)
	}
}

// TestRestart has another observed store before each step, which knows nothing but what is stored.
func TestRestart(t *testing.T) {
	d, inner := newDiary(), storetest.NewMemory()
	for i, step := range steps() {
		s := observed(t, inner, d)
		want := step.want
		if i > 0 {
			want = append([]string{"found default/e"}, want...)
		}
		if err := step.write(t.Context(), s); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		if diff := cmp.Diff(d.take(), want); diff != "" {
			t.Errorf("%s: got, want:\n%s", step.name, diff)
		}
		inner = inner.Reopen()
	}
}

func TestRefusedWritesAreNotTold(t *testing.T) {
	d := newDiary()
	s := observed(t, storetest.NewMemory(), d)
	all := steps()
	if err := all[0].write(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	d.take()
	refused := []func(context.Context, store.Store) error{
		all[0].write, commit(store.Change{Revision: 7}), appended(1, 1, 2),
		func(ctx context.Context, s store.Store) error {
			return s.Delete(ctx, experiment.Key{Namespace: "default", Name: "other"})
		},
	}
	for i, write := range refused {
		if err := write(t.Context(), s); err == nil {
			t.Errorf("write %d is not refused", i)
		}
	}
	if lines := d.take(); len(lines) > 0 {
		t.Errorf("told of what was refused: %q", lines)
	}
}
