package tuner

import (
	"context"
	"errors"
	"fmt"

	"github.com/tuned-hpo/tuned/internal/failpoint"
	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/trialrunner"
)

// effect touches the workloads. Every record it relies on is durable.
func (d *driver) effect(ctx context.Context, a Actions) (again bool, err error) {
	for _, target := range a.Stop {
		if err := failpoint.Err("tuner.stop"); err != nil {
			return false, fmt.Errorf("%w: %w", err, errAgain)
		}
		if err := d.Runner.Stop(ctx, d.key, target.Trial, target.Attempt); err != nil {
			return false, fmt.Errorf("stop trial %s: %w: %w", target.Trial, err, errAgain)
		}
	}
	for _, target := range a.Remove {
		if err := failpoint.Err("tuner.remove"); err != nil {
			return false, fmt.Errorf("%w: %w", err, errAgain)
		}
		if err := d.Runner.Remove(ctx, d.key, target.Trial, target.Attempt); err != nil {
			return false, fmt.Errorf("remove trial %s: %w: %w", target.Trial, err, errAgain)
		}
		again = true // it may have been the last one
	}
	if len(a.Start) == 0 {
		d.leave()
	}
	for _, number := range a.Start {
		err := d.start(ctx, d.trials[number-1])
		if errors.Is(err, trialrunner.ErrBusy) {
			d.queued = true
			return again, nil // the runner says when to look again
		}
		if err != nil {
			d.leave()
			return false, err
		}
		again = true
	}
	return again, nil
}

// leave gives up the place among those that wait for a slot of the runner.
func (d *driver) leave() {
	if d.queued {
		d.queued = false
		d.Runner.Leave(d.key)
	}
}

// start starts one trial, or records why it never can.
func (d *driver) start(ctx context.Context, t *experiment.Trial) error {
	spec, err := runSpec(d.e, t)
	if err == nil {
		err = failpoint.Err("tuner.start")
	}
	if err == nil {
		err = d.Runner.Start(ctx, spec)
	}
	if err == nil {
		failpoint.Hit("tuner.started")
		delete(d.failures, t.Name)
		d.log.Info().Str("trial", t.Name).Int("attempt", t.Attempt).Msg("trial started")
		return nil
	}
	if errors.Is(err, trialrunner.ErrBusy) {
		return err
	}
	d.failures[t.Name]++
	if errors.Is(err, trialrunner.ErrUnsupported) || d.failures[t.Name] >= 5 {
		return d.fail(ctx, "TrialCannotStart", fmt.Sprintf("trial %s cannot start: %v", t.Name, err))
	}
	return fmt.Errorf("start trial %s: %w: %w", t.Name, err, errAgain)
}
