package plugins

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/tuned-hpo/tuned/algorithms"
	pluginv1 "github.com/tuned-hpo/tuned/api/tuned/plugin/v1"
	"github.com/tuned-hpo/tuned/pkg/searchspace"
)

// task is a checked pluginv1.Task.
type task struct {
	def     algorithms.Definition
	problem algorithms.Problem
	values  algorithms.Values
}

// task reads a task. The error is a status with every fault of it.
func (s *service) task(t *pluginv1.Task, priors []algorithms.Prior) (task, error) {
	if t == nil {
		return task{}, status.Error(codes.InvalidArgument, "there is no task")
	}
	def, err := s.registry.Lookup(t.GetAlgorithm())
	if err != nil {
		return task{}, status.Error(codes.NotFound, err.Error())
	}
	problem, unclear := readProblem(t.GetProblem())
	problem.Priors = priors
	values, unfit := readValues(t.GetSettings(), def.Settings)
	if err := errors.Join(unclear, unfit); err != nil {
		return task{}, status.Error(codes.InvalidArgument, err.Error())
	}
	return task{def, problem, values}, nil
}

func readProblem(p *pluginv1.Problem) (algorithms.Problem, error) {
	var faults []error
	for _, n := range []struct {
		name        string
		value, from int64
	}{
		{"objectives", p.GetObjectives(), 1},
		{"constraints", p.GetConstraints(), 0},
		{"max_trials", p.GetMaxTrials(), 0},
		{"parallel", p.GetParallel(), 1},
	} {
		if n.value < n.from {
			faults = append(faults, fmt.Errorf("problem.%s must be at least %d, got %d", n.name, n.from, n.value))
		}
	}
	space, err := readSpace(p.GetParameters())
	if err != nil {
		faults = append(faults, err)
	}
	return algorithms.Problem{
		Space: space, Objectives: int(p.GetObjectives()), Constraints: int(p.GetConstraints()),
		Seed: p.GetSeed(), MaxTrials: int(p.GetMaxTrials()), Parallel: int(p.GetParallel()),
		Maximized: p.GetMaximized(),
	}, errors.Join(faults...)
}

func readSpace(parameters []*pluginv1.Parameter) (*searchspace.Space, error) {
	params := make([]searchspace.Parameter, len(parameters))
	for i, p := range parameters {
		params[i] = searchspace.Parameter{
			Name: p.GetName(), Kind: readKind(p.GetKind()), Distribution: readDistribution(p.GetDistribution()),
			Min: p.GetMin(), Max: p.GetMax(), Step: p.GetStep(), Values: p.GetValues(), Numbers: p.GetNumbers(),
		}
		if c := p.GetActiveWhen(); c != nil {
			params[i].ActiveWhen = &searchspace.Condition{Parent: c.GetParent(), Values: c.GetValues()}
		}
	}
	return searchspace.New(params)
}

// unknown is no kind and no distribution, which a Space says.
const unknown = math.MaxUint8

func readKind(k pluginv1.Kind) searchspace.Kind {
	if k < 0 || k > pluginv1.Kind_KIND_CATEGORICAL {
		return unknown
	}
	return searchspace.Kind(k)
}

func readDistribution(d pluginv1.Distribution) searchspace.Distribution {
	switch {
	case d == pluginv1.Distribution_DISTRIBUTION_UNSPECIFIED:
		return searchspace.Uniform
	case d < 0 || d > pluginv1.Distribution_DISTRIBUTION_LOG_NORMAL:
		return unknown
	}
	return searchspace.Distribution(d - pluginv1.Distribution_DISTRIBUTION_UNIFORM)
}

// readValues wants the names and types of known settings.
func readValues(settings map[string]*pluginv1.Value, known []algorithms.Setting) (algorithms.Values, error) {
	values := make(algorithms.Values, len(settings))
	var faults []error
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		value, kind := readValue(settings[name])
		if !slices.ContainsFunc(known, func(s algorithms.Setting) bool { return s.Name == name && s.Type == kind }) {
			faults = append(faults, fmt.Errorf("settings[%s]: no setting takes %v", name, settings[name]))
			continue
		}
		values[name] = value
	}
	return values, errors.Join(faults...)
}

func readValue(v *pluginv1.Value) (any, algorithms.SettingType) {
	switch v := v.GetValue().(type) {
	case *pluginv1.Value_IntValue:
		return v.IntValue, algorithms.IntSetting
	case *pluginv1.Value_FloatValue:
		return v.FloatValue, algorithms.FloatSetting
	case *pluginv1.Value_BoolValue:
		return v.BoolValue, algorithms.BoolSetting
	case *pluginv1.Value_StringValue:
		return v.StringValue, algorithms.StringSetting
	}
	return nil, 0
}

// readTrials appends to a list. Nothing is wrong with a trial that an algorithm cannot use.
func readTrials(list []algorithms.Trial, trials []*pluginv1.Trial) []algorithms.Trial {
	list = slices.Grow(list, len(trials))
	for _, t := range trials {
		trial := algorithms.Trial{
			ID: t.GetId(), Point: t.GetPoint(), State: readState(t.GetState()),
			Losses: t.GetLosses(), Constraints: t.GetConstraints(), Memo: t.GetMemo(),
		}
		for _, m := range t.GetCurve() {
			trial.Curve = append(trial.Curve, algorithms.Measurement{Step: m.GetStep(), Loss: m.GetLoss()})
		}
		list = append(list, trial)
	}
	return list
}

// readState takes a state that it does not know for a failure: such a trial is not learned from.
func readState(s pluginv1.Trial_State) algorithms.State {
	if s < pluginv1.Trial_STATE_PENDING || s > pluginv1.Trial_STATE_FAILED {
		return algorithms.Failed
	}
	return algorithms.State(s - pluginv1.Trial_STATE_PENDING)
}
