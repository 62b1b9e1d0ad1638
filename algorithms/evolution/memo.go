package evolution

import (
	"encoding/binary"
	"math"
)

// memoVersion begins a memo. No other algorithm's memo begins so.
const memoVersion = 0xce

// memo is what a suggestion carries: the coordinates that were drawn, of which a point in steps, or in
// which some parameters are not active, tells only a part.
type memo struct {
	run, generation uint64    // in which it was drawn
	v               []float64 // coordinates of the numbers
}

// encode returns the version, two uvarints and the coordinates as little-endian float64.
func (m memo) encode() []byte {
	b := make([]byte, 0, 1+2*binary.MaxVarintLen32+8*len(m.v))
	b = append(b, memoVersion)
	b = binary.AppendUvarint(b, m.run)
	b = binary.AppendUvarint(b, m.generation)
	for _, x := range m.v {
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(x))
	}
	return b
}

// decode reads a memo of as many coordinates as m has, and tells whether it is one.
func (m *memo) decode(b []byte) bool {
	if len(b) == 0 || b[0] != memoVersion {
		return false
	}
	b = b[1:]
	for _, to := range []*uint64{&m.run, &m.generation} {
		v, n := binary.Uvarint(b)
		if n <= 0 {
			return false
		}
		*to = v
		b = b[n:]
	}
	if len(b) != 8*len(m.v) {
		return false
	}
	for j := range m.v {
		m.v[j] = math.Float64frombits(binary.LittleEndian.Uint64(b[8*j:]))
		if !(math.Abs(m.v[j]) <= farthest) {
			return false
		}
	}
	return true
}

// farthest is how far from the unit cube a coordinate in steps can be drawn.
const farthest = 1e6
