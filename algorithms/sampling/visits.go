package sampling

import (
	"math"

	"github.com/tuned-hpo/tuned/algorithms"
	"github.com/tuned-hpo/tuned/pkg/searchspace"
)

// Visits knows which points were tried, so that none is tried twice while others are left.
// Points are told apart by a 64-bit hash: two different ones that collide, which 10^6 points do
// with probability 10^-7, cost no more than one point that is passed over.
type Visits struct {
	space   *searchspace.Space
	told    map[uint64]struct{}
	pending map[uint64]struct{} // and those of the batch at hand
}

// NewVisits returns the record of a search that has tried nothing.
func NewVisits(space *searchspace.Space) Visits {
	return Visits{space: space, told: make(map[uint64]struct{}), pending: make(map[uint64]struct{})}
}

// Tell takes in finished trials.
func (v *Visits) Tell(finished []algorithms.Trial) {
	for _, t := range finished {
		v.told[hash(t.Point)] = struct{}{}
	}
}

// Open begins a batch.
func (v *Visits) Open(pending []algorithms.Trial) {
	clear(v.pending)
	for _, t := range pending {
		v.pending[hash(t.Point)] = struct{}{}
	}
}

// Next returns p if it is new, else a random point that is, else, where all were tried, one that
// is not pending, else, where all are, any. It takes the point into the batch.
func (v *Visits) Next(p searchspace.Point, d *Draws) searchspace.Point {
	const redraws = 50 // finds a new point almost surely while one in ten is left
	for range redraws {
		if v.IsNew(p) {
			return v.Take(p)
		}
		p = d.Point()
	}
	cells, finite := v.space.Cells()
	if !finite {
		return v.Take(p)
	}
	// One of any n+1 different points is not among n.
	start := d.source.Uint64() % cells
	for k := range min(cells, uint64(len(v.told)+len(v.pending)+1)) {
		if q := v.space.Cell(around(start, k, cells)); v.IsNew(q) {
			return v.Take(q)
		}
	}
	for k := range min(cells, uint64(len(v.pending)+1)) {
		if q := v.space.Cell(around(start, k, cells)); !v.isPending(q) {
			return v.Take(q)
		}
	}
	return p
}

// around is (start + k) modulo n, for both below n.
func around(start, k, n uint64) uint64 {
	if k >= n-start {
		return k - (n - start)
	}
	return start + k
}

// IsNew tells whether p was never tried and is not in the batch.
func (v *Visits) IsNew(p searchspace.Point) bool {
	_, told := v.told[hash(p)]
	return !told && !v.isPending(p)
}

func (v *Visits) isPending(p searchspace.Point) bool {
	_, pending := v.pending[hash(p)]
	return pending
}

// Take takes p into the batch and returns it.
func (v *Visits) Take(p searchspace.Point) searchspace.Point {
	v.pending[hash(p)] = struct{}{}
	return p
}

// hash mixes the coordinates by the finalizer of SplitMix64 (Steele, Lea and Flood 2014).
func hash(p searchspace.Point) uint64 {
	h := uint64(len(p))
	for _, x := range p {
		bits := math.Float64bits(x)
		if math.IsNaN(x) { // of which there are many
			bits = math.Float64bits(math.Inf(1))
		}
		h = (h ^ bits) + 0x9e3779b97f4a7c15
		h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
		h = (h ^ h>>27) * 0x94d049bb133111eb
		h ^= h >> 31
	}
	return h
}
