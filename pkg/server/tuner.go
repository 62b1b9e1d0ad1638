package server

import (
	"context"
	"io"

	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/tuner"
)

// Tuner is what the server needs of a tuner.Tuner.
type Tuner interface {
	Stream(ctx context.Context, r tuner.Reporter) (experiment.Stream, uint64, error)
	Append(ctx context.Context, s experiment.Stream, ms []experiment.Measurement) (acked uint64, err error)

	Create(ctx context.Context, e *experiment.Experiment) (*experiment.Experiment, error)
	Check(ctx context.Context, e *experiment.Experiment) error
	Import(ctx context.Context, h tuner.History) error
	List(ctx context.Context) ([]*experiment.Experiment, error)
	Experiment(ctx context.Context, key experiment.Key) (*experiment.Experiment, error)
	Inspect(ctx context.Context, key experiment.Key, look func(*tuner.Snapshot) error) error
	Model(ctx context.Context, key experiment.Key) (tuner.Model, error)
	Events(ctx context.Context, key experiment.Key, after uint64) ([]experiment.Event, error)
	Feed(ctx context.Context, after string) (<-chan tuner.Change, error)

	Pause(ctx context.Context, key experiment.Key) error
	Resume(ctx context.Context, key experiment.Key) error
	Stop(ctx context.Context, key experiment.Key, drain bool) error
	Extend(ctx context.Context, key experiment.Key, b tuner.Budget) error
	Delete(ctx context.Context, key experiment.Key, uid string) error
	Annotate(ctx context.Context, key experiment.Key, trial string, n tuner.Note) error

	LookUp(ctx context.Context, key experiment.Key, trial string) (*experiment.Experiment, experiment.Trial, error)
	Enqueue(ctx context.Context, key experiment.Key, a []experiment.Pair, note, request string) (experiment.Trial, error)
	StopTrial(ctx context.Context, key experiment.Key, trial string) (experiment.Trial, error)
	Measurements(ctx context.Context, key experiment.Key, trial string, from tuner.Mark, limit int) ([]experiment.Measurement, tuner.Mark, error)
	Log(ctx context.Context, key experiment.Key, trial string, attempt int, tail int64, follow bool) (io.ReadCloser, error)

	Ask(ctx context.Context, key experiment.Key, count int, request string) (trials []experiment.Trial, done bool, err error)
	Tell(ctx context.Context, key experiment.Key, r tuner.Result) (experiment.Trial, error)
	ReportTrial(ctx context.Context, key experiment.Key, trial string, ms []experiment.Measurement) (acked uint64, stop tuner.Decision, err error)
	ShouldStop(ctx context.Context, key experiment.Key, trial string) (tuner.Decision, error)
}
