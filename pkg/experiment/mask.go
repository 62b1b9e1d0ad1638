package experiment

import (
	"encoding/json"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"
)

// Mask stands in place of what nobody should read.
const Mask = "(masked)"

// secretName matches the names of variables and flags that hold secrets, but not MAX_TOKENS.
var secretName = regexp.MustCompile(
	`(?i)secret|passw|passphrase|credential|api[_-]?key|access[_-]?key|private[_-]?key|token$|(^|[_-])(token|auth|pwd?)([_-]|$)`)

// Masked returns an experiment to be shown: values of environment variables whose names look like those of
// secrets are masked, in the trial template, in that of a ConfigMap, in commands and in collectors. The
// receiver may change fields of it, but nothing behind them.
func Masked(e *Experiment) *Experiment {
	out := *e
	if t := e.Spec.TrialTemplate; t != nil {
		masked := *t
		masked.TrialSpec, _ = masking(t.TrialSpec).(map[string]any)
		out.Spec.TrialTemplate = &masked
	}
	if m := e.Spec.MetricsCollectorSpec; m != nil && m.Collector != nil && m.Collector.CustomCollector != nil {
		spec, collector := *m, *m.Collector
		collector.CustomCollector, _ = masking(m.Collector.CustomCollector).(map[string]any)
		spec.Collector = &collector
		out.Spec.MetricsCollectorSpec = &spec
	}
	out.Local.Command = maskWords(e.Local.Command)
	out.Local.Images = maps.Clone(e.Local.Images)
	for image, command := range out.Local.Images {
		out.Local.Images[image] = maskWords(command)
	}
	out.Local.Template = maskTemplate(e.Local.Template)
	out.Metadata.Annotations = maskAnnotations(e.Metadata.Annotations)
	return &out
}

// masking copies a tree as JSON has it, and masks the values of variables in it.
func masking(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		name, _ := v["name"].(string)
		for key, x := range v {
			if text, ok := x.(string); ok && key == "value" && text != "" && secretName.MatchString(name) {
				x = Mask
			}
			out[key] = masking(x)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = masking(v[i])
		}
		if words, ok := asWords(out); ok {
			for i, word := range maskWords(words) {
				out[i] = word
			}
		}
		return out
	}
	return v
}

// asWords returns a list that holds text alone.
func asWords(list []any) ([]string, bool) {
	words := make([]string, len(list))
	for i := range list {
		var ok bool
		if words[i], ok = list[i].(string); !ok {
			return nil, false
		}
	}
	return words, len(words) > 0
}

// setting matches NAME=VALUE and --NAME=VALUE in a command.
var setting = regexp.MustCompile(`(^|[\s;&|("'])(-{0,2}[A-Za-z_][A-Za-z0-9_-]*)=("[^"]*"|'[^']*'|[^\s;&|)"']+)`)

// maskWords masks the values of variables and flags in a command.
func maskWords(words []string) []string {
	out := slices.Clone(words)
	for i, word := range out {
		out[i] = setting.ReplaceAllStringFunc(word, func(found string) string {
			m := setting.FindStringSubmatch(found)
			if !secretName.MatchString(m[2]) || strings.HasPrefix(m[3], "$") {
				return found
			}
			return m[1] + m[2] + "=" + Mask
		})
	}
	return out
}

// maskTemplate masks the variables in the text of a template; one that cannot be read is masked as a whole.
func maskTemplate(text string) string {
	if text == "" {
		return text
	}
	var tree any
	if err := yaml.Unmarshal([]byte(text), &tree); err != nil {
		return Mask
	}
	masked := masking(tree)
	if reflect.DeepEqual(masked, tree) {
		return text // with its comments
	}
	out, err := yaml.Marshal(masked)
	if err != nil {
		return Mask
	}
	return string(out)
}

// lastApplied is where kubectl keeps the whole object, as text.
const lastApplied = "kubectl.kubernetes.io/last-applied-configuration"

func maskAnnotations(a map[string]string) map[string]string {
	text, ok := a[lastApplied]
	if !ok {
		return a
	}
	out := maps.Clone(a)
	var tree any
	masked := []byte(Mask)
	if err := json.Unmarshal([]byte(text), &tree); err == nil {
		if again, err := json.Marshal(masking(tree)); err == nil {
			masked = again
		}
	}
	out[lastApplied] = string(masked)
	return out
}
