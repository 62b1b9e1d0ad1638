package exchange

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/tuned-hpo/tuned/pkg/experiment"
)

// optunaDistribution is the JSON of a distribution. Names before Optuna 3 are read, too.
type optunaDistribution struct {
	Name       string `json:"name"`
	Attributes struct {
		Low     number            `json:"low"`
		High    number            `json:"high"`
		Log     bool              `json:"log"`
		Step    *number           `json:"step"`
		Q       *number           `json:"q"` // of DiscreteUniformDistribution
		Choices []json.RawMessage `json:"choices"`
	} `json:"attributes"`
}

// axis is what the distributions of one parameter, which may change from trial to trial, have in common.
type axis struct {
	name      string
	kind      string // float, int or choice
	low, high float64
	step      float64 // 0: none
	log       bool
	choices   []string // texts
	numeric   bool     // all choices are numbers
	texts     string   // the JSON of the choices
}

// readDistribution reads the JSON of a distribution.
func readDistribution(name, text string) (axis, error) {
	var d optunaDistribution
	if err := json.Unmarshal(pythonJSON([]byte(text)), &d); err != nil {
		return axis{}, fmt.Errorf("distribution: %w", err)
	}
	a := axis{name: name, low: float64(d.Attributes.Low), high: float64(d.Attributes.High), log: d.Attributes.Log || strings.Contains(d.Name, "Log")}
	for _, step := range []*number{d.Attributes.Step, d.Attributes.Q} {
		if step != nil {
			a.step = float64(*step)
		}
	}
	switch d.Name {
	case "FloatDistribution", "UniformDistribution", "LogUniformDistribution", "DiscreteUniformDistribution":
		a.kind = "float"
	case "IntDistribution", "IntUniformDistribution", "IntLogUniformDistribution":
		a.kind = "int"
	case "CategoricalDistribution":
		a.kind = "choice"
		return a, a.choose(d.Attributes.Choices)
	default:
		return a, fmt.Errorf("distribution %q is not known", d.Name)
	}
	if a.log {
		a.step = 0
	}
	return a, nil
}

// choose reads the choices: texts, numbers, true, false and None.
func (a *axis) choose(choices []json.RawMessage) error {
	a.numeric = true
	for _, raw := range choices {
		text := string(bytes.TrimSpace(raw))
		switch {
		case strings.HasPrefix(text, `"`):
			if err := json.Unmarshal(raw, &text); err != nil {
				return err
			}
			a.numeric = false
		case text == "true" || text == "false" || text == "null":
			text = map[string]string{"true": "True", "false": "False", "null": "None"}[text]
			a.numeric = false
		case strings.HasPrefix(text, "{") || strings.HasPrefix(text, "["):
			return fmt.Errorf("choice %s is neither a text nor a number", text)
		}
		if slices.Contains(a.choices, text) {
			return fmt.Errorf("two choices are %s as text", text)
		}
		a.choices = append(a.choices, text)
	}
	a.texts = strings.Join(a.choices, "\x00")
	return nil
}

// widen makes room for the values of another distribution of the same parameter.
func (a *axis) widen(b axis) error {
	if a.kind != b.kind || a.texts != b.texts || a.log != b.log {
		return fmt.Errorf("its distribution is of another kind than in earlier trials")
	}
	if a.step != b.step || a.step > 0 && math.Mod(a.low-b.low, a.step) != 0 {
		a.step = 0
	}
	a.low, a.high = min(a.low, b.low), max(a.high, b.high)
	return nil
}

// spec is the parameter. Choices that are all numbers are a discrete one, as is a range of one value.
func (a *axis) spec() experiment.ParameterSpec {
	p := experiment.ParameterSpec{Name: a.name}
	f := &p.FeasibleSpace
	switch {
	case a.kind == "choice" && a.numeric:
		p.ParameterType, f.List = "discrete", a.choices
		return p
	case a.kind == "choice":
		p.ParameterType, f.List = "categorical", a.choices
		return p
	case a.low == a.high:
		p.ParameterType, f.List = "discrete", []string{a.value(a.low)}
		return p
	case a.kind == "int":
		p.ParameterType = "int"
		if a.step == 1 {
			a.step = 0
		}
	default:
		p.ParameterType = "double"
	}
	f.Min, f.Max = a.value(a.low), a.value(a.high)
	if a.step > 0 {
		f.Step = a.value(a.step)
	}
	if a.log {
		f.Distribution = "logUniform"
	}
	return p
}

// value is the text of a value in Optuna's inner form.
func (a *axis) value(inner float64) string {
	switch {
	case a.kind == "choice" && inner >= 0 && inner < float64(len(a.choices)):
		return a.choices[int(inner)]
	case a.kind == "int" && math.Abs(inner) <= 1<<53:
		return strconv.FormatInt(int64(inner), 10)
	}
	return exact(inner)
}

// convert makes an experiment of a study. Faults are named by the line that created a trial.
func (s *study) convert(o *Options) (*Study, error) {
	c := converter{study: s, Options: o, axes: map[string]*axis{}}
	spec := objectiveSpec(c.objectives())
	c.parameters(spec)
	if len(c.faults) == 0 {
		c.constraints(spec)
		c.convert(spec)
	}
	if len(c.faults) > 0 {
		for i := range c.faults {
			c.faults[i].File = o.File
		}
		return nil, limited(c.faults)
	}
	return c.out, nil
}

type converter struct {
	*study
	*Options
	axes   map[string]*axis
	names  []string // of the parameters, in the order in which trials had them
	faults experiment.Faults
	out    *Study

	renamed []string // notes of parameters that are called otherwise here
}

func (c *converter) fault(t *frozen, name, format string, args ...any) {
	c.faults = append(c.faults, experiment.Fault{Line: t.line, Column: 1, Path: name, Type: experiment.Invalid, Detail: fmt.Sprintf(format, args...)})
}

// objectives names them as the study does, else as the options do, else value or value_0, value_1.
func (c *converter) objectives() []experiment.FurtherObjective {
	out := make([]experiment.FurtherObjective, max(1, len(c.directions)))
	for i := range out {
		out[i] = experiment.FurtherObjective{MetricName: fmt.Sprintf("value_%d", i), Type: "minimize"}
		if len(out) == 1 {
			out[i].MetricName = "value"
		}
		if i < len(c.metrics) {
			out[i].MetricName = c.metrics[i]
		}
		if i < len(c.directions) && c.directions[i] == directionMaximize {
			out[i].Type = "maximize"
		}
		if len(c.Objectives) == len(out) {
			out[i].MetricName = c.Objectives[i].MetricName
		}
	}
	return out
}

// parameters makes the search space of all distributions.
func (c *converter) parameters(spec *experiment.Spec) {
	read := map[string]axis{} // by name and text: most trials have the same
	for _, t := range c.trials {
		for _, name := range t.names {
			key := name + "\x00" + t.distributions[name]
			a, known := read[key]
			if !known {
				var err error
				if a, err = readDistribution(name, t.distributions[name]); err != nil {
					c.fault(t, name, "%v", err)
					continue
				}
				read[key] = a
			}
			if c.axes[name] == nil {
				c.axes[name], c.names = &a, append(c.names, name)
			} else if err := c.axes[name].widen(a); err != nil {
				c.fault(t, name, "%v", err)
			}
		}
	}
	if len(c.faults) > 0 {
		return
	}
	columns := make([][]*string, len(c.names))
	for i, name := range c.names {
		p := c.axes[name].spec()
		p.Name = c.rename(name)
		spec.Parameters = append(spec.Parameters, p)
		for _, t := range c.trials {
			if t.state == stateComplete || t.state == statePruned { // others may have ended before they had all
				columns[i] = append(columns[i], c.param(t, name))
			}
		}
	}
	for _, i := range conditions(spec.Parameters, columns) {
		c.faults = append(c.faults, experiment.Fault{
			Path: c.names[i], Type: experiment.Invalid, Detail: "some trials have no value of it, and no other parameter tells when",
		})
	}
}

// rename returns the name that a parameter of Optuna's has here: one that an experiment takes, and that no other has.
func (c *converter) rename(name string) string {
	if experiment.ParameterName(name) {
		return name
	}
	clean := strings.Map(func(r rune) rune {
		if experiment.ParameterName("a" + string(r)) {
			return r
		}
		return '_'
	}, name)
	if !experiment.ParameterName(clean) { // too long, or what must not come first
		clean = "parameter"
	}
	to := clean
	for n := 2; c.axes[to] != nil; n++ {
		to = fmt.Sprintf("%s_%d", clean, n)
	}
	c.axes[to] = c.axes[name] // taken
	c.renamed = append(c.renamed, fmt.Sprintf("parameter %q is called %s here", name, to))
	return to
}

// param is the text of a trial's parameter; nil when it has none.
func (c *converter) param(t *frozen, name string) *string {
	if inner, ok := t.params[name]; ok {
		return new(c.axes[name].value(inner))
	}
	return nil
}
