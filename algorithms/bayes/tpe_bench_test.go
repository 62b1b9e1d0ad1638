package bayes

import (
	"fmt"
	"testing"

	"github.com/tuned-hpo/tuned/algorithms"
	"github.com/tuned-hpo/tuned/pkg/searchspace"
)

// tpeStudy is a suggester for d doubles that has been told of n trials.
func tpeStudy(b *testing.B, d, n int) (algorithms.Suggester, []searchspace.Point) {
	b.Helper()
	var params []searchspace.Parameter
	for i := range d {
		params = append(params, searchspace.Parameter{Name: fmt.Sprint("x", i), Kind: searchspace.Double, Max: 1})
	}
	s := newTPESuggester(b, params, 1)
	return s, playTPE(b, s, 1, n, sphereLoss)
}

func BenchmarkTPEAsk(b *testing.B) {
	for _, size := range [][2]int{{5, 100}, {20, 1000}, {40, 1000}, {10, 10_000}} {
		b.Run(fmt.Sprintf("d=%d/n=%d", size[0], size[1]), func(b *testing.B) {
			s, _ := tpeStudy(b, size[0], size[1])
			id := uint64(size[1])
			b.ReportAllocs()
			for b.Loop() {
				id++
				if _, err := s.Ask([]uint64{id}, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkTPEStudy is a whole study of 1,000 trials.
func BenchmarkTPEStudy(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		tpeStudy(b, 40, 1000)
	}
}
