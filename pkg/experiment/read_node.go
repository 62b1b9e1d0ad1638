package experiment

import (
	"maps"
	"slices"

	"go.yaml.in/yaml/v3"
)

// resolve follows an alias to what it stands for. Nil stays nil.
func resolve(n *yaml.Node) *yaml.Node {
	if n != nil && n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

// pair is the nodes of a mapping's key and value; nil when there are none.
type pair struct{ key, value *yaml.Node }

// entries returns a mapping's fields by name: the last of several, else one that is merged in with
// "<<". Nil, which has no field, for what is no mapping.
func entries(n *yaml.Node) map[string]pair {
	if n = resolve(n); n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	out := make(map[string]pair, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		out[n.Content[i].Value] = pair{n.Content[i], n.Content[i+1]}
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].ShortTag() != "!!merge" {
			continue
		}
		merged := []*yaml.Node{n.Content[i+1]}
		if list := resolve(n.Content[i+1]); list.Kind == yaml.SequenceNode {
			merged = list.Content
		}
		for _, m := range merged {
			for name, field := range entries(m) {
				if _, given := out[name]; !given {
					out[name] = field
				}
			}
		}
	}
	return out
}

// item returns the node of a sequence's element; nil when there is none.
func item(n *yaml.Node, i int) *yaml.Node {
	if n = resolve(n); n == nil || n.Kind != yaml.SequenceNode || i >= len(n.Content) {
		return nil
	}
	return n.Content[i]
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
