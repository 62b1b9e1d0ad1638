package evolution

import (
	"encoding/binary"
	"math"
	"slices"
)

// adaptation is what L-SHADE adds to differential evolution: F and CR drawn about those that succeeded, an archive of
// members that were replaced, and fewer and fewer members as the budget is spent (Tanabe and Fukunaga 2014, Improving
// the search performance of SHADE using linear population size reduction, CEC). A generation is as many trials told as
// there are members.
type adaptation struct {
	members int // at first
	budget  int // trials, 0 when unlimited
	told    int
	since   int // told since the last generation

	memoryF, memoryCR []float64 // NaN in memoryCR: CR is 0 for good
	at                int       // position of the memory that is written next
	successes         []success // of this generation
	archive           []genome  // the oldest first
}

// success is a trial that replaced a member which it was better than.
type success struct {
	f, cr float64
	gain  float64 // by half; NaN where member and trial are of different classes
}

const (
	memories    = 6    // H
	archiveRate = 2.6  // r^arc
	bestShare   = 0.11 // p
	fewest      = 4    // N^min
)

func newAdaptation(members, budget int) *adaptation {
	return &adaptation{
		members: members, budget: budget,
		memoryF: slices.Repeat([]float64{0.5}, memories), memoryCR: slices.Repeat([]float64{0.5}, memories),
	}
}

// firstMembers returns how many members there are at first: the paper has 18 per parameter for 10,000 trials per
// parameter, the bench a fiftieth of smaller budgets.
func firstMembers(parameters, budget int) int {
	const perParameter, share, least, most = 18, 50, 10, 100
	n := min(perParameter*parameters, most)
	if budget > 0 {
		n = min(n, max(least, budget/share))
	}
	return n
}

// draw draws the parameters of a trial about a memory that is drawn, too.
func (a *adaptation) draw(source *draws) (f, cr float64) {
	const deviation = 0.1
	k := source.below(memories)
	if m := a.memoryCR[k]; !math.IsNaN(m) {
		cr = max(0, min(m+float64(deviation*source.normal()), 1))
	}
	for f <= 0 {
		f = a.memoryF[k] + float64(deviation*source.normal()/source.normal()) // Cauchy: a ratio of normal ones
	}
	return min(f, 1), cr
}

// elite is how many of the best members a trial may move towards.
func (a *adaptation) elite(members int) int {
	return max(2, int(math.Round(float64(bestShare*float64(members)))))
}

// second draws the subtrahend of a difference: of the members and the archive, neither of slot i nor of k.
func (a *adaptation) second(d *differential, i, k int) genome {
	n := d.source.below(len(d.filled) + len(a.archive))
	if n >= len(d.filled) {
		return a.archive[n-len(d.filled)]
	}
	if n := d.filled[n]; n != i && n != k {
		return d.slots[n].genome
	}
	return d.slots[d.other(i, k)].genome
}

// succeed takes in that a trial replaces a member.
func (a *adaptation) succeed(of origin, old *slot, by standing) {
	if by.compare(old.standing) == 0 {
		return
	}
	a.archive = append(a.archive, genome{slices.Clone(old.v), slices.Clone(old.labels)})
	if of.f == 0 {
		return // it was not bred
	}
	gain := float64(old.value/2) - float64(by.value/2)
	if old.class != by.class {
		gain = math.NaN()
	}
	a.successes = append(a.successes, success{of.f, of.cr, gain})
}

// count takes in that one more trial was told, and returns the slots that are left.
func (a *adaptation) count(slots []slot) []slot {
	a.told++
	if a.since++; a.since < len(slots) {
		return slots
	}
	a.since = 0
	a.learn()
	slots = a.reduce(slots)
	if most := int(math.Round(float64(archiveRate * float64(len(slots))))); len(a.archive) > most {
		a.archive = slices.Delete(a.archive, 0, len(a.archive)-most)
	}
	return slots
}

// learn writes the Lehmer means of what succeeded, weighed by gain, to the memory.
func (a *adaptation) learn() {
	if len(a.successes) == 0 {
		return
	}
	greatest := 0.0
	for _, s := range a.successes {
		greatest = max(greatest, s.gain)
		if math.IsNaN(greatest) {
			greatest = 0
		}
	}
	var f, ff, cr, crcr, most float64
	for _, s := range a.successes {
		w := 1.0 // of the greatest gain, and of a better class
		if s.gain < greatest {
			w = s.gain / greatest
		}
		f += float64(w * s.f)
		ff += float64(w * s.f * s.f)
		cr += float64(w * s.cr)
		crcr += float64(w * s.cr * s.cr)
		most = max(most, s.cr)
	}
	a.memoryF[a.at] = ff / f
	switch {
	case most == 0 || math.IsNaN(a.memoryCR[a.at]):
		a.memoryCR[a.at] = math.NaN()
	default:
		a.memoryCR[a.at] = crcr / cr
	}
	a.at = (a.at + 1) % memories
	a.successes = a.successes[:0]
}

// reduce removes the worst members beyond those that the spent budget leaves, a number that falls linearly.
func (a *adaptation) reduce(slots []slot) []slot {
	if a.budget == 0 {
		return slots
	}
	spent := min(1, float64(a.told)/float64(a.budget))
	least := min(fewest, a.members)
	left := int(math.Round(float64(a.members) - float64(spent*float64(a.members-least))))
	for len(slots) > left {
		worst := 0
		for i := range slots {
			if slots[i].isWorse(&slots[worst]) {
				worst = i
			}
		}
		slots = slices.Delete(slots, worst, worst+1)
	}
	return slots
}

// originVersion begins the memo of a trial of differential evolution. No other algorithm's memo begins so.
const originVersion = 0xde

// origin is the memo: how a trial was bred. F and CR are 0 for one that was drawn.
type origin struct {
	slot  uint64
	f, cr float64
}

// encode returns the version, the slot as uvarint, F and CR as little-endian float64.
func (o origin) encode() []byte {
	out := make([]byte, 0, 1+binary.MaxVarintLen32+16)
	out = append(out, originVersion)
	out = binary.AppendUvarint(out, o.slot)
	out = binary.LittleEndian.AppendUint64(out, math.Float64bits(o.f))
	return binary.LittleEndian.AppendUint64(out, math.Float64bits(o.cr))
}

// decode reads a memo, and tells whether it is one.
func (o *origin) decode(text []byte) bool {
	if len(text) == 0 || text[0] != originVersion {
		return false
	}
	slot, n := binary.Uvarint(text[1:])
	if n <= 0 || len(text) != 1+n+16 {
		return false
	}
	text = text[1+n:]
	f, cr := math.Float64frombits(binary.LittleEndian.Uint64(text)), math.Float64frombits(binary.LittleEndian.Uint64(text[8:]))
	if !(f >= 0 && f <= 1 && cr >= 0 && cr <= 1) {
		return false
	}
	*o = origin{slot, f, cr}
	return true
}
