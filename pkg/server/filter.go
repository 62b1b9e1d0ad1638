package server

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/tuned-hpo/tuned/pkg/experiment"
)

// filter is a list of terms that all hold.
type filter []term

// term is FIELD OP VALUE.
type term struct {
	field, op, value string
	number           float64 // NaN when value is none
}

// operators, the longer ones first, for = begins none of them.
var operators = []string{"!=", "<=", ">=", "=", "<", ">", ":"}

// fields are what a filter may be about: the names of all, and which operators one takes, "" for no such field.
type fields struct {
	names []string
	takes func(field string) string
}

// parseFilter reads terms joined by " AND ". A value may stand in quotes, as Go and JSON have them, and then holds anything. States are known
// whatever the case they are written in.
func parseFilter(text string, known fields, states []string) (filter, error) {
	var out filter
	for rest := strings.TrimSpace(text); rest != ""; {
		var t term
		var err error
		if t, rest, err = parseTerm(rest); err != nil {
			return nil, err
		}
		if allowed := known.takes(t.field); !strings.Contains(" "+allowed+" ", " "+t.op+" ") {
			if allowed == "" {
				return nil, fail(reasonFilter, "filter: no field %q%s", t.field, didYouMean(t.field, known.names))
			}
			return nil, fail(reasonFilter, "filter: %s takes no %s, but %s", t.field, t.op, allowed)
		}
		if strings.ContainsAny(t.op, "<>") && math.IsNaN(t.number) {
			return nil, fail(reasonFilter, "filter: %s%s%q: want a number", t.field, t.op, t.value)
		}
		if t.field == "state" && t.op != ":" {
			if err := t.nameState(states); err != nil {
				return nil, err
			}
		}
		out = append(out, t)
	}
	return out, nil
}

// nameState makes the value the name of one of the states.
func (t *term) nameState(states []string) error {
	i := slices.IndexFunc(states, func(s string) bool { return strings.EqualFold(s, t.value) })
	if i < 0 {
		return fail(reasonFilter, "filter: no state %q; want one of %s", t.value, strings.Join(states, ", "))
	}
	t.value = states[i]
	return nil
}

// parseTerm reads one term and what joins it to the next.
func parseTerm(text string) (t term, rest string, err error) {
	at := strings.IndexAny(text, "!=<>:")
	if at < 0 {
		return t, "", fail(reasonFilter, "filter: %q: want FIELD, one of = != < <= > >= :, and VALUE", text)
	}
	t.field = strings.TrimSpace(text[:at])
	for _, op := range operators {
		if strings.HasPrefix(text[at:], op) {
			t.op = op
			break
		}
	}
	if t.field == "" || t.op == "" {
		return t, "", fail(reasonFilter, "filter: %q: want FIELD, one of = != < <= > >= :, and VALUE", text)
	}
	rest = strings.TrimLeft(text[at+len(t.op):], " ")
	if quoted, err := strconv.QuotedPrefix(rest); err == nil && quoted[0] == '"' {
		t.value, _ = strconv.Unquote(quoted) // a quoted prefix can be unquoted
		after, joined := strings.CutPrefix(strings.TrimLeft(rest[len(quoted):], " "), "AND ")
		if after != "" && !joined {
			return t, "", fail(reasonFilter, "filter: %q after a value: want AND", after)
		}
		rest = after
	} else {
		t.value, rest, _ = strings.Cut(rest, " AND ")
		t.value = strings.TrimSpace(t.value)
	}
	t.number = experiment.ParseValue(t.value)
	return t, strings.TrimSpace(rest), nil
}

// text compares a text.
func (t *term) text(got string) bool {
	switch t.op {
	case "=":
		return got == t.value
	case "!=":
		return got != t.value
	case ":":
		return strings.Contains(strings.ToLower(got), strings.ToLower(t.value))
	}
	return t.holds(experiment.ParseValue(got))
}

// holds compares a number. NaN is equal to nothing.
func (t *term) holds(got float64) bool {
	switch t.op {
	case "=":
		return got == t.number
	case "!=":
		return got != t.number
	case "<":
		return got < t.number
	case "<=":
		return got <= t.number
	case ">":
		return got > t.number
	case ">=":
		return got >= t.number
	}
	return false
}

// either compares as numbers where both are, else as text: 0.10 is 0.1.
func (t *term) either(got string) bool {
	if n := experiment.ParseValue(got); t.op != ":" && !math.IsNaN(n) && !math.IsNaN(t.number) {
		return t.holds(n)
	}
	return t.text(got)
}

// among compares with a list: one of them is, or none.
func (t *term) among(list []string) bool {
	if t.op == "!=" {
		return !slices.Contains(list, t.value)
	}
	return slices.ContainsFunc(list, t.text)
}

// experimentFields are those of experiments.
var experimentFields = fields{
	names: []string{"state", "reason", "name", "namespace", "algorithm", "tag"},
	takes: func(field string) string {
		switch field {
		case "state", "reason", "name", "namespace", "algorithm", "tag":
			return "= != :"
		}
		return ""
	},
}

// experimentStates are those of experiments.
var experimentStates = []string{
	string(experiment.Created), string(experiment.Running), string(experiment.Restarting), statePaused,
	string(experiment.Succeeded), string(experiment.Failed),
}

// experiment reports whether all terms hold.
func (f filter) experiment(e *experiment.Experiment) bool {
	for i := range f {
		t, ok := &f[i], false
		switch t.field {
		case "state":
			ok = t.text(stateOf(e))
		case "reason":
			ok = t.text(e.Status.Reason())
		case "name":
			ok = t.text(e.Metadata.Name)
		case "namespace":
			ok = t.text(e.Metadata.Namespace)
		case "algorithm":
			ok = t.text(algorithmOf(e))
		case "tag":
			ok = t.among(e.Note.Tags)
		}
		if !ok {
			return false
		}
	}
	return true
}

// trialFields are those of trials.
var trialFields = fields{
	names: []string{"state", "reason", "name", "tag", "number", "value", "param.NAME", "metric.NAME"},
	takes: trialOperators,
}

func trialOperators(field string) string {
	switch {
	case field == "number" || field == "value":
		return "= != < <= > >="
	case field == "state" || field == "reason" || field == "name" || field == "tag":
		return "= != :"
	case strings.HasPrefix(field, "param."):
		return "= != < <= > >= :"
	case strings.HasPrefix(field, "metric."):
		return "= != < <= > >="
	}
	return ""
}

// trialStates are those of trials.
var trialStates = []string{
	string(experiment.TrialPending), string(experiment.TrialRunning), string(experiment.TrialSucceeded),
	string(experiment.TrialKilled), string(experiment.TrialFailed), string(experiment.TrialMetricsUnavailable),
	string(experiment.TrialEarlyStopped),
}

// trial reports whether all terms hold.
func (f filter) trial(s *experiment.Spec, t *experiment.Trial) bool {
	for i := range f {
		if !f[i].trial(s, t) {
			return false
		}
	}
	return true
}

func (t *term) trial(s *experiment.Spec, x *experiment.Trial) bool {
	switch t.field {
	case "state":
		return t.text(string(x.State))
	case "reason":
		return t.text(x.Reason)
	case "name":
		return t.text(x.Name)
	case "tag":
		return t.among(x.Note.Tags)
	case "number":
		return t.holds(float64(x.Number))
	case "value":
		return t.holds(valueOf(s, x))
	}
	if metric, ok := strings.CutPrefix(t.field, "metric."); ok {
		return t.holds(s.ValueOf(x)(metric))
	}
	name := strings.TrimPrefix(t.field, "param.")
	for _, p := range x.Assignment {
		if p.Name == name {
			return t.either(p.Value)
		}
	}
	return t.op == "!="
}

// valueOf returns a final trial's value of spec.objective, NaN when there is none.
func valueOf(s *experiment.Spec, t *experiment.Trial) float64 {
	if !t.State.Final() || s.Objective == nil {
		return math.NaN()
	}
	return s.ValueOf(t)(s.Objective.ObjectiveMetricName)
}
