package algorithmtest

import "github.com/tuned-hpo/tuned/pkg/searchspace"

type namedSpace struct {
	name   string
	params []searchspace.Parameter
}

// spaces returns spaces of each kind of parameter alone, of all together, with conditions, with
// few points and with very many.
func spaces() []namedSpace {
	double := searchspace.Parameter{Name: "double", Kind: searchspace.Double, Min: -1, Max: 3}
	other := searchspace.Parameter{Name: "other", Kind: searchspace.Double, Min: 1, Max: 2}
	log := searchspace.Parameter{Name: "log", Kind: searchspace.Double, Distribution: searchspace.LogUniform, Min: 1e-6, Max: 1}
	normal := searchspace.Parameter{Name: "normal", Kind: searchspace.Double, Distribution: searchspace.Normal, Min: -5, Max: 5}
	step := searchspace.Parameter{Name: "step", Kind: searchspace.Double, Min: 0.1, Max: 0.9, Step: 0.1}
	whole := searchspace.Parameter{Name: "int", Kind: searchspace.Int, Min: -2, Max: 9}
	logInt := searchspace.Parameter{Name: "logint", Kind: searchspace.Int, Distribution: searchspace.LogNormal, Min: 1, Max: 512}
	large := searchspace.Parameter{Name: "large", Kind: searchspace.Int, Min: 0, Max: 1 << 39}
	discrete := searchspace.Parameter{Name: "discrete", Kind: searchspace.Discrete, Values: []string{"8", "16", "1e3"}, Numbers: []float64{8, 16, 1000}}
	label := searchspace.Parameter{Name: "label", Kind: searchspace.Categorical, Values: []string{"adam", "sgd", "rmsprop"}}
	return []namedSpace{
		{"two doubles", []searchspace.Parameter{double, other}},
		{"doubles", []searchspace.Parameter{double, log, normal}},
		{"ints", []searchspace.Parameter{whole, logInt}},
		{"huge", []searchspace.Parameter{large, logInt, step}},
		{"lists", []searchspace.Parameter{label, discrete}},
		{"all kinds", []searchspace.Parameter{double, step, whole, discrete, label, log}},
		{"grids", []searchspace.Parameter{step, whole, discrete, label}},
		{"conditions", conditions(log)},
		{"conditions on a grid", conditions(step)},
		{"six cells", []searchspace.Parameter{
			{Name: "a", Kind: searchspace.Int, Min: 1, Max: 2}, {Name: "b", Kind: searchspace.Int, Min: 1, Max: 3},
		}},
	}
}

// conditions has a parameter under a value, and one more below that.
func conditions(leaf searchspace.Parameter) []searchspace.Parameter {
	leaf.ActiveWhen = &searchspace.Condition{Parent: "layers", Values: []string{"2", "3"}}
	return []searchspace.Parameter{
		leaf,
		{Name: "layers", Kind: searchspace.Int, Min: 1, Max: 3, ActiveWhen: &searchspace.Condition{Parent: "model", Values: []string{"net"}}},
		{Name: "model", Kind: searchspace.Categorical, Values: []string{"tree", "net"}},
		{Name: "depth", Kind: searchspace.Int, Min: 2, Max: 12, ActiveWhen: &searchspace.Condition{Parent: "model", Values: []string{"tree"}}},
	}
}
