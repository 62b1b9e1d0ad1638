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
	// What dominates m stands before it, what m dominates behind it.
	if len(m.losses) > 2 {
		if slices.ContainsFunc(f[:i], func(other member) bool { return other.covers(m) }) {
			return f
		}
		kept := slices.DeleteFunc(f[i:], m.covers)
		return slices.Insert(f[:i+len(kept)], i, m)
	}
	if i > 0 && f[i-1].covers(m) {
		return f
	}
	end := i
	for end < len(f) && m.covers(f[end]) {
		end++
	}
	return slices.Replace(f, i, end, m)
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
