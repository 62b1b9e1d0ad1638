package host

import (
	"fmt"
	"iter"

	"google.golang.org/protobuf/proto"

	"github.com/tuned-hpo/tuned/algorithms"
	pluginv1 "github.com/tuned-hpo/tuned/api/tuned/plugin/v1"
	"github.com/tuned-hpo/tuned/pkg/searchspace"
)

func writeTask(d algorithms.Definition, p algorithms.Problem, v algorithms.Values) (*pluginv1.Task, error) {
	out := &pluginv1.Task{Algorithm: d.Name, Settings: make(map[string]*pluginv1.Value, len(v)), Problem: &pluginv1.Problem{
		Objectives: int64(p.Objectives), Constraints: int64(p.Constraints), Seed: p.Seed, MaxTrials: int64(p.MaxTrials), Parallel: int64(p.Parallel),
		Maximized: p.Maximized,
	}}
	for _, param := range p.Space.Parameters() {
		out.Problem.Parameters = append(out.Problem.Parameters, writeParameter(param))
	}
	for name, value := range v {
		w, err := writeValue(value)
		if err != nil {
			return nil, fmt.Errorf("setting %s: %w", name, err)
		}
		out.Settings[name] = w
	}
	return out, nil
}

func writeParameter(p searchspace.Parameter) *pluginv1.Parameter {
	out := &pluginv1.Parameter{
		Name: p.Name, Kind: pluginv1.Kind(p.Kind), Min: p.Min, Max: p.Max, Step: p.Step, Values: p.Values, Numbers: p.Numbers,
	}
	if p.Kind == searchspace.Double || p.Kind == searchspace.Int {
		out.Distribution = pluginv1.Distribution_DISTRIBUTION_UNIFORM + pluginv1.Distribution(p.Distribution)
	}
	if c := p.ActiveWhen; c != nil {
		out.ActiveWhen = &pluginv1.Condition{Parent: c.Parent, Values: c.Values}
	}
	return out
}

func writeValue(value any) (*pluginv1.Value, error) {
	switch v := value.(type) {
	case int64:
		return &pluginv1.Value{Value: &pluginv1.Value_IntValue{IntValue: v}}, nil
	case float64:
		return &pluginv1.Value{Value: &pluginv1.Value_FloatValue{FloatValue: v}}, nil
	case bool:
		return &pluginv1.Value{Value: &pluginv1.Value_BoolValue{BoolValue: v}}, nil
	case string:
		return &pluginv1.Value{Value: &pluginv1.Value_StringValue{StringValue: v}}, nil
	}
	return nil, fmt.Errorf("a %T is no value of a setting", value)
}

func writeTrial(t algorithms.Trial) *pluginv1.Trial {
	out := &pluginv1.Trial{
		Id: t.ID, Point: t.Point, State: pluginv1.Trial_STATE_PENDING + pluginv1.Trial_State(t.State),
		Losses: t.Losses, Constraints: t.Constraints, Memo: t.Memo,
	}
	for _, m := range t.Curve {
		out.Curve = append(out.Curve, &pluginv1.Measurement{Step: m.Step, Loss: m.Loss})
	}
	return out
}

// maxPart is the size in bytes that trials of one message may reach. What a server of gRPC takes is
// 4 MiB, unless its author says otherwise.
const maxPart = 1 << 20

// parts cuts a list of trials into messages. A trial longer than maxPart has a message of its own.
func parts(trials []algorithms.Trial) iter.Seq[*pluginv1.Trials] {
	return func(yield func(*pluginv1.Trials) bool) {
		part, size := &pluginv1.Trials{}, 0
		for _, t := range trials {
			trial := writeTrial(t)
			n := proto.Size(trial)
			if len(part.Trials) > 0 && size+n > maxPart {
				if !yield(part) {
					return
				}
				part, size = &pluginv1.Trials{}, 0
			}
			part.Trials = append(part.Trials, trial)
			size += n
		}
		if len(part.Trials) > 0 {
			yield(part)
		}
	}
}

// sendPriors passes on what there is of earlier experiments, if the algorithm looks at them, until a
// message cannot be sent.
func sendPriors(d algorithms.Definition, p algorithms.Problem, send func(*pluginv1.Prior) bool) bool {
	if !d.Priors {
		return true
	}
	for i, prior := range p.Priors {
		// One message more, without trials, so that there is one in any case.
		if !send(&pluginv1.Prior{Index: int32(i), Name: prior.Name}) {
			return false
		}
		for part := range parts(prior.Trials) {
			if !send(&pluginv1.Prior{Index: int32(i), Name: prior.Name, Trials: part.GetTrials()}) {
				return false
			}
		}
	}
	return true
}
