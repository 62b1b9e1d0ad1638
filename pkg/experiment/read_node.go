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

// entry returns the nodes of a mapping's key and value; the last of several, else one that is
// merged in with "<<". Nil when there is none.
func entry(n *yaml.Node, key string) (keyNode, value *yaml.Node) {
	if n = resolve(n); n == nil || n.Kind != yaml.MappingNode {
		return nil, nil
	}
	for i := len(n.Content) - 2; i >= 0; i -= 2 {
		if n.Content[i].Value == key {
			return n.Content[i], n.Content[i+1]
		}
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
			if k, v := entry(m, key); k != nil {
				return k, v
			}
		}
	}
	return nil, nil
}

// item returns the node of a sequence's element; nil when there is none.
func item(n *yaml.Node, i int) *yaml.Node {
	if n = resolve(n); n == nil || n.Kind != yaml.SequenceNode || i >= len(n.Content) {
		return nil
	}
	return n.Content[i]
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
