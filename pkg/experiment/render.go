package experiment

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/tuned-hpo/tuned/pkg/searchspace"
)

// TrialContext is what a template is rendered for: the trial's name, its namespace and its
// parameters' values. A parameter without a value here is not active in this trial.
type TrialContext struct {
	Name, Namespace string
	Assignment      searchspace.Assignment
}

// placeholder matches ${trialParameters.NAME}.
var placeholder = regexp.MustCompile(`\$\{trialParameters\.([^{}\r\n]+)\}`)

// metadataReference matches a reference to metadata of the trial.
var metadataReference = regexp.MustCompile(`^\$\{trialSpec\.(?:(Name|Namespace|Kind|APIVersion)|(Annotations|Labels)\[(.+)\])\}$`)

// Render returns the template's object for one trial. ${trialParameters.NAME} is replaced inside
// texts of the tree, never inside keys, and in one pass: a value arrives as it is, whatever it holds,
// and nothing but the texts with placeholders changes. NAME is looked up in params, and without any
// it is a parameter's name; a name that params do not have stays as it is. The object's name and
// namespace become the trial's.
//
// For a parameter that is not active in this trial:
//   - a single word of a list that holds its placeholder is left out, such as the argument
//     --momentum=${trialParameters.momentum};
//   - when the word is nothing but that placeholder and follows an option without a value
//     (--momentum or -m), then the option is left out too;
//   - everywhere else, as in a shell script or a variable's value, the placeholder becomes empty.
//
// It fails for a reference to metadata that the template does not have.
func Render(template map[string]any, params []TrialParameter, t TrialContext) (map[string]any, error) {
	b, err := bind(params, t, template)
	if err != nil {
		return nil, err
	}
	out := b.object(template)
	metadata, ok := out["metadata"].(map[string]any)
	if !ok {
		if out["metadata"] != nil {
			return nil, fmt.Errorf("render template: metadata is %T, want an object", out["metadata"])
		}
		metadata = make(map[string]any, 2)
		out["metadata"] = metadata
	}
	metadata["name"] = t.Name
	delete(metadata, "namespace")
	if t.Namespace != "" {
		metadata["namespace"] = t.Namespace
	}
	return out, nil
}

// RenderCommand does for the words of a command what Render does for a list of a template. Of the
// metadata it knows the trial's name and namespace.
func RenderCommand(argv []string, params []TrialParameter, t TrialContext) ([]string, error) {
	b, err := bind(params, t, nil)
	if err != nil {
		return nil, err
	}
	words := make([]any, len(argv))
	for i, word := range argv {
		words[i] = word
	}
	words = b.list(words)
	out := make([]string, len(words))
	for i, word := range words {
		out[i] = word.(string)
	}
	return out, nil
}

// Placeholders returns the names of the placeholders in a template's texts, sorted, each once. The
// template is a tree as from JSON, a command ([]string) or a text.
func Placeholders(template any) []string {
	names := map[string]bool{}
	var walk func(node any)
	walk = func(node any) {
		switch n := node.(type) {
		case map[string]any:
			for _, child := range n {
				walk(child)
			}
		case []any:
			for _, child := range n {
				walk(child)
			}
		case []string:
			for _, word := range n {
				walk(word)
			}
		case unquoted:
			walk(string(n))
		case string:
			for _, match := range placeholder.FindAllStringSubmatch(n, -1) {
				names[match[1]] = true
			}
		}
	}
	walk(template)
	return slices.Sorted(maps.Keys(names))
}

// bindings says what placeholders stand for in one trial.
type bindings struct {
	values   map[string]string // by the placeholder's name; active parameters only
	declared map[string]bool   // names of placeholders that are replaced; nil: all
}

func bind(params []TrialParameter, t TrialContext, template map[string]any) (bindings, error) {
	assigned := make(map[string]string, len(t.Assignment))
	for _, p := range t.Assignment {
		assigned[p.Name] = p.Value
	}
	if len(params) == 0 {
		return bindings{values: assigned}, nil
	}
	b := bindings{values: make(map[string]string, len(params)), declared: make(map[string]bool, len(params))}
	for _, p := range params {
		b.declared[p.Name] = true
		value, active := assigned[p.Reference]
		if match := metadataReference.FindStringSubmatch(p.Reference); match != nil {
			var err error
			if value, err = metadataValue(match, t, template); err != nil {
				return b, fmt.Errorf("render trial parameter %q: %w", p.Name, err)
			}
			active = true
		}
		if active {
			b.values[p.Name] = value
		}
	}
	return b, nil
}

// metadataValue returns what a match of metadataReference refers to.
func metadataValue(match []string, t TrialContext, template map[string]any) (string, error) {
	var found any
	switch match[1] {
	case "Name":
		return t.Name, nil
	case "Namespace":
		return t.Namespace, nil
	case "Kind":
		found = template["kind"]
	case "APIVersion":
		found = template["apiVersion"]
	default:
		metadata, _ := template["metadata"].(map[string]any)
		group, _ := metadata[strings.ToLower(match[2])].(map[string]any)
		found = group[match[3]]
	}
	text, ok := textOf(found)
	if !ok {
		return "", fmt.Errorf("the template has no %s", strings.TrimSuffix(strings.TrimPrefix(match[0], "${trialSpec."), "}"))
	}
	return text, nil
}

func (b bindings) node(node any) any {
	switch n := node.(type) {
	case map[string]any:
		return b.object(n)
	case []any:
		return b.list(n)
	case unquoted:
		return typed(b.text(string(n)))
	case string:
		return b.text(n)
	}
	return node
}

func (b bindings) object(in map[string]any) map[string]any {
	out := make(map[string]any, len(in)+1)
	for key, child := range in {
		out[key] = b.node(child)
	}
	return out
}

func (b bindings) list(in []any) []any {
	out := make([]any, 0, len(in))
	for i, item := range in {
		word, isText := textOf(item)
		if !isText || !b.leftOut(word) {
			out = append(out, b.node(item))
			continue
		}
		if i > 0 && placeholder.FindString(word) == word && isBareOption(in[i-1]) {
			out = out[:len(out)-1]
		}
	}
	return out
}

func (b bindings) text(in string) string {
	return placeholder.ReplaceAllStringFunc(in, func(match string) string {
		name := placeholderName(match)
		if b.declared != nil && !b.declared[name] {
			return match
		}
		return b.values[name]
	})
}

// leftOut reports whether a text is a single word that holds the placeholder of an inactive parameter.
func (b bindings) leftOut(word string) bool {
	inactive := false
	for _, match := range placeholder.FindAllStringSubmatch(word, -1) {
		_, active := b.values[match[1]]
		inactive = inactive || !active && (b.declared == nil || b.declared[match[1]])
	}
	return inactive && !strings.ContainsAny(placeholder.ReplaceAllLiteralString(word, ""), " \t\r\n")
}

// bareOption matches an option of a command that takes its value from the next word.
var bareOption = regexp.MustCompile(`^--?[A-Za-z][^\s=${}]*$`)

func isBareOption(item any) bool {
	word, ok := item.(string)
	return ok && bareOption.MatchString(word)
}

func textOf(item any) (string, bool) {
	switch text := item.(type) {
	case string:
		return text, true
	case unquoted:
		return string(text), true
	}
	return "", false
}

// placeholderName returns the NAME of ${trialParameters.NAME}.
func placeholderName(match string) string {
	return match[len("${trialParameters.") : len(match)-1]
}
