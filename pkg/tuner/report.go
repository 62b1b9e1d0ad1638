package tuner

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/tuned-hpo/tuned/algorithms"
	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/store"
)

// Reporter says who wants to report measurements.
type Reporter struct {
	Experiment experiment.Key
	UID        string // of the experiment
	Trial      string // name
	Attempt    int
	Source     string // of the stream
}

// Stream returns the stream that a reporter may append to and the sequence number it stands at.
// store.ErrNotFound: no such experiment or trial. store.ErrConflict: the trial is over, or was
// started anew, or belongs to an earlier experiment of the same name; the reporter must stop.
func (t *Tuner) Stream(ctx context.Context, r Reporter) (experiment.Stream, uint64, error) {
	e, trial, err := t.LookUp(ctx, r.Experiment, r.Trial)
	if errors.Is(err, store.ErrNotFound) {
		if e, err := t.Store.Get(ctx, r.Experiment); err == nil && e.Metadata.UID != r.UID {
			return experiment.Stream{}, 0, ofEarlier(r)
		}
	}
	if err != nil {
		return experiment.Stream{}, 0, err
	}
	switch {
	case e.Metadata.UID != r.UID:
		return experiment.Stream{}, 0, ofEarlier(r)
	case trial.Attempt != r.Attempt:
		return experiment.Stream{}, 0, fmt.Errorf("trial %s is at attempt %d, not %d: %w", r.Trial, trial.Attempt, r.Attempt, store.ErrConflict)
	case trial.State.Final():
		return experiment.Stream{}, 0, fmt.Errorf("trial %s is over (%s): %w", r.Trial, trial.State, store.ErrConflict)
	}
	s := experiment.Stream{Experiment: r.Experiment, Number: trial.Number, Attempt: trial.Attempt, Source: r.Source}
	acked, err := t.Store.Acked(ctx, s)
	return s, acked, err
}

func ofEarlier(r Reporter) error {
	return fmt.Errorf("trial %s belongs to an earlier experiment %s: %w", r.Trial, r.Experiment, store.ErrConflict)
}

// Trial returns one trial, by name or number, as it stands. store.ErrNotFound.
func (t *Tuner) Trial(ctx context.Context, key experiment.Key, trial string) (experiment.Trial, error) {
	_, found, err := t.LookUp(ctx, key, trial)
	return found, err
}

// LookUp returns a trial, by name or number, and its experiment, driven or only stored. Of the latter it reads no
// more than that trial. store.ErrNotFound.
func (t *Tuner) LookUp(ctx context.Context, key experiment.Key, trial string) (*experiment.Experiment, experiment.Trial, error) {
	if d := t.driver(key); d != nil {
		d.mu.RLock()
		defer d.mu.RUnlock()
		i, err := index(len(d.shown.trials), &d.shown.e, trial)
		if err != nil {
			return nil, experiment.Trial{}, err
		}
		return d.shown.copyExperiment(), d.shown.trials[i], nil
	}
	e, err := t.Store.Get(ctx, key)
	if err != nil {
		return nil, experiment.Trial{}, err
	}
	if number, ok := e.TrialNumber(trial); ok {
		found, err := t.Store.Trial(ctx, key, number)
		return e, found, err
	}
	return nil, experiment.Trial{}, unknownTrial(trial, key)
}

// find returns a trial by name or number.
func (d *driver) find(trial string) (*experiment.Trial, error) {
	i, err := index(len(d.trials), d.e, trial)
	if err != nil {
		return nil, err
	}
	return d.trials[i], nil
}

// index returns where a trial is among the first ones of an experiment.
func index(trials int, e *experiment.Experiment, trial string) (int, error) {
	if n, ok := e.TrialNumber(trial); ok && n > 0 && n <= uint64(trials) {
		return int(n - 1), nil
	}
	return 0, unknownTrial(trial, e.Key())
}

func unknownTrial(trial string, key experiment.Key) error {
	return fmt.Errorf("trial %q of %s: %w", trial, key, store.ErrNotFound)
}

// Mark is a place in what a trial reported: behind one measurement of an attempt. Without a source it is where
// the attempt begins, the current one for 0.
type Mark struct {
	Attempt int
	Source  string // one of experiment.Sources
	Seq     uint64
}

// Measurements returns at most limit of what a trial reported in one attempt, by source and sequence
// number, from a mark on, and where those behind them begin: the zero Mark when there are none now.
func (t *Tuner) Measurements(ctx context.Context, key experiment.Key, trial string, from Mark, limit int) ([]experiment.Measurement, Mark, error) {
	_, found, err := t.LookUp(ctx, key, trial)
	if err != nil {
		return nil, Mark{}, err
	}
	if from.Source == "" {
		from = Mark{Attempt: cmp.Or(from.Attempt, found.Attempt), Source: experiment.Sources[0]}
	}
	at := slices.Index(experiment.Sources[:], from.Source)
	if at < 0 {
		return nil, Mark{}, fmt.Errorf("source %q of measurements: %w", from.Source, store.ErrInvalid)
	}
	var all []experiment.Measurement
	last := from
	for _, source := range experiment.Sources[at:] {
		s := experiment.Stream{Experiment: key, Number: found.Number, Attempt: from.Attempt, Source: source}
		ms, err := t.Store.Measurements(ctx, s, from.Seq, limit+1-len(all)) // one more tells whether there are more
		if err != nil {
			return nil, Mark{}, fmt.Errorf("read measurements of trial %d: %w", found.Number, err)
		}
		kept := ms[:min(len(ms), limit-len(all))]
		if all = append(all, kept...); len(kept) > 0 {
			last.Source, last.Seq = source, kept[len(kept)-1].Seq
		}
		if len(ms) > len(kept) {
			return all, last, nil
		}
		from.Seq = 0
	}
	return all, Mark{}, nil
}

// Events returns an experiment's events from number after+1 on, oldest first. store.ErrNotFound.
func (t *Tuner) Events(ctx context.Context, key experiment.Key, after uint64) ([]experiment.Event, error) {
	return t.Store.Events(ctx, key, after)
}

// Decision says whether a trial should end before its time, and why.
type Decision struct {
	Stop   bool
	Reason string // for a person; "" when it should go on
}

// ShouldStop decides about a trial, by name or number: it should end when it is over, when somebody
// stopped it, or when its experiment has ended or is gone. store.ErrNotFound: the experiment has no
// such trial.
func (t *Tuner) ShouldStop(ctx context.Context, key experiment.Key, trial string) (Decision, error) {
	e, found, err := t.LookUp(ctx, key, trial)
	if errors.Is(err, store.ErrNotFound) {
		if _, missing := t.Store.Get(ctx, key); errors.Is(missing, store.ErrNotFound) {
			return Decision{true, fmt.Sprintf("experiment %s does not exist any more", key)}, nil
		}
	}
	if err != nil {
		return Decision{}, err
	}
	return decide(e, &found), nil
}

// decide says what is known of a trial; see prune for what its measurements lead to.
func decide(e *experiment.Experiment, t *experiment.Trial) Decision {
	switch {
	case t.Pruned != "":
		return Decision{true, "the trial was stopped early by " + t.Pruned}
	case t.State.Final():
		return Decision{true, fmt.Sprintf("the trial is over: %s", t.State)}
	case t.Stopping:
		return Decision{true, "the trial was stopped on request"}
	case e.Control.Deleting:
		return Decision{true, "the experiment is being deleted"}
	case e.Status.Completed():
		return Decision{true, fmt.Sprintf("the experiment has ended: %s", e.Status.Reason())}
	}
	return Decision{}
}

// ReportTrial stores measurements that a client made on the way to a trial's result, numbered from 1, and
// returns the number up to which they are durable: repeating a call is harmless. It decides as ShouldStop
// does; measurements of a trial that is over are not stored, which is no error.
func (t *Tuner) ReportTrial(ctx context.Context, key experiment.Key, trial string, ms []experiment.Measurement) (acked uint64, stop Decision, err error) {
	e, found, err := t.LookUp(ctx, key, trial)
	if err != nil {
		return 0, Decision{}, err
	}
	s := fromClients(key, &found)
	stop = decide(e, &found)
	if found.State.Final() {
		acked, err = t.Store.Acked(ctx, s)
		return acked, stop, err
	}
	acked, err = t.Append(ctx, s, ms)
	over := errors.Is(err, store.ErrConflict) // it ended, or was started anew, meanwhile
	if err != nil && !over || err == nil && stop.Stop {
		return acked, stop, err
	}
	if stop, err = t.ShouldStop(ctx, key, trial); over && err == nil {
		acked, err = t.Store.Acked(ctx, s)
	}
	return acked, stop, err
}

// Append stores measurements of a stream and returns the sequence number up to which they are
// durable, as store.Store.Append does. Early-stopping rules have decided about them then.
func (t *Tuner) Append(ctx context.Context, s experiment.Stream, ms []experiment.Measurement) (uint64, error) {
	acked, err := t.Store.Append(ctx, s, ms)
	if d := t.driver(s.Experiment); d != nil {
		d.starve(err)
	}
	if err == nil {
		err = t.prune(ctx, s, ms, acked)
	}
	return acked, err
}

// curve returns a finished trial's values of the objective, minimised, by step.
func (d *driver) curve(ctx context.Context, s *experiment.Spec, t *experiment.Trial) ([]algorithms.Measurement, error) {
	ms, err := d.measurements(ctx, t.Number, t.Attempt)
	return curveOf(ms, s.Objective), err
}
