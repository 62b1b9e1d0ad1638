package tuner

import (
	"context"
	"errors"
	"testing"

	"github.com/tuned-hpo/tuned/algorithms/builtin"
	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/store"
	"github.com/tuned-hpo/tuned/pkg/store/storetest"
)

// slowStore is a store whose commits that finish a trial wait to be let through, as on a busy disk.
type slowStore struct {
	store.Store
	arrived chan struct{} // a commit waits
	through chan error    // what becomes of it; nil: it is carried out
}

func (s slowStore) Commit(ctx context.Context, k experiment.Key, c store.Change) (uint64, error) {
	for i := range c.Update {
		if !c.Update[i].State.Final() {
			continue
		}
		s.arrived <- struct{}{}
		if err := <-s.through; err != nil {
			return 0, err
		}
		break
	}
	return s.Store.Commit(ctx, k, c)
}

// slowly returns a rig whose store is slow.
func slowly(t *testing.T) (r *rig, s slowStore, stop func(), ended <-chan error) {
	t.Helper()
	s = slowStore{storetest.NewMemory(), make(chan struct{}), make(chan error)}
	r, stop, ended = startRig(t, s, builtin.Registry())
	return r, s, stop, ended
}

// ending returns a rig that is to end while the commit of its only trial's end is under way.
func ending(t *testing.T) (r *rig, s slowStore, ended <-chan error) {
	t.Helper()
	r, s, stop, ended := slowly(t)
	r.submit(wanted(1, 1))
	r.runner.end(<-r.runner.started, completed, 0.5)
	<-s.arrived
	stop()
	return r, s, ended
}

// finished returns the number of trials that a store holds as succeeded, and its experiment's status.
func finished(t *testing.T, s store.Store, key experiment.Key) (n int, status experiment.Status) {
	t.Helper()
	e, err := s.Get(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	trials, err := s.Trials(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	for i := range trials {
		if trials[i].State == experiment.TrialSucceeded {
			n++
		}
	}
	return n, e.Status
}

// look asserts that readers see trial 1 as over, or none of its end.
func (r *rig) look(when string, over bool) {
	r.t.Helper()
	s, err := r.Snapshot(r.key)
	if err != nil {
		r.t.Fatal(err)
	}
	status := s.Experiment.Status
	if s.Trials[0].State.Final() != over || s.Settled != over || (s.Best != nil) != over || len(s.Front) > 0 != over ||
		status.Completed() != over || (status.CurrentOptimalTrial != nil) != over {
		r.t.Errorf("%s: got %+v, want over: %t", when, s, over)
	}
}

func TestReadersSeeWhatIsCommitted(t *testing.T) {
	r, s, stop, ended := slowly(t)
	r.submit(wanted(1, 1))
	r.runner.end(<-r.runner.started, completed, 0.5)
	<-s.arrived
	r.look("during the commit", false)
	s.through <- store.ErrFull // put off, and tried again
	<-s.arrived
	r.look("after a commit that failed", false)
	s.through <- nil
	r.until("committed", settled)
	r.look("after the commit", true)
	stop()
	if err := <-ended; err != nil {
		t.Errorf("run: %v", err)
	}
}

func TestAnEndLetsTheCommitUnderWayFinish(t *testing.T) {
	r, s, ended := ending(t)
	s.through <- nil
	if err := <-ended; err != nil {
		t.Errorf("run: %v", err)
	}
	if n, status := finished(t, s, r.key); n != 1 || !status.Completed() {
		t.Errorf("stored: %d succeeded, %s; want the trial that had ended", n, status.State())
	}
	r.look("after the end", true)
}

func TestAnEndDoesNotHideACommitThatFailed(t *testing.T) {
	r, s, ended := ending(t)
	broken := errors.New("the disk is broken")
	s.through <- broken
	if err := <-ended; !errors.Is(err, broken) {
		t.Errorf("run: got %v, want %v", err, broken)
	}
	r.look("after the end", false)
}

// A client that gives up while its result is committed may tell it again: it is acknowledged once it is stored.
func TestTellOfAClientThatGivesUp(t *testing.T) {
	r, s, stop, ended := slowly(t)
	e := wanted(1, 1)
	e.Local.Command = nil
	r.submit(e)
	trials, _, err := r.Ask(t.Context(), r.key, 1, "")
	if err != nil || len(trials) != 1 {
		t.Fatalf("ask: got %v, %v", trials, err)
	}
	result := Result{Trial: trials[0].Name, Measurements: []experiment.Measurement{{Seq: 1, Metric: "loss", Value: 0.5, Text: "0.5"}}}
	ctx, giveUp := context.WithCancel(t.Context())
	told := make(chan error, 1)
	go func() { _, err := r.Tell(ctx, r.key, result); told <- err }()
	<-s.arrived
	giveUp()
	if err := <-told; !errors.Is(err, context.Canceled) {
		t.Errorf("tell: got %v, want %v", err, context.Canceled)
	}
	r.look("during the commit", false)
	s.through <- nil
	if _, err := r.Tell(t.Context(), r.key, result); err != nil {
		t.Errorf("tell again: %v", err)
	}
	if n, _ := finished(t, s, r.key); n != 1 {
		t.Errorf("stored: %d succeeded, want the trial that is acknowledged", n)
	}
	stop()
	if err := <-ended; err != nil {
		t.Errorf("run: %v", err)
	}
}
