package evolution

import (
	"cmp"
	"encoding/binary"
	"slices"

	"github.com/tuned-hpo/tuned/algorithms"
	"github.com/tuned-hpo/tuned/pkg/searchspace"
)

// membership is what a suggestion carries.
type membership struct {
	root       uint64 // 0 for the first trial of a member
	generation uint64 // trials that the member had before
}

// membershipVersion begins a memo of PBT. No other algorithm's memo begins so.
const membershipVersion = 0xb7

// encode returns the version and two uvarints.
func (m membership) encode() []byte {
	b := append(make([]byte, 0, 1+2*binary.MaxVarintLen64), membershipVersion)
	b = binary.AppendUvarint(b, m.root)
	return binary.AppendUvarint(b, m.generation)
}

// membershipOf returns whose trial it is. One that was not suggested here is the first of a member of its own.
func membershipOf(t *algorithms.Trial) membership {
	first := membership{root: t.ID}
	if len(t.Memo) == 0 || t.Memo[0] != membershipVersion {
		return first
	}
	b := t.Memo[1:]
	root, n := binary.Uvarint(b)
	if n <= 0 || root == 0 || root >= t.ID {
		return first
	}
	generation, k := binary.Uvarint(b[n:])
	if k <= 0 || n+k != len(b) || generation == 0 {
		return first
	}
	return membership{root, generation}
}

// Tell takes in finished trials.
func (p *population) Tell(finished []algorithms.Trial) {
	for i := range finished {
		if t := &finished[i]; p.problem.Space.Contains(t.Point) == nil {
			p.take(t)
		}
	}
}

// take makes a trial the latest of its member. One that failed or was stopped early leaves no checkpoint that
// is worth going on from: the last one before it stays.
func (p *population) take(t *algorithms.Trial) {
	of := membershipOf(t)
	m := p.members[of.root]
	if m == nil {
		m = &individual{}
		p.members[of.root] = m
		at, _ := slices.BinarySearch(p.roots, of.root)
		p.roots = slices.Insert(p.roots, at, of.root)
	}
	p.told++
	m.generation, m.since = max(m.generation, of.generation+1), p.told
	s := standingOf(t, p.problem.Constraints)
	if m.failed = s.class == failed || s.class == pruned; m.failed {
		return
	}
	p.random.Seed(^p.problem.Seed, t.ID)
	m.trial, m.point, m.standing, m.lot = t.ID, slices.Clone(t.Point), s, p.random.Uint64()
}

// Ask lets members go on that have no pending trial.
func (p *population) Ask(ids []uint64, pending []algorithms.Trial) ([]algorithms.Suggestion, error) {
	clear(p.pending)
	p.busy.Open(nil)
	for i := range pending {
		if t := &pending[i]; p.problem.Space.Contains(t.Point) == nil {
			p.pending[membershipOf(t).root] = true
			p.busy.Take(t.Point)
		}
	}
	out := make([]algorithms.Suggestion, 0, len(ids))
	for _, id := range ids {
		s, ok := p.suggest(id)
		if !ok {
			return out, algorithms.ErrWait
		}
		p.busy.Take(s.Point)
		out = append(out, s)
	}
	return out, nil
}

// suggest begins a member, or lets one go on. It is not ok when all have a pending trial.
func (p *population) suggest(id uint64) (algorithms.Suggestion, bool) {
	p.random.Seed(p.problem.Seed, id)
	p.explorer.begin(id)
	roots := p.all()
	if len(roots) < p.size {
		p.pending[id] = true
		return p.begin(id, uint64(len(roots)), membership{}), true
	}
	roots = roots[:p.size] // others were enqueued by people, who see what becomes of them
	root, m := p.next(roots)
	if m == nil {
		return algorithms.Suggestion{}, false
	}
	p.pending[root] = true
	of := membership{root, m.generation}
	p.rank(roots)
	switch n := p.truncated(); {
	case len(p.ranking) == 0: // nobody has anything to go on from
		return p.begin(id, uint64(p.size)+id, of), true
	case m.failed || slices.Contains(p.ranking[len(p.ranking)-n:], m):
		ahead := p.ranking[:max(n, 1)]
		donor := ahead[int(p.random.unit()*float64(len(ahead)))]
		return p.goOn(id, of, donor, p.explorer.vary(donor.point)), true
	default:
		return p.goOn(id, of, m, slices.Clone(m.point)), true
	}
}

// all returns the roots of all members, ascending.
func (p *population) all() []uint64 {
	roots := slices.Clone(p.roots)
	for root := range p.pending {
		if p.members[root] == nil {
			roots = append(roots, root)
		}
	}
	slices.Sort(roots)
	return roots
}

// next returns the member that is free, has had the fewest trials, and waits longest; nil if none is free.
func (p *population) next(roots []uint64) (root uint64, next *individual) {
	for _, r := range roots {
		m := p.members[r]
		if m == nil || p.pending[r] {
			continue
		}
		if next == nil || cmp.Or(cmp.Compare(m.generation, next.generation), cmp.Compare(m.since, next.since)) < 0 {
			root, next = r, m
		}
	}
	return root, next
}

// rank orders those that have a checkpoint by their latest results, the best first.
func (p *population) rank(roots []uint64) {
	p.ranking = p.ranking[:0]
	for _, r := range roots {
		if m := p.members[r]; m != nil && m.trial > 0 {
			p.ranking = append(p.ranking, m)
		}
	}
	slices.SortFunc(p.ranking, func(a, b *individual) int {
		return cmp.Or(a.compare(b.standing), cmp.Compare(a.lot, b.lot), cmp.Compare(a.trial, b.trial))
	})
}

// truncated returns how many of those ranked are behind, and how many ahead.
func (p *population) truncated() int {
	const rounding = 1e-9 // 0.29 of 100 are 29
	return int(float64(p.share*float64(len(p.ranking))) + rounding)
}

// begin starts from nothing, at point n of the sequence.
func (p *population) begin(id, n uint64, of membership) algorithms.Suggestion {
	u := make([]float64, p.problem.Space.Len())
	for i := range u {
		u[i] = p.random.unit()
	}
	p.first.At(n, u) // as many as the sequence has
	point := p.problem.Space.Decode(u)
	return algorithms.Suggestion{ID: id, Point: p.explorer.apart(point, point, &p.busy), Memo: of.encode()}
}

// goOn lets a member go on from the checkpoint of a member, itself perhaps, at a point.
func (p *population) goOn(id uint64, of membership, from *individual, point searchspace.Point) algorithms.Suggestion {
	return algorithms.Suggestion{ID: id, Point: p.explorer.apart(point, from.point, &p.busy), Memo: of.encode(), Parent: from.trial}
}
