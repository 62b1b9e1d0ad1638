package tuner

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/tuned-hpo/tuned/internal/failpoint"
	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/store"
	"github.com/tuned-hpo/tuned/pkg/trialrunner"
)

// Ask hands out up to count trials of an experiment that clients evaluate. The same non-empty
// request gets the same trials again; ErrReused: it asked for another number of them then, or was of another method. Fewer come when parallelTrialCount or the budget leaves no
// room, or when the experiment is paused; done means that none will come any more. It takes as long
// as the algorithm thinks. store.ErrInvalid: the daemon runs this experiment's trials itself, or count
// is not positive.
func (t *Tuner) Ask(ctx context.Context, key experiment.Key, count int, request string) (trials []experiment.Trial, done bool, err error) {
	if count < 1 {
		return nil, false, fmt.Errorf("ask %s for %d trials: want at least 1: %w", key, count, store.ErrInvalid)
	}
	d, err := t.use(ctx, key)
	if err != nil {
		return nil, false, err
	}
	defer t.release(d)
	trials, err = d.await(ctx, request, func(j *job) error { return d.handOut(ctx, j, count) })
	if err != nil {
		return nil, false, err
	}
	return trials, len(trials) == 0 && d.over(), nil
}

// over reports whether no trial will come any more, as readers see it.
func (d *driver) over() bool {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.shown.e.Status.Completed() || d.shown.exhausted
}

// handOut serves an Ask: with trials that wait first, then with first points, then with what the
// algorithm suggests.
func (d *driver) handOut(ctx context.Context, j *job, count int) error {
	if !d.e.External() {
		return fmt.Errorf("experiment %s runs its trials itself, they cannot be asked for: %w", d.key, store.ErrInvalid)
	}
	if len(j.found) == 0 {
		if again, err := d.handedOut(j, count); err != nil || len(again) > 0 {
			if err == nil {
				j.finish(again, nil)
			}
			return err
		}
	}
	if d.e.Status.Completed() || d.held || d.e.Control.Paused {
		j.finish(nil, nil)
		return nil
	}
	draft := d.newDraft()
	n := draft.handWaiting(j, min(count-len(j.found), parallel(&d.e.Spec)-int(d.e.Status.TrialsRunning)))
	n = min(n, room(d.e, len(d.trials), d.tally.Active()))
	n -= draft.addFirstPoints(n, j)
	d.judged = false
	draft.refresh()
	if err := draft.commit(ctx); err != nil {
		return d.abandon(ctx, err)
	}
	j.found = append(j.found, values(d.trials[draft.stored:])...)
	if n < 1 || d.exhausted || d.e.Status.Completed() {
		j.finish(nil, nil)
		return nil
	}
	if err := d.think(ctx, n, j); err != nil {
		if err := d.fail(ctx, "SuggestionFailed", err.Error()); err != nil {
			return err
		}
		j.finish(nil, nil)
	}
	return nil
}

// handWaiting hands out up to n of the trials that wait, and returns how many more are wanted.
func (d *draft) handWaiting(j *job, n int) int {
	waiting := d.waitingTrials()
	for _, number := range waiting[:max(0, min(n, len(waiting)))] {
		d.alter(number, func(t *experiment.Trial) {
			t.State, t.Started, t.Request, t.Wanted = experiment.TrialRunning, d.now, j.request, j.wanted
		})
		d.handed[number] = d.Uptime()
		j.found = append(j.found, *d.trials[number-1])
		n--
	}
	return n
}

// handedOut returns the trials that an earlier Ask with the same request got, or notes what this one wants. ErrReused:
// the request was another call.
func (d *driver) handedOut(j *job, count int) ([]experiment.Trial, error) {
	request := j.request
	if request == "" {
		return nil, nil
	}
	j.wanted = count
	if given, ok := d.given(request); ok {
		return nil, fmt.Errorf("request %q made trial %s, and asks for trials now: %w", request, given.Name, ErrReused)
	}
	again := d.requested(request)
	if len(again) == 0 {
		return nil, nil
	}
	if then := again[0].Wanted; then != count && then > 0 || len(again) > count {
		return nil, fmt.Errorf("request %q asked for %d trials, and asks for %d now: %w", request, max(then, len(again)), count, ErrReused)
	}
	return again, nil
}

// requested returns the trials that an earlier call with the same request got.
func (d *driver) requested(request string) (out []experiment.Trial) {
	for _, t := range d.trials {
		if request != "" && t.Request == request {
			out = append(out, *t)
		}
	}
	return out
}

// Result is what a client says about a trial it evaluated.
type Result struct {
	Trial        string // name or number; "" when the daemon did not ask for the evaluation
	Measurements []experiment.Measurement
	Failed       bool
	Message      string // why it failed

	// Assignments are the point that was evaluated, and Request names the call, where Trial is "".
	Assignments []experiment.Pair
	Request     string
}

// tellTries is how often a result is stored anew when measurements that are reported meanwhile take its
// sequence numbers.
const tellTries = 100

// Tell records a client's result and returns the trial, which has ended. The same result again is harmless;
// measurements follow those that were reported before, whatever their sequence numbers. With a point in
// place of a trial it makes the trial, which counts against the budget, and ends it; the same non-empty
// request gets the same trial again.
// ErrTold, ErrOver: the trial has ended with another result, or without one. For a point ErrBudget, ErrReused, and
// store.ErrConflict when the experiment has ended.
// store.ErrInvalid: the measurements lack a value of an objective or of a constraint's metric, the point
// is none of the search space, or the daemon runs the trial itself.
func (t *Tuner) Tell(ctx context.Context, key experiment.Key, r Result) (experiment.Trial, error) {
	if r.Trial == "" {
		return t.tellPoint(ctx, key, r)
	}
	var ended experiment.Trial // written to still where ask returns early
	err := t.with(ctx, key, func(d *driver) error {
		if err := d.present(); err != nil {
			return err
		}
		number, err := d.takeBack(ctx, r)
		for tries := 1; errors.Is(err, errAgain) && tries < tellTries && ctx.Err() == nil; tries++ {
			number, err = d.takeBack(ctx, r) // a report has come between
		}
		if err == nil {
			ended = *d.trials[number-1]
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
	trial, err := d.find(r.Trial)
	switch {
	case err != nil:
		return 0, err
	case !d.e.External() && trial.Origin != experiment.Told:
		return 0, fmt.Errorf("experiment %s runs its trials itself: %w", d.key, store.ErrInvalid)
	}
	before, err := d.Store.Measurements(ctx, fromClients(d.key, trial), 0, 0)
	if err != nil {
		return 0, fmt.Errorf("read what was told of %s: %w", trial.Name, err)
	}
	if trial.State.Final() {
		return trial.Number, d.late(trial, r, before)
	}
	if err := contiguous(r.Measurements, len(before)); err != nil {
		return 0, fmt.Errorf("trial %s: %w", trial.Name, err)
	}
	ms := following(r.Measurements, before)
	obs := experiment.Observe(d.e.Spec.Objective, append(before, ms...))
	verdict := verdict(r, obs, &d.e.Spec)
	if verdict.state == experiment.TrialMetricsUnavailable {
		return 0, fmt.Errorf("trial %s: %s: %w", trial.Name, lacking(missingMetrics(obs, &d.e.Spec), r.Measurements), store.ErrInvalid)
	}
	failpoint.Hit("tuner.tell")
	err = d.amend(ctx, func(draft *draft) error {
		draft.attach(trial, ms)
		draft.alter(trial.Number, func(t *experiment.Trial) { t.Results = len(ms) })
		draft.end(trial.Number, verdict, obs, trialrunner.Workload{})
		return nil
	})
	failpoint.Hit("tuner.told")
	return trial.Number, err
}

// fromClients is the stream of what clients report and tell of a trial.
func fromClients(key experiment.Key, t *experiment.Trial) experiment.Stream {
	return experiment.Stream{Experiment: key, Number: t.Number, Attempt: t.Attempt, Source: "tell"}
}

// late takes a result of a trial that has ended: nil when it is the one that it has.
func (d *driver) late(t *experiment.Trial, r Result, stored []experiment.Measurement) error {
	switch {
	case d.repeated(t, r, stored):
		return nil
	case t.State == experiment.TrialSucceeded || t.Reason == ReasonTold:
		return fmt.Errorf("trial %s (%s, %s): %w", t.Name, t.State, standingResult(t, d.e.Spec.Objective), ErrTold)
	}
	return fmt.Errorf("trial %s (%s, %s): %w", t.Name, t.State, t.Reason, ErrOver)
}

// standingResult is the result that a trial has, in words: its values, or why it has none.
func standingResult(t *experiment.Trial, o *experiment.Objective) string {
	words := []string{}
	for _, m := range t.Observation.Metrics {
		if v, ok := t.Observation.Value(m.Name, o); ok {
			words = append(words, fmt.Sprintf("%s=%v", m.Name, v))
		}
	}
	if len(words) == 0 {
		return cmp.Or(t.Message, t.Reason)
	}
	return strings.Join(words, " ")
}

// lacking says which metrics a result has no value of, and what it has whose name differs from theirs in case alone.
func lacking(missing []string, ms []experiment.Measurement) string {
	var near []string
	for i := range ms {
		name := ms[i].Metric
		if !slices.Contains(near, name) && slices.ContainsFunc(missing, func(m string) bool { return strings.EqualFold(m, name) && m != name }) {
			near = append(near, name)
		}
	}
	text := "no value of " + quoted(missing) + " given"
	switch len(near) {
	case 0:
		return text
	case 1:
		return text + "; " + quoted(near) + " was"
	}
	return text + "; " + quoted(near) + " were"
}

// repeated reports whether r is the result of a trial that has ended: the same values, in the same order, are behind
// those that were reported on the way.
func (d *driver) repeated(t *experiment.Trial, r Result, stored []experiment.Measurement) bool {
	is := verdict(r, t.Observation, &d.e.Spec)
	if is.state != t.State || len(r.Measurements) != t.Results || t.Results > len(stored) || r.Failed && d.redact(is.message) != t.Message {
		return false
	}
	for i := range r.Measurements {
		is, was := &r.Measurements[i], &stored[len(stored)-len(r.Measurements)+i]
		if is.Metric != was.Metric || is.Text != was.Text || is.Step != was.Step {
			return false
		}
	}
	return true
}

// contiguous refuses measurements whose numbers, where they have some, have gaps or begin neither at 1 nor behind those
// that were reported before: some are missing.
func contiguous(ms []experiment.Measurement, before int) error {
	for i := range ms {
		switch seq := ms[i].Seq; {
		case i == 0 && (seq <= 1 || seq == uint64(before)+1):
		case i > 0 && (seq == 0 && ms[i-1].Seq == 0 || ms[i-1].Seq > 0 && seq == ms[i-1].Seq+1):
		case i == 0:
			return fmt.Errorf("measurement %d follows %d: %w", seq, before, store.ErrInvalid)
		default:
			return fmt.Errorf("measurement %d follows %d: %w", seq, ms[i-1].Seq, store.ErrInvalid)
		}
	}
	return nil
}

// following returns measurements with the sequence numbers that follow those told or reported before.
func following(ms, before []experiment.Measurement) []experiment.Measurement {
	out := slices.Clone(ms)
	for i := range out {
		out[i].Seq = uint64(len(before) + i + 1)
	}
	return out
}

// attach stores measurements of a client with the draft.
func (d *draft) attach(t *experiment.Trial, ms []experiment.Measurement) {
	if len(ms) > 0 {
		d.appends = append(d.appends, store.Appended{Number: t.Number, Attempt: t.Attempt, Source: "tell", Measurements: ms})
	}
}

// tellPoint records the result of a point that the daemon did not ask for.
func (t *Tuner) tellPoint(ctx context.Context, key experiment.Key, r Result) (experiment.Trial, error) {
	d, err := t.use(ctx, key)
	if err != nil {
		return experiment.Trial{}, err
	}
	defer t.release(d)
	r.Measurements, r.Assignments = slices.Clone(r.Measurements), slices.Clone(r.Assignments)
	trials, err := d.await(ctx, r.Request, func(j *job) error { return d.takeOver(ctx, j, r) })
	if err != nil {
		return experiment.Trial{}, err
	}
	return trials[0], nil
}

// takeOver makes a trial that has ended of a result.
func (d *driver) takeOver(ctx context.Context, j *job, r Result) error {
	a, err := d.onGrid(r.Assignments)
	if err != nil {
		return fmt.Errorf("tell %s: %w: %w", d.key, err, store.ErrInvalid)
	}
	again, ok, err := d.givenAgain(j.request)
	if err != nil {
		return fmt.Errorf("tell %s: %w", d.key, err)
	}
	if ok {
		stored, err := d.measurements(ctx, again.Number, again.Attempt)
		if err != nil {
			return err
		}
		if again.Origin != experiment.Told || !equal(again.Assignment, a) || !d.repeated(&again, r, stored) {
			return reused(j.request, &again)
		}
		j.finish([]experiment.Trial{again}, nil)
		return nil
	}
	if err := d.affords(); err != nil {
		return fmt.Errorf("tell %s: %w", d.key, err)
	}
	if err := contiguous(r.Measurements, 0); err != nil {
		return fmt.Errorf("tell %s: %w", d.key, err)
	}
	ms := following(r.Measurements, nil)
	obs := experiment.Observe(d.e.Spec.Objective, ms)
	verdict := verdict(r, obs, &d.e.Spec)
	if verdict.state == experiment.TrialMetricsUnavailable {
		return fmt.Errorf("tell %s: %s: %w", d.key, lacking(missingMetrics(obs, &d.e.Spec), ms), store.ErrInvalid)
	}
	draft := d.newDraft()
	added := draft.add(experiment.Trial{
		State: experiment.TrialRunning, Origin: experiment.Told, GivenAs: j.request, Assignment: a, Results: len(ms),
	})
	draft.attach(added, ms)
	draft.end(added.Number, verdict, obs, trialrunner.Workload{})
	return d.created(ctx, j, draft)
}

// verdict decides what a client's result means for its trial.
func verdict(r Result, obs experiment.Observation, s *experiment.Spec) outcome {
	if r.Failed {
		return outcome{experiment.TrialFailed, ReasonTold, r.Message}
	}
	return judge(&experiment.Trial{}, trialrunner.Workload{Phase: trialrunner.Exited}, obs, 0, s)
}
