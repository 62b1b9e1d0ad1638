package plugins

import (
	"github.com/tuned-hpo/tuned/algorithms"
	pluginv1 "github.com/tuned-hpo/tuned/api/tuned/plugin/v1"
)

func writeDefinition(d algorithms.Definition) *pluginv1.Algorithm {
	out := &pluginv1.Algorithm{
		Name: d.Name, Aliases: d.Aliases, Summary: d.Summary, Reference: d.Reference, Curves: d.Curves, Seedless: d.Seedless,
		Objectives: d.Objectives, Constraints: d.Constraints, Priors: d.Priors,
		Check: d.Check != nil, Advise: d.Advise != nil, Insight: d.Insight != nil,
	}
	for _, k := range d.Kinds {
		out.Kinds = append(out.Kinds, pluginv1.Kind(k))
	}
	for _, s := range d.Settings {
		out.Settings = append(out.Settings, &pluginv1.Setting{
			Name: s.Name, Type: pluginv1.Setting_Type(s.Type), Help: s.Help, DefaultValue: s.Default, Required: s.Required,
			Min: s.Min, Max: s.Max, OpenMin: s.OpenMin, OpenMax: s.OpenMax, Choices: s.Choices, Dialect: s.Dialect,
		})
	}
	return out
}

func writeInsight(in algorithms.Insight) *pluginv1.InsightResponse {
	out := &pluginv1.InsightResponse{Trials: int64(in.Trials), At: in.At}
	for _, o := range in.Outputs {
		out.Outputs = append(out.Outputs, writeOutput(o))
	}
	for _, numbers := range in.Promise {
		out.Promise = append(out.Promise, &pluginv1.Numbers{Numbers: numbers})
	}
	return out
}

func writeOutput(in algorithms.OutputInsight) *pluginv1.Output {
	out := &pluginv1.Output{}
	for _, i := range in.Importance {
		out.Importance = append(out.Importance, &pluginv1.Importance{Alone: i.Alone, Total: i.Total})
	}
	for _, points := range in.Slices {
		slice := &pluginv1.Slice{}
		for _, p := range points {
			slice.Values = append(slice.Values, p.Value)
			slice.Bands = append(slice.Bands, writeBand(p.Band))
		}
		out.Slices = append(out.Slices, slice)
	}
	for _, p := range in.Planes {
		plane := &pluginv1.Plane{
			First: int32(p.Parameters[0]), Second: int32(p.Parameters[1]), FirstValues: p.Values[0], SecondValues: p.Values[1],
		}
		for _, row := range p.Bands {
			for _, b := range row {
				plane.Bands = append(plane.Bands, writeBand(b))
			}
		}
		out.Planes = append(out.Planes, plane)
	}
	for _, l := range in.LeftOut {
		out.LeftOut = append(out.LeftOut, &pluginv1.LeftOut{Id: l.ID, Value: l.Value, Band: writeBand(l.Band), Residual: l.Residual})
	}
	return out
}

func writeBand(b algorithms.Band) *pluginv1.Band {
	return &pluginv1.Band{Mean: b.Mean, Low: b.Low, High: b.High}
}
