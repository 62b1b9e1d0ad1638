package bayes

import (
	"cmp"
	"math"
	"slices"

	"github.com/tuned-hpo/tuned/algorithms"
	"github.com/tuned-hpo/tuned/internal/elementary"
)

// mostGood is the greatest number of trials that count as good (Bergstra, Yamins and Cox 2013).
const mostGood = 25

// tpeHistory is what the trials told were worth, in the order told.
type tpeHistory struct {
	objectives, constraints int

	marks []tpeMark
	order []int // positions of trials that may be good, best first once ranked
}

// tpeMark is what ranks a trial. Trials of a lower class are better, and of one class those with
// less loss. Of several objectives loss is the number of feasible trials that are better in all
// (Fonseca and Fleming 1993, Genetic algorithms for multiobjective optimization).
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

// add takes in a trial.
func (h *tpeHistory) add(t algorithms.Trial) {
	at := len(h.marks)
	h.marks = append(h.marks, h.mark(t))
	if h.objectives > 1 && h.marks[at].class == classFeasible {
		h.count(at)
	}
	h.order = h.insert(h.order, at)
}

// insert inserts the newest trial into some of the positions of trials that may be good, best first.
func (h *tpeHistory) insert(order []int, at int) []int {
	switch {
	case h.marks[at].class == classBad:
		return order
	case h.objectives > 1:
		return append(order, at) // see ranked
	}
	i, _ := slices.BinarySearchFunc(order, at, h.compare)
	return slices.Insert(order, i, at)
}

// ranked brings positions in order, best first. Of several objectives each new trial may change it.
func (h *tpeHistory) ranked(order []int) []int {
	if h.objectives > 1 {
		slices.SortFunc(order, h.compare)
	}
	return order
}

// count compares a feasible trial with those before it.
func (h *tpeHistory) count(at int) {
	m := &h.marks[at]
	for i := range h.marks[:at] {
		other := &h.marks[i]
		switch {
		case other.class != classFeasible:
		case dominates(other.losses, m.losses):
			m.loss++
		case dominates(m.losses, other.losses):
			other.loss++
		}
	}
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
	case h.objectives > 1:
		m.loss, m.losses = 0, slices.Clone(t.Losses)
	}
	return m
}

// good returns the good ones of trials in order, and their weights: the share gamma, but no more than
// mostGood. Feasible trials come first, then pruned ones, which would hardly have become good,
// then those that violate constraints least.
func (h *tpeHistory) good(order []int, gamma float64) (trials []int, weights []float64) {
	n := min(int(math.Ceil(gamma*float64(len(order)))), mostGood)
	trials = h.ranked(order)[:n]
	weights = make([]float64, n)
	for k := range weights {
		weights[k] = 1
		if h.objectives == 1 {
			weights[k] = elementary.Log(float64(n+1)) - elementary.Log(float64(k+1)) // Hansen 2016, eq. 49
		}
	}
	if h.objectives > 1 && n > 0 {
		trials = h.spread(order, n)
	}
	return trials, weights
}

// spread returns the n best trials of several objectives. Of feasible trials that as many are better
// than, those come first that, each in its turn, add most hypervolume (Ozaki, Tanigaki, Watanabe and
// Onishi 2020, Multiobjective tree-structured Parzen estimator).
func (h *tpeHistory) spread(order []int, n int) []int {
	last := &h.marks[order[n-1]]
	tied := func(i int) bool { return h.marks[i].class == last.class && h.marks[i].loss == last.loss }
	first := slices.IndexFunc(order, tied)
	end := n
	for end < len(order) && tied(order[end]) {
		end++
	}
	if last.class != classFeasible || end == n {
		return order[:n]
	}
	return append(slices.Clone(order[:first]), h.widest(order[first:end], n-first)...)
}

// widest returns n of the given trials, chosen greedily by the hypervolume that each adds.
func (h *tpeHistory) widest(trials []int, n int) []int {
	points := make([][]float64, len(trials))
	for k, i := range trials {
		points[k] = h.marks[i].losses
	}
	reference := referencePoint(points)
	var chosen [][]float64
	left, out := slices.Clone(trials), make([]int, 0, n)
	for len(out) < n {
		best, most := 0, math.Inf(-1)
		for k, i := range left {
			if gain := exclusive(h.marks[i].losses, chosen, reference); gain > most {
				best, most = k, gain
			}
		}
		chosen = append(chosen, h.marks[left[best]].losses)
		out = append(out, left[best])
		left = slices.Delete(left, best, best+1)
	}
	return out
}
