package experiment

import (
	"slices"
	"sort"
)

// member is a trial on the Pareto front.
type member struct {
	losses []float64 // one per objective, none NaN
	number uint64
}

// front is a Pareto front: trials of which none is as good as another one in all objectives. Of those
// with equal losses it has the one with the lowest number. It is sorted by the first loss, then the
// second and so on. What it holds does not depend on the order in which trials were added.
type front []member

// add takes a trial in, if it belongs to the front, and drops those that it dominates. With two
// objectives it looks at the neighbours alone, since the second loss falls along the front.
func (f front) add(m member) front {
	i := sort.Search(len(f), func(k int) bool { return slices.Compare(f[k].losses, m.losses) >= 0 })
	if i < len(f) && slices.Equal(f[i].losses, m.losses) {
		f[i].number = min(f[i].number, m.number)
		return f
	}
	from := 0 // a trial that dominates m stands before it
	if len(m.losses) <= 2 {
		from = max(0, i-1)
	}
	for _, other := range f[from:i] {
		if other.covers(m) {
			return f
		}
	}
	end := len(f) // one that m dominates stands behind it
	if len(m.losses) <= 2 {
		for end = i; end < len(f) && m.covers(f[end]); end++ {
		}
		return slices.Replace(f, i, end, m)
	}
	kept := slices.DeleteFunc(f[i:], m.covers)
	return slices.Insert(f[:i+len(kept)], i, m)
}

// covers reports whether m is at least as good as other in every objective.
func (m member) covers(other member) bool {
	for k := range m.losses {
		if m.losses[k] > other.losses[k] {
			return false
		}
	}
	return true
}
