package bayes

import (
	"fmt"

	"github.com/tuned-hpo/tuned/algorithms"
)

// adviseKatib is [algorithms.Definition.Advise] of BayesianOptimization: what its settings say of
// scikit-optimize and not of the Gaussian process here.
func adviseKatib(p algorithms.Problem, v algorithms.Values) []algorithms.Advice {
	out := adviseInitial(p, "n_initial_points", readKatib(p, v))
	if model := v.Text("base_estimator", "GP"); model != "GP" {
		out = append(out, algorithms.Advice{Setting: "base_estimator", Text: model + " has no effect, the model is a Gaussian process (GP) in any case; leave it out"})
	}
	if function, per := v.Text("acq_func", ""), map[string]string{"EIps": "EI", "PIps": "PI"}; per[function] != "" {
		out = append(out, algorithms.Advice{Setting: "acq_func", Text: function + " works as " + per[function] + ", for how long trials take is not looked at; write " + per[function]})
	}
	return out
}

// adviseInitial is adviseStart of the Gaussian process, which needs few trials of its own where there are
// earlier experiments.
func adviseInitial(p algorithms.Problem, setting string, s settings) []algorithms.Advice {
	const results = 2 // that the model needs, whatever the setting
	switch {
	case len(p.Priors) > 0:
		return nil
	case p.MaxTrials > 0 && p.MaxTrials <= results:
		return []algorithms.Advice{{Text: fmt.Sprintf(
			"the model is never used, for it takes %d results before it and maxTrialCount is %d; raise it", results, p.MaxTrials)}}
	}
	return adviseStart(p, setting, s.initial)
}

// adviseStart warns of a budget that is used up by the trials before the model.
func adviseStart(p algorithms.Problem, setting string, initial int) []algorithms.Advice {
	if p.MaxTrials == 0 || initial < p.MaxTrials {
		return nil
	}
	return []algorithms.Advice{{Setting: setting, Text: fmt.Sprintf(
		"the model is never used, for it takes %d trials before it and there are %d in all; raise maxTrialCount or lower %s", initial, p.MaxTrials, setting)}}
}
