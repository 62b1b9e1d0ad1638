package tuner

import (
	"context"
	"fmt"

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
	uid, trial, err := t.find(ctx, r.Experiment, r.Trial)
	if err != nil {
		return experiment.Stream{}, 0, err
	}
	switch {
	case uid != r.UID:
		return experiment.Stream{}, 0, fmt.Errorf("trial %s belongs to an earlier experiment %s: %w", r.Trial, r.Experiment, store.ErrConflict)
	case trial.Attempt != r.Attempt:
		return experiment.Stream{}, 0, fmt.Errorf("trial %s is at attempt %d, not %d: %w", r.Trial, trial.Attempt, r.Attempt, store.ErrConflict)
	case trial.State.Final():
		return experiment.Stream{}, 0, fmt.Errorf("trial %s is over (%s): %w", r.Trial, trial.State, store.ErrConflict)
	}
	s := experiment.Stream{Experiment: r.Experiment, Number: trial.Number, Attempt: trial.Attempt, Source: r.Source}
	acked, err := t.Store.Acked(ctx, s)
	return s, acked, err
}

// find returns a trial by name, of an experiment that is driven or only stored.
func (t *Tuner) find(ctx context.Context, key experiment.Key, name string) (uid string, trial experiment.Trial, err error) {
	if d := t.driver(key); d != nil {
		d.mu.RLock()
		defer d.mu.RUnlock()
		trial, err = byName(d.shown.trials, name)
		return d.shown.e.Metadata.UID, trial, err
	}
	e, err := t.Store.Get(ctx, key)
	if err != nil {
		return "", experiment.Trial{}, err
	}
	trials, err := t.Store.Trials(ctx, key)
	if err != nil {
		return "", experiment.Trial{}, err
	}
	trial, err = byName(trials, name)
	return e.Metadata.UID, trial, err
}

// byName searches from the end: it is mostly the newest trials that are looked for.
func byName(trials []experiment.Trial, name string) (experiment.Trial, error) {
	for i := len(trials) - 1; i >= 0; i-- {
		if trials[i].Name == name {
			return trials[i], nil
		}
	}
	return experiment.Trial{}, fmt.Errorf("trial %q: %w", name, store.ErrNotFound)
}

// Append stores measurements of a stream and returns the sequence number up to which they are
// durable, as store.Store.Append does.
func (t *Tuner) Append(ctx context.Context, s experiment.Stream, ms []experiment.Measurement) (uint64, error) {
	return t.Store.Append(ctx, s, ms)
}

// curve returns a finished trial's values of the objective, minimised, by step.
func (d *driver) curve(ctx context.Context, t *experiment.Trial) ([]algorithms.Measurement, error) {
	ms, err := d.measurements(ctx, t.Number, t.Attempt)
	if err != nil {
		return nil, err
	}
	var out []algorithms.Measurement
	for _, m := range ms {
		if m.Metric != d.e.Spec.Objective.ObjectiveMetricName {
			continue
		}
		step := m.Step
		if step == 0 {
			step = int64(len(out) + 1)
		}
		out = append(out, algorithms.Measurement{Step: step, Loss: d.e.Spec.Objective.Loss(m.Value)})
	}
	return out, nil
}
