package problem

import (
	"slices"
	"strconv"

	"github.com/tuned-hpo/tuned/pkg/searchspace"
)

// levelsOf counts the values of each parameter that has a list of them, or is whole.
func levelsOf(params []searchspace.Parameter) []int {
	levels := make([]int, len(params))
	for i, p := range params {
		levels[i] = len(p.Values)
		if p.Kind == searchspace.Int {
			levels[i] = int(p.Max-p.Min) + 1
		}
	}
	return levels
}

// levelOf is the place of a value among those of its parameter, from 0.
func levelOf(q searchspace.Parameter, v float64) int {
	if q.Kind == searchspace.Discrete {
		return slices.Index(q.Numbers, v)
	}
	return int(v - q.Min) // the Min of a Categorical is 0
}

// valueText is the text of the value of a level.
func valueText(q searchspace.Parameter, level int) string {
	if q.Kind == searchspace.Int {
		return strconv.Itoa(int(q.Min) + level)
	}
	return q.Values[level]
}
