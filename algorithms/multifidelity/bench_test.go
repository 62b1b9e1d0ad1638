package multifidelity_test

import (
	"testing"

	"github.com/tuned-hpo/tuned/algorithms"
)

// BenchmarkAsk asks for one trial after 10,000 configurations, with 16 under way.
func BenchmarkAsk(b *testing.B) {
	for _, name := range []string{"hyperband", "asha", "bohb"} {
		b.Run(name, func(b *testing.B) {
			p := epochs(b, 81)
			s := suggester(b, name, p, settings("resource_name", "epochs", "r_l", "81")...)
			var pending []algorithms.Trial
			id := uint64(0)
			for id < 14_000 {
				id++
				out, err := s.Ask([]uint64{id}, pending)
				if err != nil {
					b.Fatal(err)
				}
				pending = append(pending, algorithms.Trial{ID: id, Point: out[0].Point, Memo: out[0].Memo})
				if len(pending) > 16 {
					t := pending[0]
					t.State, t.Losses = algorithms.Succeeded, []float64{t.Point[0] + t.Point[2]/t.Point[1]}
					pending = pending[1:]
					s.Tell([]algorithms.Trial{t})
				}
			}
			for b.Loop() {
				if _, err := s.Ask([]uint64{id + 1}, pending); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
