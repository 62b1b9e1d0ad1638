package experiment

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/tuned-hpo/tuned/pkg/searchspace"
)

// Space returns the search space that the parameters describe: here text becomes numbers. The error
// is Faults with paths such as spec.parameters[1].feasibleSpace.min.
func (s *Spec) Space() (*searchspace.Space, error) {
	space, faults := s.space()
	if len(faults) > 0 {
		return nil, faults
	}
	return space, nil
}

func (s *Spec) space() (*searchspace.Space, Faults) {
	params := make([]searchspace.Parameter, len(s.Parameters))
	unread := make([]bool, len(s.Parameters))
	var faults Faults
	for i := range s.Parameters {
		r := numberReader{path: fmt.Sprintf("spec.parameters[%d]", i), resource: s.Parameters[i].Name == s.setting("resource_name")}
		if r.resource {
			r.most, _ = ParseNumber(s.setting("r_l")) // 0 when the algorithm has to complain of it
		}
		params[i] = r.parameter(&s.Parameters[i])
		unread[i] = len(r.faults) > 0
		faults = append(faults, r.faults...)
	}
	space, err := searchspace.New(params)
	for _, err := range all(err) {
		var f *searchspace.Fault
		if !errors.As(err, &f) {
			faults = append(faults, Fault{Path: "spec.parameters", Type: Invalid, Detail: err.Error()})
		} else if !unread[f.Index] {
			faults = append(faults, s.placed(f))
		}
	}
	return space, faults
}

// all returns the errors that err joins.
func all(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()
	}
	if err == nil {
		return nil
	}
	return []error{err}
}

// placed gives a fault of the space the path of the field that it is about.
func (s *Spec) placed(f *searchspace.Fault) Fault {
	out := Fault{Type: Invalid, Detail: f.Problem}
	field := f.Field
	switch f.Field {
	case "kind":
		field = "parameterType"
	case "distribution", "min", "max", "step", "list":
		field = "feasibleSpace." + f.Field
	case "activeWhen":
		if parent := s.Parameters[f.Index].ActiveWhen.Parameter; !slices.Contains(s.names(), parent) {
			field += ".parameter"
			out.Nearest = Nearest(parent, s.names())
		}
	}
	out.Path = fmt.Sprintf("spec.parameters[%d].%s", f.Index, field)
	return out
}

// names returns the parameters' names.
func (s *Spec) names() []string {
	names := make([]string, len(s.Parameters))
	for i, p := range s.Parameters {
		names[i] = p.Name
	}
	return names
}

// setting returns a setting of the algorithm, "" if there is none.
func (s *Spec) setting(name string) string {
	if s.Algorithm == nil {
		return ""
	}
	for _, setting := range s.Algorithm.AlgorithmSettings {
		if setting.Name == name {
			return setting.Value
		}
	}
	return ""
}

// ParseNumber reads a decimal number with optional sign, fraction and exponent: "3", "+3", ".5",
// "1e-3". It also reads nan, inf and infinity in any case with a sign before them, as training
// programs print them; a caller that has no use for those must refuse them. Hexadecimal digits,
// underscores, spaces and numbers beyond float64 are errors.
func ParseNumber(text string) (float64, error) {
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || strings.ContainsAny(text, "xX_") {
		return 0, fmt.Errorf("%q is no decimal number such as 3, 0.5 or 1e-3", text)
	}
	return v, nil
}

// numberReader turns one parameter's text into numbers. What the numbers must be is for
// searchspace to say.
type numberReader struct {
	path   string
	faults Faults

	// Whether it is the parameter whose values the algorithm itself deals out, as Hyperband does with the number of
	// epochs, and the greatest that it will. Its range may be a single value, and reaches as far as that.
	resource bool
	most     float64
}

func (r *numberReader) add(field, detail, value string) {
	r.faults = append(r.faults, Fault{Path: join(r.path, field), Type: Invalid, Detail: detail, Value: value})
}

func (r *numberReader) parameter(p *ParameterSpec) searchspace.Parameter {
	out := searchspace.Parameter{Name: p.Name}
	switch p.ParameterType {
	case "double":
		out.Kind = searchspace.Double
		r.interval(&p.FeasibleSpace, &out)
	case "int":
		out.Kind = searchspace.Int
		r.interval(&p.FeasibleSpace, &out)
	case "discrete":
		out.Kind = searchspace.Discrete
		r.numbers(p.FeasibleSpace.List, &out)
	case "categorical":
		out.Kind = searchspace.Categorical
		out.Values = slices.Clone(p.FeasibleSpace.List)
	default:
		r.add("parameterType", "want "+strings.Join(parameterTypes, ", "), p.ParameterType)
	}
	if c := p.ActiveWhen; c != nil {
		out.ActiveWhen = &searchspace.Condition{Parent: c.Parameter, Values: slices.Clone(c.Values)}
	}
	return out
}

func (r *numberReader) interval(f *FeasibleSpace, out *searchspace.Parameter) {
	switch f.Distribution {
	case "", "uniform":
		out.Distribution = searchspace.Uniform
	case "logUniform":
		out.Distribution = searchspace.LogUniform
	case "normal":
		out.Distribution = searchspace.Normal
	case "logNormal":
		out.Distribution = searchspace.LogNormal
	default:
		r.add("feasibleSpace.distribution", "want "+strings.Join(distributions, ", "), f.Distribution)
	}
	if f.Min == "" || f.Max == "" {
		r.add("feasibleSpace.max", "min and max must both be specified", "")
		return
	}
	out.Min = r.number("feasibleSpace.min", f.Min)
	out.Max = r.number("feasibleSpace.max", f.Max)
	if f.Step != "" {
		if out.Step = r.number("feasibleSpace.step", f.Step); out.Step == 0 {
			r.add("feasibleSpace.step", "step must be above 0", f.Step)
		}
	}
	if most := r.most; r.resource && out.Min <= out.Max && out.Max < most && !math.IsInf(most, 0) {
		if out.Max = most; out.Kind == searchspace.Int {
			out.Max = math.Floor(most)
		}
	}
	if r.resource && out.Min == out.Max {
		*out = searchspace.Parameter{Name: out.Name, Kind: searchspace.Discrete, Values: []string{f.Min}, Numbers: []float64{out.Min}}
	}
}

// number reads one number; 1, and a fault, for text that is none.
func (r *numberReader) number(field, text string) float64 {
	x, err := ParseNumber(text)
	switch {
	case err != nil:
		r.add(field, "want a decimal number such as 3, 0.5 or 1e-3", text)
	case math.IsNaN(x) || math.IsInf(x, 0):
		r.add(field, "want a finite number", text)
	default:
		return x
	}
	return 1
}

// numbers sorts the list: a discrete parameter's values have an order.
func (r *numberReader) numbers(list []string, out *searchspace.Parameter) {
	out.Values = slices.Clone(list)
	value := make(map[string]float64, len(list))
	for i, text := range list {
		value[text] = r.number(fmt.Sprintf("feasibleSpace.list[%d]", i), text)
	}
	slices.SortStableFunc(out.Values, func(a, b string) int { return cmp.Compare(value[a], value[b]) })
	for _, text := range out.Values {
		out.Numbers = append(out.Numbers, value[text])
	}
}
