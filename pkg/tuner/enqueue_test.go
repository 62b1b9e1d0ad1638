package tuner

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/tuned-hpo/tuned/algorithms/builtin"
	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/store"
	"github.com/tuned-hpo/tuned/pkg/store/storetest"
)

func at(x string) []experiment.Pair { return []experiment.Pair{{Name: "x", Value: x}} }

func TestEnqueuedComesNext(t *testing.T) {
	r := newRig(t, builtin.Registry())
	key := r.create(clientsOwn("e", 2, 4))
	r.ask1(key)
	got, err := r.Enqueue(t.Context(), key, at("0.250"), "from the paper", "q1")
	if err != nil || got.Number != 2 || got.State != experiment.TrialPending || got.Origin != experiment.Enqueued || got.Assignment[0].Value != "0.25" {
		t.Errorf("enqueue: got %+v, %v", got, err)
	}
	again, err := r.Enqueue(t.Context(), key, at("0.25"), "", "q1")
	if err != nil || again.Number != 2 {
		t.Errorf("the same request: got %+v, %v", again, err)
	}
	_, err = r.Enqueue(t.Context(), key, at("0.5"), "", "q1")
	refused(t, "the same request for another point", err, ErrConflict, "q1")
	for _, bad := range [][]experiment.Pair{at("7"), at("a"), nil, append(at("0.1"), experiment.Pair{Name: "y", Value: "1"})} {
		_, err := r.Enqueue(t.Context(), key, bad, "", "")
		refused(t, "no point", err, ErrInvalid, "")
	}
	_, err = r.Enqueue(t.Context(), key, at("0.5"), strings.Repeat("x", 1<<20), "")
	refused(t, "a long note", err, ErrInvalid, "1048576 bytes")
	next := r.ask1(key)
	if next.Number != 2 || next.Assignment[0].Value != "0.25" || next.State != experiment.TrialRunning {
		t.Errorf("ask: got %+v, want the enqueued one", next)
	}
	r.tell(key, "1", "0.5")
	r.tell(key, "2", "0.4")
	third, err := r.Enqueue(t.Context(), key, at("0.75"), "", "")
	r.must(err)
	trials, _, err := r.Ask(t.Context(), key, 5, "both")
	if err != nil || len(trials) != 2 || trials[0].Number != third.Number || trials[1].Origin != "" {
		t.Errorf("ask for more: got %+v, %v; want the enqueued one and one that is suggested", trials, err)
	}
	if same, _, err := r.Ask(t.Context(), key, 5, "both"); err != nil || !equal(same, trials) {
		t.Errorf("the same request: got %+v, %v; want %+v", same, err, trials)
	}
	_, err = r.Enqueue(t.Context(), key, at("0.5"), "", "")
	refused(t, "beyond the budget", err, ErrConflict, "extend maxTrialCount")
	if s := r.load(key); s.Trials[1].Note.Text != "from the paper" {
		t.Errorf("note: got %+v", s.Trials[1].Note)
	}
}

// TestRequestsAreKnownAfterARestart: what a request asked for is stored with its trials, whether it got all of them or
// not; of trials that were stored without it, how many they are counts.
func TestRequestsAreKnownAfterARestart(t *testing.T) {
	memory := storetest.NewMemory()
	r, stop, ended := startRig(t, memory, builtin.Registry())
	key := r.create(clientsOwn("e", 2, 9))
	_, err := r.Enqueue(t.Context(), key, at("0.25"), "", "enqueued")
	r.must(err)
	trials, _, err := r.Ask(t.Context(), key, 3, "asked")
	if err != nil || len(trials) != 2 {
		t.Fatalf("got %d trials, %v; want 2, for no more may run", len(trials), err)
	}
	stop()
	r.must(<-ended)
	old := trials[1]
	old.Request, old.Wanted = "old", 0 // as they were stored once
	now, err := memory.Get(t.Context(), key)
	r.must(err)
	_, err = memory.Commit(t.Context(), key, store.Change{Revision: now.Revision, Update: []experiment.Trial{old}})
	r.must(err)
	r, stop, ended = startRig(t, memory, builtin.Registry())
	defer func() { stop(); r.must(<-ended) }()
	for _, tt := range []struct {
		request string
		count   int
		want    int // trials; 0: refused
	}{{"asked", 3, 1}, {"asked", 1, 0}, {"asked", 2, 0}, {"enqueued", 1, 0}, {"old", 1, 1}, {"old", 2, 1}} {
		got, _, err := r.Ask(t.Context(), key, tt.count, tt.request)
		if len(got) != tt.want || errors.Is(err, ErrReused) != (tt.want == 0) {
			t.Errorf("%s for %d: got %d trials, %v; want %d", tt.request, tt.count, len(got), err, tt.want)
		}
	}
	_, err = r.Enqueue(t.Context(), key, at("0.5"), "", "asked")
	refused(t, "enqueue", err, ErrReused, "asked for trials")
	_, err = r.Tell(t.Context(), key, Result{Assignments: at("0.5"), Request: "asked", Measurements: loss("0.25")})
	refused(t, "tell", err, ErrReused, "asked for trials")
}

// TestEnqueuedStartsFirst: before trials that wait for a slot.
func TestEnqueuedStartsFirst(t *testing.T) {
	pending := trials(experiment.TrialPending, experiment.TrialPending, experiment.TrialPending)
	pending[2].Origin = experiment.Enqueued
	got := Plan(View{Experiment: running(2, 4), Trials: pending})
	if len(got.Start) != 2 || got.Start[0] != 3 || got.Start[1] != 1 {
		t.Errorf("got %v, want 3 and 1", got.Start)
	}
}

func TestEnqueueInWhatRunsHere(t *testing.T) {
	r := newRig(t, builtin.Registry())
	r.submit(wanted(1, 2))
	first := <-r.runner.started
	enqueued, err := r.Enqueue(t.Context(), r.key, at("0.5"), "", "")
	r.must(err)
	r.runner.end(first, completed, 0.5)
	if next := <-r.runner.started; next != enqueued.Name {
		t.Errorf("started %s, want the enqueued one", next)
	}
	r.runner.end(enqueued.Name, completed, 0.5)
	if s := r.until("settled", settled); len(s.Trials) != 2 {
		t.Errorf("got %d trials, want 2", len(s.Trials))
	}
}

func TestTellWithoutAsk(t *testing.T) {
	s := storetest.NewMemory()
	r, stop, ended := startRig(t, s, builtin.Registry())
	key := r.create(clientsOwn("e", 1, 3))
	result := Result{Assignments: at("0.5"), Request: "row 1", Measurements: loss("0.25")}
	told, err := r.Tell(t.Context(), key, result)
	if err != nil || told.State != experiment.TrialSucceeded || told.Origin != experiment.Told || told.FinishNo != 1 {
		t.Fatalf("tell: got %+v, %v", told, err)
	}
	ms, _, err := r.Measurements(t.Context(), key, told.Name, Mark{}, 1000)
	if err != nil || len(ms) != 1 || ms[0].Text != "0.25" {
		t.Errorf("measurements: got %v, %v", ms, err)
	}
	stop()
	r.must(<-ended)
	r, stop, ended = startRig(t, s, builtin.Registry())
	defer func() { stop(); r.must(<-ended) }()
	if again, err := r.Tell(t.Context(), key, result); err != nil || again.Number != told.Number {
		t.Errorf("again after a restart: got %+v, %v", again, err)
	}
	for _, tt := range []struct {
		name   string
		change func(r *Result)
		kind   error
		says   string
	}{
		{"another value", func(r *Result) { r.Measurements = loss("0.3") }, ErrReused, "with another result"},
		{"another point", func(r *Result) { r.Assignments = at("0.1") }, ErrReused, "another point"},
		{"no value", func(r *Result) { r.Measurements, r.Request = nil, "row 2" }, ErrInvalid, `no value of "loss"`},
		{"no point", func(r *Result) { r.Assignments, r.Request = at("2"), "row 2" }, ErrInvalid, "x"},
	} {
		other := result
		tt.change(&other)
		_, err := r.Tell(t.Context(), key, other)
		refused(t, tt.name, err, tt.kind, tt.says)
	}
	r.tell(key, r.ask1(key).Name, "0.5")
	_, err = r.Tell(t.Context(), key, Result{Assignments: at("0.1"), Failed: true, Message: "it burned"})
	r.must(err)
	_, err = r.Tell(t.Context(), key, Result{Assignments: at("0.2"), Measurements: loss("0.1")})
	refused(t, "beyond the budget", err, ErrBudget, "extend maxTrialCount")
	got := r.load(key)
	if got.Best == nil || got.Best.Number != 1 || got.Experiment.Status.TrialsFailed != 1 || len(got.Trials) != 3 {
		t.Errorf("in the end: got %+v", got)
	}
}

// TestAskWithoutAnAlgorithm: who asks where there can be no suggestion is told that none will come.
func TestAskWithoutAnAlgorithm(t *testing.T) {
	r := newRig(t, builtin.Registry())
	e := clientsOwn("e", 1, 2)
	e.Spec.Algorithm.AlgorithmName = "unheard-of"
	key := r.create(e)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if got, done, err := r.Ask(ctx, key, 1, ""); err != nil || !done || len(got) > 0 {
		t.Errorf("got %v, %v, %v; want the end", got, done, err)
	}
	if got := r.load(key).Experiment.Status.Reason(); got != "SuggestionFailed" {
		t.Errorf("got %s, want SuggestionFailed", got)
	}
}

// TestReportsThenTell: what was reported counts, and what is told follows it.
func TestReportsThenTell(t *testing.T) {
	r := newRig(t, builtin.Registry())
	key := r.create(clientsOwn("e", 1, 2))
	trial := r.ask1(key).Name
	reports := append(loss("0.9"), loss("0.8")...)
	reports[1].Seq = 2
	for range 2 { // again: nothing
		if acked, _, err := r.ReportTrial(t.Context(), key, trial, reports); err != nil || acked != 2 {
			t.Fatalf("report: got %d, %v", acked, err)
		}
	}
	result := Result{Trial: trial, Measurements: loss("0.85")}
	for range 2 {
		if got, err := r.Tell(t.Context(), key, result); err != nil || got.Observation.Metrics[0].Min != "0.8" || got.Observation.Metrics[0].Latest != "0.85" {
			t.Errorf("tell: got %+v, %v", got.Observation, err)
		}
	}
	ms, _, err := r.Measurements(t.Context(), key, trial, Mark{}, 1000)
	if err != nil || len(ms) != 3 || ms[2].Seq != 3 || ms[2].Text != "0.85" {
		t.Errorf("measurements: got %v, %v", ms, err)
	}
	second := r.ask1(key).Name
	_, _, err = r.ReportTrial(t.Context(), key, second, reports)
	r.must(err)
	if got, err := r.Tell(t.Context(), key, Result{Trial: second}); err != nil || got.State != experiment.TrialSucceeded {
		t.Errorf("tell nothing more: got %+v, %v", got, err)
	}
	_, _, err = r.ReportTrial(t.Context(), key, "nobody", reports)
	if !errors.Is(err, ErrNotFound) {
		t.Errorf("report of nobody: got %v", err)
	}
}

func TestFirstPoints(t *testing.T) {
	for _, external := range []bool{true, false} {
		r := newRig(t, builtin.Registry())
		e := wanted(2, 4)
		e.Spec.Tuned = &experiment.Extension{FirstPoints: []map[string]string{{"x": "0.1"}, {"x": "0.20"}, {"x": "1e-1"}}}
		if external {
			e.Local.Command = nil
		}
		r.submit(e)
		for range 4 {
			if external {
				r.tell(r.key, r.ask1(r.key).Name, "0.5")
			} else {
				r.runner.end(<-r.runner.started, completed, 0.5)
			}
		}
		s := r.until("settled", settled)
		for i, want := range []string{"0.1", "0.2", "0.1"} {
			if got := s.Trials[i]; got.Origin != experiment.FirstPoint || got.Assignment[0].Value != want {
				t.Errorf("external %t, trial %d: got %s, %v; want %s", external, i+1, got.Origin, got.Assignment, want)
			}
		}
		if got := s.Trials[3]; got.Origin != "" {
			t.Errorf("trial 4: got %s, want a suggestion", got.Origin)
		}
	}
}

func TestAnnotate(t *testing.T) {
	s := storetest.NewMemory()
	r, stop, ended := startRig(t, s, builtin.Registry())
	key := r.create(clientsOwn("e", 1, 1))
	r.tell(key, r.ask1(key).Name, "0.5")
	r.must(r.Annotate(t.Context(), key, "1", Note{Text: new("look"), Tags: &[]string{"good", "old"}}))
	r.must(r.Annotate(t.Context(), key, "", Note{Text: new("all of it")}))
	r.must(r.Annotate(t.Context(), key, "1", Note{Tags: &[]string{"new"}})) // the text stays
	for name, bad := range map[string]Note{
		"text": {Text: new(strings.Repeat("x", 64<<10+1))}, "tags": {Tags: new(make([]string, 65))}, "tag": {Tags: &[]string{""}},
	} {
		refused(t, name, r.Annotate(t.Context(), key, "1", bad), ErrInvalid, "want")
	}
	refused(t, "nobody", r.Annotate(t.Context(), key, "2", Note{}), ErrNotFound, "2")
	stop()
	r.must(<-ended)
	r, stop, ended = startRig(t, s, builtin.Registry())
	defer func() { stop(); r.must(<-ended) }()
	got := r.load(key)
	if n := got.Trials[0].Note; n.Text != "look" || len(n.Tags) != 1 || n.Tags[0] != "new" || got.Experiment.Note.Text != "all of it" {
		t.Errorf("after a restart: got %+v, %+v", n, got.Experiment.Note)
	}
	if one, err := r.Trial(t.Context(), key, "1"); err != nil || one.Note.Text != "look" {
		t.Errorf("trial: got %+v, %v", one, err)
	}
}

func TestTellWhileReportsCome(t *testing.T) {
	r := newRig(t, builtin.Registry())
	key := r.create(clientsOwn("e", 1, 50))
	for range 50 {
		trial := r.ask1(key).Name
		ctx, stopReports := context.WithCancel(t.Context())
		var reporting sync.WaitGroup
		reporting.Go(func() {
			for seq := uint64(1); ; {
				ms := loss("0.5")
				ms[0].Seq = seq
				acked, stop, err := r.ReportTrial(ctx, key, trial, ms)
				if err != nil && ctx.Err() == nil && !errors.Is(err, ErrInvalid) { // a gap, when the result took the number
					t.Errorf("report: %v", err)
				}
				if err != nil || stop.Stop {
					return
				}
				seq = acked + 1
			}
		})
		got, err := r.Tell(t.Context(), key, Result{Trial: trial, Measurements: loss("0.25")})
		if err != nil || got.State != experiment.TrialSucceeded {
			t.Errorf("tell %s: got %s, %v", trial, got.State, err)
			stopReports()
		}
		reporting.Wait()
		stopReports()
	}
}
