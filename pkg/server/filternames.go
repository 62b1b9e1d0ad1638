package server

import (
	"slices"
	"strings"

	"github.com/tuned-hpo/tuned/pkg/experiment"
)

// checkNames refuses terms about a parameter or a metric that the experiment does not name and no trial has, and says
// which name is near.
func (f filter) checkNames(s *experiment.Spec, trials []experiment.Trial) error {
	for _, t := range f {
		kind, name, ok := strings.Cut(t.field, ".")
		if !ok || isNamed(s, kind, name) || slices.ContainsFunc(trials, func(x experiment.Trial) bool { return has(&x, kind, name) }) {
			continue
		}
		what, of := "parameter", parameterNames(s)
		if kind == "metric" {
			what, of = "metric", metricNames(s)
		}
		if near := experiment.Nearest(name, of); near != "" {
			return fail(reasonFilter, "filter: no %s %q, did you mean %s.%s", what, name, kind, near)
		}
		return fail(reasonFilter, "filter: no %s %q; want one of %s", what, name, strings.Join(of, ", "))
	}
	return nil
}

// isNamed reports whether an experiment names a parameter (kind param) or a metric.
func isNamed(s *experiment.Spec, kind, name string) bool {
	if kind == "param" {
		return slices.Contains(parameterNames(s), name)
	}
	return slices.Contains(metricNames(s), name)
}

// has reports whether a trial has a parameter or a metric that the experiment may not name: clients tell what they like.
func has(t *experiment.Trial, kind, name string) bool {
	if kind == "param" {
		return slices.ContainsFunc(t.Assignment, func(p experiment.Pair) bool { return p.Name == name })
	}
	return slices.ContainsFunc(t.Observation.Metrics, func(m experiment.Metric) bool { return m.Name == name })
}

func parameterNames(s *experiment.Spec) (out []string) {
	for i := range s.Parameters {
		out = append(out, s.Parameters[i].Name)
	}
	return out
}

func metricNames(s *experiment.Spec) []string {
	return slices.Concat(s.Needed(), s.Objective.AdditionalMetricNames)
}

// didYouMean names the field that an unknown one may stand for.
func didYouMean(field string, known []string) string {
	near := experiment.Nearest(field, known)
	if near == "" {
		return "; want one of " + strings.Join(known, ", ")
	}
	return ", did you mean " + near
}
