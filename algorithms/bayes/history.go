package bayes

import (
	"cmp"
	"math"
	"slices"
)

// history is what was told of trials, in the order in which they finished.
type history struct {
	n        int
	rows     []float64   // n by d, features
	feasible []bool      // n: with all losses, and all constraints met
	pruned   []bool      // n: values are the last known ones
	values   [][]float64 // one per output: n; NaN when failed
}

// take makes h the trials of all at the given positions.
func (h *history) take(all *history, positions []int) {
	d := len(all.rows) / all.n
	h.n = len(positions)
	h.rows, h.feasible, h.pruned = h.rows[:0], h.feasible[:0], h.pruned[:0]
	for len(h.values) < len(all.values) {
		h.values = append(h.values, nil)
	}
	for k := range h.values {
		h.values[k] = h.values[k][:0]
	}
	for _, i := range positions {
		h.rows = append(h.rows, all.rows[i*d:(i+1)*d]...)
		h.feasible = append(h.feasible, all.feasible[i])
		h.pruned = append(h.pruned, all.pruned[i])
		for k := range h.values {
			h.values[k] = append(h.values[k], all.values[k][i])
		}
	}
}

// order returns the positions of the trials, the best first: by the sum of their places by each of
// the first objectives outputs, feasible ones before others, of equals the earlier first.
func (h *history) order(objectives int) []int {
	place := make([]int, h.n)
	order := make([]int, h.n)
	for _, values := range h.values[:objectives] {
		for i := range order {
			order[i] = i
		}
		slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(badness(values[i]), badness(values[j])) })
		for at, i := range order {
			place[i] += at
		}
	}
	for i, feasible := range h.feasible {
		if !feasible {
			place[i] += objectives * h.n
		}
	}
	slices.SortFunc(order, func(i, j int) int { return cmp.Or(cmp.Compare(place[i], place[j]), cmp.Compare(i, j)) })
	return order
}

// badness is the loss, +Inf where there is none.
func badness(loss float64) float64 {
	if math.IsNaN(loss) {
		return math.Inf(1)
	}
	return loss
}

// newestTrials are those that tell where trials fail.
const newestTrials = 320

// failsAnywhere tells whether failures say nothing of the points where they were, as those of a machine
// that fails: of the newest trials at least two failed, and what is nearest to those of the rarer end,
// failures or successes, ended so too as rarely as chance has it, to within two standard deviations.
func (h *history) failsAnywhere(e *encoding) bool {
	const least = 2
	from := max(0, h.n-newestTrials)
	failures := 0
	for i := from; i < h.n; i++ {
		if h.isFailed(i) {
			failures++
		}
	}
	rare := min(failures, h.n-from-failures)
	failuresAreRare := rare == failures
	together := 0
	for i := from; i < h.n; i++ {
		if h.isFailed(i) == failuresAreRare {
			if near := h.nearest(e, i, from); near >= 0 && h.isFailed(near) == failuresAreRare {
				together++
			}
		}
	}
	expected := float64(rare*(rare-1)) / float64(max(1, h.n-from-1))
	return failures >= least && float64(together) <= expected+2*math.Sqrt(expected)
}

func (h *history) isFailed(i int) bool { return math.IsNaN(h.values[0][i]) }

// succeeded returns the positions of the trials that did not fail.
func (h *history) succeeded() (positions []int) {
	for i := range h.n {
		if !h.isFailed(i) {
			positions = append(positions, i)
		}
	}
	return positions
}

// nearest returns the position of the trial that is nearest to trial i, among those from a position
// on, -1 if there is no other.
func (h *history) nearest(e *encoding, i, from int) (position int) {
	d := len(e.axes)
	position = -1
	least := math.Inf(1)
	for j := from; j < h.n; j++ {
		if sum := e.square(h.rows[i*d:(i+1)*d], h.rows[j*d:(j+1)*d]); j != i && sum < least {
			position, least = j, sum
		}
	}
	return position
}

// local chooses the trials for a model about the best one: all within a radius of it along every
// axis of numbers, five eighths of most; then the best elsewhere and some of all. It returns
// their positions in ascending order, the position of the best, and the radius.
func (h *history) local(e *encoding, objectives, most int) (positions []int, best int, radius float64) {
	d := len(e.axes)
	order := h.order(objectives)
	best = order[0]
	centre := h.rows[best*d : (best+1)*d]
	distance := make([]float64, h.n)
	for i := range distance {
		distance[i] = gap(e, centre, h.rows[i*d:(i+1)*d])
	}
	byDistance := make([]int, h.n)
	for i := range byDistance {
		byDistance[i] = i
	}
	slices.SortFunc(byDistance, func(i, j int) int { return cmp.Or(cmp.Compare(distance[i], distance[j]), cmp.Compare(j, i)) })
	near := most * 5 / 8
	radius = distance[byDistance[near-1]]
	return h.choose(byDistance[:near], order, most), best, radius
}

// broad chooses the best trials, of several objectives the front, and others evenly over time.
func (h *history) broad(objectives, most int) []int {
	return h.choose(h.onFront(objectives, most/2), h.order(objectives), most)
}

// choose returns the positions of most trials, in ascending order: those of near, the first of
// order, a quarter of most, and the rest evenly over time.
func (h *history) choose(near, order []int, most int) []int {
	chosen := make([]bool, h.n)
	count := 0
	pick := func(i int) {
		if !chosen[i] && count < most {
			chosen[i] = true
			count++
		}
	}
	for _, i := range near {
		pick(i)
	}
	for _, i := range order[:most/4] {
		pick(i)
	}
	for left, k := most-count, 0; k < left; k++ {
		pick(k * h.n / left)
	}
	var out []int
	for i, c := range chosen {
		if c {
			out = append(out, i)
		}
	}
	return out
}

// gap is the greatest distance along an axis of numbers that is active in both.
func gap(e *encoding, a, b []float64) float64 {
	most := 0.0
	for i := range e.axes {
		if v := math.Abs(a[i] - b[i]); !e.axes[i].labels && v > most { // false for NaN
			most = v
		}
	}
	return most
}
