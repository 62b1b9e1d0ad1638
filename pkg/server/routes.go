package server

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	tunedv1 "github.com/tuned-hpo/tuned/api/tuned/v1"
	gateway "github.com/tuned-hpo/tuned/api/tuned/v1/gateway"
	"github.com/tuned-hpo/tuned/api/tuned/v1/openapi"
)

// apiPattern is where the methods are.
const apiPattern = "/api/v1/"

// addRoutes adds the routes that the server has by itself.
func (s *Server) addRoutes() {
	s.routes.Handle(apiPattern, s.newGateway())
	s.routes.HandleFunc("GET /{$}", s.home)
	s.routes.HandleFunc("GET /healthz", s.healthy)
	s.routes.HandleFunc("GET /readyz", s.ready)
	s.routes.HandleFunc("GET /openapi.json", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(openapi.JSON) // the client is gone, or gets it
	})
	for _, path := range []string{"/api/v1", "/api/v1/namespaces/{namespace}", "/api/v1/namespaces/{namespace}/experiments/{experiment}"} {
		s.routes.HandleFunc("GET "+path+"/watch", s.watch)
	}
	s.routes.HandleFunc("GET /api/v1/namespaces/{namespace}/experiments/{experiment}/trials/{trial}/log", s.log)
}

func (s *Server) healthy(w http.ResponseWriter, _ *http.Request) { writeText(w, http.StatusOK, "ok") }

// ready says whether requests are welcome now.
func (s *Server) ready(w http.ResponseWriter, _ *http.Request) {
	select {
	case <-s.closing:
		writeText(w, http.StatusServiceUnavailable, "shutting down")
		return
	default:
	}
	if s.Ready != nil {
		if err := s.Ready(); err != nil {
			writeText(w, http.StatusServiceUnavailable, err.Error())
			return
		}
	}
	writeText(w, http.StatusOK, "ok")
}

func writeText(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text + "\n")) // the client is gone, or gets it
}

// newGateway serves the methods of TuningService at the routes of http.yaml.
func (s *Server) newGateway() http.Handler {
	mux := runtime.NewServeMux(
		runtime.WithMarshalerOption(runtime.MIMEWildcard, &runtime.JSONPb{
			MarshalOptions:   protojson.MarshalOptions{EmitDefaultValues: true},
			UnmarshalOptions: protojson.UnmarshalOptions{DiscardUnknown: false},
		}),
		runtime.WithErrorHandler(func(ctx context.Context, _ *runtime.ServeMux, _ runtime.Marshaler, w http.ResponseWriter, r *http.Request, err error) {
			s.refuse(w, r, s.unread(ctx, err))
		}),
		runtime.WithRoutingErrorHandler(func(ctx context.Context, _ *runtime.ServeMux, _ runtime.Marshaler, w http.ResponseWriter, r *http.Request, status int) {
			if c, _ := ctx.Value(callerKey{}).(caller); !c.user {
				s.refuse(w, r, forbidden(c.trial, "it is for users alone"))
				return
			}
			s.refuse(w, r, misrouted(errors.New("malformed request"), status))
		}),
		runtime.WithForwardResponseOption(func(_ context.Context, w http.ResponseWriter, _ proto.Message) error {
			w.Header().Set("Content-Type", "application/json")
			return nil
		}),
	)
	if err := gateway.RegisterTuningServiceHandlerClient(context.Background(), mux, tunedv1.NewTuningServiceClient(newInProcess(s))); err != nil {
		panic(err) // a route that cannot be parsed: any test would meet it
	}
	return mux
}

// unread tells a body that is too large from one that is no message: the gateway has made text of both.
func (s *Server) unread(ctx context.Context, err error) error {
	large := (&http.MaxBytesError{}).Error()
	if st := status.Convert(err); st.Code() == codes.InvalidArgument && strings.Contains(st.Message(), large) {
		return fail(reasonTooLarge, "the request is larger than %d bytes", s.largest(ctx))
	}
	return err
}

// inProcess is a connection to the server's own methods: calls go through the same interceptor as those that
// come over the network.
type inProcess struct {
	*Server
	methods map[string]grpc.MethodHandler
}

func newInProcess(s *Server) *inProcess {
	c := &inProcess{s, map[string]grpc.MethodHandler{}}
	for _, m := range tunedv1.TuningService_ServiceDesc.Methods {
		c.methods["/"+tunedv1.TuningService_ServiceDesc.ServiceName+"/"+m.MethodName] = m.Handler
	}
	return c
}

// Invoke implements grpc.ClientConnInterface.
func (c *inProcess) Invoke(ctx context.Context, method string, request, reply any, _ ...grpc.CallOption) error {
	handle, ok := c.methods[method]
	if !ok {
		return fail(reasonMethod, "no method %s", method)
	}
	answer, err := handle(&users{Server: c.Server}, ctx, func(into any) error {
		proto.Merge(into.(proto.Message), request.(proto.Message))
		return nil
	}, c.unary)
	if err != nil {
		return err
	}
	proto.Merge(reply.(proto.Message), answer.(proto.Message))
	return nil
}

// NewStream implements grpc.ClientConnInterface. Streams have routes of their own.
func (c *inProcess) NewStream(_ context.Context, _ *grpc.StreamDesc, method string, _ ...grpc.CallOption) (grpc.ClientStream, error) {
	return nil, fail(reasonMethod, "no route leads to %s", method)
}
