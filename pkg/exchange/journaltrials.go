package exchange

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/tuned-hpo/tuned/pkg/experiment"
)

// constraints makes metrics of those that trials have, which are kept when they are at most 0. Metrics that
// export put into attributes come first.
func (c *converter) constraints(spec *experiment.Spec) {
	var names []string
	for _, t := range c.trials {
		for name := range constraintsOf(t) {
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	for _, name := range c.restored() {
		if !slices.Contains(spec.Needed(), name) {
			spec.Objective.AdditionalMetricNames = append(spec.Objective.AdditionalMetricNames, name)
		}
	}
	for _, name := range names {
		if spec.Tuned == nil {
			spec.Tuned = &experiment.Extension{}
		}
		spec.Tuned.Constraints = append(spec.Tuned.Constraints, experiment.Constraint{MetricName: name, Max: new(0.)})
	}
}

// restored returns the metrics that export put into attributes, sorted.
func (c *converter) restored() []string {
	names := map[string]bool{}
	for _, t := range c.trials {
		var metrics map[string]string
		if c.ours && json.Unmarshal(t.user[attrMetrics], &metrics) == nil {
			for name := range metrics {
				names[name] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// constraintsOf returns a trial's constraints: a list before Optuna 5, one attribute for each since.
func constraintsOf(t *frozen) map[string]float64 {
	out := map[string]float64{}
	for key, text := range t.system {
		var list []number
		var one number
		name, single := strings.CutPrefix(key, attrConstraints+":")
		switch {
		case key == attrConstraints && json.Unmarshal(text, &list) == nil:
			for i, v := range list {
				out[fmt.Sprintf("constraint_%d", i)] = float64(v)
			}
		case single && json.Unmarshal(text, &one) == nil:
			out[name] = float64(one)
		}
	}
	return out
}

// convert makes the trials. Those that ended before they had all parameters are left out.
func (c *converter) convert(spec *experiment.Spec) {
	c.out = &Study{Experiment: &experiment.Experiment{Spec: *spec}, Measured: map[uint64][]experiment.Measurement{}}
	c.out.Notes = slices.Concat(c.renamed, guesses(spec.Parameters))
	v, err := newValues(spec)
	if err != nil {
		faults := experiment.Faults{{Detail: err.Error()}}
		errors.As(err, &faults)
		c.faults = append(c.faults, faults...)
		return
	}
	for number, t := range c.trials {
		given := make([]*string, len(c.names))
		for i, name := range c.names {
			given[i] = c.param(t, name)
		}
		var wrong experiment.Faults
		assignment := v.assignment(given, func(i int, detail string) {
			wrong = append(wrong, experiment.Fault{Line: t.line, Column: 1, Path: c.names[i], Type: experiment.Invalid, Detail: detail})
		})
		switch {
		case len(wrong) > 0 && (t.state == stateComplete || t.state == statePruned):
			c.faults = append(c.faults, wrong...)
			continue
		case len(wrong) > 0:
			c.out.Notes = append(c.out.Notes, fmt.Sprintf("trial %d of the study is left out: it never had a value of %s", number, wrong[0].Path))
			continue
		}
		c.trial(t, assignment)
	}
}

// trial adds one to what comes out.
func (c *converter) trial(t *frozen, assignment []experiment.Pair) {
	spec := &c.out.Experiment.Spec
	objectives := spec.Objectives()
	out := experiment.Trial{Number: uint64(len(c.out.Trials)) + 1, Assignment: assignment}
	out.State = map[int]experiment.TrialState{
		stateRunning: experiment.TrialRunning, stateComplete: experiment.TrialSucceeded, statePruned: experiment.TrialEarlyStopped,
		stateFail: experiment.TrialFailed, stateWaiting: experiment.TrialPending,
	}[t.state]
	if t.state == stateComplete && len(t.values) != len(objectives) {
		c.fault(t, "values", "want %d, got %d", len(objectives), len(t.values))
		return
	}
	measured := t.results(objectives)
	var err error
	if out.Started, err = readTime(t.start); err != nil {
		c.fault(t, "datetime_start", "%v", err)
	}
	if out.Finished, err = readTime(t.end); err != nil {
		c.fault(t, "datetime_complete", "%v", err)
	}
	out.Created = out.Started
	if c.ours {
		restore(&out, t, measured)
		if out.State == experiment.TrialSucceeded && slices.ContainsFunc(spec.Needed(), func(name string) bool { return measured[name] == "" }) {
			out.State = experiment.TrialMetricsUnavailable // Optuna keeps no constraints of a trial that failed there
		}
	}
	for _, name := range uniqueMetrics(spec) {
		m := unavailable(name)
		if text := measured[name]; text != "" {
			m = experiment.Metric{Name: name, Min: text, Max: text, Latest: text}
		}
		out.Observation.Metrics = append(out.Observation.Metrics, m)
	}
	if ms := t.measured(objectives[0].MetricName, out.Started); len(ms) > 0 && len(objectives) == 1 {
		c.out.Measured[out.Number] = ms
	}
	c.out.Trials = append(c.out.Trials, out)
}

// results are the values by metric of a trial that ended with some.
func (t *frozen) results(objectives []experiment.FurtherObjective) map[string]string {
	out := map[string]string{}
	if t.state == stateComplete {
		for i, o := range objectives {
			out[o.MetricName] = exact(t.values[i])
		}
	}
	if t.state == stateComplete || t.state == statePruned || t.attr(attrState) == string(experiment.TrialSucceeded) {
		for name, v := range constraintsOf(t) {
			out[name] = exact(v)
		}
	}
	return out
}

// attr is the text of an attribute; "" when it is something else.
func (t *frozen) attr(name string) (text string) {
	_ = json.Unmarshal(t.user[name], &text)
	return text
}

// restore brings back what export put into attributes, where Optuna has no word for it. A trial that
// was gone on with since is Optuna's.
func restore(out *experiment.Trial, t *frozen, measured map[string]string) {
	out.Reason, out.Message = t.attr(attrReason), t.attr(attrMessage)
	var metrics map[string]string
	_ = json.Unmarshal(t.user[attrMetrics], &metrics) // none when it is something else
	state := experiment.TrialState(t.attr(attrState))
	switch {
	case t.state == stateFail && (state == experiment.TrialMetricsUnavailable || state == experiment.TrialKilled):
		out.State = state
	case t.state == stateFail && state == experiment.TrialSucceeded && len(metrics) > 0: // not finite
		out.State = state
	}
	for name, text := range metrics {
		measured[name] = text
	}
}
