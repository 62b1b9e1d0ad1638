package experiment

import (
	"encoding/json"
	"maps"
	"net/url"
	"path"
	"reflect"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"
)

// Mask stands in place of what nobody should read.
const Mask = "(masked)"

// masker masks secrets, and keeps what it masked.
type masker struct{ found []string }

// mask takes a secret in and returns what is shown in its place.
func (m *masker) mask(secret string) string {
	m.found = append(m.found, secret)
	return Mask
}

// Masked returns an experiment to be shown: values of environment variables, flags and headers whose names look
// like those of secrets are masked, what looks like a secret itself, and who logs in by URLs, in the trial
// template, in that of a ConfigMap, in commands, collectors and annotations; of webhooks, whatever
// MaskWebhooks masks. The receiver may change fields of it, but nothing behind them.
func Masked(e *Experiment) *Experiment { return new(masker).experiment(e) }

// Secrets returns what Masked masks of an experiment.
func Secrets(e *Experiment) []string {
	var m masker
	m.experiment(e)
	return m.found
}

func (m *masker) experiment(e *Experiment) *Experiment {
	out := *e
	if t := e.Spec.TrialTemplate; t != nil {
		masked := *t
		masked.TrialSpec, _ = m.tree(t.TrialSpec).(map[string]any)
		out.Spec.TrialTemplate = &masked
	}
	if c := e.Spec.MetricsCollectorSpec; c != nil && c.Collector != nil && c.Collector.CustomCollector != nil {
		spec, collector := *c, *c.Collector
		collector.CustomCollector, _ = m.tree(c.Collector.CustomCollector).(map[string]any)
		spec.Collector = &collector
		out.Spec.MetricsCollectorSpec = &spec
	}
	if x := e.Spec.Tuned; x != nil && len(x.Webhooks) > 0 {
		masked := *x
		masked.Webhooks = m.webhooks(x.Webhooks)
		out.Spec.Tuned = &masked
	}
	out.Local.Command = m.words(e.Local.Command)
	out.Local.Images = maps.Clone(e.Local.Images)
	for image, command := range out.Local.Images {
		out.Local.Images[image] = m.words(command)
	}
	out.Local.Template = m.template(e.Local.Template)
	out.Metadata.Annotations = m.annotations(e.Metadata.Annotations)
	return &out
}

// tree copies a tree as JSON has it, and masks the values of variables in it.
func (m *masker) tree(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		name, _ := v["name"].(string)
		for key, x := range v {
			text, ok := x.(string)
			switch {
			case ok && text != "" && (key == "value" && secretName(name) || secretName(key)):
				out[key] = m.mask(text)
			default:
				out[key] = m.tree(x)
			}
		}
		return out
	case []any:
		out := make([]any, len(v))
		if words, ok := asWords(v); ok {
			for i, word := range m.words(words) {
				out[i] = word
			}
			return out
		}
		for i := range v {
			out[i] = m.tree(v[i])
		}
		return out
	case string:
		return m.text(v)
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

// MaskWords returns a command to be shown, as Masked does.
func MaskWords(words []string) []string { return new(masker).words(words) }

func (m *masker) words(words []string) []string {
	out := slices.Clone(words)
	program := ""
	for i, word := range words {
		shown, login := m.login(program, words, i)
		switch {
		case login:
			out[i] = shown
		case i > 0 && flagName.MatchString(words[i-1]) && secretName(words[i-1]) && !anotherFlag.MatchString(word) && !harmless(word):
			out[i] = m.mask(word)
		default:
			out[i] = m.text(word)
		}
		if name := path.Base(word); loginProgram.MatchString(name) {
			program = name
		}
	}
	return out
}

// MaskURL returns a URL to be shown: without what names or lets in its user. One that cannot be read is masked
// as a whole.
func MaskURL(text string) string { return new(masker).url(text, false) }

// url masks a URL, with its path where that is a secret.
func (m *masker) url(text string, path bool) string {
	u, err := url.Parse(text)
	if err != nil {
		return m.mask(text)
	}
	if u.User != nil {
		m.user(u.User.String())
		u.User = nil
	}
	if path && strings.Trim(u.Path, "/") != "" {
		m.mask(strings.Trim(u.EscapedPath(), "/"))
		u.Path, u.RawPath = "/"+Mask, "/"+Mask
	}
	if u.RawQuery != "" {
		u.RawQuery = m.mask(u.RawQuery)
	}
	if u.Fragment != "" {
		u.Fragment = m.mask(u.Fragment)
	}
	return u.String()
}

// MaskWebhooks returns webhooks to be shown, each with no more of its URL than where it leads: of many
// receivers the path is what lets in.
func MaskWebhooks(hooks []Webhook) []Webhook { return new(masker).webhooks(hooks) }

func (m *masker) webhooks(hooks []Webhook) []Webhook {
	out := slices.Clone(hooks)
	for i := range out {
		out[i].URL = m.url(out[i].URL, true)
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

// template masks the variables in the text of a template; one that cannot be read is masked as a whole.
func (m *masker) template(text string) string {
	if text == "" {
		return text
	}
	var tree any
	if err := yaml.Unmarshal([]byte(text), &tree); err != nil {
		return m.mask(text)
	}
	masked := m.tree(tree)
	if reflect.DeepEqual(masked, tree) {
		return text // with its comments
	}
	out, err := yaml.Marshal(masked)
	if err != nil {
		return m.mask(text)
	}
	return string(out)
}

// lastApplied is where kubectl keeps the whole object, as text.
const lastApplied = "kubectl.kubernetes.io/last-applied-configuration"

func (m *masker) annotations(a map[string]string) map[string]string {
	out := maps.Clone(a)
	for name, text := range a {
		if name != lastApplied {
			if secretName(name) && text != "" {
				out[name] = m.mask(text)
			}
			continue
		}
		var tree any
		masked := []byte(Mask)
		if err := json.Unmarshal([]byte(text), &tree); err == nil {
			if again, err := json.Marshal(m.tree(tree)); err == nil {
				masked = again
			}
		}
		out[name] = string(masked)
	}
	return out
}
