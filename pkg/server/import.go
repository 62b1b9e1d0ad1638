package server

import (
	"context"
	"errors"
	"io"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	tunedv1 "github.com/tuned-hpo/tuned/api/tuned/v1"
	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/tuner"
)

// ImportLimits bound one import, which is in memory as a whole before it is stored.
type ImportLimits struct {
	Trials int           // in it
	Bytes  int64         // of its messages, and of the body over HTTP
	Time   time.Duration // until all of it has come; a message may take Limits.Stall
}

// imports are the imports under way: one at a time.
type imports struct {
	turn chan struct{} // capacity 1: held by the one
	cut  chan struct{} // closed when it is not waited for any more
}

func newImports() imports {
	return imports{turn: make(chan struct{}, 1), cut: make(chan struct{})}
}

// cutOff ends the import under way. It is not called concurrently.
func (i imports) cutOff() {
	select {
	case <-i.cut:
	default:
		close(i.cut)
	}
}

// wait returns when no import is under way.
func (i imports) wait() {
	i.turn <- struct{}{}
	<-i.turn
}

// ImportExperiment stores an experiment with its trials.
func (u *users) ImportExperiment(stream grpc.ClientStreamingServer[tunedv1.ImportExperimentRequest, tunedv1.Experiment]) error {
	ctx, cancel := context.WithTimeout(stream.Context(), u.Limits.Import.Time)
	defer cancel()
	select {
	case u.imports.turn <- struct{}{}:
		defer func() { <-u.imports.turn }()
	case <-u.closing:
		return errClosing
	case <-ctx.Done():
		return u.failure(ctx, ctx.Err(), scope{})
	}
	in := &incoming{users: u}
	if err := in.receive(ctx, arrivals(ctx, stream.Recv)); err != nil {
		return err
	}
	if err := in.finish(); err != nil {
		return err
	}
	u.calls.begin() // it is answered, as every call
	defer u.calls.end()
	if err := u.store(stream.Context(), in.History); err != nil {
		return err
	}
	m, err := u.whole(stream.Context(), in.Experiment.Key())
	if err != nil {
		return err
	}
	m.Warnings = in.warnings
	return stream.SendAndClose(m)
}

var errClosing = fail(reasonClosing, "the daemon is shutting down: connect again")

// store carries an import out that has come as a whole, whoever waits for it still, unless the server ends.
func (u *users) store(ctx context.Context, h tuner.History) error {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- u.Tuner.Import(ctx, h) }()
	select {
	case err := <-done:
		return u.unimported(ctx, h.Experiment.Key(), err)
	case <-u.imports.cut:
		cancel()
		if err := <-done; err != nil {
			return errClosing
		}
		return nil
	}
}

// unimported is the error of an import.
func (u *users) unimported(ctx context.Context, key experiment.Key, err error) error {
	if faults := experiment.Faults(nil); errors.As(err, &faults) {
		return faultyTrials(faults)
	}
	return u.failure(ctx, err, scope{key: key, conflict: reasonExists, invalid: reasonTrials})
}

// arrival is what comes of a stream.
type arrival struct {
	message *tunedv1.ImportExperimentRequest
	err     error // io.EOF after the last message
}

// arrivals yields what recv returns, up to its error, until ctx ends.
func arrivals(ctx context.Context, recv func() (*tunedv1.ImportExperimentRequest, error)) <-chan arrival {
	out := make(chan arrival)
	go func() {
		for {
			m, err := recv()
			select {
			case out <- arrival{m, err}:
			case <-ctx.Done():
				return
			}
			if err != nil {
				return
			}
		}
	}()
	return out
}

// incoming is an import whose messages come.
type incoming struct {
	*users
	tuner.History // Experiment is nil before the first message
	warnings      []string
	bytes         int64
}

// receive takes all messages.
func (in *incoming) receive(ctx context.Context, messages <-chan arrival) error {
	silence := time.NewTimer(in.Limits.Stall)
	defer silence.Stop()
	for {
		select {
		case a := <-messages:
			switch {
			case errors.Is(a.err, io.EOF):
				return nil
			case a.err != nil:
				return in.failure(ctx, a.err, scope{})
			}
			if err := in.take(ctx, a.message); err != nil {
				return err
			}
			silence.Reset(in.Limits.Stall)
		case <-silence.C:
			return fail(reasonDeadline, "nothing has come for %v: nothing was imported", in.Limits.Stall)
		case <-in.closing:
			return errClosing
		case <-ctx.Done():
			return in.failure(ctx, ctx.Err(), scope{})
		}
	}
}

// take takes in one message.
func (in *incoming) take(ctx context.Context, m *tunedv1.ImportExperimentRequest) error {
	if in.bytes += int64(proto.Size(m)); in.bytes > in.Limits.Import.Bytes {
		return fail(reasonTooLarge, "the import is larger than %d bytes", in.Limits.Import.Bytes)
	}
	if in.Experiment == nil {
		if err := in.head(ctx, m); err != nil {
			return err
		}
	} else if m.GetNamespace()+m.GetManifest()+m.GetRequestId()+m.GetNote() != "" || m.GetLocal() != nil || len(m.GetTags()) > 0 {
		return fail(reasonArgument, "the first message alone says which experiment it is")
	}
	for _, t := range m.GetTrials() {
		if err := in.add(t); err != nil {
			return err
		}
	}
	return nil
}

// head takes in what the first message says of the experiment.
func (in *incoming) head(ctx context.Context, m *tunedv1.ImportExperimentRequest) error {
	if err := checkRequestID(m.GetRequestId()); err != nil {
		return err
	}
	e, warnings, err := in.read(&tunedv1.CreateExperimentRequest{Namespace: m.GetNamespace(), Manifest: m.GetManifest(), Local: m.GetLocal()})
	if err != nil {
		return in.failure(ctx, err, scope{invalid: reasonManifest})
	}
	e.Note = experiment.Note{Text: m.GetNote(), Tags: m.GetTags()}
	if err := e.Note.Check(); err != nil {
		return fail(reasonArgument, "%v", err)
	}
	in.History = tuner.History{Experiment: e, Measured: map[uint64][]experiment.Measurement{}, Request: m.GetRequestId()}
	in.warnings = warnings
	return nil
}

// add takes in a trial, or further measurements of the last one.
func (in *incoming) add(m *tunedv1.ImportedTrial) error {
	if m.GetTrial() != nil {
		if len(in.Trials) == in.Limits.Import.Trials {
			return fail(reasonTooLarge, "the import has more than %d trials", in.Limits.Import.Trials)
		}
		in.Trials = append(in.Trials, importedTrial(m.GetTrial(), uint64(len(in.Trials))+1))
	}
	number := uint64(len(in.Trials))
	if number == 0 {
		return fail(reasonArgument, "measurements before the first trial")
	}
	for _, x := range measurements(m.GetMeasurements()) {
		before := uint64(len(in.Measured[number]))
		if x.Seq != 0 && x.Seq != before+1 {
			return fail(reasonTrials, "trials[%d].measurements: seq %d: want %d, they count from 1 without gaps", number-1, x.Seq, before+1)
		}
		x.Seq = before + 1
		in.Measured[number] = append(in.Measured[number], x)
	}
	return nil
}
