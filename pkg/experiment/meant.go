package experiment

import (
	"cmp"
	"reflect"
	"slices"
	"strings"
	"sync"
	"unicode"
)

// meantField is the field that an unknown key at path may stand for: one of the known names beside it, else
// the path of one elsewhere in an Experiment. "" means none is near.
func meantField(path, key string, beside []string) string {
	if near := cmp.Or(Nearest(key, beside), alikeInWords(key, beside)); near != "" {
		return near
	}
	paths := slices.Clone(experimentPaths())
	slices.SortStableFunc(paths, func(a, b string) int { // what is within the same object comes first, then what is in no list
		return cmp.Or(compareBool(isWithin(b, path), isWithin(a, path)), cmp.Compare(strings.Count(a, "[]"), strings.Count(b, "[]")))
	})
	names := make([]string, len(paths))
	for i, p := range paths {
		names[i] = p[strings.LastIndex(p, ".")+1:]
	}
	near := cmp.Or(alikeInWords(key, names), Nearest(key, names))
	if near == "" {
		return ""
	}
	meant := paths[slices.Index(names, near)]
	if isWithin(meant, path) { // with its indices
		return path + strings.TrimPrefix(meant, pathOfType(path))
	}
	return meant
}

// alikeInWords is the shortest of the known names that has all words of key, or all but their plural: maxTrialCount
// for maxTrials. A single word is too little to go by.
func alikeInWords(key string, known []string) string {
	words := camelWords(key)
	if len(words) < 2 {
		return ""
	}
	best := ""
	for _, name := range known {
		has := camelWords(name)
		all := !slices.ContainsFunc(words, func(w string) bool { return !slices.Contains(has, w) })
		if all && (best == "" || len(name) < len(best)) {
			best = name
		}
	}
	return best
}

// camelWords splits a name such as maxTrialCount or max_trials into its words in lower case and the singular.
func camelWords(name string) []string {
	var b strings.Builder
	for _, r := range name {
		switch {
		case unicode.IsUpper(r):
			b.WriteByte(' ')
		case !unicode.IsLetter(r) && !unicode.IsDigit(r):
			r = ' '
		}
		b.WriteRune(unicode.ToLower(r))
	}
	words := strings.Fields(b.String())
	for i, w := range words {
		words[i] = strings.TrimSuffix(w, "s")
	}
	return words
}

// experimentPaths returns the paths of all fields of an Experiment that users write, sorted within each object;
// [] stands for any element of a list.
var experimentPaths = sync.OnceValue(func() []string { return fieldPaths("", reflect.TypeFor[Experiment](), 0) })

func fieldPaths(path string, t reflect.Type, depth int) (out []string) {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		if t.Kind() == reflect.Slice {
			path += "[]"
		}
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct || reflect.PointerTo(t).Implements(unmarshalerType) || depth > 6 { // deeper are none of Katib's
		return nil
	}
	fields := fieldsOf(t)
	for _, name := range sortedKeys(fields) {
		out = append(out, join(path, name))
	}
	for _, name := range sortedKeys(fields) {
		out = append(out, fieldPaths(join(path, name), fields[name], depth+1)...)
	}
	return out
}

// isWithin tells whether the path of a field lies within the object at another path, which has indices.
func isWithin(field, object string) bool {
	return object != "" && strings.HasPrefix(field, pathOfType(object)+".")
}

// pathOfType is a path without the indices of its lists: spec.parameters[] for spec.parameters[3].
func pathOfType(path string) string {
	var b strings.Builder
	index := false
	for _, r := range path {
		index = index && r != ']'
		if !index {
			b.WriteRune(r)
		}
		index = index || r == '['
	}
	return b.String()
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}
