package tuner

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/tuned-hpo/tuned/algorithms/builtin"
	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/store"
)

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
