package auto

import "github.com/tuned-hpo/tuned/algorithms"

// InTurn describes an algorithm that lets others suggest, each for so many trials. The definition is otherwise that of
// the first.
func InTurn(each int, defs ...algorithms.Definition) algorithms.Definition {
	var stages []stage
	for i, d := range defs {
		stages = append(stages, stage{i * each, byte(i + 1), d, nil, "it is its turn"})
	}
	out := defs[0]
	out.Name, out.Aliases, out.Check, out.Advise = "in turn", nil, nil, nil
	out.New = func(p algorithms.Problem, v algorithms.Values) (algorithms.Suggester, error) {
		return newSuggester(p, v, stages)
	}
	return out
}
