package main

import (
	"encoding/json"
	"reflect"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// shape is what a value in JSON can hold: keys, if it is an object, or elements, if it is a list. One with nothing is a
// single value.
type shape struct {
	keys   map[string]*shape // of an object
	others *shape            // of an object: what further keys lead to; nil: there are no others
	items  *shape            // of a list: its elements
}

// printing is what a command prints whatever its words.
func printing(s *shape) func(args []string) *shape {
	return func([]string) *shape { return s }
}

// shapeOf is the shape of what encoding/json makes of values of a type.
func shapeOf[T any]() *shape { return (typeShapes{}).of(reflect.TypeFor[T]()) }

// typeShapes holds the shapes of types that were met, so that types may hold themselves.
type typeShapes map[reflect.Type]*shape

var marshaler = reflect.TypeFor[json.Marshaler]()

func (m typeShapes) of(t reflect.Type) *shape {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if m[t] != nil {
		return m[t]
	}
	s := &shape{}
	m[t] = s
	switch {
	case t.Implements(marshaler) || reflect.PointerTo(t).Implements(marshaler): // a number or a time, of ours
	case t.Kind() == reflect.Slice || t.Kind() == reflect.Array:
		s.items = m.of(t.Elem())
	case t.Kind() == reflect.Map:
		s.others = m.of(t.Elem())
	case t.Kind() == reflect.Struct:
		s.keys = map[string]*shape{}
		m.fields(s.keys, t)
	}
	return s
}

// fields adds the keys of a struct; those of structs that it embeds are its own.
func (m typeShapes) fields(keys map[string]*shape, t reflect.Type) {
	for _, f := range reflect.VisibleFields(t) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name != "" && name != "-" {
			keys[name] = m.of(f.Type)
		}
	}
}

// messageShape is the shape of a message of the API in JSON.
func messageShape(of proto.Message) *shape {
	return (messageShapes{}).of(of.ProtoReflect().Descriptor())
}

// messageShapes holds the shapes of messages that were met, so that messages may hold themselves.
type messageShapes map[protoreflect.FullName]*shape

func (m messageShapes) of(d protoreflect.MessageDescriptor) *shape {
	if m[d.FullName()] != nil {
		return m[d.FullName()]
	}
	s := &shape{}
	m[d.FullName()] = s
	switch d.FullName() {
	case "google.protobuf.Timestamp", "google.protobuf.Duration": // text
	case "google.protobuf.Struct", "google.protobuf.Value": // anything
		s.others, s.items = s, s
	default:
		s.keys = map[string]*shape{}
		for i := range d.Fields().Len() {
			s.keys[d.Fields().Get(i).JSONName()] = m.field(d.Fields().Get(i))
		}
	}
	return s
}

func (m messageShapes) field(f protoreflect.FieldDescriptor) *shape {
	one := func(f protoreflect.FieldDescriptor) *shape {
		if f.Message() == nil {
			return &shape{}
		}
		return m.of(f.Message())
	}
	switch {
	case f.IsMap():
		return &shape{others: one(f.MapValue())}
	case f.IsList():
		return &shape{items: one(f)}
	}
	return one(f)
}
