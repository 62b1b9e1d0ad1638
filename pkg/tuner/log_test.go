package tuner

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"sync/atomic"
	"testing"

	"github.com/tuned-hpo/tuned/algorithms/builtin"
	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/store"
	"github.com/tuned-hpo/tuned/pkg/store/storetest"
	"github.com/tuned-hpo/tuned/pkg/trialrunner"
)

// mute is a runner whose slots are taken, and whose trials have printed nothing, until it is free.
type mute struct {
	*manual
	free   atomic.Bool
	looked chan struct{} // of capacity 1: somebody has asked for a log
}

func (m *mute) Log(ctx context.Context, k experiment.Key, trial string, attempt int, tail int64, follow bool) (io.ReadCloser, error) {
	if !m.free.Load() {
		select {
		case m.looked <- struct{}{}:
		default:
		}
		return nil, fs.ErrNotExist
	}
	return m.manual.Log(ctx, k, trial, attempt, tail, follow)
}

// TestLogWaitsForTheTrial follows the log of a trial that waits for a slot; without follow there is none.
func TestLogWaitsForTheTrial(t *testing.T) {
	m := &mute{manual: newManual(), looked: make(chan struct{}, 1)}
	m.startOf = func(trialrunner.Spec) error {
		if m.free.Load() {
			return nil
		}
		return trialrunner.ErrBusy
	}
	r, stop, ended := startRigAs(t, storetest.NewMemory(), m.manual, m, builtin.Registry())
	defer func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("run: %v", err)
		}
	}()
	r.submit(wanted(1, 1))
	r.until("suggested", func(s Snapshot) bool { return len(s.Trials) == 1 })
	if _, err := r.Log(t.Context(), r.key, "1", 0, 0, false); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("without follow: got %v, want %v", err, store.ErrNotFound)
	}
	<-m.looked
	result := make(chan error, 1)
	go func() {
		log, err := r.Log(t.Context(), r.key, "1", 0, 0, true)
		if err == nil {
			err = log.Close()
		}
		result <- err
	}()
	<-m.looked
	m.free.Store(true)
	m.changed <- r.key
	if err := <-result; err != nil {
		t.Errorf("with follow: %v", err)
	}
}
