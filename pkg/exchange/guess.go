package exchange

import (
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/tuned-hpo/tuned/pkg/experiment"
)

// logarithmicScale reports whether positive numbers, the least and the greatest given, lie on a logarithmic scale: they are a factor
// of 100 apart, and their median is nearer to the middle of that scale than to that of a linear one.
func logarithmicScale(values []float64, low, high float64) bool {
	if !(low > 0) || high/low < 100 {
		return false
	}
	slices.Sort(values)
	median := values[len(values)/2]
	onLog := math.Log(median/low) / math.Log(high/low)
	onLine := (median - low) / (high - low)
	return math.Abs(onLog-0.5) < math.Abs(onLine-0.5)
}

// guess makes a parameter of the values that trials had, nil where one had none: whole numbers are an
// int, numbers a double, both between the least and the greatest of them, anything else is a category.
func guess(name string, values []*string) experiment.ParameterSpec {
	p := experiment.ParameterSpec{Name: name}
	whole, number := true, true
	low, high := math.Inf(1), math.Inf(-1)
	var list []string
	var seen []float64
	for _, text := range values {
		if text == nil {
			continue
		}
		if !slices.Contains(list, *text) {
			list = append(list, *text)
		}
		v, err := experiment.ParseNumber(*text)
		number = number && err == nil && finite(v) != nil
		whole = whole && number && v == math.Trunc(v) && math.Abs(v) <= 1<<53
		low, high = math.Min(low, v), math.Max(high, v)
		seen = append(seen, v)
	}
	switch {
	case !number:
		p.ParameterType, p.FeasibleSpace.List = "categorical", list
		return p
	case !(low < high):
		p.ParameterType, p.FeasibleSpace.List = "discrete", list[:min(1, len(list))]
		return p
	case whole:
		p.ParameterType = "int"
		p.FeasibleSpace.Min, p.FeasibleSpace.Max = strconv.FormatInt(int64(low), 10), strconv.FormatInt(int64(high), 10)
	default:
		p.ParameterType = "double"
		p.FeasibleSpace.Min, p.FeasibleSpace.Max = exact(low), exact(high)
	}
	if logarithmicScale(seen, low, high) {
		p.FeasibleSpace.Distribution = "logUniform"
	}
	return p
}

// conditions finds for each parameter that is absent from some trials another one, of a list, that tells
// by its values when, and says so in activeWhen. It returns those parameters for which there is none.
// columns are the values by parameter, nil where a trial had none.
func conditions(params []experiment.ParameterSpec, columns [][]*string) (unexplained []int) {
	present := make([]int, len(params))
	for i, column := range columns {
		for _, v := range column {
			if v != nil {
				present[i]++
			}
		}
	}
	for i, column := range columns {
		if present[i] == len(column) {
			continue
		}
		parent := -1
		for k := range params {
			// Only one that is there more often: so none can wait for itself.
			if len(params[k].FeasibleSpace.List) < 2 || present[k] <= present[i] || parent >= 0 && !nearer(k, parent, i, present) {
				continue
			}
			if when, tells := telling(columns[k], column); tells {
				parent = k
				params[i].ActiveWhen = &experiment.ActiveWhen{Parameter: params[k].Name, Values: when}
			}
		}
		if parent < 0 {
			unexplained = append(unexplained, i)
		}
	}
	return unexplained
}

// nearer reports whether parameter a is a likelier parent of a child than b is: the one that is there
// less often, then the one that comes before the child, then the one that is closer to it. Among few
// trials several may tell.
func nearer(a, b, child int, present []int) bool {
	switch {
	case present[a] != present[b]:
		return present[a] < present[b]
	case (a < child) != (b < child):
		return a < child
	}
	return max(a-child, child-a) < max(b-child, child-b)
}

// guesses says which conditions were guessed.
func guesses(params []experiment.ParameterSpec) (notes []string) {
	for _, p := range params {
		if c := p.ActiveWhen; c != nil {
			notes = append(notes, fmt.Sprintf("%s is taken to be active while %s is one of %q: no trial says otherwise", p.Name, c.Parameter, c.Values))
		}
	}
	return notes
}

// telling returns the values that a parent has wherever a child has a value; false when it has one of
// them where the child has none, or none where the child has one.
func telling(parent, child []*string) (when []string, tells bool) {
	for k, v := range child {
		switch {
		case v != nil && parent[k] == nil:
			return nil, false
		case v != nil && !slices.Contains(when, *parent[k]):
			when = append(when, *parent[k])
		}
	}
	for k, v := range child {
		if v == nil && parent[k] != nil && slices.Contains(when, *parent[k]) {
			return nil, false
		}
	}
	return when, len(when) > 0
}
