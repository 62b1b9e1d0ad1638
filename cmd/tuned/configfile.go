package main

import (
	"cmp"
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"reflect"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	nodes "go.yaml.in/yaml/v3"
	"sigs.k8s.io/yaml"

	"github.com/tuned-hpo/tuned/pkg/experiment"
)

// readConfig lays a YAML file over c. What cannot be read of it is left to validate, which tells of all faults at once.
func (c *config) readConfig(file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return usage("read config: %w", err)
	}
	if err := checkConfigText(file, string(text)); err != nil {
		return err
	}
	r := configReader{file: file, places: map[string]int{}}
	var root nodes.Node
	if err := nodes.Unmarshal(text, &root); err != nil {
		text := strings.TrimPrefix(err.Error(), "yaml: ")
		if line, what, ok := strings.Cut(strings.TrimPrefix(text, "line "), ": "); ok && line != text {
			text = line + ": " + what
		}
		return usage("read config: %s:%s", file, text)
	}
	if len(root.Content) > 0 {
		r.read("", root.Content[0], reflect.ValueOf(c).Elem())
	}
	c.file, c.places, c.unread = file, r.places, r.faults
	return nil
}

// checkConfigText refuses what the reader of YAML refuses without the line: what is not UTF-8, and control characters.
func checkConfigText(file, text string) error {
	forbidden := func(r rune) bool { return unicode.IsControl(r) && !strings.ContainsRune("\t\n\r\u0085", r) }
	at, what := strings.IndexFunc(text, forbidden), "control character 0x%02x is not allowed"
	if !utf8.ValidString(text) {
		at, what = badByte(text), "byte 0x%02x is no UTF-8 text; save the file as UTF-8"
	}
	if at < 0 {
		return nil
	}
	what = fmt.Sprintf(what, text[at])
	return usage("read config: %s:%d: %s", file, 1+strings.Count(text[:at], "\n"), what)
}

// configFault is a fault of the settings.
type configFault struct {
	line int // of the config file; 0 of a flag or a default
	text string
}

// configReader reads the nodes of a config file into the fields that they name.
type configReader struct {
	file   string
	places map[string]int // the line of each key and of each item of a list
	faults []configFault
}

func (r *configReader) fault(n *nodes.Node, format string, args ...any) {
	r.faults = append(r.faults, configFault{n.Line, fmt.Sprintf(format, args...)})
}

// read reads the node at a path into a value: key by key into a struct, item by item into a list of these.
func (r *configReader) read(path string, n *nodes.Node, into reflect.Value) {
	if n.Kind == nodes.AliasNode {
		n = n.Alias
	}
	switch {
	case n.ShortTag() == "!!null":
	case atOnce(into.Type()):
		r.leaf(path, n, into)
	case into.Kind() == reflect.Struct && n.Kind == nodes.MappingNode:
		r.keys(path, n, into)
	case into.Kind() == reflect.Struct:
		r.fault(n, "%swant keys with values, got %q", prefixed(path), n.Value)
	case n.Kind == nodes.SequenceNode:
		into.Set(reflect.MakeSlice(into.Type(), len(n.Content), len(n.Content)))
		for i, item := range n.Content {
			at := fmt.Sprintf("%s[%d]", path, i)
			r.places[at] = item.Line
			r.read(at, item, into.Index(i))
		}
	default:
		r.fault(n, "%swant a list", prefixed(path))
	}
}

func prefixed(path string) string {
	if path == "" {
		return ""
	}
	return path + ": "
}

// keys reads a mapping into the fields of a struct.
func (r *configReader) keys(path string, n *nodes.Node, into reflect.Value) {
	fields := configFields(into.Type())
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		at := strings.TrimPrefix(path+"."+key.Value, ".")
		index := slices.Index(fields, key.Value)
		switch {
		case index < 0:
			r.fault(key, "unknown key %q%s", at, didYouMean(nearestKey(at, key.Value, path, fields)))
		case seen[key.Value]:
			r.fault(key, "%s: the key is there twice", at)
		default:
			r.places[at] = key.Line
			r.read(at, value, into.Field(index))
		}
		seen[key.Value] = true
	}
}

// leaf reads a node into a value as a whole.
func (r *configReader) leaf(path string, n *nodes.Node, into reflect.Value) {
	var plain any
	err := n.Decode(&plain)
	if err == nil {
		var text []byte
		if text, err = yaml.Marshal(plain); err == nil {
			err = yaml.UnmarshalStrict(text, into.Addr().Interface())
		}
	}
	if err == nil {
		return
	}
	got := "a list or keys"
	if n.Kind == nodes.ScalarNode {
		got = fmt.Sprintf("%q", n.Value)
	}
	r.fault(n, "%s: want %s, got %s", path, wantOfType(into.Type()), got)
}

// atOnce reports whether values of a type are read as a whole.
func atOnce(t reflect.Type) bool {
	pointer := reflect.PointerTo(t)
	if pointer.Implements(reflect.TypeFor[json.Unmarshaler]()) || pointer.Implements(reflect.TypeFor[encoding.TextUnmarshaler]()) {
		return true
	}
	if t.Kind() == reflect.Slice {
		return t.Elem().Kind() != reflect.Struct
	}
	return t.Kind() != reflect.Struct
}

// wantOfType says which values a type takes.
func wantOfType(t reflect.Type) string {
	switch {
	case t == reflect.TypeFor[experiment.Duration]():
		return "a duration such as 90s, 15m or 2h"
	case t == reflect.TypeFor[map[string]commandLine]():
		return "a command by image, each a text or a list of words"
	}
	switch t.Kind() {
	case reflect.Int:
		return "a whole number"
	case reflect.Bool:
		return "true or false"
	case reflect.Slice:
		return "a list of texts"
	case reflect.Map:
		return "texts by name"
	}
	return "a text"
}

// configFields returns the key of each field of a struct; "" of one that has none.
func configFields(t reflect.Type) []string {
	out := make([]string, t.NumField())
	for i := range out {
		out[i], _, _ = strings.Cut(t.Field(i).Tag.Get("json"), ",")
	}
	return out
}

// nearestKey is the key that one which is not known may stand for: the same at another level, else a like one
// beside it, else one elsewhere.
func nearestKey(at, key, path string, beside []string) string {
	known := slices.DeleteFunc(slices.Clone(beside), func(name string) bool { return name == "" })
	near := experiment.Nearest(key, known)
	all := configPaths("", reflect.TypeFor[config]())
	for _, known := range all {
		if last := known[strings.LastIndex(known, ".")+1:]; strings.EqualFold(last, key) && !strings.EqualFold(near, key) {
			return known
		}
	}
	if near != "" && !strings.Contains(key, ".") {
		return strings.TrimPrefix(path+"."+near, ".")
	}
	return experiment.Nearest(at, all)
}

// configPaths returns the paths of all keys of a struct and of those within it.
func configPaths(path string, t reflect.Type) (out []string) {
	for i, key := range configFields(t) {
		inner := t.Field(i).Type
		at := strings.TrimPrefix(path+"."+key, ".")
		if key == "" {
			continue
		}
		out = append(out, at)
		if inner.Kind() == reflect.Struct && !atOnce(inner) {
			out = append(out, configPaths(at, inner)...)
		}
	}
	return out
}

// faultsOf returns the faults that an error tells of, each with its line in the config file, unless a flag won over it.
func (c *config) faultsOf(err error) (out []configFault) {
	if list, ok := err.(experiment.Faults); ok { //nolint:errorlint // what is joined is taken apart below
		for _, f := range list {
			out = append(out, configFault{c.lineOf(f.Path), f.Error()})
		}
		return out
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, err := range joined.Unwrap() {
			out = append(out, c.faultsOf(err)...)
		}
		return out
	}
	if err == nil {
		return nil
	}
	key, _, _ := strings.Cut(err.Error(), ":")
	key, _, _ = strings.Cut(key, ",")
	return []configFault{{c.lineOf(key), err.Error()}}
}

// lineOf returns the line of a key, or of the nearest one that it is within.
func (c *config) lineOf(key string) int {
	for key != "" && c.places[key] == 0 {
		key = key[:max(0, strings.LastIndexAny(key, ".["))]
	}
	return c.places[key]
}

// faulty says all that is wrong with the settings, in the order of the config file; nil for nothing.
func (c *config) faulty(faults []configFault) error {
	slices.SortStableFunc(faults, func(a, b configFault) int {
		const behind = math.MaxInt // what is not of the file
		return cmp.Compare(cmp.Or(a.line, behind), cmp.Or(b.line, behind))
	})
	words := make([]string, len(faults))
	for i, f := range faults {
		words[i] = f.text
		if f.line > 0 {
			words[i] = fmt.Sprintf("%s:%d: %s", c.file, f.line, f.text)
		}
	}
	switch len(words) {
	case 0:
		return nil
	case 1:
		return errors.New(words[0])
	}
	return fmt.Errorf("%d faults:\n%s", len(words), strings.Join(words, "\n"))
}
