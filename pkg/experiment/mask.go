package experiment

import (
	"encoding/json"
	"maps"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"
)

// Mask stands in place of what nobody should read.
const Mask = "(masked)"

// secretName matches the names of variables and flags that hold secrets, but not MAX_TOKENS.
var secretName = regexp.MustCompile(`(?i)secret|passw|passphrase|credential|` +
	`(api|access|private|ssh|deploy|signing|encryption|account|auth)[_-]?key|token\d*$|(^|[_-])(token|auth|pat|pwd?)\d*([_-]|$)`)

// Masked returns an experiment to be shown: values of environment variables and flags whose names look like
// those of secrets are masked, and passwords in URLs, in the trial template, in that of a ConfigMap, in
// commands and in collectors; of webhooks, whatever MaskURL masks. The receiver may change fields of it, but
// nothing behind them.
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
	if x := e.Spec.Tuned; x != nil && len(x.Webhooks) > 0 {
		masked := *x
		masked.Webhooks = MaskWebhooks(x.Webhooks)
		out.Spec.Tuned = &masked
	}
	out.Local.Command = MaskWords(e.Local.Command)
	out.Local.Images = maps.Clone(e.Local.Images)
	for image, command := range out.Local.Images {
		out.Local.Images[image] = MaskWords(command)
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
			for i, word := range MaskWords(words) {
				out[i] = word
			}
		}
		return out
	case string:
		return maskText(v)
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

const (
	before  = `(^|[\s;&|?("'])`                            // a name in a command or in a query
	value   = `("[^"]*"|'[^']*'|[^\s;&|)"']+)`             // of a variable or flag
	nextArg = `("[^"]*"|'[^']*'|[^\s;&|)"'-][^\s;&|)"']*)` // that is no flag
)

var (
	setting  = regexp.MustCompile(before + `(-{0,2}[A-Za-z_][A-Za-z0-9_-]*)(=)` + value)  // NAME=VALUE and --NAME=VALUE
	twoWords = regexp.MustCompile(before + `(--?[A-Za-z_][A-Za-z0-9_-]*)(\s+)` + nextArg) // --NAME VALUE
	flagName = regexp.MustCompile(`^--?[A-Za-z_][A-Za-z0-9_-]*$`)
	userInfo = regexp.MustCompile(`([A-Za-z][A-Za-z0-9+.-]*://[^\s/:@"']*):[^\s/@"']+@`) // USER:PASSWORD of a URL
)

// MaskWords returns a command to be shown: values of variables and flags whose names look like those of secrets
// are masked, and passwords in URLs.
func MaskWords(words []string) []string {
	out := slices.Clone(words)
	for i, word := range words {
		if i > 0 && flagName.MatchString(words[i-1]) && secretName.MatchString(words[i-1]) && !harmless(word) {
			out[i] = Mask
			continue
		}
		out[i] = maskText(word)
	}
	return out
}

// maskText masks the values of variables and flags in a text, and the passwords of its URLs.
func maskText(text string) string {
	for _, form := range []*regexp.Regexp{setting, twoWords} {
		text = form.ReplaceAllStringFunc(text, func(found string) string {
			m := form.FindStringSubmatch(found)
			if !secretName.MatchString(m[2]) || strings.HasPrefix(m[4], "$") {
				return found
			}
			return m[1] + m[2] + m[3] + Mask
		})
	}
	return userInfo.ReplaceAllString(text, "$1:"+Mask+"@")
}

// harmless reports whether a word after a flag is another flag, or names where the value comes from.
func harmless(word string) bool {
	return word == "" || strings.HasPrefix(word, "-") || strings.HasPrefix(word, "$")
}

// MaskURL returns a URL to be shown: without what names or lets in its user. One that cannot be read is masked
// as a whole.
func MaskURL(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return Mask
	}
	u.User = nil
	if u.RawQuery != "" {
		u.RawQuery = Mask
	}
	if u.Fragment != "" {
		u.Fragment = Mask
	}
	return u.String()
}

// MaskWebhooks returns webhooks to be shown.
func MaskWebhooks(hooks []Webhook) []Webhook {
	out := slices.Clone(hooks)
	for i := range out {
		out[i].URL = MaskURL(out[i].URL)
	}
	return out
}

// unmasked refuses to run what was masked to be shown: a trial would get the mask in place of its secret.
func (v *validator) unmasked() {
	parts := map[string]any{"local": v.e.Local, "spec.trialTemplate": v.e.Spec.TrialTemplate, "spec.metricsCollectorSpec": v.e.Spec.MetricsCollectorSpec}
	if x := v.e.Spec.Tuned; x != nil {
		parts["spec.tuned.webhooks"] = x.Webhooks
	}
	for _, path := range slices.Sorted(maps.Keys(parts)) {
		if text, err := json.Marshal(parts[path]); err == nil && strings.Contains(string(text), Mask) {
			v.add(path, Invalid, "it holds "+Mask+", which stands where a secret was when it was shown: put the secret back")
		}
	}
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
