package tuner

import (
	"context"
	"fmt"
	"testing"

	"github.com/tuned-hpo/tuned/algorithms/builtin"
	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/store"
	"github.com/tuned-hpo/tuned/pkg/store/storetest"
)

// A driver keeps one copy of each trial, which is that of its readers, however many come and whatever
// becomes of them; what readers hold does not change.
func TestOneCopyOfTrials(t *testing.T) {
	const trials = 50
	r := newRig(t, builtin.Registry())
	e := wanted(2, trials+1)
	e.Local.Command = nil
	key := r.create(e)
	var first experiment.Trial
	for i := range trials {
		asked, _, err := r.Ask(t.Context(), key, 1, fmt.Sprint(i))
		r.must(err)
		if i == 0 {
			first = asked[0]
		}
		r.must(r.Annotate(t.Context(), key, asked[0].Name, Note{Text: new("remark")}))
		before := r.load(key)
		r.tell(key, asked[0].Name, "0.5")
		r.must(r.Annotate(t.Context(), key, asked[0].Name, Note{Text: new("over")}))
		if was := before.Trials[i]; was.State != experiment.TrialRunning || was.Note.Text != "remark" {
			t.Fatalf("a snapshot has changed: %+v", was)
		}
	}
	if first.State != experiment.TrialRunning || first.Note.Text != "" {
		t.Errorf("what was handed out has changed: %+v", first)
	}
	d := r.driver(key)
	r.must(d.call(t.Context(), func() error {
		if len(d.trials) != trials || len(d.shown.trials) != trials {
			t.Errorf("got %d and %d trials, want %d", len(d.trials), len(d.shown.trials), trials)
		}
		for i := range d.shown.trials {
			if d.trials[i] != &d.shown.trials[i] {
				t.Errorf("trial %d is there twice", i+1)
			}
		}
		return nil
	}))
}

// peeked is a store that is looked at before each commit.
type peeked struct {
	store.Store
	look func(store.Change)
}

func (p *peeked) Commit(ctx context.Context, k experiment.Key, c store.Change) (uint64, error) {
	p.look(c)
	return p.Store.Commit(ctx, k, c)
}

// Readers see no note before it is stored.
func TestNoteOfATrialIsShownOnceStored(t *testing.T) {
	p := &peeked{Store: storetest.NewMemory(), look: func(store.Change) {}}
	r, stop, ended := startRig(t, p, builtin.Registry())
	e := wanted(1, 2)
	e.Local.Command = nil
	key := r.create(e)
	trial := r.ask1(key)
	note := func() string {
		s, err := r.Snapshot(key)
		r.must(err)
		return s.Trials[0].Note.Text
	}
	var during []string
	p.look = func(store.Change) { during = append(during, note()) }
	r.must(r.Annotate(t.Context(), key, trial.Name, Note{Text: new("remark")}))
	if after := note(); len(during) != 1 || during[0] != "" || after != "remark" {
		t.Errorf("got %q during the commits and %q after, want nothing and the note", during, after)
	}
	stop()
	r.must(<-ended)
}
