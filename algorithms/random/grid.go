package random

import (
	"fmt"

	"github.com/tuned-hpo/tuned/algorithms"
	"github.com/tuned-hpo/tuned/algorithms/sampling"
	"github.com/tuned-hpo/tuned/pkg/searchspace"
)

// Grid describes grid search: trial i visits cell i-1 of the space, so each cell is visited once,
// whatever becomes of the trials, and nothing is remembered. The order is that of
// searchspace.Space.Cell: parameters by name, the last one fastest. It ends with
// algorithms.ErrExhausted after the last cell.
func Grid() algorithms.Definition {
	state := sampling.SeedSetting()
	state.Help = "accepted as in Katib; the order of the grid is fixed"
	return algorithms.Definition{
		Name:       "grid",
		Summary:    "every combination once; double parameters need a step",
		Settings:   []algorithms.Setting{state},
		Seedless:   true,
		Objectives: true, Constraints: true,
		Check: checkGrid,
		Advise: func(_ algorithms.Problem, v algorithms.Values) []algorithms.Advice {
			if _, given := v["random_state"]; !given {
				return nil
			}
			return []algorithms.Advice{{Setting: "random_state", Text: "it has no effect, for the order of the grid is fixed; leave it out"}}
		},
		New: func(p algorithms.Problem, _ algorithms.Values) (algorithms.Suggester, error) {
			g := &grid{space: p.Space}
			g.cells, _ = p.Space.Cells()
			return g, nil
		},
	}
}

func checkGrid(p algorithms.Problem, _ algorithms.Values) error {
	for i, param := range p.Space.Parameters() {
		if param.Kind == searchspace.Double && param.Step == 0 {
			return fmt.Errorf("parameters[%d] (%s): a grid needs a step for a double", i, param.Name)
		}
	}
	if cells, _ := p.Space.Cells(); p.MaxTrials > 0 && uint64(p.MaxTrials) > cells {
		return fmt.Errorf("maxTrialCount is %d, but the grid has only %d combinations", p.MaxTrials, cells)
	}
	return nil
}

type grid struct {
	space *searchspace.Space
	cells uint64
}

func (g *grid) Tell([]algorithms.Trial) {}

func (g *grid) Ask(ids []uint64, _ []algorithms.Trial) ([]algorithms.Suggestion, error) {
	out := make([]algorithms.Suggestion, 0, min(uint64(len(ids)), g.cells))
	for _, id := range ids {
		if id-1 >= g.cells { // also for 0, which is no trial's ID
			return out, algorithms.ErrExhausted
		}
		out = append(out, algorithms.Suggestion{ID: id, Point: g.space.Cell(id - 1)})
	}
	return out, nil
}
