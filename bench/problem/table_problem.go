package problem

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/tuned-hpo/tuned/pkg/searchspace"
)

// makeTable makes a problem of hpotab15: a table of real trainings. What is told is one training,
// drawn by seed and trial; what counts is the mean of a configuration.
func makeTable(name string, _ int, _ uint64) (*Problem, error) {
	t, err := loadTable(name)
	if err != nil {
		return nil, err
	}
	space, err := searchspace.New(tables[name]())
	if err != nil {
		return nil, fmt.Errorf("hpotab15 %s: %w", name, err)
	}
	params := space.Parameters()
	if got := levelsOf(params); !slices.Equal(got, t.levels) {
		return nil, fmt.Errorf("hpotab15 %s: table has levels %v, space %v", name, t.levels, got)
	}
	runs, durations := newStream(name, "runs"), newStream(name, "seconds")
	return &Problem{
		Name:       "hpotab15/" + name,
		Cluster:    "hpotab15/" + name,
		Space:      space,
		Objectives: 1,
		Eval: func(p searchspace.Point, seed, trial uint64) Result {
			return t.run(rowOf(params, t.levels, p), runs.draw(seed, trial))
		},
		Regret: t.quantile,
		Floor:  1 / float64(2*len(t.means)),
		Seconds: func(p searchspace.Point, seed, trial uint64) float64 {
			spread := math.Exp(0.1 * durations.draw(seed, trial).NormFloat64())
			return t.seconds[rowOf(params, t.levels, p)] * spread
		},
	}, nil
}

// run draws one of the trainings of a configuration that are in the table, of which some have
// fewer than others. One that has none fails.
func (t *table) run(row int, source *rand.Rand) Result {
	losses := t.losses[row*t.runs:][:t.runs]
	there := t.runs
	for there > 1 && math.IsNaN(losses[there-1]) {
		there--
	}
	return Result{Losses: []float64{losses[source.IntN(there)]}, True: []float64{t.means[row]}}
}

// quantile is the share of configurations whose mean is at most the given one: 1/size for the
// best.
func (t *table) quantile(loss float64) float64 {
	better, _ := slices.BinarySearch(t.sorted, loss)
	return float64(min(better+1, len(t.sorted))) / float64(len(t.sorted))
}

// rowOf is the place of a point in the table.
func rowOf(params []searchspace.Parameter, levels []int, p searchspace.Point) int {
	row := 0
	for i, q := range params {
		row = row*levels[i] + levelOf(q, p[i])
	}
	return row
}
