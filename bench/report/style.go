package report

import (
	"hash/fnv"
	"image/color"
	"math"
	"slices"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
)

// palette is Okabe and Ito's, which the colour-blind can tell apart.
var palette = []color.NRGBA{
	{0, 114, 178, 255}, {213, 94, 0, 255}, {0, 158, 115, 255}, {204, 121, 167, 255}, {230, 159, 0, 255}, {86, 180, 233, 255}, {0, 0, 0, 255},
}

// dashes are lines and gaps in turn, in points.
var dashes = [][]vg.Length{nil, {5, 3}, {1.5, 2}, {8, 2, 1.5, 2}}

// styled are the names with a style of their own: a colour of the palette, and after each round of it
// the next dashes.
var styled = []string{
	"bayesianoptimization", "tpe", "optuna-tpe", "optuna-cmaes", "optuna-gp", "smac-hpo", Random,
	"gp", "multivariate-tpe", "optuna-tpe-group", "cmaes", "skopt-gp", "hyperopt-tpe", "optuna-random",
	"sobol", "rustuna-tpe", "goptuna-tpe", "goptuna-cmaes", "vizier-gp", "smac-blackbox", "goptuna-sobol",
	"nevergrad-ngopt", "hebo", "ax-fast",
}

// style is how the curve of an optimizer looks.
type style struct {
	colour color.NRGBA
	dashes []vg.Length
}

// styles returns a style for each name: always the same for those known, and as a rule for others,
// such as algorithms with settings, which take the one of their hash, or the next that is free.
func styles(names []string) []style {
	count := len(palette) * len(dashes)
	used := make([]bool, count)
	slots := make([]int, len(names))
	for i, name := range names {
		if slots[i] = slices.Index(styled, name); slots[i] >= 0 {
			used[slots[i]] = true
		}
	}
	out := make([]style, len(names))
	for i, name := range names {
		if slots[i] < 0 {
			slots[i] = free(name, used)
			used[slots[i]] = true
		}
		out[i] = style{palette[slots[i]%len(palette)], dashes[slots[i]/len(palette)]}
	}
	return out
}

// free returns the slot of a name's hash, or the next that is not used; the first when all are.
func free(name string, used []bool) int {
	h := fnv.New32a()
	_, _ = h.Write([]byte(name)) // never fails
	first := int(h.Sum32() % uint32(len(used)))
	for i := range used {
		if k := (first + i) % len(used); !used[k] {
			return k
		}
	}
	return first
}

// roundTicks are at multiples of 1, 2 or 5 times a power of ten, four to ten of them.
func roundTicks(low, high float64) []plot.Tick {
	if !(high > low) || math.IsInf(high-low, 0) {
		return nil
	}
	power := math.Floor(math.Log10((high - low) / 4))
	step := math.Pow(10, power)
	for _, factor := range []float64{5, 2} {
		if (high-low)/(factor*step) >= 4 {
			step *= factor
			break
		}
	}
	var out []plot.Tick
	const rounding = 1e-9 // of a step
	for k := math.Ceil(low/step - rounding); k*step <= high+rounding*step; k++ {
		value := k*step + 0 // no -0
		out = append(out, plot.Tick{Value: value, Label: strconv.FormatFloat(value, 'f', int(max(0, -power)), 64)})
	}
	return out
}
