package storetest

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/store"
)

// append adds measurements and checks what is acknowledged.
func (r *rig) append(s experiment.Stream, ms []experiment.Measurement, acked uint64) {
	r.t.Helper()
	got, err := r.Append(ctx, s, ms)
	r.must(err)
	want(r, "acked", got, acked)
}

func testAppend(_ *testing.T, r *rig) {
	r.start(2)
	r.append(streamA, nil, 0)
	r.append(streamA, measurements(1, 3), 3)
	r.append(streamA, measurements(1, 3), 3)
	r.append(streamA, measurements(2, 5), 5)
	r.append(streamA, measurements(1, 1), 5)
	other := streamA
	other.Source = "push"
	r.append(other, measurements(1, 2), 2)
	r.reopen()
	r.append(streamA, nil, 5)
	r.append(streamA, measurements(6, 6), 6)
	for after := range uint64(9) {
		got, err := r.Measurements(ctx, streamA, after, 0)
		r.must(err)
		want(r, fmt.Sprintf("after %d", after), got, measurements(after+1, 6))
		for limit := range 8 {
			some, err := r.Measurements(ctx, streamA, after, limit+1)
			r.must(err)
			want(r, fmt.Sprintf("%d after %d", limit+1, after), some, got[:min(limit+1, len(got))])
		}
	}
	got, err := r.Measurements(ctx, streamA, math.MaxUint64, 0)
	r.must(err)
	want(r, "after the last number there is", got, nil)
	acked, err := r.Acked(ctx, other)
	r.must(err)
	want(r, "acked of the other source", acked, uint64(2))
}

func testRefusedAppends(t *testing.T, r *rig) {
	r.start(3)
	r.append(streamA, measurements(1, 2), 2)
	again := newTrial(2, experiment.TrialRunning)
	again.Attempt = 2
	second := stream(2, 1)
	r.append(second, measurements(1, 4), 4)
	_, err := r.Commit(ctx, keyA, store.Change{Revision: 2, Update: []experiment.Trial{again, newTrial(3, experiment.TrialSucceeded)}})
	r.must(err)
	for _, test := range []struct {
		name   string
		stream experiment.Stream
		ms     []experiment.Measurement
		want   error
	}{
		{"gap", streamA, measurements(4, 5), store.ErrInvalid},
		{"gap inside", streamA, append(measurements(3, 3), measurements(5, 5)...), store.ErrInvalid},
		{"backwards", streamA, append(measurements(4, 4), measurements(3, 3)...), store.ErrInvalid},
		{"twice", streamA, append(measurements(3, 3), measurements(3, 3)...), store.ErrInvalid},
		{"number 0", streamA, measurements(0, 3), store.ErrInvalid},
		{"earlier attempt", second, measurements(5, 5), store.ErrConflict},
		{"later attempt", stream(2, 3), measurements(1, 1), store.ErrConflict},
		{"final trial", stream(3, 1), measurements(1, 1), store.ErrConflict},
		{"unknown trial", stream(4, 1), measurements(1, 1), store.ErrNotFound},
		{"trial 0", stream(0, 1), measurements(1, 1), store.ErrNotFound},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := &rig{Store: r.Store, t: t}
			before, _ := r.Acked(ctx, test.stream)
			_, err := r.Append(ctx, test.stream, test.ms)
			r.wantErr("append", err, test.want)
			after, err := r.Acked(ctx, test.stream)
			r.must(err)
			want(r, "acked", after, before)
		})
	}
	got, _ := r.Measurements(ctx, second, 0, 0)
	want(r, "measurements of the earlier attempt", got, measurements(1, 4))
	r.append(stream(2, 2), measurements(1, 1), 1)
}

func stream(number uint64, attempt int) experiment.Stream {
	return experiment.Stream{Experiment: keyA, Number: number, Attempt: attempt, Source: "agent"}
}

func testValues(_ *testing.T, r *rig) {
	r.start(1)
	ms := []experiment.Measurement{
		{Metric: "loss", Value: math.NaN(), Text: "NaN"},
		{Metric: "loss", Value: math.Inf(-1), Text: "-Inf", Step: math.MinInt64, Time: time.Unix(-5, 999_999_999)},
		{Metric: "", Value: math.Copysign(0, -1), Text: "-0.0", Step: math.MaxInt64, Time: time.Date(9999, 12, 31, 23, 59, 59, 1, time.FixedZone("", 3600))},
		{Metric: "bytes \x00\xff", Value: math.SmallestNonzeroFloat64, Text: "5e-324 \xff"},
		{Metric: "loss", Value: math.MaxFloat64, Text: "", Time: time.Unix(1, 0)},
	}
	for i := range ms {
		ms[i].Seq = uint64(i) + 1
	}
	r.append(streamA, ms, uint64(len(ms)))
	r.reopen()
	got, err := r.Measurements(ctx, streamA, 0, 0)
	r.must(err)
	want(r, "measurements", got, ms)
	if len(got) == len(ms) && !math.Signbit(got[2].Value) {
		r.t.Errorf("got %v, want the sign of zero kept", got[2].Value)
	}
}
