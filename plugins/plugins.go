// Package plugins makes algorithms into a plugin: it serves them as the PluginService of
// api/tuned/plugin/v1, which says what is asked of an algorithm and when.
package plugins

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/debug"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/tuned-hpo/tuned/algorithms"
	pluginv1 "github.com/tuned-hpo/tuned/api/tuned/plugin/v1"
)

// Register makes a server answer for algorithms. The error joins what is wrong with their definitions.
//
// A panic of an algorithm becomes the error of the call that it happens in, and its stack goes to
// standard error; other calls go on.
func Register(server grpc.ServiceRegistrar, defs ...algorithms.Definition) error {
	registry, err := algorithms.NewRegistry(defs...)
	if err != nil {
		return err
	}
	var faults []error
	if len(defs) == 0 {
		faults = append(faults, errors.New("a plugin without algorithms"))
	}
	for _, d := range defs {
		if d.New == nil {
			faults = append(faults, fmt.Errorf("algorithm %s has no New", d.Name))
		}
	}
	if len(faults) > 0 {
		return errors.Join(faults...)
	}
	pluginv1.RegisterPluginServiceServer(server, &service{registry: registry})
	return nil
}

// service answers the calls of tuned.
type service struct {
	pluginv1.UnimplementedPluginServiceServer
	registry *algorithms.Registry
}

func (s *service) ListAlgorithms(context.Context, *pluginv1.ListAlgorithmsRequest) (*pluginv1.ListAlgorithmsResponse, error) {
	out := &pluginv1.ListAlgorithmsResponse{}
	for _, d := range s.registry.Definitions() {
		out.Algorithms = append(out.Algorithms, writeDefinition(d))
	}
	return out, nil
}

func (s *service) Check(_ context.Context, r *pluginv1.CheckRequest) (_ *pluginv1.CheckResponse, err error) {
	defer contain(&err)
	t, err := s.task(r.GetTask(), nil)
	switch {
	case err != nil:
		return nil, err
	case t.def.Check == nil:
		return nil, status.Errorf(codes.Unimplemented, "algorithm %s has no check", t.def.Name)
	}
	if err := t.def.Check(t.problem, t.values); err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	return &pluginv1.CheckResponse{}, nil
}

func (s *service) Advise(_ context.Context, r *pluginv1.AdviseRequest) (_ *pluginv1.AdviseResponse, err error) {
	defer contain(&err)
	t, err := s.task(r.GetTask(), nil)
	switch {
	case err != nil:
		return nil, err
	case t.def.Advise == nil:
		return nil, status.Errorf(codes.Unimplemented, "algorithm %s has no advice", t.def.Name)
	}
	out := &pluginv1.AdviseResponse{}
	for _, a := range t.def.Advise(t.problem, t.values) {
		out.Advice = append(out.Advice, &pluginv1.Advice{Setting: a.Setting, Text: a.Text})
	}
	return out, nil
}

// contain is deferred by what calls an algorithm.
func contain(err *error) {
	if p := recover(); p != nil {
		fmt.Fprintf(os.Stderr, "panic: %v\n%s", p, debug.Stack())
		*err = status.Errorf(codes.Internal, "panic: %v", p)
	}
}
