package evolution

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/tuned-hpo/tuned/algorithms"
	"github.com/tuned-hpo/tuned/algorithms/sampling"
)

// NSGA2 describes the non-dominated sorting genetic algorithm: trials are bred from those that no other beats
// in all objectives, and of these from those that have few others near them.
func NSGA2() algorithms.Definition {
	return algorithms.Definition{
		Name:       "nsga2",
		Aliases:    []string{"nsgaii"},
		Summary:    "non-dominated sorting genetic algorithm, for several objectives",
		Reference:  "Deb, Pratap, Agarwal and Meyarivan 2002, A fast and elitist multiobjective genetic algorithm: NSGA-II",
		Settings:   append(breedingSettings(), sampling.SeedSetting()),
		Objectives: true, Constraints: true,
		Advise: adviseBreeding,
		New: func(p algorithms.Problem, v algorithms.Values) (algorithms.Suggester, error) {
			return newGenetic(p, readBreeding(p, v), crowded{}, sampling.Seed(p, v)), nil
		},
	}
}

func breedingSettings() []algorithms.Setting {
	return []algorithms.Setting{
		{
			Name: "population_size", Type: algorithms.IntSetting, Max: 10000,
			Help: "trials that others are bred from, at least 4; 0 chooses by the budget",
		},
		{
			Name: "crossover_prob", Type: algorithms.FloatSetting, Max: 1, Default: "0.9",
			Help: "probability that a trial has two parents",
		},
		{
			Name: "mutation_prob", Type: algorithms.FloatSetting, Max: 1,
			Help: "probability that a parameter of it is changed; 0 means one over their number",
		},
	}
}

// leastPopulation is the fewest members there are.
const leastPopulation = 4

func readBreeding(p algorithms.Problem, v algorithms.Values) breeding {
	b := breeding{population: int(v.Int("population_size", 0)), crossover: v.Float("crossover_prob", 0.9), mutation: v.Float("mutation_prob", 0)}
	if b.population == 0 {
		b.population = populationFor(p.MaxTrials)
	}
	b.population = max(b.population, leastPopulation)
	return b
}

// populationFor returns the members of a population for a budget, 0 when there is none. The numbers are from the bench.
func populationFor(budget int) int {
	const share, least, most = 50, 10, 40
	if budget == 0 {
		return most
	}
	return max(least, min(budget/share, most))
}

// adviseBreeding is [algorithms.Definition.Advise].
func adviseBreeding(p algorithms.Problem, v algorithms.Values) []algorithms.Advice {
	return adviseSize(p.MaxTrials, readBreeding(p, v).population, v.Int("population_size", 0) > 0)
}

// adviseSize speaks of a budget that is little more than the first population.
func adviseSize(budget, size int, chosen bool) []algorithms.Advice {
	if budget == 0 || budget >= 2*size {
		return nil
	}
	setting, do := "", "use more trials, or bayesianoptimization"
	if chosen {
		setting, do = "population_size", "set it lower"
	}
	return []algorithms.Advice{{Setting: setting, Text: fmt.Sprintf(
		"of %d trials the first %d are spread over the space, so that next to nothing is learnt: %s", budget, min(size, budget), do)}}
}

// crowded is the survival of NSGA-II: by front, and within a front by how far the next ones are.
type crowded struct{}

func (crowded) settle(f *fronts, from int) {
	for _, front := range f.of[min(from, len(f.of)):] {
		setCrowding(front)
	}
}

func (crowded) worst(f *fronts) *solution {
	return slices.MinFunc(f.last(), func(x, y *solution) int { return cmp.Compare(x.crowding, y.crowding) })
}

// better is the crowded-comparison operator (Deb et al. 2002, section III.B).
func (crowded) better(x, y *solution) bool {
	return x.rank < y.rank || x.rank == y.rank && x.crowding > y.crowding
}

// setCrowding sets the crowding distances of a front: in each objective the distance of the two neighbours as a part of
// the front's range, summed; infinite at the ends (Deb et al. 2002, section III.B). It sorts the front.
func setCrowding(front []*solution) {
	for _, x := range front {
		x.crowding = 0
	}
	for k := range front[0].losses {
		slices.SortFunc(front, func(x, y *solution) int { return cmp.Compare(x.losses[k], y.losses[k]) })
		last := len(front) - 1
		// Halves, whose difference cannot overflow.
		half := func(i int) float64 { return float64(front[i].losses[k] / 2) }
		span := half(last) - half(0)
		front[0].crowding, front[last].crowding = math.Inf(1), math.Inf(1)
		for i := 1; i < last && span > 0; i++ {
			front[i].crowding += (half(i+1) - half(i-1)) / span
		}
	}
}
