// Package store holds what must survive: experiments, trials, observations and events.
package store

import (
	"context"
	"errors"

	"github.com/tuned-hpo/tuned/pkg/experiment"
)

// Kinds of error that callers act on. Implementations wrap them with what was asked for.
var (
	ErrNotFound = errors.New("not found")
	ErrConflict = errors.New("conflict") // exists already, or changed since it was read
	ErrInvalid  = errors.New("invalid")
	ErrFull     = errors.New("storage full")    // too little disk space; nothing was written
	ErrCorrupt  = errors.New("storage corrupt") // what was acknowledged cannot be read back
	ErrFailed   = errors.New("storage failed")  // a write did not become durable; no other is tried
	ErrLocked   = errors.New("storage locked by another process")
)

// Store is the durable state of one daemon. Methods are atomic and durable when they return
// nil, may be called concurrently, and return copies that the caller owns. After the first
// failed write every later write fails with the same error, an ErrFailed: the process should end.
type Store interface {
	// Create adds a new experiment, at revision 1. ErrConflict: the key exists. ErrInvalid: too
	// large to be stored.
	Create(ctx context.Context, e *experiment.Experiment) error

	// Get returns one experiment. ErrNotFound.
	Get(ctx context.Context, key experiment.Key) (*experiment.Experiment, error)

	// List returns all experiments, ordered by key.
	List(ctx context.Context) ([]*experiment.Experiment, error)

	// Delete removes an experiment with all that belongs to it, also where there is too little disk space for
	// other writes. ErrNotFound.
	Delete(ctx context.Context, key experiment.Key) error

	// Commit applies a change to one experiment. ErrNotFound; ErrConflict when the experiment's
	// revision is no longer change.Revision, when a created trial's number is not the next, when
	// an updated trial is in a final state already or would go back to an earlier attempt, or when
	// appended measurements do not continue their stream or their trial is final already.
	// ErrInvalid: too large to be written at once.
	// It returns the new revision.
	Commit(ctx context.Context, key experiment.Key, change Change) (revision uint64, err error)

	// Trials returns the experiment's trials, ordered by number. ErrNotFound.
	Trials(ctx context.Context, key experiment.Key) ([]experiment.Trial, error)

	// Trial returns one of them. ErrNotFound: no such experiment or trial.
	Trial(ctx context.Context, key experiment.Key, number uint64) (experiment.Trial, error)

	// Append adds measurements of one stream and returns the highest contiguous sequence number
	// that is durable, which is what may be acknowledged. Measurements at or below it are
	// ignored (a repeated call is harmless); a gap is refused with ErrInvalid and leaves the
	// stream as it was. ErrNotFound: no such experiment or trial. ErrConflict: the trial has
	// been started anew since (a later attempt) or is final and accepts no more. After another
	// error acked may be above 0: so many of a large call are durable.
	Append(ctx context.Context, stream experiment.Stream, ms []experiment.Measurement) (acked uint64, err error)

	// Acked returns the highest contiguous durable sequence number of a stream, 0 for none.
	// ErrNotFound: no such experiment.
	Acked(ctx context.Context, stream experiment.Stream) (uint64, error)

	// Measurements returns those of one stream by ascending sequence number, beginning after
	// `after`: at most limit of them, or all when it is 0. It costs what it returns, wherever in the
	// stream that is. ErrNotFound: no such experiment.
	Measurements(ctx context.Context, stream experiment.Stream, after uint64, limit int) ([]experiment.Measurement, error)

	// Events returns an experiment's events from number after+1 on, oldest first; they count from 1.
	// ErrNotFound.
	Events(ctx context.Context, key experiment.Key, after uint64) ([]experiment.Event, error)

	// Close waits for writes under way and releases the directory.
	Close() error
}

// Change is what one Commit does to an experiment. Control and Note of the experiment, and Note of its
// trials, are written by Control and Notes alone.
type Change struct {
	Revision uint64              // of the experiment that the change was computed from
	Spec     *experiment.Spec    // nil: unchanged
	Local    *experiment.Local   // nil: unchanged
	Status   *experiment.Status  // nil: unchanged
	Control  *experiment.Control // nil: unchanged
	Create   []experiment.Trial  // numbers continue where the stored ones end
	Append   []Appended          // to trials that are not final before the change
	Update   []experiment.Trial  // replace the stored trial of the same number
	Events   []experiment.Event
	Notes    map[uint64]experiment.Note // by number of the trial; 0 is the experiment
	Freeing  bool                       // it is on the way to a Delete, and allowed wherever that is, see ErrFull
}

// Appended is measurements that continue a stream, in one with the rest of a Change.
type Appended struct {
	Number       uint64 // of the trial
	Attempt      int
	Source       string
	Measurements []experiment.Measurement
}

// Stream returns the stream that is continued.
func (a *Appended) Stream(key experiment.Key) experiment.Stream {
	return experiment.Stream{Experiment: key, Number: a.Number, Attempt: a.Attempt, Source: a.Source}
}
