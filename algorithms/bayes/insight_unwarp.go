package bayes

import (
	"cmp"
	"math"
	"slices"
)

// unwarper maps scores back to values. It interpolates between trials that have both, and so is the
// inverse of any monotone map; beyond the trials it goes on as between the outermost two.
type unwarper struct{ scores, values []float64 } // distinct, ascending scores

// newUnwarper returns the inverse of what turned values into scores. Trials without a finite value
// are passed over.
func newUnwarper(values, scores []float64) unwarper {
	var order []int
	for i, v := range values {
		if !math.IsNaN(v) && !math.IsInf(v, 0) {
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(scores[i], scores[j]) })
	var u unwarper
	for _, i := range order {
		if n := len(u.scores); n == 0 || scores[i] > u.scores[n-1] {
			u.scores, u.values = append(u.scores, scores[i]), append(u.values, values[i])
		}
	}
	return u
}

// value returns the value of a score, NaN when no trial has one.
func (u unwarper) value(score float64) float64 {
	n := len(u.scores)
	switch n {
	case 0:
		return math.NaN()
	case 1:
		return u.values[0]
	}
	k, _ := slices.BinarySearch(u.scores, score)
	k = max(1, min(k, n-1))
	t := (score - u.scores[k-1]) / (u.scores[k] - u.scores[k-1])
	// The sum of both parts cannot leave the range of float64 between the trials.
	return float64((1-t)*u.values[k-1]) + float64(t*u.values[k])
}
