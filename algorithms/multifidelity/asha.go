package multifidelity

import (
	"iter"
	"math/rand/v2"
	"slices"

	"github.com/tuned-hpo/tuned/algorithms/sampling"
)

// asynchronous is the schedule of ASHA (Li et al. 2020, algorithm 2): whoever asks gets the promotion of a configuration
// that is among the best 1/eta of its rung so far, of the highest rung that has one; else a new configuration.
type asynchronous struct {
	eta      int
	seed     uint64
	brackets []ladder
}

// ladder is the rungs of a bracket.
type ladder struct {
	base  int     // level of the first rung
	share float64 // of new configurations
	rungs []ashaRung
}

// ashaRung is what has finished at a rung.
type ashaRung struct {
	best   []*climber // best first
	byRoot map[uint64]*climber
}

// climber is a result whose configuration may be promoted.
type climber struct {
	result
	promoted bool // and has finished at the next rung
}

// newAsynchronous returns the schedule of n brackets, the first of which begins at a level. As in Hyperband, brackets get
// about as much resource each.
func newAsynchronous(f *fidelity, seed uint64, base, n int) *asynchronous {
	a := &asynchronous{eta: f.eta, seed: seed}
	sum := 0.0
	for ; n > 0; n-- {
		s := f.top() - base
		l := ladder{base: base, share: f.power(s) / float64(s+1)}
		for range s + 1 {
			l.rungs = append(l.rungs, ashaRung{byRoot: make(map[uint64]*climber)})
		}
		sum += l.share
		a.brackets = append(a.brackets, l)
		base++
	}
	for i := range a.brackets {
		a.brackets[i].share /= sum
	}
	return a
}

func (a *asynchronous) finish(at place, r result) {
	rung := a.rung(at)
	if rung == nil || rung.byRoot[at.root] != nil {
		return
	}
	c := &climber{result: r}
	rung.byRoot[at.root] = c
	i, _ := slices.BinarySearchFunc(rung.best, c, func(x, y *climber) int { return x.compare(&y.result) })
	rung.best = slices.Insert(rung.best, i, c)
	if from := a.below(at); from != nil {
		from.promoted = true
	}
}

// rung returns the rung of a place, nil if there is none.
func (a *asynchronous) rung(at place) *ashaRung {
	if at.bracket >= len(a.brackets) || at.rung >= len(a.brackets[at.bracket].rungs) {
		return nil
	}
	return &a.brackets[at.bracket].rungs[at.rung]
}

// below returns the result from which a trial at a place was promoted, nil if there is none.
func (a *asynchronous) below(at place) *climber {
	if at.rung == 0 || a.rung(at) == nil {
		return nil
	}
	return a.brackets[at.bracket].rungs[at.rung-1].byRoot[at.root]
}

func (a *asynchronous) offers(id uint64, _ []place) iter.Seq[offer] {
	return func(yield func(offer) bool) {
		for i := range a.brackets {
			if !a.promotions(i, yield) {
				return
			}
		}
		i := a.draw(id)
		yield(offer{place: place{bracket: i}, level: a.brackets[i].base})
	}
}

// promotions yields those of bracket i, from the highest rung downwards; false when yield was.
func (a *asynchronous) promotions(i int, yield func(offer) bool) bool {
	l := &a.brackets[i]
	for k := len(l.rungs) - 2; k >= 0; k-- {
		best := l.rungs[k].best
		for _, c := range best[:len(best)/a.eta] {
			if c.promoted || !c.goesOn() {
				continue
			}
			at := place{bracket: i, rung: k + 1, root: c.root}
			if !yield(offer{place: at, level: l.base + k + 1, from: &c.result}) {
				return false
			}
		}
	}
	return true
}

// draw returns the bracket of a new configuration.
func (a *asynchronous) draw(id uint64) int {
	const stream = 0x6272616b6574 // apart from what configurations are drawn with
	u := sampling.Unit(rand.NewPCG(a.seed^stream, id).Uint64())
	for i := range a.brackets[1:] {
		if u -= a.brackets[i].share; u < 0 {
			return i
		}
	}
	return len(a.brackets) - 1
}

// over is never: the last offer is always a new configuration.
func (a *asynchronous) over() bool { return false }
