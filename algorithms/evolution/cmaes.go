// Package evolution holds the algorithms that breed a generation of trials from the best of those before.
package evolution

import (
	"fmt"

	"github.com/tuned-hpo/tuned/algorithms"
	"github.com/tuned-hpo/tuned/algorithms/sampling"
	"github.com/tuned-hpo/tuned/pkg/searchspace"
)

// CMAES describes the covariance matrix adaptation evolution strategy: trials are drawn from a normal
// distribution, which each generation moves, stretches and turns to where its better half lies. Parameters
// in steps have a margin, and labels a distribution of their own.
func CMAES() algorithms.Definition {
	return algorithms.Definition{
		Name:        "cmaes",
		Summary:     "covariance matrix adaptation evolution strategy",
		Reference:   "Hansen 2016, The CMA evolution strategy: a tutorial, arXiv:1604.00772",
		Settings:    cmaesSettings(),
		Constraints: true, Priors: true,
		Check: func(p algorithms.Problem, _ algorithms.Values) error {
			if n := numericParameters(p.Space); n < 2 {
				return fmt.Errorf("needs at least 2 parameters of type double or int, the space has %d", n)
			}
			return nil
		},
		Advise: adviseCMAES,
		New: func(p algorithms.Problem, v algorithms.Values) (algorithms.Suggester, error) {
			return newCMAES(p, readSettings(p.Space, v), sampling.Seed(p, v)), nil
		},
	}
}

func cmaesSettings() []algorithms.Setting {
	const help = "whether to start again when it has converged: with twice the population (ipop), or with large and small ones in turn (bipop)"
	wide := restartSetting("goptuna", help, "none", "None", "ipop", "bipop")
	narrow := restartSetting("optuna", help, "none", "None", "ipop")
	return []algorithms.Setting{
		wide, narrow,
		{
			Name: "sigma", Type: algorithms.FloatSetting, Max: algorithms.Unbounded,
			Help: "first standard deviation as a part of each parameter's range, at most 1; 0 chooses one",
		},
		{
			Name: "popsize", Type: algorithms.IntSetting, Max: 10000,
			Help: "trials per generation, at least 4; 0 chooses 4 + 3 ln(number of parameters)",
		},
		{
			Name: "separable", Type: algorithms.StringSetting, Default: "auto", Choices: []string{"auto", "true", "false"},
			Help: "whether each parameter is adapted by itself, which takes fewer trials than to learn how they act together; auto does so in spaces of more than 100 numbers",
		},
		{
			Name: "refine", Type: algorithms.BoolSetting, Default: "true",
			Help: "whether one trial in ten, and the last third of a budget that is known, are steps from the best trial along few parameters",
		},
		{
			Name: "lr_adapt", Type: algorithms.BoolSetting, Default: "false",
			Help: "whether steps become shorter while results contradict each other, as of noise and of many local optima, which takes many more trials",
		},
		sampling.SeedSetting(),
	}
}

func restartSetting(dialect, help string, choices ...string) algorithms.Setting {
	return algorithms.Setting{
		Name: "restart_strategy", Type: algorithms.StringSetting, Dialect: dialect, Default: "none", Help: help, Choices: choices,
	}
}

func numericParameters(space *searchspace.Space) int {
	n := 0
	for _, p := range space.Parameters() {
		if p.Kind == searchspace.Double || p.Kind == searchspace.Int {
			n++
		}
	}
	return n
}

// settings are the values of the settings, with what they leave open chosen.
type settings struct {
	restarts  string  // none, ipop or bipop
	sigma     float64 // unit cube
	lambda    int     // of the first run
	separable bool
	refine    bool
	lrAdapt   bool
}

func readSettings(space *searchspace.Space, v algorithms.Values) settings {
	const (
		firstSigma  = 1. / 6
		leastLambda = 4
		largeSpace  = 100
	)
	s := settings{restarts: v.Text("restart_strategy", "none"), sigma: min(v.Float("sigma", 0), 1), lambda: int(v.Int("popsize", 0)), refine: v["refine"] != false, lrAdapt: v["lr_adapt"] == true}
	if s.sigma == 0 {
		s.sigma = firstSigma
	}
	if s.lambda == 0 {
		s.lambda = defaultLambda(space.Len())
	}
	s.lambda = max(s.lambda, leastLambda)
	numbers := 0
	for _, p := range space.Parameters() {
		if p.Kind != searchspace.Categorical {
			numbers++
		}
	}
	switch v.Text("separable", "auto") {
	case "true":
		s.separable = true
	case "auto":
		s.separable = numbers > largeSpace
	}
	return s
}

// adviseCMAES is [algorithms.Definition.Advise].
func adviseCMAES(p algorithms.Problem, v algorithms.Values) []algorithms.Advice {
	var out []algorithms.Advice
	if sigma := v.Float("sigma", 0); sigma > 1 {
		out = append(out, algorithms.Advice{Setting: "sigma", Text: fmt.Sprintf("it is a part of each parameter's range, so that %g is taken as 1, and trials are spread all over", sigma)})
	}
	popsize := int(v.Int("popsize", 0))
	if lambda := readSettings(p.Space, v).lambda; p.MaxTrials > 0 && p.MaxTrials < 2*lambda {
		setting, do := "", "use more trials, or bayesianoptimization"
		if popsize > 0 {
			setting, do = "popsize", "set it lower"
		}
		out = append(out, algorithms.Advice{Setting: setting, Text: fmt.Sprintf("%d trials are fewer than two generations of %d, so that next to nothing is learnt: %s", p.MaxTrials, lambda, do)})
	}
	return out
}
