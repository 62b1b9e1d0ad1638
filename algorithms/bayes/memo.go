package bayes

import (
	"encoding/binary"
	"math"
	"slices"

	"github.com/tuned-hpo/tuned/algorithms"
)

// memo is what a suggestion carries, so that a Suggester that is rebuilt goes on from the fit that
// the dropped one had made.
type memo struct {
	told   int       // trials told when the suggestion was made
	fitted int       // trials told when theta was fitted
	theta  []float64 // hyperparameters, rounded to float32 or a limit
}

const memoVersion = 1

// encode returns the version, two uvarints and the hyperparameters as little-endian float32.
func (m memo) encode() []byte {
	b := make([]byte, 0, 1+2*binary.MaxVarintLen32+4*len(m.theta))
	b = append(b, memoVersion)
	b = binary.AppendUvarint(b, uint64(m.told))
	b = binary.AppendUvarint(b, uint64(m.fitted))
	for _, v := range m.theta {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(float32(v)))
	}
	return b
}

// decodeMemo reads a memo of hyperparameters within limits. One that was not written by encode for
// the same model is not ok.
func decodeMemo(b []byte, lower, upper []float64) (m memo, ok bool) {
	if len(b) == 0 || b[0] != memoVersion {
		return memo{}, false
	}
	b = b[1:]
	for _, to := range []*int{&m.told, &m.fitted} {
		v, n := binary.Uvarint(b)
		if n <= 0 || v > math.MaxInt32 {
			return memo{}, false
		}
		*to = int(v)
		b = b[n:]
	}
	if len(b) != 4*len(lower) || m.fitted > m.told {
		return memo{}, false
	}
	for i := range lower {
		v := float64(math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:])))
		const rounding = 1e-6 // of a limit to float32, relative
		if !(v >= lower[i]-float64(rounding*math.Abs(lower[i])) && v <= upper[i]+float64(rounding*math.Abs(upper[i]))) {
			return memo{}, false
		}
		m.theta = append(m.theta, max(lower[i], min(v, upper[i])))
	}
	return m, true
}

// newest is the memo of the trial with the highest ID among those that carry one.
type newest struct {
	id   uint64
	memo []byte
}

// see takes trials into account.
func (n *newest) see(trials []algorithms.Trial) {
	for i := range trials {
		if t := &trials[i]; len(t.Memo) > 0 && t.ID >= n.id {
			n.id, n.memo = t.ID, slices.Clone(t.Memo)
		}
	}
}
