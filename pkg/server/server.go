// Package server is the daemon's API over gRPC: the stream of measurements that agents send, and
// the calls of users.
package server

import (
	"context"
	"errors"

	"github.com/rs/zerolog"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	tunedv1 "github.com/tuned-hpo/tuned/api/tuned/v1"
	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/tuner"
)

// Limits that keep a misbehaving client from taking the daemon down.
const (
	maxMessage = 1 << 20 // bytes
	maxHeader  = 8 << 10 // bytes
	maxStreams = 128     // per connection
)

// Tuner is what the server needs of a tuner.Tuner.
type Tuner interface {
	Stream(ctx context.Context, r tuner.Reporter) (experiment.Stream, uint64, error)
	Append(ctx context.Context, s experiment.Stream, ms []experiment.Measurement) (acked uint64, err error)
	Load(ctx context.Context, key experiment.Key) (tuner.Snapshot, error)
	List(ctx context.Context) ([]*experiment.Experiment, error)
	Model(ctx context.Context, key experiment.Key) (tuner.Model, error)
	Ask(ctx context.Context, key experiment.Key, count int, request string) (trials []experiment.Trial, done bool, err error)
	Tell(ctx context.Context, key experiment.Key, r tuner.Result) (experiment.Trial, error)
}

// Config is what a server works with.
type Config struct {
	Tuner Tuner
	// Token returns the token that an agent must show.
	Token func(key experiment.Key, uid, trial string, attempt int) string
	Log   zerolog.Logger
}

// New returns a gRPC server with all services registered. The caller serves and stops it, and
// guards who can reach its listener: users are not authenticated here.
func New(c Config) *grpc.Server {
	s := grpc.NewServer(
		grpc.MaxRecvMsgSize(maxMessage),
		grpc.MaxHeaderListSize(maxHeader),
		grpc.MaxConcurrentStreams(maxStreams),
	)
	tunedv1.RegisterAgentServiceServer(s, &agents{Config: c})
	tunedv1.RegisterTuningServiceServer(s, &users{Config: c})
	return s
}

// code turns an error into a gRPC status. Only kinds that a client can act on keep their text.
func (c Config) code(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, tuner.ErrNotFound):
		return status.Error(codes.NotFound, err.Error())
	case errors.Is(err, tuner.ErrConflict):
		return status.Error(codes.FailedPrecondition, err.Error())
	case errors.Is(err, tuner.ErrInvalid):
		return status.Error(codes.InvalidArgument, err.Error())
	case errors.Is(err, tuner.ErrFull):
		return status.Error(codes.ResourceExhausted, err.Error())
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return status.FromContextError(err).Err()
	}
	c.Log.Error().Err(err).Msg("request failed")
	return status.Error(codes.Internal, "internal error; the daemon's log has the cause")
}
