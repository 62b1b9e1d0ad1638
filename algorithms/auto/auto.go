// Package auto holds the algorithm that chooses among the others, by the problem and by how many trials have finished.
package auto

import (
	"github.com/tuned-hpo/tuned/algorithms"
	"github.com/tuned-hpo/tuned/algorithms/sampling"
)

// Among are the algorithms to choose from.
type Among struct {
	GP    algorithms.Definition // a Gaussian process, whose model is shown whichever algorithm suggests
	TPE   algorithms.Definition
	CMAES algorithms.Definition
	DE    algorithms.Definition
	NSGA2 algorithms.Definition
}

// Auto describes the algorithm that chooses. The choice is a function of the problem and of the number of finished
// trials; whoever is chosen next is told of all trials, and goes on from them.
func Auto(among Among) algorithms.Definition {
	return algorithms.Definition{
		Name:       "auto",
		Summary:    "the algorithm that suits the search space, the budget and the objectives",
		Reference:  "Rice 1976, The algorithm selection problem, Advances in Computers 15",
		Settings:   []algorithms.Setting{sampling.SeedSetting()},
		Objectives: true, Constraints: true, Priors: true,
		New: func(p algorithms.Problem, v algorithms.Values) (algorithms.Suggester, error) {
			return newSuggester(p, v, among.stages(p))
		},
		Insight:   among.GP.Insight,
		Remaining: among.GP.Remaining,
		Chooses: func(p algorithms.Problem, _ algorithms.Values, finished int) algorithms.Choice {
			stages := among.stages(p)
			at := current(stages, finished)
			c := algorithms.Choice{Name: stages[at].def.Name, Reason: stages[at].reason}
			if at+1 < len(stages) {
				c.Until = stages[at+1].from
			}
			return c
		},
	}
}

// stage is a part of the search, in which one algorithm suggests.
type stage struct {
	from     int // finished trials with which it begins
	mark     byte
	def      algorithms.Definition
	settings []algorithms.RawSetting
	reason   string
}

// The marks of memos: whose they are. They are stored with trials, so that they must stay as they are.
const (
	ofGP byte = iota + 1
	ofTPE
	ofCMAES
	ofNSGA2
	ofDE
)

func (a *Among) gp(from int, reason string) stage {
	return stage{from, ofGP, a.GP, nil, reason}
}

func (a *Among) tpe(from int, reason string) stage {
	return stage{from, ofTPE, a.TPE, nil, reason}
}

// cmaes restarts with twice the population when it has converged, for what is left of many trials.
func (a *Among) cmaes(from int, reason string) stage {
	return stage{from, ofCMAES, a.CMAES, []algorithms.RawSetting{{Name: "restart_strategy", Value: "ipop"}}, reason}
}

func (a *Among) de(from int, reason string) stage {
	return stage{from, ofDE, a.DE, nil, reason}
}

func (a *Among) nsga2(from int, reason string) stage {
	return stage{from, ofNSGA2, a.NSGA2, nil, reason}
}

// current returns the place of the stage after so many finished trials.
func current(stages []stage, finished int) int {
	at := 0
	for at+1 < len(stages) && stages[at+1].from <= finished {
		at++
	}
	return at
}
