package badger

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/store"
)

// fillExperiment creates an experiment with n trials that run.
func fillExperiment(b *testing.B, s *Store, key experiment.Key, n int) {
	b.Helper()
	ctx := b.Context()
	if err := s.Create(ctx, &experiment.Experiment{Metadata: experiment.Metadata{Namespace: key.Namespace, Name: key.Name}}); err != nil {
		b.Fatal(err)
	}
	const step = 1000
	for first := 1; first <= n; first += step {
		c := store.Change{Revision: uint64(first/step) + 1}
		for number := first; number < first+step && number <= n; number++ {
			c.Create = append(c.Create, experiment.Trial{
				Number: uint64(number), Name: fmt.Sprintf("%s-%08d", key.Name, number), Attempt: 1,
				State: experiment.TrialRunning, Created: time.Unix(1e9, 0), Assignment: []experiment.Pair{
					{Name: "learning_rate", Value: "0.012345678901234567"}, {Name: "batch_size", Value: "64"},
				},
			})
		}
		if _, err := s.Commit(ctx, key, c); err != nil {
			b.Fatal(err)
		}
	}
}

func benchStream(i int) experiment.Stream {
	return experiment.Stream{Experiment: experiment.Key{Namespace: "default", Name: "bench"}, Number: uint64(i) + 1, Attempt: 1, Source: "agent"}
}

func benchMeasurements(first uint64, n int) []experiment.Measurement {
	out := make([]experiment.Measurement, n)
	for i := range out {
		seq := first + uint64(i)
		out[i] = experiment.Measurement{
			Seq: seq, Time: time.Unix(1e9+int64(seq), 123456789), Step: int64(seq), Metric: "val_loss",
			Value: 0.123456789, Text: "0.123456789",
		}
	}
	return out
}

// BenchmarkAppend is acknowledged, thus durable, measurements from 1,000 streams at once, in calls
// of 1 and of 10.
func BenchmarkAppend(b *testing.B) {
	const streams = 1000
	for _, size := range []int{1, 10} {
		b.Run(fmt.Sprintf("size=%d", size), func(b *testing.B) {
			s := mustOpen(b, b.TempDir())
			defer mustClose(b, s)
			fillExperiment(b, s, benchStream(0).Experiment, streams)
			calls := make(chan struct{})
			var wg sync.WaitGroup
			b.ResetTimer()
			for i := range streams {
				wg.Go(func() {
					next := uint64(1)
					for range calls {
						acked, err := s.Append(b.Context(), benchStream(i), benchMeasurements(next, size))
						if err != nil {
							b.Error(err)
						}
						next = acked + 1
					}
				})
			}
			for range b.N {
				calls <- struct{}{}
			}
			close(calls)
			wg.Wait()
			b.ReportMetric(float64(b.N*size)/b.Elapsed().Seconds(), "measurements/s")
		})
	}
}

// fillStreams appends to each of n trials.
func fillStreams(b *testing.B, s *Store, n, each int) {
	b.Helper()
	const writers = 200
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := w; i < n; i += writers {
				if _, err := s.Append(b.Context(), benchStream(i), benchMeasurements(1, each)); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// BenchmarkOpen is opening, and reading all trials, with 100,000 trials and 1,000,000 measurements.
func BenchmarkOpen(b *testing.B) {
	const trials, each = 100_000, 10
	dir := b.TempDir()
	s := mustOpen(b, dir)
	key := benchStream(0).Experiment
	fillExperiment(b, s, key, trials)
	fillStreams(b, s, trials, each)
	mustClose(b, s)
	b.Run("open", func(b *testing.B) {
		for range b.N {
			mustClose(b, mustOpen(b, dir))
		}
	})
	s = mustOpen(b, dir)
	defer mustClose(b, s)
	b.Run("trials", func(b *testing.B) {
		for range b.N {
			if got, err := s.Trials(b.Context(), key); err != nil || len(got) != trials {
				b.Fatalf("got %d trials, %v, want %d", len(got), err, trials)
			}
		}
	})
	b.Run("check", func(b *testing.B) {
		for range b.N {
			if found, err := s.checkRecords(b.Context()); err != nil || len(found) > 0 {
				b.Fatalf("got %v, %v, want nothing", found, err)
			}
		}
	})
}

// BenchmarkMeasurements is reading a stream of 1,000,000 measurements part by part.
func BenchmarkMeasurements(b *testing.B) {
	const total, batch, part = 1_000_000, 1000, 10_000
	s := mustOpen(b, b.TempDir())
	defer mustClose(b, s)
	fillExperiment(b, s, benchStream(0).Experiment, 1)
	for first := uint64(1); first <= total; first += batch {
		if _, err := s.Append(b.Context(), benchStream(0), benchMeasurements(first, batch)); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		read := uint64(0)
		for read < total {
			ms, err := s.Measurements(b.Context(), benchStream(0), read, part)
			if err != nil || len(ms) == 0 {
				b.Fatalf("got %d measurements, %v", len(ms), err)
			}
			read += uint64(len(ms))
		}
	}
}
