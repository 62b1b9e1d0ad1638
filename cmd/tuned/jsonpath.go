package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"k8s.io/client-go/util/jsonpath"

	"github.com/tuned-hpo/tuned/pkg/experiment"
)

// bracedPath is a template of -o jsonpath=; .state is as good as {.state}.
func bracedPath(template string) string {
	if strings.Contains(template, "{") {
		return template
	}
	return "{" + template + "}"
}

// printPath writes what a jsonpath picks of a value as JSON has it, and a line break after it.
func printPath(w io.Writer, template string, v any) error {
	path := jsonpath.New("output").AllowMissingKeys(true) // checkPath has refused those that no value has
	if err := path.Parse(bracedPath(template)); err != nil {
		return usage("-o jsonpath=%s: %w", template, err)
	}
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	var tree any
	if err := json.Unmarshal(text, &tree); err != nil {
		return err
	}
	var out strings.Builder
	if err := path.Execute(&out, tree); err != nil {
		return usage("-o jsonpath=%s: %w", template, err)
	}
	line := escape(out.String(), func(r rune) bool { return r != '\n' && r != '\t' && drives(r) })
	if !strings.HasSuffix(line, "\n") {
		line += "\n"
	}
	_, err = io.WriteString(w, line)
	return err
}

// checkPath returns an error of the user's when a template is none, or names a key that no value of the given shape has. A
// key that only this value lacks, such as the best trial where there is none yet, is no fault: it prints nothing.
func checkPath(template string, of *shape) error {
	if strings.TrimSpace(template) == "" {
		return usage("-o jsonpath=: want a template after the =, such as {.name}")
	}
	parsed, err := jsonpath.Parse("output", bracedPath(template))
	if err == nil {
		err = checkTemplate(parsed.Root.Nodes, of)
	}
	if err != nil {
		return usage("-o jsonpath=%s: %w", template, err)
	}
	return nil
}

// checkTemplate checks the parts of a template: text, paths, and {range PATH} to {end}, between which paths begin at what
// PATH leads to.
func checkTemplate(nodes []jsonpath.Node, of *shape) error {
	at := []shapes{{of}} // the last one is that of the innermost range
	for _, node := range nodes {
		list, ok := node.(*jsonpath.ListNode)
		if !ok {
			continue // text
		}
		found, err := at[len(at)-1].walk(list)
		if err != nil {
			return err
		}
		switch {
		case begins(list, "range"):
			at = append(at, found)
		case begins(list, "end") && len(at) > 1:
			at = at[:len(at)-1]
		}
	}
	return nil
}

// begins reports whether the part of a template in one pair of braces begins with a word.
func begins(list *jsonpath.ListNode, word string) bool {
	if len(list.Nodes) == 0 {
		return false
	}
	first, ok := list.Nodes[0].(*jsonpath.IdentifierNode)
	return ok && first.Name == word
}

// shapes are those that the values at a place of a path may have.
type shapes []*shape

// walk returns the shapes that a path leads to, or an error about a key that none of its values can have.
func (s shapes) walk(path *jsonpath.ListNode) (shapes, error) {
	for _, node := range path.Nodes {
		var err error
		if s, err = s.step(node); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func (s shapes) step(node jsonpath.Node) (shapes, error) {
	switch node := node.(type) {
	case *jsonpath.FieldNode:
		return s.key(node.Value)
	case *jsonpath.ArrayNode:
		return s.items(), nil
	case *jsonpath.WildcardNode:
		return s.inner(), nil
	case *jsonpath.RecursiveNode:
		return s.all(), nil
	case *jsonpath.FilterNode:
		items := s.items()
		_, err := items.walk(node.Left)
		if err == nil {
			_, err = items.walk(node.Right)
		}
		return items, err
	case *jsonpath.UnionNode:
		var out shapes
		for _, path := range node.Nodes {
			found, err := s.walk(path)
			if err != nil {
				return nil, err
			}
			out = append(out, found...)
		}
		return out, nil
	case *jsonpath.IdentifierNode:
		if node.Name != "range" && node.Name != "end" {
			return nil, fmt.Errorf("%q is no path: a path begins with a dot", node.Name)
		}
	}
	return s, nil // text and numbers lead nowhere else
}

// key returns the shapes of what has a key.
func (s shapes) key(name string) (out shapes, err error) {
	known := map[string]bool{}
	lists := false
	for _, of := range s {
		if of.keys[name] != nil {
			out = append(out, of.keys[name])
		} else if of.others != nil {
			out = append(out, of.others)
		}
		for key := range of.keys {
			known[key] = true
		}
		lists = lists || of.items != nil
	}
	if len(out) > 0 || len(s) == 0 {
		return out, nil
	}
	names := slices.Sorted(maps.Keys(known))
	switch nearest := experiment.Nearest(name, names); {
	case nearest != "":
		return nil, fmt.Errorf("there is no key %q, did you mean %s", name, nearest)
	case lists:
		return nil, fmt.Errorf("there is no key %q, but a list: [*] is each of it, [0] the first", name)
	case len(names) == 0:
		return nil, fmt.Errorf("there is no key %q, but a single value", name)
	}
	return nil, fmt.Errorf("there is no key %q, but %s", name, strings.Join(names, ", "))
}

// items are the shapes of the elements of those that are lists.
func (s shapes) items() (out shapes) {
	for _, of := range s {
		if of.items != nil {
			out = append(out, of.items)
		}
	}
	return out
}

// inner are the shapes of what is directly within.
func (s shapes) inner() (out shapes) {
	for _, of := range s {
		for _, key := range slices.Sorted(maps.Keys(of.keys)) {
			out = append(out, of.keys[key])
		}
		if of.others != nil {
			out = append(out, of.others)
		}
	}
	return append(out, s.items()...)
}

// all are these shapes and those of whatever is within, each once.
func (s shapes) all() shapes {
	out := slices.Clone(s)
	for i := 0; i < len(out); i++ {
		for _, inner := range (shapes{out[i]}).inner() {
			if !slices.Contains(out, inner) {
				out = append(out, inner)
			}
		}
	}
	return out
}
