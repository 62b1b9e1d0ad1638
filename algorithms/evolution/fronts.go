package evolution

import (
	"math"
	"slices"

	"github.com/tuned-hpo/tuned/algorithms"
)

// solution is a trial of a population that several losses, or one, choose from.
type solution struct {
	genome
	standing
	losses []float64
	rank   int // of its front, 0 for what nothing dominates
	at     int // position in the population

	crowding float64 // of NSGA-II
	niche    int     // of NSGA-III
	distance float64 // of NSGA-III: to the line of its niche, squared
}

func newSolution(c *coding, objectives int) *solution {
	return &solution{genome: newGenome(c), losses: make([]float64, objectives)}
}

// read makes it that of a trial, of a problem with so many constraints.
func (x *solution) read(c *coding, t *algorithms.Trial, constraints int) {
	x.standing = standingOf(t, constraints)
	for k := range x.losses {
		if k >= len(t.Losses) || math.IsNaN(t.Losses[k]) || math.IsInf(t.Losses[k], 0) {
			x.standing = standing{class: failed}
			return
		}
		x.losses[k] = t.Losses[k]
	}
	x.genome.read(c, t.Point)
}

// dominates tells whether x is to be preferred whatever the objectives are worth: it is of a better class,
// misses the constraints by less, or is at least as good in every loss and better in one (Deb et al. 2002,
// definition 1).
func (x *solution) dominates(y *solution) bool {
	switch {
	case x.class != y.class:
		return x.class < y.class
	case x.class == infeasible:
		return x.value < y.value
	}
	better := false
	for k, v := range x.losses {
		if v > y.losses[k] {
			return false
		}
		better = better || v < y.losses[k]
	}
	return better
}

// fronts is a population sorted by non-domination: nothing in a front dominates another of it, and each
// member of a later front is dominated by one of the front before.
type fronts struct {
	members []*solution // of all fronts
	of      [][]*solution
	moved   []*solution // scratch
	next    []*solution // scratch
}

// insert adds a member, and returns the first front that has changed. What it dominates of its front moves
// to the next one, and so on, so that no other pair is compared (Li, Deb, Zhang and Wang 2017, Efficient
// nondomination level update method for steady-state evolutionary multiobjective optimization).
func (f *fronts) insert(x *solution) (from int) {
	x.at = len(f.members)
	f.members = append(f.members, x)
	for from < len(f.of) && slices.ContainsFunc(f.of[from], func(y *solution) bool { return y.dominates(x) }) {
		from++
	}
	f.moved = append(f.moved[:0], x)
	for rank := from; len(f.moved) > 0; rank++ {
		f.push(rank)
	}
	return from
}

// push puts the moved ones into a front, and those that they dominate of it in their place.
func (f *fronts) push(rank int) {
	if rank == len(f.of) {
		f.of = append(f.of, nil)
	}
	f.next = f.next[:0]
	stay := f.of[rank][:0]
	for _, y := range f.of[rank] {
		if slices.ContainsFunc(f.moved, func(x *solution) bool { return x.dominates(y) }) {
			f.next = append(f.next, y)
		} else {
			stay = append(stay, y)
		}
	}
	for _, x := range f.moved {
		x.rank = rank
	}
	f.of[rank] = append(stay, f.moved...)
	f.moved, f.next = f.next, f.moved
}

// last returns the front that members leave from.
func (f *fronts) last() []*solution { return f.of[len(f.of)-1] }

// drop removes a member of the last front, which changes the rank of no other.
func (f *fronts) drop(x *solution) {
	end := len(f.of) - 1
	f.of[end] = slices.DeleteFunc(f.of[end], func(y *solution) bool { return y == x })
	if len(f.of[end]) == 0 {
		f.of = f.of[:end]
	}
	tail := f.members[len(f.members)-1]
	f.members[x.at], tail.at = tail, x.at
	f.members = f.members[:len(f.members)-1]
}
