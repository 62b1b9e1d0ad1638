package main

import (
	"errors"
	"math"
	"math/rand"
	"slices"

	"github.com/c-bata/goptuna"
	"github.com/c-bata/goptuna/cmaes"
	"github.com/c-bata/goptuna/sobol"
	"github.com/c-bata/goptuna/tpe"
)

// parameter is one of the space, as ../README.md describes it.
type parameter struct {
	Name     string    `json:"name"`
	Kind     string    `json:"kind"`
	Min, Max float64   // both included
	Step     float64   `json:"step"`
	Log      bool      `json:"log"`
	Numbers  []float64 `json:"numbers"`
	Values   []string  `json:"values"`
	Parent   string    `json:"parent"`
	When     []any     `json:"when"`
}

// samplers are the options of a study for each method.
var samplers = map[string]func(seed int64) goptuna.StudyOption{
	"tpe": func(seed int64) goptuna.StudyOption {
		return goptuna.StudyOptionSampler(tpe.NewSampler(tpe.SamplerOptionSeed(seed)))
	},
	"cmaes": func(seed int64) goptuna.StudyOption {
		return goptuna.StudyOptionRelativeSampler(cmaes.NewSampler(cmaes.SamplerOptionSeed(seed)))
	},
	"sobol": func(int64) goptuna.StudyOption {
		return goptuna.StudyOptionRelativeSampler(sobol.NewSampler())
	},
}

// run is a study.
type run struct {
	study  *goptuna.Study
	space  []parameter
	trials map[uint64]int // goptuna's id of each asked trial
}

func newRun(method string, q request) (*run, error) {
	seed := int64(q.Seed % (1 << 32))
	rand.Seed(seed) // goptuna draws categories from the global source
	defined := make(map[string]any, len(q.Space))
	for _, p := range q.Space {
		defined[p.Name] = p.distribution()
	}
	study, err := goptuna.CreateStudy("bench",
		goptuna.StudyOptionDefineSearchSpace(defined), // else its search for common parameters panics
		goptuna.StudyOptionLogger(nil),
		goptuna.StudyOptionSampler(goptuna.NewRandomSampler(goptuna.RandomSamplerOptionSeed(seed))),
		samplers[method](seed))
	if err != nil {
		return nil, err
	}
	return &run{study: study, space: q.Space, trials: make(map[uint64]int)}, nil
}

// ask makes a trial, as Study.Optimize does, and suggests its point.
func (r *run) ask(id uint64) (map[string]any, error) {
	trialID, err := r.study.Storage.CreateNewTrial(r.study.ID)
	if err != nil {
		return nil, err
	}
	r.trials[id] = trialID
	t := goptuna.Trial{Study: r.study, ID: trialID}
	if err := t.CallRelativeSampler(); err != nil {
		return nil, err
	}
	point := make(map[string]any, len(r.space))
	for _, p := range r.space {
		if p.Parent != "" && !slices.Contains(p.When, point[p.Parent]) {
			continue
		}
		if point[p.Name], err = p.suggest(&t); err != nil {
			return nil, err
		}
	}
	return point, nil
}

// suggest returns the value that the trial suggests, numbers as float64.
func (p parameter) suggest(t *goptuna.Trial) (any, error) {
	var v float64
	var err error
	switch d := p.distribution().(type) {
	case goptuna.CategoricalDistribution:
		return t.SuggestCategorical(p.Name, d.Choices)
	case goptuna.DiscreteUniformDistribution:
		v, err = t.SuggestDiscreteFloat(p.Name, d.Low, d.High, d.Q)
	case goptuna.LogUniformDistribution:
		v, err = t.SuggestLogFloat(p.Name, d.Low, d.High)
	case goptuna.UniformDistribution:
		v, err = t.SuggestFloat(p.Name, d.Low, d.High)
	}
	switch {
	case p.Kind == "discrete":
		return p.Numbers[int(v)], err
	case p.Kind == "int" && p.Log:
		return max(p.Min, min(math.Round(v), p.Max)), err
	case p.step() > 0:
		return p.Min + v*p.step(), err
	}
	return max(p.Min, min(v, p.Max)), err
}

// distribution returns the parameter in goptuna's terms.
func (p parameter) distribution() any {
	switch {
	case p.Kind == "categorical":
		return goptuna.CategoricalDistribution{Choices: p.Values}
	case p.Kind == "discrete":
		return goptuna.DiscreteUniformDistribution{High: float64(len(p.Numbers) - 1), Q: 1}
	case p.Kind == "int" && p.Log:
		return goptuna.LogUniformDistribution{Low: p.Min - 0.5, High: p.Max + 0.5}
	case p.Log:
		return goptuna.LogUniformDistribution{Low: p.Min, High: p.Max}
	case p.step() > 0:
		n := math.Floor((p.Max - p.Min) / p.step() * (1 + 1e-15))
		return goptuna.DiscreteUniformDistribution{High: n, Q: 1}
	}
	return goptuna.UniformDistribution{Low: p.Min, High: p.Max}
}

// step is the distance of the values of a grid, 0 when continuous.
func (p parameter) step() float64 {
	if p.Kind == "int" {
		return max(p.Step, 1)
	}
	return p.Step
}

// tell ends a trial. No losses mean that it failed.
func (r *run) tell(id uint64, losses []float64) error {
	trialID, ok := r.trials[id]
	if !ok {
		return errors.New("told of a trial that was not asked")
	}
	delete(r.trials, id)
	if losses == nil {
		return r.study.Storage.SetTrialState(trialID, goptuna.TrialStateFail)
	}
	if err := r.study.Storage.SetTrialValue(trialID, losses[0]); err != nil {
		return err
	}
	return r.study.Storage.SetTrialState(trialID, goptuna.TrialStateComplete)
}
