package problem

import (
	"hash/fnv"
	"math"
	"math/rand/v2"

	"github.com/tuned-hpo/tuned/pkg/searchspace"
)

// sample evaluates the first n of a fixed sequence of random points.
func (p *Problem) sample(n uint64, each func(searchspace.Point, Result)) {
	source := rand.New(rand.NewPCG(1, 2))
	u := make([]float64, p.Space.Len())
	for trial := range n {
		for i := range u {
			u[i] = source.Float64()
		}
		x := p.Space.Decode(u)
		each(x, p.Eval(x, 1, trial))
	}
}

// stream keeps what is drawn for one thing in one problem apart from all else that is drawn for the
// same trial of the same seed.
type stream uint64

func newStream(problem, purpose string) stream {
	h := fnv.New64a()
	h.Write([]byte(problem + "\n" + purpose))
	return stream(h.Sum64())
}

// draw returns the source of a trial's random numbers.
func (s stream) draw(seed, trial uint64) *rand.Rand {
	return rand.New(rand.NewPCG(seed^uint64(s), trial))
}

// logNormalSeconds are durations of median 60 s, of which 95 % are between 22 s and 160 s.
func logNormalSeconds(problem string) func(p searchspace.Point, seed, trial uint64) float64 {
	durations := newStream(problem, "seconds")
	return func(_ searchspace.Point, seed, trial uint64) float64 {
		return 60 * math.Exp(0.5*durations.draw(seed, trial).NormFloat64())
	}
}
