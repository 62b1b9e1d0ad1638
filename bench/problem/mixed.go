package problem

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"

	"github.com/tuned-hpo/tuned/pkg/searchspace"
)

// makeMixint makes a problem of mixint24: of every five dimensions, four are whole numbers with 2,
// 4, 8 and 16 levels and one is continuous, in blocks, after Tušar, Brockhoff and Hansen,
// "Mixed-Integer Benchmark Problems for Single- and Bi-Objective Optimization", GECCO 2019.
func makeMixint(member string, d int, instance uint64) (*Problem, error) {
	p, err := makeLevels("mixint24", member, d, instance, []int{2, 4, 8, 16, 0})
	if err != nil {
		return nil, err
	}
	// As with the width of a network, every level of 16 takes longer than the one before: up to
	// eight times as long as the first.
	size := d*4/5 - 1
	seconds := p.Seconds
	p.Seconds = func(x searchspace.Point, seed, trial uint64) float64 {
		return seconds(x, seed, trial) * math.Pow(8, x[size]/15)
	}
	return p, nil
}

// makeCat makes a problem of cat24: of every five dimensions, three are categorical with 3, 5 and
// 8 values whose order says nothing, and two are continuous.
func makeCat(member string, d int, instance uint64) (*Problem, error) {
	return makeLevels("cat24", member, d, instance, []int{3, 5, 8, 0, 0})
}

// makeLevels makes a function on a grid: dimension i of d has levels[i*5/d] of them, 0 for a
// continuous one.
func makeLevels(family, member string, d int, instance uint64, levels []int) (*Problem, error) {
	if d < len(levels) || d%len(levels) != 0 {
		return nil, fmt.Errorf("%s needs a multiple of %d dimensions, got %d", family, len(levels), d)
	}
	b := place(member, d, instance)
	source := rand.New(rand.NewPCG(uint64(b.number)<<32|uint64(d), instance))
	params := cube(d, -bbobDomain, bbobDomain)
	grids := make([][]float64, d) // the values of x by level; nil for a continuous one
	for i := range params {
		n := levels[i*len(levels)/d]
		if n == 0 {
			continue
		}
		grids[i] = gridThrough(b.xopt[i], n)
		params[i].Kind, params[i].Min, params[i].Max = searchspace.Int, 0, float64(n-1)
		if family == "cat24" {
			params[i] = shuffled(params[i].Name, grids[i], source)
		}
	}
	return b.problem(family, member, instance, params, func(p searchspace.Point) []float64 {
		x := slices.Clone(p)
		for i, grid := range grids {
			if grid != nil {
				x[i] = grid[int(p[i])]
			}
		}
		return x
	})
}

// gridThrough returns n equally wide levels inside the domain, moved so that the one nearest to
// the optimum meets it.
func gridThrough(optimum float64, n int) []float64 {
	grid := make([]float64, n)
	nearest := 0
	for k := range grid {
		grid[k] = -bbobDomain + 2*bbobDomain*float64(k+1)/float64(n+1)
		if abs(grid[k]-optimum) < abs(grid[nearest]-optimum) {
			nearest = k
		}
	}
	move := optimum - grid[nearest]
	for k := range grid {
		grid[k] += move
	}
	grid[nearest] = optimum // without rounding
	return grid
}

// shuffled makes a categorical parameter of a grid, which it shuffles.
func shuffled(name string, grid []float64, source *rand.Rand) searchspace.Parameter {
	source.Shuffle(len(grid), func(i, j int) { grid[i], grid[j] = grid[j], grid[i] })
	p := searchspace.Parameter{Name: name, Kind: searchspace.Categorical}
	for k := range grid {
		p.Values = append(p.Values, "v"+strconv.Itoa(k))
	}
	return p
}

func abs(x float64) float64 { return max(x, -x) }
