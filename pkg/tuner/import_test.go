package tuner

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"

	"github.com/tuned-hpo/tuned/algorithms/builtin"
	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/store"
	"github.com/tuned-hpo/tuned/pkg/store/storetest"
)

var errFuse = errors.New("the process was killed")

// fused is a store that fails for good after some writes.
type fused struct {
	store.Store
	left int
}

func (f *fused) burn() error {
	if f.left--; f.left < 0 {
		return errFuse
	}
	return nil
}

func (f *fused) Create(ctx context.Context, e *experiment.Experiment) error {
	if err := f.burn(); err != nil {
		return err
	}
	return f.Store.Create(ctx, e)
}

func (f *fused) Commit(ctx context.Context, k experiment.Key, c store.Change) (uint64, error) {
	if err := f.burn(); err != nil {
		return 0, err
	}
	return f.Store.Commit(ctx, k, c)
}

func (f *fused) Append(ctx context.Context, s experiment.Stream, ms []experiment.Measurement) (uint64, error) {
	if err := f.burn(); err != nil {
		return 0, err
	}
	return f.Store.Append(ctx, s, ms)
}

// importer returns a tuner that drives nothing.
func importer(t *testing.T, s store.Store) *Tuner {
	t.Helper()
	tn, err := New(Config{Store: s, Runner: newManual(), Algorithms: builtin.Registry(), Now: time.Now, Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	return tn
}

// longCurve is more measurements than an import stores in one commit with their trial.
const longCurve = importBytes/measurementBytes + 1

// imported is an experiment of n trials to import, of which each fiftieth has a curve, one a long one.
func imported(n int) (e *experiment.Experiment, trials []experiment.Trial, measured map[uint64][]experiment.Measurement) {
	e = wanted(1, int32(n))
	e.Local = experiment.Local{}
	e.Metadata.Name = "told"
	e.Note = experiment.Note{Text: "from elsewhere"}
	measured = map[uint64][]experiment.Measurement{}
	for i := range n {
		v := fmt.Sprint(1 / float64(i+2))
		trial := experiment.Trial{
			Number: uint64(i) + 1, Attempt: 1, State: experiment.TrialSucceeded, FinishNo: uint64(n - i),
			Assignment:  []experiment.Pair{{Name: "x", Value: "0.5"}},
			Observation: experiment.Observation{Metrics: []experiment.Metric{{Name: "loss", Min: v, Max: v, Latest: v}}},
		}
		switch {
		case i%50 == 3:
			trial.Note = experiment.Note{Text: "look at this", Tags: []string{"odd"}}
			length := 1
			if i == 53 {
				length = longCurve
			}
			for seq := range length {
				measured[trial.Number] = append(measured[trial.Number], experiment.Measurement{Seq: uint64(seq) + 1, Metric: "loss", Value: 2, Text: "2"})
			}
		case i%10 == 7:
			trial.State, trial.Observation = experiment.TrialFailed, experiment.Observation{}
		}
		trials = append(trials, trial)
	}
	return e, trials, measured
}

func TestImport(t *testing.T) {
	const n = 1100
	s := storetest.NewMemory()
	e, trials, measured := imported(n)
	if err := importer(t, s).Import(t.Context(), History{Experiment: e, Trials: trials, Measured: measured}); err != nil {
		t.Fatal(err)
	}
	got, err := s.Get(t.Context(), e.Key())
	if err != nil {
		t.Fatal(err)
	}
	if got.Status.Reason() != "ExperimentMaxTrialsReached" || got.Status.Trials != n || got.Status.TrialsFailed != n/10 {
		t.Errorf("status: %+v", got.Status)
	}
	stored, err := s.Trials(t.Context(), e.Key())
	if err != nil {
		t.Fatal(err)
	}
	want := experiment.TrialName("told", got.Metadata.UID, n)
	if best := got.Status.CurrentOptimalTrial; best == nil || best.BestTrialName != want || stored[n-1].Name != want {
		t.Errorf("best: %+v, want %s", best, want)
	}
	if got.Note.Text != "from elsewhere" || stored[3].Note.Text != "look at this" || stored[4].Note.Text != "" {
		t.Errorf("notes: %+v, %+v, %+v", got.Note, stored[3].Note, stored[4].Note)
	}
	ms, err := s.Measurements(t.Context(), experiment.Stream{Experiment: e.Key(), Number: 4, Attempt: 1, Source: "tell"}, 0, 0)
	if err != nil || len(ms) != 1 {
		t.Errorf("measurements of trial 4: %v, %v", ms, err)
	}
	if err := importer(t, s).Import(t.Context(), History{Experiment: e, Trials: trials, Measured: measured}); !errors.Is(err, ErrConflict) || !strings.Contains(err.Error(), "exists already") {
		t.Errorf("a second time: %v", err)
	}
	warm := wanted(1, 1)
	warm.Spec.Tuned = &experiment.Extension{WarmStart: []string{"told"}}
	priors, err := importer(t, s).learn(t.Context(), warm)
	if err != nil || len(priors) != 1 || len(priors[0].Trials) != n-n/10 {
		t.Errorf("a warm start learns %d of %d trials: %v", len(priors[0].Trials), n-n/10, err)
	}
}

// TestImportInterrupted kills an import at each of its writes: what is stored is sound and failed, and the
// same import completes it; another one does not.
func TestImportInterrupted(t *testing.T) {
	const n = 520
	e, trials, measured := imported(n)
	for left := 0; ; left++ {
		s := storetest.NewMemory()
		err := importer(t, &fused{s, left}).Import(t.Context(), History{Experiment: e, Trials: trials, Measured: measured})
		if err == nil {
			if left < 6 {
				t.Fatalf("an import took %d writes: too few to be interrupted", left)
			}
			return
		}
		if !errors.Is(err, errFuse) {
			t.Fatal(err)
		}
		sound(t, s, left)
		if left > 0 {
			between, err := s.Get(t.Context(), e.Key())
			if err != nil || !between.Status.Completed() || between.Status.Reason() != reasonImporting {
				t.Fatalf("after %d writes: %+v, %v", left, between, err)
			}
			if stored, _ := s.Trials(t.Context(), e.Key()); len(stored) > 0 {
				other := append([]experiment.Trial(nil), trials...)
				other[0].Assignment = []experiment.Pair{{Name: "x", Value: "0.25"}}
				if err := importer(t, s).Import(t.Context(), History{Experiment: e, Trials: other, Measured: measured}); !errors.Is(err, ErrConflict) {
					t.Errorf("after %d writes, other trials: %v", left, err)
				}
			}
		}
		leftAlone(t, s, e.Key(), left)
		if err := importer(t, s).Import(t.Context(), History{Experiment: e, Trials: trials, Measured: measured}); err != nil {
			t.Fatalf("after %d writes: %v", left, err)
		}
		sound(t, s, left)
		stored, err := s.Trials(t.Context(), e.Key())
		if err != nil {
			t.Fatal(err)
		}
		var states []experiment.TrialState
		for i := range stored {
			states = append(states, stored[i].State)
		}
		var want []experiment.TrialState
		for i := range trials {
			want = append(want, trials[i].State)
		}
		if diff := cmp.Diff(states, want); diff != "" {
			t.Fatalf("after %d writes (-got +want):\n%s", left, diff)
		}
	}
}

// leftAlone asserts that a daemon which is started between changes nothing of what is stored.
func leftAlone(t *testing.T, s store.Store, key experiment.Key, left int) {
	t.Helper()
	tn := importer(t, s)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- tn.Run(ctx) }()
	if err := tn.Start(ctx); err != nil {
		t.Fatal(err)
	}
	if tn.driver(key) != nil {
		t.Errorf("after %d writes a daemon drives it", left)
	}
	if err := tn.Resume(ctx, key); left > 0 && !errors.Is(err, ErrConflict) {
		t.Errorf("after %d writes it is resumed: %v", left, err)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
}

// sound checks a store's invariants.
func sound(t *testing.T, s store.Store, left int) {
	t.Helper()
	findings, err := store.Check(t.Context(), s, nil)
	if err != nil || len(findings) > 0 {
		t.Fatalf("after %d writes: %v, %v", left, findings, err)
	}
}

func TestImportRefuses(t *testing.T) {
	e, trials, _ := imported(3)
	for name, spoil := range map[string]func(){
		"running":       func() { trials[1].State = experiment.TrialRunning },
		"no finish":     func() { trials[1].FinishNo = 0 },
		"wrong number":  func() { trials[1].Number = 7 },
		"own parent":    func() { trials[1].Parent = 2 },
		"larger budget": func() { e.Spec.MaxTrialCount = new(int32(4)) },
	} {
		t.Run(name, func(t *testing.T) {
			e, trials, _ = imported(3)
			spoil()
			s := storetest.NewMemory()
			if err := importer(t, s).Import(t.Context(), History{Experiment: e, Trials: trials}); !errors.Is(err, ErrInvalid) {
				t.Errorf("got %v, want %v", err, ErrInvalid)
			}
			if left, err := s.List(t.Context()); err != nil || len(left) > 0 {
				t.Errorf("it left %v, %v", left, err)
			}
		})
	}
}

// refusing is a store for which every trial is too large.
type refusing struct{ store.Store }

func (r refusing) Commit(context.Context, experiment.Key, store.Change) (uint64, error) {
	return 0, fmt.Errorf("too large: %w", store.ErrInvalid)
}

func TestImportTooLarge(t *testing.T) {
	e, trials, _ := imported(3)
	s := storetest.NewMemory()
	if err := importer(t, refusing{s}).Import(t.Context(), History{Experiment: e, Trials: trials}); !errors.Is(err, ErrInvalid) {
		t.Errorf("got %v, want %v", err, ErrInvalid)
	}
	if left, err := s.List(t.Context()); err != nil || len(left) > 0 {
		t.Errorf("it left %v, %v", left, err)
	}
}

// TestImportNames: whatever trials were called elsewhere, they are found by name and by number.
func TestImportNames(t *testing.T) {
	for _, names := range [][]string{{"sim-a", "sim-b", "sim-c"}, {"", "7", "A b"}, {"same", "same", "same"}} {
		e, trials, measured := imported(len(names))
		for i, name := range names {
			trials[i].Name = name
		}
		tn := importer(t, storetest.NewMemory())
		if err := tn.Import(t.Context(), History{Experiment: e, Trials: trials, Measured: measured}); err != nil {
			t.Fatal(err)
		}
		s, err := tn.Snapshot(e.Key())
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range s.Trials {
			for _, called := range []string{want.Name, fmt.Sprint(want.Number)} {
				if _, got, err := tn.LookUp(t.Context(), e.Key(), called); err != nil || got.Number != want.Number {
					t.Errorf("of %q, trial %q: got %d, %v; want %d", names, called, got.Number, err, want.Number)
				}
			}
		}
	}
}

// TestImportAgain: the same request finds what it has stored; another one, or none, does not.
func TestImportAgain(t *testing.T) {
	s := storetest.NewMemory()
	e, trials, measured := imported(5)
	h := History{Experiment: e, Trials: trials, Measured: measured, Request: "r1"}
	tn := importer(t, s)
	if err := tn.Import(t.Context(), h); err != nil {
		t.Fatal(err)
	}
	before, err := s.Get(t.Context(), e.Key())
	if err != nil {
		t.Fatal(err)
	}
	for request, want := range map[string]error{"r1": nil, "r2": ErrConflict, "": ErrConflict} {
		h.Request = request
		if err := tn.Import(t.Context(), h); !errors.Is(err, want) {
			t.Errorf("request %q: got %v, want %v", request, err, want)
		}
	}
	after, err := s.Get(t.Context(), e.Key())
	if err != nil || after.Revision != before.Revision {
		t.Errorf("revision %d, %v; want %d as before", after.Revision, err, before.Revision)
	}
}

// TestImportHalfWay: nothing but Import and Delete goes on with what an import that was killed has left, in a
// daemon that is started with it.
func TestImportHalfWay(t *testing.T) {
	s := storetest.NewMemory()
	e, trials, measured := imported(520)
	h := History{Experiment: e, Trials: trials, Measured: measured}
	if err := importer(t, &fused{s, 3}).Import(t.Context(), h); !errors.Is(err, errFuse) {
		t.Fatal(err)
	}
	before, err := s.Get(t.Context(), e.Key())
	if err != nil || before.Status.TrialsPending == 0 {
		t.Fatalf("%+v, %v: want a trial that was announced", before.Status, err)
	}
	r, stop, ended := startRig(t, s, builtin.Registry())
	defer func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()
	tn := r.Tuner
	if err := tn.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	text := "mine"
	for name, change := range map[string]func() error{
		"resume":   func() error { return tn.Resume(t.Context(), e.Key()) },
		"pause":    func() error { return tn.Pause(t.Context(), e.Key()) },
		"stop":     func() error { return tn.Stop(t.Context(), e.Key(), false) },
		"extend":   func() error { return tn.Extend(t.Context(), e.Key(), Budget{MaxTrials: new(int32(999))}) },
		"annotate": func() error { return tn.Annotate(t.Context(), e.Key(), "", Note{Text: &text}) },
		"submit":   func() error { _, err := tn.Submit(t.Context(), e); return err },
		"ask":      func() error { _, _, err := tn.Ask(t.Context(), e.Key(), 1, ""); return err },
		"create":   func() error { _, err := tn.Create(t.Context(), e); return err },
		"tell": func() error {
			_, err := tn.Tell(t.Context(), e.Key(), Result{Trial: "54", Failed: true, Message: "lost"})
			return err
		},
	} {
		if err := change(); !errors.Is(err, ErrConflict) || !strings.Contains(err.Error(), "import the same again") {
			t.Errorf("%s: got %v, want %v", name, err, errUnfinished)
		}
	}
	if after, err := s.Get(t.Context(), e.Key()); err != nil || after.Revision != before.Revision {
		t.Errorf("revision %d, %v: something changed it after %d", after.Revision, err, before.Revision)
	}
	if err := tn.Import(t.Context(), h); err != nil {
		t.Fatal(err)
	}
	if s, err := tn.Snapshot(e.Key()); err != nil || len(s.Trials) != len(trials) || !s.Settled || s.Experiment.Status.Reason() != "ExperimentMaxTrialsReached" {
		t.Errorf("afterwards: %d trials, %+v, %v", len(s.Trials), s.Experiment.Status, err)
	}
	if err := tn.Delete(t.Context(), e.Key(), ""); err != nil {
		t.Error(err)
	}
}

// TestImportIsTold: who follows the feed hears of it once, when it is complete.
func TestImportIsTold(t *testing.T) {
	for _, n := range []int{5, 520} {
		e, trials, measured := imported(n)
		tn := importer(t, storetest.NewMemory())
		feed, err := tn.Feed(t.Context(), "")
		if err != nil {
			t.Fatal(err)
		}
		if err := tn.Import(t.Context(), History{Experiment: e, Trials: trials, Measured: measured}); err != nil {
			t.Fatal(err)
		}
		c := <-feed
		if many := n > importTrials; c.Reset != many || c.Experiment == many || !many && (c.Key != e.Key() || len(c.Trials) != n || c.Events != 1) {
			t.Errorf("%d trials: got %+v", n, c)
		}
	}
}
