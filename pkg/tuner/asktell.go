package tuner

import (
	"context"
	"fmt"

	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/store"
	"github.com/tuned-hpo/tuned/pkg/trialrunner"
)

// Ask hands out up to count trials of an experiment that clients evaluate. The same non-empty
// request gets the same trials again. Fewer come when parallelTrialCount or the budget leaves no
// room; done means that none will come any more. store.ErrInvalid: the daemon runs this
// experiment's trials itself, or count is not positive.
func (t *Tuner) Ask(ctx context.Context, key experiment.Key, count int, request string) (trials []experiment.Trial, done bool, err error) {
	d, err := t.driven(key)
	if err != nil {
		return nil, false, err
	}
	if count < 1 {
		return nil, false, fmt.Errorf("ask %s for %d trials: want at least 1: %w", key, count, store.ErrInvalid)
	}
	var handed []experiment.Trial // written to still where call returns early
	var over bool
	err = d.call(ctx, func() (err error) {
		handed, err = d.handOut(ctx, count, request)
		over = len(handed) == 0 && (d.e.Status.Completed() || d.exhausted)
		return err
	})
	if err != nil {
		return nil, false, err
	}
	return handed, over, nil
}

// handOut runs in the driver's goroutine.
func (d *driver) handOut(ctx context.Context, count int, request string) ([]experiment.Trial, error) {
	if !d.e.External() {
		return nil, fmt.Errorf("experiment %s runs its trials itself, they cannot be asked for: %w", d.key, store.ErrInvalid)
	}
	if again := d.requested(request); len(again) > 0 {
		return again, nil
	}
	n := min(count, room(d.e, len(d.trials), d.tally.Active()))
	if n == 0 || d.e.Status.Completed() || d.exhausted || d.held {
		return nil, nil
	}
	draft := d.newDraft()
	if err := draft.ask(ctx, n, experiment.TrialRunning, request); err != nil {
		return nil, d.abandon(ctx, err)
	}
	d.judged = false
	draft.refresh()
	if err := draft.commit(ctx); err != nil {
		return nil, d.abandon(ctx, err)
	}
	return append([]experiment.Trial(nil), d.trials[draft.stored:]...), nil
}

// requested returns the trials that an earlier call with the same request got.
func (d *driver) requested(request string) (out []experiment.Trial) {
	for i := range d.trials {
		if request != "" && d.trials[i].Request == request {
			out = append(out, d.trials[i])
		}
	}
	return out
}

// Result is what a client says about a trial it evaluated.
type Result struct {
	Trial        string // name or number
	Measurements []experiment.Measurement
	Failed       bool
	Message      string // why it failed
}

// Tell records a client's result and returns the trial, which has ended. The same result again is harmless.
// store.ErrConflict: another result is recorded already. store.ErrInvalid: the measurements lack
// a value of an objective or of a constraint's metric, or the daemon runs this experiment's trials itself.
func (t *Tuner) Tell(ctx context.Context, key experiment.Key, r Result) (experiment.Trial, error) {
	d, err := t.driven(key)
	if err != nil {
		return experiment.Trial{}, err
	}
	var ended experiment.Trial
	err = d.call(ctx, func() error {
		number, err := d.takeBack(ctx, r)
		if err == nil {
			ended = d.trials[number-1]
		}
		return err
	})
	if err != nil {
		return experiment.Trial{}, err
	}
	return ended, nil
}

// takeBack ends a trial and returns its number. It runs in the driver's goroutine.
func (d *driver) takeBack(ctx context.Context, r Result) (number uint64, err error) {
	if !d.e.External() {
		return 0, fmt.Errorf("experiment %s runs its trials itself: %w", d.key, store.ErrInvalid)
	}
	trial, ok := experiment.FindTrial(d.trials, r.Trial)
	if !ok {
		return 0, fmt.Errorf("trial %q of %s: %w", r.Trial, d.key, store.ErrNotFound)
	}
	obs := experiment.Observe(d.e.Spec.Objective, r.Measurements)
	verdict := verdict(r, obs, &d.e.Spec)
	if trial.State.Final() {
		if trial.State != verdict.state || !equal(trial.Observation, obs) {
			return 0, fmt.Errorf("trial %s has another result already (%s): %w", trial.Name, trial.State, store.ErrConflict)
		}
		return trial.Number, nil
	}
	if verdict.state == experiment.TrialMetricsUnavailable {
		return 0, fmt.Errorf("trial %s: no value of %s given: %w", trial.Name, quoted(missingMetrics(obs, &d.e.Spec)), store.ErrInvalid)
	}
	if len(r.Measurements) > 0 {
		s := experiment.Stream{Experiment: d.key, Number: trial.Number, Attempt: trial.Attempt, Source: "tell"}
		if _, err := d.Store.Append(ctx, s, r.Measurements); err != nil {
			return 0, fmt.Errorf("store measurements of %s: %w", trial.Name, err)
		}
	}
	draft := d.newDraft()
	draft.end(trial.Number, verdict, obs, trialrunner.Workload{})
	d.judged = false
	draft.refresh()
	if err := draft.commit(ctx); err != nil {
		return 0, d.abandon(ctx, err)
	}
	return trial.Number, nil
}

// verdict decides what a client's result means for its trial.
func verdict(r Result, obs experiment.Observation, s *experiment.Spec) outcome {
	if r.Failed {
		return outcome{experiment.TrialFailed, "ToldFailed", r.Message}
	}
	return judge(&experiment.Trial{}, trialrunner.Workload{Phase: trialrunner.Exited}, obs, 0, s)
}
