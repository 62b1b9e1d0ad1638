package multifidelity

import "encoding/binary"

// place is where a trial stands in the schedule.
type place struct {
	bracket int
	rung    int    // counts from 0, the first of the bracket
	root    uint64 // ID of the trial of the same configuration at the first rung; 0 for such a trial itself
}

const memoVersion = 1

// memo is what a suggestion carries: the version and the place, as uvarints.
func (p place) memo() []byte {
	b := append(make([]byte, 0, 1+3*binary.MaxVarintLen64), memoVersion)
	b = binary.AppendUvarint(b, uint64(p.bracket))
	b = binary.AppendUvarint(b, uint64(p.rung))
	return binary.AppendUvarint(b, p.root)
}

// readMemo returns the place of a trial. It is not ok for a trial that this package has not suggested.
func readMemo(memo []byte, id uint64) (p place, ok bool) {
	if len(memo) == 0 || memo[0] != memoVersion {
		return place{}, false
	}
	memo = memo[1:]
	var fields [3]uint64
	for i := range fields {
		v, n := binary.Uvarint(memo)
		if n <= 0 {
			return place{}, false
		}
		fields[i], memo = v, memo[n:]
	}
	// Each bracket has a trial, but for those of one round at most, which wait for points that are pending.
	if len(memo) > 0 || fields[0] >= min(id, mostTrials)+mostLevels || fields[1] >= mostTrials || fields[2] >= id || (fields[1] == 0) != (fields[2] == 0) {
		return place{}, false
	}
	p = place{bracket: int(fields[0]), rung: int(fields[1]), root: fields[2]}
	if p.rung == 0 {
		p.root = id
	}
	return p, true
}
