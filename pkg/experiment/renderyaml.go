package experiment

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	yamlnode "go.yaml.in/yaml/v3"
	"sigs.k8s.io/yaml"
)

// RenderYAML renders a template that is YAML text, as from a ConfigMap, like Render. A placeholder
// that is a whole scalar without quotes (replicas: ${trialParameters.n}) becomes a number, a
// boolean or null when its value reads as one in YAML, and text otherwise; all else is text. It fails for text
// that is no YAML object.
func RenderYAML(template string, params []TrialParameter, t TrialContext) (map[string]any, error) {
	tree, err := parseTemplate(template)
	if err != nil {
		return nil, err
	}
	return Render(tree, params, t)
}

// unquoted is a text of a template that is one placeholder, written without quotes.
type unquoted string

// typed returns what sigs.k8s.io/yaml makes of a text that stands without quotes: a number, a
// boolean or null if it reads as one, else the text.
func typed(text string) any {
	if text == "" || strings.ContainsAny(text, "\r\n#&*!") || strings.TrimSpace(text) != text {
		return text // no scalar, or one of which YAML would leave something out
	}
	js, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		return text
	}
	switch scalar := strings.TrimSpace(string(js)); scalar {
	case "null":
		return nil
	case "true", "false":
		return scalar == "true"
	default:
		if n, err := strconv.ParseInt(scalar, 10, 64); err == nil {
			return n
		}
		if x, err := strconv.ParseFloat(scalar, 64); err == nil {
			return x
		}
	}
	return text
}

// parseTemplate reads a template's YAML text into a tree, whose placeholders without quotes are of
// type unquoted. Placeholders may stand where their braces are no YAML, as in the flow list
// [train, --lr=${trialParameters.lr}]: words stand in for them while the text is parsed.
func parseTemplate(text string) (map[string]any, error) {
	s := newStandIns(text)
	text = placeholder.ReplaceAllStringFunc(text, s.add)
	var document yamlnode.Node
	if err := yamlnode.Unmarshal([]byte(text), &document); err != nil {
		return nil, fmt.Errorf("read trial template: %w", err)
	}
	s.findUnquoted(&document)
	var tree map[string]any
	if err := yaml.Unmarshal([]byte(text), &tree); err != nil {
		return nil, fmt.Errorf("read trial template: %w", err)
	}
	if tree == nil {
		return nil, errors.New("read trial template: want an object, got nothing")
	}
	out, err := s.restore(tree)
	if err != nil {
		return nil, fmt.Errorf("read trial template: %w", err)
	}
	return out.(map[string]any), nil
}

// standIns are words in the place of placeholders, one per occurrence.
type standIns struct {
	prefix   string
	original map[string]string // placeholder by word
	unquoted map[string]bool   // words that are a whole scalar without quotes
	replacer *strings.Replacer // of words by placeholders
}

// newStandIns chooses words that do not occur in the text.
func newStandIns(text string) *standIns {
	prefix := "placeholder"
	for strings.Contains(text, prefix) {
		prefix += "x"
	}
	return &standIns{prefix: prefix, original: map[string]string{}, unquoted: map[string]bool{}}
}

func (s *standIns) add(match string) string {
	word := fmt.Sprintf("%s%dend", s.prefix, len(s.original))
	s.original[word] = match
	return word
}

func (s *standIns) findUnquoted(node *yamlnode.Node) {
	if _, ok := s.original[node.Value]; ok && node.Kind == yamlnode.ScalarNode && node.Style == 0 {
		s.unquoted[node.Value] = true
	}
	for _, child := range node.Content {
		s.findUnquoted(child)
	}
}

// restore puts the placeholders back.
func (s *standIns) restore(node any) (any, error) {
	switch n := node.(type) {
	case map[string]any:
		out := make(map[string]any, len(n))
		for key, child := range n {
			name := s.text(key)
			if _, twice := out[name]; twice {
				return nil, fmt.Errorf("key %q is there twice", name)
			}
			restored, err := s.restore(child)
			if err != nil {
				return nil, err
			}
			out[name] = restored
		}
		return out, nil
	case []any:
		out := make([]any, len(n))
		for i, child := range n {
			restored, err := s.restore(child)
			if err != nil {
				return nil, err
			}
			out[i] = restored
		}
		return out, nil
	case string:
		if s.unquoted[n] {
			return unquoted(s.original[n]), nil
		}
		return s.text(n), nil
	}
	return node, nil
}

func (s *standIns) text(in string) string {
	if !strings.Contains(in, s.prefix) {
		return in
	}
	if s.replacer == nil {
		pairs := make([]string, 0, 2*len(s.original))
		for word, match := range s.original {
			pairs = append(pairs, word, match)
		}
		s.replacer = strings.NewReplacer(pairs...)
	}
	return s.replacer.Replace(in)
}
