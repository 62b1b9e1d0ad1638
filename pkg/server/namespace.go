package server

import (
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/tuned-hpo/tuned/pkg/experiment"
)

// inNamespace fills in the namespace of a request that names an experiment and none: it is the one that an
// experiment gets whose manifest names none.
func inNamespace(request any) {
	m, ok := request.(proto.Message)
	if !ok {
		return
	}
	fields, is := m.ProtoReflect().Descriptor().Fields(), m.ProtoReflect()
	text := func(name protoreflect.Name) string {
		if f := fields.ByName(name); f != nil && f.Kind() == protoreflect.StringKind && !f.IsList() {
			return is.Get(f).String()
		}
		return ""
	}
	if f := fields.ByName("namespace"); f != nil && text("namespace") == "" && text("experiment")+text("name") != "" {
		is.Set(f, protoreflect.ValueOfString(experiment.DefaultNamespace))
	}
}

// namedStream is a stream whose requests name a namespace.
type namedStream struct{ grpc.ServerStream }

// RecvMsg implements grpc.ServerStream.
func (s namedStream) RecvMsg(m any) error {
	if err := s.ServerStream.RecvMsg(m); err != nil {
		return err
	}
	inNamespace(m)
	return nil
}
