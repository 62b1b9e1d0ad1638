package experiment

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// extension checks spec.tuned.
func (v *validator) extension() {
	x := v.e.Spec.Tuned
	if x == nil {
		return
	}
	v.duration("trialTimeout", x.TrialTimeout)
	v.duration("progressTimeout", x.ProgressTimeout)
	v.duration("stopGrace", x.StopGrace)
	v.duration("maxDuration", x.MaxDuration)
	v.cost(x.Cost)
	v.firstPoints(x)
	v.webhooks(x.Webhooks)
	if x.CPUs < 0 {
		v.addValue("spec.tuned.cpus", "should not be less than 0", fmt.Sprint(x.CPUs))
	}
	if x.GPUs < 0 {
		v.addValue("spec.tuned.gpus", "should not be less than 0", fmt.Sprint(x.GPUs))
	}
	if p := x.Checkpoints; p != "" && (!path.IsAbs(p) || path.Clean(p) != p || p == "/" || strings.IndexByte(p, 0) >= 0) {
		v.addValue("spec.tuned.checkpoints", "want the absolute path of a folder, without . or .. in it", p)
	}
	v.furtherObjectives(x.Objectives)
	v.constraints(x.Constraints)
	v.warmStart(x.WarmStart)
	v.termination(x.Termination)
	if x.OnCompletion != "" && x.OnCompletion != Drain && x.OnCompletion != Kill {
		v.addValue("spec.tuned.onCompletion", "want Drain or Kill", string(x.OnCompletion), string(Drain), string(Kill))
	}
}

// More of these help nobody; the bounds keep what hostile text costs in proportion to its length.
const (
	maxFurther     = 15 // objectives beside spec.objective
	maxConstraints = 64
	maxWarmStart   = 16 // experiments
)

// tooMany reports a list that is too long.
func (v *validator) tooMany(path string, n, most int) bool {
	if n > most {
		v.addValue(path, fmt.Sprintf("want at most %d", most), fmt.Sprint(n))
	}
	return n > most
}

func (v *validator) furtherObjectives(objectives []FurtherObjective) {
	if v.tooMany("spec.tuned.objectives", len(objectives), maxFurther) {
		return
	}
	seen := map[string]string{}
	if o := v.e.Spec.Objective; o != nil {
		seen[o.ObjectiveMetricName] = "spec.objective"
	}
	for i, x := range objectives {
		path := fmt.Sprintf("spec.tuned.objectives[%d]", i)
		if x.Type != objectiveMinimize && x.Type != objectiveMaximize {
			v.addValue(path+".type", "must be minimize or maximize", x.Type, objectiveMinimize, objectiveMaximize)
		}
		v.metricOnce(seen, x.MetricName, path)
	}
}

func (v *validator) constraints(constraints []Constraint) {
	if v.tooMany("spec.tuned.constraints", len(constraints), maxConstraints) {
		return
	}
	seen := map[string]string{}
	for i, c := range constraints {
		path := fmt.Sprintf("spec.tuned.constraints[%d]", i)
		v.metricOnce(seen, c.MetricName, path)
		switch {
		case c.Max == nil && c.Min == nil:
			v.add(path+".max", Required, "max, min or both must be specified")
		case c.Max != nil && c.Min != nil && *c.Min > *c.Max:
			v.addValue(path+".min", fmt.Sprintf("must not be above max, which is %v", *c.Max), fmt.Sprint(*c.Min))
		}
	}
}

// metricOnce checks the metric of an objective or a constraint. What other metrics belong to is in
// seen, to which it is added.
func (v *validator) metricOnce(seen map[string]string, metric, path string) {
	if metric == "" {
		v.add(path+".metricName", Required, "must be specified")
		return
	}
	if other, twice := seen[metric]; twice {
		v.faults = append(v.faults, Fault{Path: path + ".metricName", Type: Duplicate, Detail: "is the metric of " + other + " already", Value: metric})
		return
	}
	seen[metric] = path
}

func (v *validator) warmStart(names []string) {
	const path = "spec.tuned.warmStart"
	if v.tooMany(path, len(names), maxWarmStart) {
		return
	}
	seen := map[Key]bool{}
	for i, name := range names {
		at := fmt.Sprintf("%s[%d]", path, i)
		key := v.e.namedKey(name)
		switch {
		case !labelName.MatchString(key.Namespace) || !subdomainName.MatchString(key.Name):
			v.addValue(at, "want the NAME or NAMESPACE/NAME of an experiment", name)
		case key == v.e.Key():
			v.addValue(at, "is this experiment itself", name)
		case seen[key]:
			v.faults = append(v.faults, Fault{Path: at, Type: Duplicate, Detail: "is named already", Value: name})
		}
		seen[key] = true
	}
}

// metricWarnings finds metrics of objectives and constraints that may be misspelt: they are none of
// spec.objective's, but much like one of these.
func metricWarnings(e *Experiment) (out Faults) {
	o := e.Spec.Objective
	if o == nil {
		return nil
	}
	known := append([]string{o.ObjectiveMetricName}, o.AdditionalMetricNames...)
	if len(known) > maxFaults {
		return nil // looking at each pair would take long
	}
	for _, m := range e.Spec.furtherMetrics() {
		if slices.Contains(known, m.name) {
			continue
		}
		for _, name := range known {
			if editDistance(m.name, name) <= len(m.name)/4 && letters(m.name) != letters(name) {
				out = append(out, Fault{
					Path: m.field(), Type: Invalid, Detail: "is none of the metrics of spec.objective and is collected beside them",
					Value: m.name, Nearest: name,
				})
				break
			}
		}
	}
	return out
}

// letters is a name without its digits: top1 is no misspelt top5.
func letters(name string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return -1
		}
		return r
	}, name)
}
