package tuner

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/tuned-hpo/tuned/algorithms"
	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/searchspace"
)

// suggestions is the algorithm of one experiment, kept alive between questions. Dropping it loses
// nothing: it is rebuilt from the trials.
type suggestions struct {
	def       algorithms.Definition
	problem   algorithms.Problem
	values    algorithms.Values
	suggester algorithms.Suggester
	told      uint64 // FinishNo of the last trial told
	fits      fits   // of the question at hand
}

// fits is how often an algorithm fits a model, and how long that takes.
type fits struct {
	n    int
	took time.Duration
}

// on measures the fits of an algorithm that tells of them, by a clock that never goes back.
func (f *fits) on(s algorithms.Suggester, uptime func() time.Duration) {
	fitter, ok := s.(algorithms.Fitter)
	if !ok {
		return
	}
	fitter.OnFit(func() (end func()) {
		began := uptime()
		return func() { f.n, f.took = f.n+1, f.took+uptime()-began }
	})
}

// question is what an algorithm is asked, and told before that.
type question struct {
	ids      []uint64
	told     uint64 // FinishNo of the last trial of news
	news     []algorithms.Trial
	finished []experiment.Trial // parallel to news, for an algorithm that wants curves; else empty
	pending  []algorithms.Trial
	spec     *experiment.Spec

	history []algorithms.Trial     // all that have finished, where an end is to be looked at; else nil
	ending  experiment.Termination // that may be
}

// question returns the one for n more trials. The algorithm is built first where there is none.
func (d *driver) question(n int) (q question, err error) {
	if d.suggestions == nil {
		if d.suggestions, err = newSuggestions(d.e, d.Algorithms, d.Uptime); err != nil {
			return q, err
		}
	}
	s := d.suggestions
	spec := d.e.Spec
	q = question{ids: make([]uint64, n), told: s.told, spec: &spec}
	for i := range q.ids {
		q.ids[i] = uint64(len(d.trials) + i + 1)
	}
	finished := finishedSince(slices.Values(d.trials), s.told)
	if s.def.Curves {
		q.finished = values(finished)
	}
	q.news = make([]algorithms.Trial, len(finished))
	for i, t := range finished {
		if q.news[i], err = convert(t, &spec, s.problem.Space); err != nil {
			return q, err
		}
		q.told = t.FinishNo
	}
	if err = q.termination(d); err != nil {
		return q, err
	}
	for _, t := range d.trials {
		if t.State.Final() {
			continue
		}
		t, err := convert(t, &spec, s.problem.Space)
		if err != nil {
			return q, err
		}
		q.pending = append(q.pending, t)
	}
	return q, nil
}

// termination adds what it takes to see whether spec.tuned.termination ends the experiment, once it may.
func (q *question) termination(d *driver) (err error) {
	t := d.e.Termination()
	if t == nil || d.suggestions.def.Remaining == nil || int(d.finishNo) < t.Least() {
		return nil
	}
	q.ending = *t
	q.history, err = convertAll(finishedSince(slices.Values(d.trials), 0), q.spec, d.suggestions.problem)
	return err
}

// newSuggestions builds the algorithm that the experiment names.
func newSuggestions(e *experiment.Experiment, registry *algorithms.Registry, uptime func() time.Duration) (*suggestions, error) {
	def, problem, values, err := chosen(e, registry)
	if err != nil {
		return nil, err
	}
	suggester, err := algorithms.New(def, problem, values)
	if err != nil {
		return nil, err
	}
	s := &suggestions{def: def, problem: problem, values: values, suggester: suggester}
	s.fits.on(suggester, uptime)
	return s, nil
}

// chosen returns the algorithm that the experiment names, its problem and its settings.
func chosen(e *experiment.Experiment, registry *algorithms.Registry) (
	def algorithms.Definition, p algorithms.Problem, v algorithms.Values, err error,
) {
	if def, err = registry.Lookup(e.Spec.Algorithm.AlgorithmName); err != nil {
		return def, p, nil, err
	}
	if p, err = Problem(&e.Spec); err != nil {
		return def, p, nil, err
	}
	if p.Priors, err = priors(e, p.Space); err != nil {
		return def, p, nil, err
	}
	v, err = algorithms.Parse(def, RawSettings(e.Spec.Algorithm), "")
	return def, p, v, err
}

// Problem is what the algorithm of a spec is asked to solve, but for what it learned from earlier
// experiments, which a spec only names. A spec without an objective or with faults in its parameters is
// an error.
func Problem(s *experiment.Spec) (algorithms.Problem, error) {
	if s.Objective == nil {
		return algorithms.Problem{}, errors.New("spec.objective is missing")
	}
	space, err := s.Space()
	if err != nil {
		return algorithms.Problem{}, err
	}
	none := func(string) float64 { return math.NaN() }
	p := algorithms.Problem{
		Space: space, Objectives: len(s.Losses(none)), Constraints: len(s.Excess(none)), Parallel: parallel(s),
		Maximized: s.Objective.Loss(1) < 0,
	}
	if s.MaxTrialCount != nil {
		p.MaxTrials = int(*s.MaxTrialCount)
	}
	if s.Tuned != nil && s.Tuned.Seed != nil {
		p.Seed = *s.Tuned.Seed
	}
	return p, nil
}

// RawSettings is an algorithm's settings as written.
func RawSettings(a *experiment.Algorithm) []algorithms.RawSetting {
	raw := make([]algorithms.RawSetting, len(a.AlgorithmSettings))
	for i, s := range a.AlgorithmSettings {
		raw[i] = algorithms.RawSetting{Name: s.Name, Value: s.Value}
	}
	return raw
}

// tell passes on the trials that finished since the last call, in the order of finishing.
func (s *suggestions) tell(ctx context.Context, d *driver, q *question) (err error) {
	if len(q.news) == 0 {
		return nil
	}
	for i := range q.finished {
		if q.news[i].Curve, err = d.curve(ctx, q.spec, &q.finished[i]); err != nil {
			return err
		}
	}
	s.suggester.Tell(q.news)
	s.told = q.told
	return nil
}

// ask returns points for the trials in question. It runs beside the driver's goroutine, of which it uses
// what never changes.
//
// The error is algorithms.ErrExhausted or ErrWait when fewer suggestions come, a converged where
// spec.tuned.termination wants no more, anything else when the algorithm is at fault.
func (s *suggestions) ask(ctx context.Context, d *driver, q question) (out []algorithms.Suggestion, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("algorithm %s panicked: %v", s.def.Name, p)
		}
	}()
	s.fits = fits{}
	if err := s.tell(ctx, d, &q); err != nil {
		return nil, err
	}
	if err := s.errConverged(&q); err != nil {
		return nil, err
	}
	ids := q.ids
	out, short := s.suggester.Ask(ids, q.pending)
	switch {
	case short != nil && !errors.Is(short, algorithms.ErrExhausted) && !errors.Is(short, algorithms.ErrWait):
		return nil, fmt.Errorf("ask %s for %d suggestions: %w", s.def.Name, len(ids), short)
	case errors.Is(short, algorithms.ErrWait) && len(q.pending)+len(out) == 0:
		return nil, fmt.Errorf("algorithm %s %w", s.def.Name, errNobodyToWaitFor)
	case short == nil && len(out) < len(ids):
		return nil, fmt.Errorf("algorithm %s answered %d suggestions to %d asked", s.def.Name, len(out), len(ids))
	}
	if err := s.check(out, ids); err != nil {
		return nil, err
	}
	return out, short
}

// check refuses what an algorithm must never answer, so that no infeasible point is ever started.
func (s *suggestions) check(out []algorithms.Suggestion, ids []uint64) error {
	if len(out) > len(ids) {
		return fmt.Errorf("algorithm %s answered %d suggestions to %d asked", s.def.Name, len(out), len(ids))
	}
	for i, sug := range out {
		if sug.ID != ids[i] {
			return fmt.Errorf("algorithm %s answered trial %d with a suggestion for %d", s.def.Name, ids[i], sug.ID)
		}
		if err := s.problem.Space.Contains(sug.Point); err != nil {
			return fmt.Errorf("algorithm %s suggested an infeasible point for trial %d: %w", s.def.Name, sug.ID, err)
		}
		if sug.Parent >= ids[0] {
			return fmt.Errorf("algorithm %s lets trial %d go on from trial %d, which is no earlier one", s.def.Name, sug.ID, sug.Parent)
		}
	}
	return nil
}

// choice is the algorithm that answers the next question, where one chooses among others; else it has no name.
func (s *suggestions) choice() (c algorithms.Choice) {
	if s.def.Chooses != nil {
		c = s.def.Chooses(s.problem, s.values, int(s.told))
	}
	return c
}

// convertAll turns the texts of trials into numbers for the algorithm.
func convertAll(trials []*experiment.Trial, spec *experiment.Spec, p algorithms.Problem) ([]algorithms.Trial, error) {
	out := make([]algorithms.Trial, len(trials))
	for i, t := range trials {
		var err error
		if out[i], err = convert(t, spec, p.Space); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// convert turns a trial's text into numbers for the algorithm. A trial that did not come to an end of
// its own has NaN for values.
func convert(t *experiment.Trial, spec *experiment.Spec, space *searchspace.Space) (algorithms.Trial, error) {
	point, err := space.Parse(t.Assignment)
	if err != nil {
		return algorithms.Trial{}, fmt.Errorf("read assignment of trial %s: %w", t.Name, err)
	}
	out := algorithms.Trial{ID: t.Number, Point: point, Memo: t.Memo}
	value := func(string) float64 { return math.NaN() }
	switch t.State {
	case experiment.TrialPending, experiment.TrialRunning:
		out.State = algorithms.Pending
	case experiment.TrialSucceeded:
		out.State, value = algorithms.Succeeded, spec.ValueOf(t)
	case experiment.TrialEarlyStopped:
		out.State, value = algorithms.Pruned, spec.ValueOf(t)
	default:
		out.State = algorithms.Failed
	}
	out.Losses, out.Constraints = spec.Losses(value), spec.Excess(value)
	return out, nil
}
