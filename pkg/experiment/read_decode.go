package experiment

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// mark is where a field begins in the text.
type mark struct{ line, column int }

// decoder fits a JSON tree to the Go type that it is to become: it drops, with a fault for each,
// what the type does not know or cannot hold, so that decoding what is left succeeds.
type decoder struct {
	faults  Faults          // values of the wrong form
	lenient Faults          // unknown fields and aliases: faults only when reading strictly
	marks   map[string]mark // by path
	anyText bool            // numbers and booleans stand for their text where text is wanted
	katib   bool            // that text is Katib's, not as written
}

var (
	unmarshalerType = reflect.TypeFor[json.Unmarshaler]()
	anyType         = reflect.TypeFor[any]()
)

// value returns what of v fits type t. The node is v's origin, nil when there is none. False
// means that nothing is left.
func (d *decoder) value(v any, n *yaml.Node, t reflect.Type, path string) (any, bool) {
	if v == nil {
		return nil, false
	}
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case t == anyType:
		d.markAll(n, path, 0)
		return v, true
	case reflect.PointerTo(t).Implements(unmarshalerType):
		return d.custom(v, t, path)
	}
	switch t.Kind() {
	case reflect.Struct:
		return d.object(v, n, t, path)
	case reflect.Map:
		return d.dictionary(v, n, t, path)
	case reflect.Slice:
		return d.list(v, n, t, path)
	case reflect.String:
		return d.text(v, n, path)
	case reflect.Bool:
		_, ok := v.(bool)
		return d.require(ok, v, path, "true or false")
	case reflect.Float32, reflect.Float64:
		_, ok := v.(json.Number)
		return d.require(ok, v, path, "a number")
	default:
		return d.whole(v, t, path)
	}
}

func (d *decoder) object(v any, n *yaml.Node, t reflect.Type, path string) (any, bool) {
	in, ok := v.(map[string]any)
	if !ok {
		return d.require(false, v, path, "fields")
	}
	fields, nodes := fieldsOf(t), entries(n)
	out := make(map[string]any, len(fields))
	for _, key := range sortedKeys(in) {
		node := nodes[key]
		name := d.known(key, node.key, t, fields, in, path)
		if name == "" {
			continue
		}
		at := join(path, name)
		d.mark(at, node.key)
		if fitted, ok := d.value(in[key], node.value, fields[name], at); ok {
			out[name] = fitted
		}
	}
	return out, true
}

// known returns the name of t's field that key stands for; "" when there is none.
func (d *decoder) known(key string, n *yaml.Node, t reflect.Type, fields map[string]reflect.Type, in map[string]any, path string) string {
	if _, ok := fields[key]; ok {
		return key
	}
	if slices.Contains(ignored[t], key) {
		return ""
	}
	at := join(path, key)
	d.mark(at, n)
	f := Fault{Path: at, Type: FieldUnknown, Detail: "unknown field"}
	name := aliases[alias{t, key}]
	switch _, both := in[name]; {
	case name == "":
		if hint := hints[alias{t, key}]; hint != "" {
			f.Detail += ": " + hint
		} else if len(d.lenient) < maxFaults {
			f.Nearest = meantField(path, key, sortedKeys(fields))
		}
	case both:
		f.Detail = fmt.Sprintf("stands for %s, which is given too; this one is not read", name)
		name = ""
	default:
		f.Detail = fmt.Sprintf("read as %s, which is the name in kubeflow.org/v1beta1", name)
	}
	d.lenient = append(d.lenient, f)
	return name
}

func (d *decoder) dictionary(v any, n *yaml.Node, t reflect.Type, path string) (any, bool) {
	in, ok := v.(map[string]any)
	if !ok {
		return d.require(false, v, path, "fields")
	}
	nodes := entries(n)
	out := make(map[string]any, len(in))
	for _, key := range sortedKeys(in) {
		node := nodes[key]
		at := join(path, key)
		d.mark(at, node.key)
		if t.Elem() == anyType {
			d.markAll(node.value, at, 0)
			out[key] = in[key]
		} else if fitted, ok := d.value(in[key], node.value, t.Elem(), at); ok {
			out[key] = fitted
		}
	}
	return out, true
}

func (d *decoder) list(v any, n *yaml.Node, t reflect.Type, path string) (any, bool) {
	in, ok := v.([]any)
	if !ok {
		return d.require(false, v, path, "a list")
	}
	out := make([]any, 0, len(in))
	for i := range in {
		child := item(n, i)
		at := fmt.Sprintf("%s[%d]", path, i)
		d.mark(at, child)
		fitted, ok := d.value(in[i], child, t.Elem(), at)
		if !ok {
			fitted = reflect.Zero(t.Elem()).Interface() // keeps the indices of those behind it
		}
		out = append(out, fitted)
	}
	return out, true
}

// text keeps a number as it is written: .5 stays ".5". To Katib it is its value's shortest text.
func (d *decoder) text(v any, n *yaml.Node, path string) (any, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case json.Number, bool:
		if !d.anyText {
			break
		}
		n = resolve(n)
		switch scalar := n != nil && n.Kind == yaml.ScalarNode; {
		case scalar && d.katib && n.ShortTag() == "!!float":
			x, _ := strconv.ParseFloat(fmt.Sprint(v), 64)
			return strconv.FormatFloat(x, 'g', -1, 32), true // in single precision, as sigs.k8s.io/yaml
		case scalar && !d.katib:
			return n.Value, true
		}
		return fmt.Sprint(v), true
	}
	return d.require(false, v, path, "text")
}

func (d *decoder) whole(v any, t reflect.Type, path string) (any, bool) {
	want := "a whole number"
	switch v := v.(type) {
	case json.Number:
		var err error
		if t.Kind() >= reflect.Uint && t.Kind() <= reflect.Uint64 {
			_, err = strconv.ParseUint(v.String(), 10, t.Bits())
			want = "a whole number from 0"
		} else {
			_, err = strconv.ParseInt(v.String(), 10, t.Bits())
		}
		if err == nil {
			return v, true
		}
		want += fmt.Sprintf(" of at most %d bits", t.Bits())
	case string:
		if _, err := strconv.ParseInt(v, 10, 64); err == nil {
			want += " without quotes"
		}
	}
	return d.require(false, v, path, want)
}

func (d *decoder) custom(v any, t reflect.Type, path string) (any, bool) {
	js, err := json.Marshal(v)
	if err == nil {
		err = reflect.New(t).Interface().(json.Unmarshaler).UnmarshalJSON(js)
	}
	if err != nil {
		d.faults = append(d.faults, Fault{Path: path, Type: Invalid, Detail: err.Error()})
		return nil, false
	}
	return v, true
}

// require adds a fault unless ok.
func (d *decoder) require(ok bool, v any, path, want string) (any, bool) {
	if ok {
		return v, true
	}
	f := Fault{Path: path, Type: Invalid}
	switch v := v.(type) {
	case map[string]any:
		f.Detail = "want " + want + ", got fields"
	case []any:
		f.Detail = "want " + want + ", got a list"
	default:
		f.Detail, f.Value = "want "+want, fmt.Sprint(v)
	}
	d.faults = append(d.faults, f)
	return nil, false
}

// mark remembers where the path begins.
func (d *decoder) mark(path string, n *yaml.Node) {
	if n != nil && d.marks != nil {
		d.marks[path] = mark{n.Line, n.Column}
	}
}

// markAll marks every path below a part that is of any form.
func (d *decoder) markAll(n *yaml.Node, path string, depth int) {
	if n = resolve(n); n == nil || depth > maxDepth {
		return
	}
	for i, child := range n.Content {
		switch {
		case n.Kind == yaml.SequenceNode:
			at := fmt.Sprintf("%s[%d]", path, i)
			d.mark(at, child)
			d.markAll(child, at, depth+1)
		case i%2 == 1:
			at := join(path, n.Content[i-1].Value)
			d.mark(at, n.Content[i-1])
			d.markAll(child, at, depth+1)
		}
	}
}

// locate returns where the path begins, or the nearest part around it that was given.
func (d *decoder) locate(path string) mark {
	for {
		if m, ok := d.marks[path]; ok || path == "" {
			return m
		}
		path = path[:max(0, strings.LastIndexAny(path, ".["))]
	}
}

// fieldsOf returns the types of a struct's fields by their JSON names, those of embedded structs
// included.
func fieldsOf(t reflect.Type) map[string]reflect.Type {
	fields := make(map[string]reflect.Type, t.NumField())
	for f := range t.Fields() {
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Anonymous && (name == "" || options == "inline"):
			for inner, innerType := range fieldsOf(f.Type) {
				fields[inner] = innerType
			}
		case name != "" && name != "-" && !slices.Contains(hidden[t], name):
			fields[name] = f.Type
		}
	}
	for _, name := range ignored[t] {
		delete(fields, name)
	}
	return fields
}
