package multifidelity

import (
	"fmt"

	"github.com/tuned-hpo/tuned/algorithms"
	"github.com/tuned-hpo/tuned/algorithms/sampling"
)

// Hyperband describes brackets of successive halving that begin with different amounts of resource. The settings are those
// of Katib's service; unlike there any number of trials may run side by side.
func Hyperband() algorithms.Definition {
	most := mostResource()
	most.Required, most.Help = true, "the most resource that one trial may use"
	return definition(algorithms.Definition{
		Name:      "hyperband",
		Summary:   "many short trials, of which the best go on",
		Reference: "Li, Jamieson, DeSalvo, Rostamizadeh and Talwalkar 2018, Hyperband, JMLR 18",
		Settings:  []algorithms.Setting{most},
		Advise:    adviseBrackets,
	}, func(f *fidelity, p algorithms.Problem, v algorithms.Values) (schedule, source, error) {
		return newHyperband(f), newRandomSource(f, sampling.Seed(p, v)), nil
	})
}

// SuccessiveHalving describes one bracket: it ends when the best configurations have got all the resource.
func SuccessiveHalving() algorithms.Definition {
	return definition(algorithms.Definition{
		Name:      "successivehalving",
		Summary:   "one bracket of hyperband, after which it ends",
		Reference: "Jamieson and Talwalkar 2016, Non-stochastic best arm identification and hyperparameter optimization, AISTATS",
		Settings: []algorithms.Setting{
			mostResource(),
			{
				Name: "configurations", Type: algorithms.IntSetting, Min: 1, Max: mostTrials,
				Help: "how many begin, by default as many as leave one at the end",
			},
		},
		Advise: adviseLevels,
	}, func(f *fidelity, p algorithms.Problem, v algorithms.Values) (schedule, source, error) {
		n := float64(v.Int("configurations", 0))
		if n == 0 {
			n = f.power(f.top())
		}
		return &halving{plans: []plan{f.newPlan(0, n)}}, newRandomSource(f, sampling.Seed(p, v)), nil
	})
}

// BOHB describes Hyperband whose new configurations are those that a model suggests.
func BOHB(model Model) algorithms.Definition {
	return definition(algorithms.Definition{
		Name:      "bohb",
		Summary:   "hyperband whose configurations a model of the trials so far suggests",
		Reference: "Falkner, Klein and Hutter 2018, BOHB, ICML 35",
		Settings: []algorithms.Setting{
			mostResource(),
			{
				Name: "random_fraction", Type: algorithms.FloatSetting, Max: 1, Default: "0.3333333333333333",
				Help: "share of the configurations that are drawn at random all the same",
			},
		},
		Advise: adviseBOHB,
	}, func(f *fidelity, p algorithms.Problem, v algorithms.Values) (schedule, source, error) {
		s, err := newModelSource(f, p, sampling.Seed(p, v), v.Float("random_fraction", 1./3), model)
		return newHyperband(f), s, err
	})
}

// ASHA describes successive halving that never waits. A model suggests its configurations, or they are random as published.
func ASHA(model Model) algorithms.Definition {
	const tpe, random = "tpe", "random"
	return definition(algorithms.Definition{
		Name:      "asha",
		Summary:   "successive halving that promotes what is good so far, without waiting for the rest",
		Reference: "Li, Jamieson, Rostamizadeh, Gonina, Hardt, Recht and Talwalkar 2020, A system for massively parallel hyperparameter tuning, algorithm 2",
		Settings: []algorithms.Setting{
			mostResource(),
			{
				Name: "min_early_stopping_rate", Type: algorithms.IntSetting, Max: mostTrials, Default: "0",
				Help: "how many levels of the resource above the least one configurations begin",
			},
			{
				Name: "brackets", Type: algorithms.IntSetting, Min: 1, Max: mostTrials, Default: "1",
				Help: "how many levels configurations begin at, from that one upwards",
			},
			{
				Name: "sampler", Type: algorithms.StringSetting, Default: tpe, Choices: []string{tpe, random},
				Help: "where configurations come from: a model of the trials so far (tpe), or chance",
			},
		},
		Check:  checkASHA,
		Advise: adviseLevels,
	}, func(f *fidelity, p algorithms.Problem, v algorithms.Values) (schedule, source, error) {
		seed := sampling.Seed(p, v)
		a := newAsynchronous(f, seed, int(v.Int("min_early_stopping_rate", 0)), int(v.Int("brackets", 1)))
		if v.Text("sampler", tpe) == random {
			return a, newRandomSource(f, seed), nil
		}
		s, err := newModelSource(f, p, seed, 0, model)
		return a, s, err
	})
}

func newHyperband(f *fidelity) schedule { return &halving{plans: f.hyperbandPlans(), endless: true} }

func mostResource() algorithms.Setting {
	return algorithms.Setting{
		Name: "r_l", Type: algorithms.FloatSetting, Max: algorithms.Unbounded, OpenMin: true,
		Help: "the most resource that one trial may use, by default the greatest value of the parameter",
	}
}

// definition completes a definition by what all of this package have: settings, the check of the resource, and a
// suggester of the two parts that are made.
func definition(def algorithms.Definition, parts func(*fidelity, algorithms.Problem, algorithms.Values) (schedule, source, error)) algorithms.Definition {
	own := def.Settings
	def.Settings = append([]algorithms.Setting{
		own[0],
		{Name: "resource_name", Type: algorithms.StringSetting, Required: true, Help: "the parameter that holds the resource of a trial"},
		{Name: "eta", Type: algorithms.FloatSetting, Default: "3", Help: "one in eta trials goes on; below 1 means 3"},
		{
			Name: "min_resource", Type: algorithms.FloatSetting, Max: algorithms.Unbounded, OpenMin: true,
			Help: "the least resource of a trial, by default 1, or the least value of the parameter where that is above 1 or r_l is no more than 1",
		},
	}, append(own[1:], sampling.SeedSetting())...)
	def.Constraints = true
	if def.Check == nil {
		def.Check = func(p algorithms.Problem, v algorithms.Values) error {
			_, err := newFidelity(p, v)
			return err
		}
	}
	def.New = func(p algorithms.Problem, v algorithms.Values) (algorithms.Suggester, error) {
		f, err := newFidelity(p, v)
		if err != nil {
			return nil, err
		}
		schedule, source, err := parts(f, p, v)
		if err != nil {
			return nil, err
		}
		return newSuggester(f, p, schedule, source), nil
	}
	return def
}

// checkASHA wants as many levels as the settings of the brackets take.
func checkASHA(p algorithms.Problem, v algorithms.Values) error {
	f, err := newFidelity(p, v)
	if err != nil {
		return err
	}
	rate, brackets := v.Int("min_early_stopping_rate", 0), v.Int("brackets", 1)
	if levels := int64(len(f.levels)); rate+brackets > levels {
		return fmt.Errorf("min_early_stopping_rate and brackets must be at most %d together, the levels of the resource, got %d and %d", levels, rate, brackets)
	}
	return nil
}

// adviseLevels warns of a resource that has one level.
func adviseLevels(p algorithms.Problem, v algorithms.Values) []algorithms.Advice {
	f, err := newFidelity(p, v)
	if err != nil || len(f.levels) > 1 {
		return nil
	}
	return []algorithms.Advice{{
		Setting: "r_l", Text: fmt.Sprintf("every trial gets %g of the resource at once, so that none is short: raise r_l, or lower min_resource or eta", f.levels[0]),
	}}
}

// adviseBrackets warns, besides, of a budget that ends before a configuration of the first bracket got all the resource.
func adviseBrackets(p algorithms.Problem, v algorithms.Values) []algorithms.Advice {
	out := adviseLevels(p, v)
	f, err := newFidelity(p, v)
	if err != nil || p.MaxTrials == 0 {
		return out
	}
	trials := 0
	for _, n := range f.hyperbandPlans()[0].sizes {
		trials = min(trials+n, mostTrials)
	}
	if p.MaxTrials < trials {
		out = append(out, algorithms.Advice{Text: fmt.Sprintf("the first bracket takes %d trials, and the budget ends after %d: raise it, or lower r_l", trials, p.MaxTrials)})
	}
	return out
}

// adviseBOHB warns, besides, of a model that is never asked.
func adviseBOHB(p algorithms.Problem, v algorithms.Values) []algorithms.Advice {
	out := adviseBrackets(p, v)
	if v.Float("random_fraction", 0) == 1 {
		out = append(out, algorithms.Advice{Setting: "random_fraction", Text: "every configuration is drawn at random, and the model is never asked: lower it, or use hyperband"})
	}
	return out
}
