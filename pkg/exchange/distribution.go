package exchange

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/searchspace"
)

// distribution is Optuna's form of a parameter.
type distribution struct {
	text   json.RawMessage // its JSON, as text in JSON
	values []string        // of a list: the texts of its values
}

// inner returns a value as the journal has it: a number, of a list its place.
func (d *distribution) inner(value string) (json.RawMessage, error) {
	if d.values != nil {
		i := slices.Index(d.values, value)
		if i < 0 {
			return nil, fmt.Errorf("%q is not in the list", value)
		}
		return json.RawMessage(strconv.Itoa(i)), nil
	}
	v, err := strconv.ParseFloat(value, 64)
	return json.RawMessage(exact(v)), err
}

// distributions returns those of all parameters by name.
func distributions(s *experiment.Spec) (map[string]distribution, error) {
	space, err := s.Space()
	if err != nil {
		return nil, err
	}
	out := map[string]distribution{}
	for _, p := range space.Parameters() {
		name, attributes := "CategoricalDistribution", map[string]any{}
		switch p.Kind {
		case searchspace.Double:
			name, attributes = floatDistribution(p)
		case searchspace.Int:
			name, attributes = intDistribution(p)
		default:
			attributes["choices"] = choices(p)
		}
		text, err := json.Marshal(map[string]any{"name": name, "attributes": attributes})
		if err == nil {
			text, err = json.Marshal(string(text))
		}
		if err != nil {
			return nil, fmt.Errorf("parameter %s: %w", p.Name, err)
		}
		out[p.Name] = distribution{text, p.Values}
	}
	return out, nil
}

func floatDistribution(p searchspace.Parameter) (string, map[string]any) {
	a := map[string]any{"low": p.Min, "high": p.Max, "log": logarithmic(p), "step": nil}
	if p.Step > 0 && !logarithmic(p) {
		a["step"], a["high"] = p.Step, last(p)
	}
	return "FloatDistribution", a
}

func intDistribution(p searchspace.Parameter) (string, map[string]any) {
	a := map[string]any{"low": int64(p.Min), "high": int64(p.Max), "log": logarithmic(p), "step": 1}
	if p.Step > 1 && !logarithmic(p) {
		a["step"], a["high"] = int64(p.Step), int64(last(p))
	}
	return "IntDistribution", a
}

func logarithmic(p searchspace.Parameter) bool {
	return p.Distribution == searchspace.LogUniform || p.Distribution == searchspace.LogNormal
}

// last is the greatest value of a grid, which may end below Max.
func last(p searchspace.Parameter) float64 {
	p.ActiveWhen = nil
	space, err := searchspace.New([]searchspace.Parameter{p})
	if err != nil {
		return p.Max // it was checked with the space
	}
	return space.Decode([]float64{1})[0]
}

// choices are the values of a list: numbers of a discrete one, as they were written, else texts.
func choices(p searchspace.Parameter) []any {
	out := make([]any, len(p.Values))
	for i, text := range p.Values {
		switch {
		case p.Kind == searchspace.Categorical:
			out[i] = text
		case json.Valid([]byte(text)):
			out[i] = json.RawMessage(text)
		default:
			out[i] = p.Numbers[i]
		}
	}
	return out
}
