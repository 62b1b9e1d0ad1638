package gp

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/tuned-hpo/tuned/internal/golden"
)

// TestBitsOnRecord wants the bits of fits and predictions that are on record, whatever processor this
// is: make arm64 wants them there.
func TestBitsOnRecord(t *testing.T) {
	var got bytes.Buffer
	for _, name := range slices.Sorted(maps.Keys(configs)) {
		fmt.Fprintf(&got, "%s %016x\n", name, bitsOf(configs[name]))
	}
	golden.Compare(t, "testdata/bits.golden", got.String())
}

// bitsOf is a checksum of a fit of few steps and of a prediction by it.
func bitsOf(c Config) uint64 {
	m, r := New(c), rand.New(rand.NewPCG(18, 18))
	x, extra := draw(c, 45, r)
	y, theta, point := drawTargets(45, r), drawTheta(m, r), drawPoint(c, r)
	l, p, d := NewLikelihood(m), NewPosterior(m), len(point)
	l.Set(x, y, extra)
	best, loss := l.Fit([][]float64{theta}, Options{Iterations: 5})
	p.Reset(best, x, extra)
	p.SetTargets(y)
	dMean, dVariance := make([]float64, d), make([]float64, d)
	mean, variance := p.PredictGradient(point, dMean, dVariance)
	h := fnv.New64a()
	for _, v := range slices.Concat(best, []float64{loss, mean, variance}, dMean, dVariance, p.state()) {
		if err := binary.Write(h, binary.LittleEndian, v); err != nil {
			panic(err)
		}
	}
	return h.Sum64()
}
