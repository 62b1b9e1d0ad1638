package tuner

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"

	"github.com/tuned-hpo/tuned/algorithms/builtin"
	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/store"
	"github.com/tuned-hpo/tuned/pkg/store/storetest"
)

// tight is a store whose disk is full at times: it takes what leads to a deletion alone.
type tight struct {
	store.Store
	full atomic.Bool
}

func (s *tight) Commit(ctx context.Context, k experiment.Key, c store.Change) (uint64, error) {
	if s.full.Load() && !c.Freeing {
		return 0, store.ErrFull
	}
	return s.Store.Commit(ctx, k, c)
}

func (s *tight) Append(ctx context.Context, stream experiment.Stream, ms []experiment.Measurement) (uint64, error) {
	if s.full.Load() {
		return 0, store.ErrFull
	}
	return s.Store.Append(ctx, stream, ms)
}

// TestFullStore wants readers to see that measurements are refused, and a deletion to be possible all the same.
func TestFullStore(t *testing.T) {
	s := &tight{Store: storetest.NewMemory()}
	r, stop, ended := startRig(t, s, builtin.Registry())
	defer func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("run: %v", err)
		}
	}()
	r.submit(wanted(2, 2))
	<-r.runner.started
	<-r.runner.started
	stream := experiment.Stream{Experiment: r.key, Number: 1, Attempt: 1, Source: "agent"}
	acked := uint64(0)
	for i, full := range []bool{false, true, true, false, true} {
		s.full.Store(full)
		got, err := r.Append(t.Context(), stream, []experiment.Measurement{{Seq: acked + 1, Metric: "loss", Text: "1", Value: 1}})
		if errors.Is(err, store.ErrFull) != full || !full && err != nil {
			t.Errorf("%d: append: %v, want it refused: %t", i, err, full)
		}
		acked = max(acked, got)
		if now, err := r.Snapshot(r.key); err != nil || (now.Trouble != "") != full {
			t.Errorf("%d: trouble %q, %v; want some: %t", i, now.Trouble, err, full)
		}
	}
	if err := r.Pause(t.Context(), r.key); !errors.Is(err, store.ErrFull) {
		t.Errorf("pause: got %v, want %v", err, store.ErrFull)
	}
	if err := r.Delete(t.Context(), r.key, ""); err != nil {
		t.Errorf("delete: %v", err)
	}
}
