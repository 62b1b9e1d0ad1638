package problem

import (
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

// Streams keep what is drawn for one trial apart, by what it is drawn for.
const (
	noiseStream = 0x6e6f697365 + iota
	secondsStream
)

// draw returns the source of a trial's random numbers of one stream.
func draw(stream, seed, trial uint64) *rand.Rand {
	return rand.New(rand.NewPCG(seed^stream<<24, trial))
}

// logNormalSeconds are durations of median 60 s, of which 95 % are between 22 s and 160 s.
func logNormalSeconds(_ searchspace.Point, seed, trial uint64) float64 {
	return 60 * math.Exp(0.5*draw(secondsStream, seed, trial).NormFloat64())
}
