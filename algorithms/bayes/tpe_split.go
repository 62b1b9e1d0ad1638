package bayes

import (
	"cmp"
	"math"
	"slices"

	"github.com/tuned-hpo/tuned/algorithms"
)

// mostGood is the greatest number of trials that count as good (Bergstra, Yamins and Cox 2013).
const mostGood = 25

// tpeHistory is the trials told, in the order told.
type tpeHistory struct {
	objectives, constraints int

	rows  [][]float64 // coordinates
	marks []tpeMark
	order []int // positions of ranked trials, best first; of one objective only
}

// tpeMark is what ranks a trial. Trials of a lower class are better, and of one class those with
// less loss.
type tpeMark struct {
	class  tpeClass
	loss   float64   // or the sum of violations of an infeasible trial
	losses []float64 // of several objectives
}

type tpeClass uint8

const (
	classFeasible tpeClass = iota
	classPruned
	classInfeasible
	classBad // without a usable loss: never good
)

// tpeSplit is the coordinates of good and bad trials, each in the order told. Bad ones are followed
// by pending ones.
type tpeSplit struct {
	good, bad [][]float64
}

func (h *tpeHistory) add(t algorithms.Trial, space *tpeSpace) {
	row := make([]float64, len(t.Point))
	space.encode(t.Point, row)
	h.rows = append(h.rows, row)
	m := h.mark(t)
	at := len(h.marks)
	h.marks = append(h.marks, m)
	if m.class == classBad {
		return
	}
	i, _ := slices.BinarySearchFunc(h.order, at, func(a, b int) int { return h.compare(a, b) })
	h.order = slices.Insert(h.order, i, at)
}

// compare orders trials by class and loss, equal ones as told.
func (h *tpeHistory) compare(a, b int) int {
	x, y := &h.marks[a], &h.marks[b]
	return cmp.Or(cmp.Compare(x.class, y.class), cmp.Compare(x.loss, y.loss), cmp.Compare(a, b))
}

func (h *tpeHistory) mark(t algorithms.Trial) tpeMark {
	bad := tpeMark{class: classBad}
	if t.State == algorithms.Failed || len(t.Losses) != h.objectives || slices.ContainsFunc(t.Losses, math.IsNaN) {
		return bad
	}
	m := tpeMark{loss: t.Losses[0]}
	if h.objectives > 1 {
		m.losses = slices.Clone(t.Losses)
	}
	violation := 0.0
	for _, c := range t.Constraints {
		violation += max(0, c)
	}
	switch {
	case math.IsNaN(violation), len(t.Constraints) != h.constraints:
		return bad
	case violation > 0:
		m.class, m.loss = classInfeasible, violation
	case t.State == algorithms.Pruned:
		m.class = classPruned
	}
	return m
}

// split tells good trials from bad ones: the share gamma of those that have a loss, but no more than
// mostGood. Feasible trials come first, then pruned ones, which would hardly have become good, then
// those that violate constraints least.
func (h *tpeHistory) split(gamma float64) tpeSplit {
	n := min(int(math.Ceil(gamma*float64(len(h.order)))), mostGood)
	good := slices.Clone(h.best(n))
	slices.Sort(good)
	var s tpeSplit
	for i, row := range h.rows {
		if len(good) > 0 && good[0] == i {
			s.good = append(s.good, row)
			good = good[1:]
			continue
		}
		s.bad = append(s.bad, row)
	}
	return s
}

// best returns the positions of the n best trials.
func (h *tpeHistory) best(n int) []int {
	feasible, _ := slices.BinarySearchFunc(h.order, classPruned, func(i int, c tpeClass) int { return cmp.Compare(h.marks[i].class, c) })
	if h.objectives == 1 || feasible <= n {
		return h.order[:n]
	}
	losses := make([][]float64, feasible)
	for k, i := range h.order[:feasible] {
		losses[k] = h.marks[i].losses
	}
	out := make([]int, n)
	for k, i := range bestOfSeveral(losses, n) {
		out[k] = h.order[i]
	}
	return out
}

// bestOfSeveral returns the positions of n points: whole fronts as long as they fit, and of the
// front that does not fit those points that, each in its turn, add most hypervolume.
func bestOfSeveral(points [][]float64, n int) []int {
	rank := ranks(points)
	order := make([]int, len(points))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(rank[a], rank[b]) })
	last := rank[order[n-1]]
	var out, front []int
	for _, i := range order {
		switch {
		case rank[i] < last:
			out = append(out, i)
		case rank[i] == last:
			front = append(front, i)
		}
	}
	return append(out, spread(points, front, n-len(out))...)
}

// spread returns n of the given positions of a front, chosen greedily by the hypervolume that each
// adds to those before it (Ozaki et al. 2022, Multiobjective tree-structured Parzen estimator).
func spread(points [][]float64, front []int, n int) []int {
	if n == len(front) {
		return front
	}
	reference := referencePoint(pick(points, front))
	var chosen [][]float64
	var out []int
	for len(out) < n {
		best, most := 0, math.Inf(-1)
		for k, i := range front {
			if gain := exclusive(points[i], chosen, reference); gain > most {
				best, most = k, gain
			}
		}
		chosen = append(chosen, points[front[best]])
		out = append(out, front[best])
		front = slices.Delete(slices.Clone(front), best, best+1)
	}
	return out
}
