package multifidelity

import (
	"iter"
	"math"
	"slices"
)

// plan is the rungs of a bracket before anything of it has run.
type plan struct {
	base  int   // level of the first rung; each rung is a level higher
	sizes []int // trials per rung
}

// hyperbandPlans returns the brackets of Hyperband, the one with the least resource first, as they stand in Li et al. 2018, table 1.
// Algorithm 1 there rounds otherwise, n = ceil(B/R * eta^s / (s+1)), so that 34 configurations begin where the table has 27 and no more than 9 are
// of use to what follows.
func (f *fidelity) hyperbandPlans() []plan {
	var out []plan
	for s := f.top(); s >= 0; s-- { // s is the paper's
		n := math.Floor(float64(f.top()+1)/float64(s+1)) * f.power(s) // B/R = smax + 1
		out = append(out, f.newPlan(f.top()-s, n))
	}
	return out
}

// newPlan returns a bracket of n configurations, or as many as there are, of which one in eta goes on from each rung, and
// one at least.
func (f *fidelity) newPlan(base int, n float64) plan {
	if cells, finite := f.configurations.Cells(); finite {
		n = min(n, float64(cells))
	}
	left := int(min(n, mostTrials))
	p := plan{base: base}
	for range f.top() - base + 1 {
		p.sizes = append(p.sizes, max(left, 1)) // n_i = floor(n eta^-i)
		left /= f.eta
	}
	return p
}

// halving is a schedule of brackets, each of which lets a rung finish before the best of it go on. While one bracket
// waits for its trials the next ones run.
type halving struct {
	plans    []plan
	endless  bool // whether the plans begin anew when all are used up
	brackets []*bracket
	first    int // the brackets before this one are over
}

// bracket is a plan under way.
type bracket struct {
	plan
	rung       int // the one that runs; len(sizes) when the bracket is over
	size       int // trials that it takes
	results    []result
	candidates []candidate // for a rung above the first, best first
}

// candidate is a result whose configuration goes on to the rung that runs.
type candidate struct {
	result
	finished bool // at that rung
}

// bracket returns bracket i; false when there is none.
func (h *halving) bracket(i int) (*bracket, bool) {
	if !h.endless && i >= len(h.plans) {
		return nil, false
	}
	for len(h.brackets) <= i {
		p := h.plans[len(h.brackets)%len(h.plans)]
		h.brackets = append(h.brackets, &bracket{plan: p, size: p.sizes[0]})
	}
	return h.brackets[i], true
}

func (h *halving) finish(at place, r result) {
	b, ok := h.bracket(at.bracket)
	if !ok || at.rung != b.rung || b.over() {
		return
	}
	if at.rung > 0 {
		c := b.candidate(at.root)
		if c == nil || c.finished {
			return
		}
		c.finished = true
	}
	if b.results = append(b.results, r); len(b.results) == b.size {
		b.climb()
	}
	for h.first < len(h.brackets) && h.brackets[h.first].over() {
		h.first++
	}
}

func (b *bracket) over() bool { return b.rung == len(b.sizes) }

// candidate returns the one whose configuration began as trial root, nil if there is none.
func (b *bracket) candidate(root uint64) *candidate {
	i := slices.IndexFunc(b.candidates, func(c candidate) bool { return c.root == root })
	if i < 0 {
		return nil
	}
	return &b.candidates[i]
}

// climb opens the next rung for the best results of the one that is complete. Where none may go on the bracket is over.
func (b *bracket) climb() {
	results := b.results
	b.rung++
	b.results, b.candidates, b.size = nil, nil, 0
	if b.over() {
		return
	}
	slices.SortFunc(results, func(x, y result) int { return x.compare(&y) })
	for _, r := range results[:min(b.sizes[b.rung], len(results))] {
		if r.goesOn() {
			b.candidates = append(b.candidates, candidate{result: r})
		}
	}
	if b.size = len(b.candidates); b.size == 0 {
		b.rung = len(b.sizes)
	}
}

// offers yields the trials of the oldest bracket that has one, then of later ones. Each bracket that has not begun has
// some, unless what it would run is pending; that ends when each plan was looked at.
func (h *halving) offers(_ uint64, pending []place) iter.Seq[offer] {
	return func(yield func(offer) bool) {
		for i, fresh := h.first, 0; fresh <= len(h.plans); i++ {
			b, ok := h.bracket(i)
			if !ok {
				return
			}
			begun := len(b.results)
			for _, at := range pending {
				if at.bracket == i { // all of one rung
					begun++
				}
			}
			if begun < b.size && !b.offers(i, yield) {
				return
			}
			if b.rung == 0 && begun == 0 {
				fresh++
			}
		}
	}
}

// offers yields the trials that the bracket, which is number i and has room, wants to run now; false when yield was.
func (b *bracket) offers(i int, yield func(offer) bool) bool {
	at := place{bracket: i, rung: b.rung}
	level := b.base + b.rung
	if b.rung == 0 {
		return yield(offer{place: at, level: level})
	}
	for k := range b.candidates {
		c := &b.candidates[k]
		at.root = c.root
		if !c.finished && !yield(offer{place: at, level: level, from: &c.result}) {
			return false
		}
	}
	return true
}

func (h *halving) over() bool { return !h.endless && h.first == len(h.plans) }
