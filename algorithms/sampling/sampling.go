// Package sampling holds what algorithms draw points with: streams of random points by seed and
// trial, scrambled Sobol' sequences, and the record of points that were tried.
package sampling

import (
	"math/rand/v2"

	"github.com/tuned-hpo/tuned/algorithms"
	"github.com/tuned-hpo/tuned/pkg/searchspace"
)

// SeedSetting describes the setting by which Katib's users seed an algorithm.
func SeedSetting() algorithms.Setting {
	return algorithms.Setting{
		Name: "random_state", Type: algorithms.IntSetting, Max: algorithms.Unbounded,
		Help: "seed of this algorithm, instead of the experiment's",
	}
}

// Seed returns the seed of an algorithm: that of the setting if there is one.
func Seed(p algorithms.Problem, v algorithms.Values) uint64 {
	if s, ok := v["random_state"].(int64); ok {
		return uint64(s)
	}
	return p.Seed
}

// Draws is the stream of random points of one trial after the other.
type Draws struct {
	space  *searchspace.Space
	seed   uint64
	source rand.PCG
	u      []float64 // scratch, unit cube
}

// NewDraws returns the streams of a seed.
func NewDraws(space *searchspace.Space, seed uint64) Draws {
	return Draws{space: space, seed: seed, u: make([]float64, space.Len())}
}

// Begin starts the stream of a trial.
func (d *Draws) Begin(id uint64) { d.source.Seed(d.seed, id) }

// Point draws the next point of the trial.
func (d *Draws) Point() searchspace.Point {
	for i := range d.u {
		d.u[i] = Unit(d.source.Uint64())
	}
	return d.space.Decode(d.u)
}

// Unit maps 64 random bits to the middle of one of 2^53 equal parts of the unit interval.
func Unit(bits uint64) float64 { return (float64(bits>>11) + 0.5) * 0x1p-53 }
