package experiment

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// FurtherObjective is a metric to optimise beside that of spec.objective.
type FurtherObjective struct {
	MetricName string `json:"metricName,omitempty"`
	Type       string `json:"type,omitempty"` // minimize or maximize
}

// Constraint bounds a metric. A trial is feasible when its value is within all bounds, ends included.
type Constraint struct {
	MetricName string   `json:"metricName,omitempty"`
	Max        *float64 `json:"max,omitempty"`
	Min        *float64 `json:"min,omitempty"`
}

// Objectives returns all objectives, that of spec.objective first.
func (s *Spec) Objectives() []FurtherObjective {
	first := FurtherObjective{MetricName: s.Objective.ObjectiveMetricName, Type: s.Objective.Type}
	return append([]FurtherObjective{first}, s.further()...)
}

// Constraints returns the constraints of spec.tuned.
func (s *Spec) Constraints() []Constraint {
	if s.Tuned == nil {
		return nil
	}
	return s.Tuned.Constraints
}

func (s *Spec) further() []FurtherObjective {
	if s.Tuned == nil {
		return nil
	}
	return s.Tuned.Objectives
}

// furtherMetric is a metric of spec.tuned and what there is about it.
type furtherMetric struct {
	name, path    string
	objectiveType string // "" for a constraint
}

// costPath is where costs are counted.
const costPath = "spec.tuned.cost"

// field returns where the metric is named.
func (m furtherMetric) field() string {
	if m.path == costPath {
		return m.path + ".metric"
	}
	return m.path + ".metricName"
}

// furtherMetrics returns the metrics of spec.tuned's objectives, constraints and cost, those without a name
// left out, and none at all of lists that are too long.
func (s *Spec) furtherMetrics() (out []furtherMetric) {
	if objectives := s.further(); len(objectives) <= maxFurther {
		for i, o := range objectives {
			out = append(out, furtherMetric{o.MetricName, fmt.Sprintf("spec.tuned.objectives[%d]", i), cmp.Or(o.Type, "none")})
		}
	}
	if constraints := s.Constraints(); len(constraints) <= maxConstraints {
		for i, c := range constraints {
			out = append(out, furtherMetric{c.MetricName, fmt.Sprintf("spec.tuned.constraints[%d]", i), ""})
		}
	}
	if metric := s.costMetric(); metric != "" {
		out = append(out, furtherMetric{metric, costPath, ""})
	}
	return slices.DeleteFunc(out, func(m furtherMetric) bool { return m.name == "" })
}

// Needed returns the metrics that a trial must have a value of to count as succeeded: those of all
// objectives and constraints, each once, spec.objective's first.
func (s *Spec) Needed() []string {
	names := []string{s.Objective.ObjectiveMetricName}
	add := func(name string) {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	for _, o := range s.further() {
		add(o.MetricName)
	}
	for _, c := range s.Constraints() {
		add(c.MetricName)
	}
	return names
}

// Losses returns a trial's values of all objectives, to be minimised; NaN where there is none that is
// finite: an infinity is what a logarithm of 0 or an overflow leaves, and is no result. Value returns a
// metric's value, NaN when there is none.
func (s *Spec) Losses(value func(metric string) float64) []float64 {
	out := make([]float64, 1, 1+len(s.further()))
	out[0] = finiteOrNaN(s.Objective.Loss(value(s.Objective.ObjectiveMetricName)))
	for _, o := range s.further() {
		out = append(out, finiteOrNaN(loss(o.Type, value(o.MetricName))))
	}
	return out
}

func finiteOrNaN(v float64) float64 {
	if math.IsInf(v, 0) {
		return math.NaN()
	}
	return v
}

// Excess returns by how much a trial's values are beyond their bounds, negative within: value - max
// and min - value, one per bound in the order of the constraints, max before min. It is NaN where
// there is no value, and for an infinite one that is not beyond the bound, but keeps it no more for that.
func (s *Spec) Excess(value func(metric string) float64) []float64 {
	var out []float64
	for _, c := range s.Constraints() {
		v := value(c.MetricName)
		if c.Max != nil {
			out = append(out, excess(v-*c.Max))
		}
		if c.Min != nil {
			out = append(out, excess(*c.Min-v))
		}
	}
	return out
}

func excess(v float64) float64 {
	if math.IsInf(v, -1) {
		return math.NaN()
	}
	return v
}

// Feasible reports whether values keep all constraints. One that is missing or not finite keeps none.
func (s *Spec) Feasible(value func(metric string) float64) bool {
	for _, c := range s.Constraints() {
		if !c.Holds(value(c.MetricName)) {
			return false
		}
	}
	return true
}

// Holds reports whether a value is within the bounds; NaN and infinities are not.
func (c *Constraint) Holds(v float64) bool {
	return !math.IsNaN(v) && !math.IsInf(v, 0) && (c.Max == nil || v <= *c.Max) && (c.Min == nil || v >= *c.Min)
}

// ValueOf returns what Losses, Excess and Feasible ask for: the values of a trial by the objective's
// strategies.
func (s *Spec) ValueOf(t *Trial) func(metric string) float64 {
	return func(metric string) float64 {
		v, ok := t.Observation.Value(metric, s.Objective)
		if !ok {
			return math.NaN()
		}
		return v
	}
}
