package tuner

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/tuned-hpo/tuned/algorithms/builtin"
	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/store"
	"github.com/tuned-hpo/tuned/pkg/store/storetest"
)

// between is a store that does something before the next measurements are appended.
type between struct {
	store.Store
	before func()
}

func (b *between) Append(ctx context.Context, s experiment.Stream, ms []experiment.Measurement) (uint64, error) {
	if f := b.before; f != nil {
		b.before = nil
		f()
	}
	return b.Store.Append(ctx, s, ms)
}

// TestReportOfTrialThatEnds: what was acknowledged stays so for a client whose trial ends while it reports.
func TestReportOfTrialThatEnds(t *testing.T) {
	b := &between{Store: storetest.NewMemory()}
	r, stop, ended := startRig(t, b, builtin.Registry())
	defer func() {
		stop()
		r.must(<-ended)
	}()
	e := clientsOwn("e", 1, 9)
	key := r.create(e)
	trial := r.ask1(key).Name
	report := func(seq uint64) (uint64, Decision) {
		t.Helper()
		acked, stop, err := r.ReportTrial(t.Context(), key, trial, []experiment.Measurement{{Seq: seq, Metric: "speed", Text: "1"}})
		r.must(err)
		return acked, stop
	}
	if acked, stop := report(1); acked != 1 || stop.Stop {
		t.Fatalf("the first: got %d, %+v", acked, stop)
	}
	b.before = func() {
		_, err := r.StopTrial(t.Context(), key, trial)
		r.must(err)
	}
	if acked, stop := report(2); acked != 1 || !stop.Stop {
		t.Errorf("while it ends: got %d, %+v; want 1, and to stop", acked, stop)
	}
}

// TestMeasurementsByParts: what a trial reported comes in parts of any size, of the attempt that was begun with.
func TestMeasurementsByParts(t *testing.T) {
	r := newRig(t, builtin.Registry())
	r.submit(wanted(1, 1))
	trial := <-r.runner.started
	var all []experiment.Measurement
	for _, source := range experiment.Sources {
		var ms []experiment.Measurement
		for seq := range uint64(5) {
			ms = append(ms, experiment.Measurement{Seq: seq + 1, Metric: "loss", Text: source})
		}
		_, err := r.store.Append(t.Context(), experiment.Stream{Experiment: r.key, Number: 1, Attempt: 1, Source: source}, ms)
		r.must(err)
		all = append(all, ms...)
	}
	for limit := 1; limit <= len(all)+1; limit++ {
		var got []experiment.Measurement
		for from := (Mark{}); ; {
			ms, next, err := r.Measurements(t.Context(), r.key, trial, from, limit)
			r.must(err)
			if next != (Mark{}) && len(ms) != limit || len(ms) > limit || len(ms) == 0 {
				t.Fatalf("limit %d: got %d measurements, next %+v", limit, len(ms), next)
			}
			got = append(got, ms...)
			if from = next; from == (Mark{}) {
				break
			}
		}
		if diff := cmp.Diff(all, got, cmpopts.IgnoreFields(experiment.Measurement{}, "Time", "Value")); diff != "" {
			t.Fatalf("limit %d (-want +got):\n%s", limit, diff)
		}
	}
	ms, _, err := r.Measurements(t.Context(), r.key, trial, Mark{Attempt: 2, Source: "agent"}, 10)
	if err != nil || len(ms) != 0 {
		t.Errorf("another attempt: got %v, %v", ms, err)
	}
	if _, _, err := r.Measurements(t.Context(), r.key, trial, Mark{Attempt: 1, Source: "nobody"}, 10); !errors.Is(err, store.ErrInvalid) {
		t.Errorf("an unknown source: got %v", err)
	}
}
