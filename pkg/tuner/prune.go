package tuner

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"

	"github.com/tuned-hpo/tuned/algorithms"
	"github.com/tuned-hpo/tuned/internal/failpoint"
	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/searchspace"
)

// Early stopping. Rules are asked about a trial as soon as one of its measurements is durable, by whoever
// stores it, so that a client learns of the answer with the same report. A trial that they stop is marked
// first and stopped then, like one that a person stops.

// pruning is what the early-stopping rules of one experiment look at: the curves of all its trials. It is kept
// up to date by those who report, one at a time.
type pruning struct {
	*driver
	rules []rule
	spec  experiment.Spec // as of the first report; what a budget changes is not looked at
	space *searchspace.Space

	mu       sync.Mutex
	trials   []algorithms.Trial // finished ones in the order in which they finished, then the others
	finished int                // how many of them have finished
	finishNo uint64             // of the last of these
	curves   []curve            // by trial number, from 1
}

// rule is one of the experiment's early-stopping rules.
type rule struct {
	name string
	algorithms.Pruner
}

// curve says how far a trial's curve has come.
type curve struct {
	place   int // of the trial in pruning.trials
	attempt int
	seen    [len(experiment.Sources)]uint64 // sequence number up to which it holds the measurements, by source
	unasked bool                            // no rule was asked about its last measurement in this life of the daemon
	stop    string                          // why a rule stops it; the trial is not marked yet, or could not be: the disk was full
}

// errRule says that a rule is at fault.
var errRule = errors.New("an early-stopping rule")

// newPruning returns nil for an experiment without rules.
func newPruning(d *driver, registry *algorithms.Pruners) (*pruning, error) {
	named := d.e.Spec.EarlyStoppingRules()
	if len(named) == 0 {
		return nil, nil
	}
	problem, err := Problem(&d.e.Spec)
	if err != nil {
		return nil, err
	}
	p := &pruning{driver: d, spec: d.e.Spec, space: problem.Space}
	for _, a := range named {
		r, err := newRule(a, registry, problem)
		if err != nil {
			return nil, err
		}
		p.rules = append(p.rules, r)
	}
	return p, nil
}

func newRule(a *experiment.Algorithm, registry *algorithms.Pruners, p algorithms.Problem) (rule, error) {
	if registry == nil {
		return rule{}, fmt.Errorf("early stopping rule %q: none is known", a.AlgorithmName)
	}
	def, err := registry.Lookup(a.AlgorithmName)
	if err != nil {
		return rule{}, err
	}
	values, err := algorithms.ParsePruner(def, RawSettings(a))
	if err != nil {
		return rule{}, err
	}
	pruner, err := algorithms.NewPruner(def, p, values)
	return rule{def.Name, pruner}, err
}

// prune asks the rules about a trial of which measurements up to acked are durable, and marks it when one of
// them stops it.
func (t *Tuner) prune(ctx context.Context, s experiment.Stream, ms []experiment.Measurement, acked uint64) error {
	d := t.driver(s.Experiment)
	if d == nil || d.pruning == nil {
		return nil
	}
	reason, err := d.pruning.ask(ctx, s, ms, acked)
	switch {
	case errors.Is(err, errRule):
		return t.amend(ctx, s.Experiment, func(draft *draft) error {
			if !draft.e.Status.Completed() {
				draft.fail("EarlyStoppingFailed", fmt.Sprintf("trial %d: %v", s.Number, err))
			}
			return nil
		})
	case err != nil:
		return fmt.Errorf("early stopping of trial %d of %s: %w", s.Number, s.Experiment, err)
	case reason == "":
		return nil
	}
	failpoint.Hit("tuner.prune")
	return t.amend(ctx, s.Experiment, func(draft *draft) error {
		trial := draft.trials[s.Number-1]
		if !trial.State.Final() && !trial.Stopping && trial.Attempt == s.Attempt {
			draft.alter(s.Number, func(t *experiment.Trial) { t.Stopping, t.Pruned = true, reason })
		}
		return nil
	})
}

// ask takes in new measurements of a trial and returns why it should stop, or "".
func (p *pruning) ask(ctx context.Context, s experiment.Stream, ms []experiment.Measurement, acked uint64) (reason string, err error) {
	if len(ms) == 0 {
		return "", nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	trial, err := p.update(ctx, s, ms[0].Seq)
	if err != nil || trial.State.Final() || trial.Stopping || trial.Attempt != s.Attempt {
		return "", err
	}
	defer func() {
		if x := recover(); x != nil {
			err = fmt.Errorf("%w panicked: %v", errRule, x)
		}
	}()
	c := &p.curves[s.Number-1]
	if c.attempt != s.Attempt {
		*c = curve{place: c.place, attempt: s.Attempt}
		p.trials[c.place].Curve = nil
	}
	if c.unasked {
		c.unasked = false
		c.stop = p.judge(c)
	}
	seen := &c.seen[slices.Index(experiment.Sources[:], s.Source)]
	for i := range ms {
		if m := &ms[i]; m.Seq > *seen && m.Seq <= acked {
			*seen = m.Seq
			if p.extend(c, m) && c.stop == "" {
				c.stop = p.judge(c)
			}
		}
	}
	return c.stop, nil
}

// extend takes one measurement into a curve, and reports whether it is the last of it now.
func (p *pruning) extend(c *curve, m *experiment.Measurement) bool {
	if m.Metric != p.spec.Objective.ObjectiveMetricName {
		return false
	}
	t := &p.trials[c.place]
	before := len(t.Curve)
	t.Curve = withMeasurement(t.Curve, m, p.spec.Objective)
	return len(t.Curve) > before && t.Curve[before].Step == stepOf(m, before)
}

// judge asks the rules about the last measurement of a curve, which is not empty unless there is none.
func (p *pruning) judge(c *curve) (reason string) {
	last := len(p.trials) - 1
	p.swap(c.place, last)
	for _, r := range p.rules {
		if d := r.Prune(p.trials[last], p.trials[:last]); d.Stop {
			return r.name + ": " + d.Reason
		}
	}
	return ""
}

// swap changes the places of two trials.
func (p *pruning) swap(i, j int) {
	p.trials[i], p.trials[j] = p.trials[j], p.trials[i]
	p.curves[p.trials[i].ID-1].place, p.curves[p.trials[j].ID-1].place = i, j
}

// update takes in trials that were created and that have finished since. It returns the one that a stream is of,
// of which the curve of a running trial has no measurement from seq on yet.
func (p *pruning) update(ctx context.Context, of experiment.Stream, seq uint64) (experiment.Trial, error) {
	p.driver.mu.RLock()
	all := p.shown.trials
	fresh := slices.Clone(all[min(len(p.curves), len(all)):])
	var ended []experiment.Trial
	if p.shown.finishNo > p.finishNo {
		ended = values(finishedSince(each(all), p.finishNo))
	}
	trial := all[of.Number-1]
	p.driver.mu.RUnlock()
	for i := range fresh {
		t, err := convert(&fresh[i], &p.spec, p.space)
		if err != nil {
			return trial, err
		}
		c := curve{place: len(p.trials), attempt: fresh[i].Attempt}
		if !fresh[i].State.Final() && !fresh[i].Started.IsZero() {
			if err := p.load(ctx, &t, &c, of, seq); err != nil {
				return trial, err
			}
		}
		p.trials, p.curves = append(p.trials, t), append(p.curves, c)
	}
	for i := range ended {
		t, err := convert(&ended[i], &p.spec, p.space)
		if err != nil {
			return trial, err
		}
		c := &p.curves[t.ID-1]
		c.attempt = ended[i].Attempt
		if err := p.load(ctx, &t, c, of, math.MaxUint64); err != nil {
			return trial, err
		}
		p.trials[c.place] = t
		p.swap(c.place, p.finished)
		p.finished++
		p.finishNo = ended[i].FinishNo
	}
	return trial, nil
}

// load reads the curve of a trial's attempt from the store, of one stream up to a sequence number.
func (p *pruning) load(ctx context.Context, t *algorithms.Trial, c *curve, of experiment.Stream, below uint64) error {
	t.Curve = nil
	for i, source := range experiment.Sources {
		s := experiment.Stream{Experiment: p.key, Number: t.ID, Attempt: c.attempt, Source: source}
		ms, err := p.Store.Measurements(ctx, s, 0, 0)
		if err != nil {
			return fmt.Errorf("read measurements of trial %d: %w", t.ID, err)
		}
		for j := range ms {
			if s == of && ms[j].Seq >= below {
				break
			}
			c.seen[i] = ms[j].Seq
			if ms[j].Metric == p.spec.Objective.ObjectiveMetricName {
				t.Curve = withMeasurement(t.Curve, &ms[j], p.spec.Objective)
			}
		}
	}
	c.unasked = len(t.Curve) > 0
	return nil
}

// curveOf returns the values of the objective, minimised, by ascending step.
func curveOf(ms []experiment.Measurement, o *experiment.Objective) (out []algorithms.Measurement) {
	for i := range ms {
		if ms[i].Metric == o.ObjectiveMetricName {
			out = withMeasurement(out, &ms[i], o)
		}
	}
	return out
}

// withMeasurement puts a value of the objective into a curve. The later one of a step replaces the other.
func withMeasurement(c []algorithms.Measurement, m *experiment.Measurement, o *experiment.Objective) []algorithms.Measurement {
	if len(c) == 1 && c[0].Step == 1 && m.Step == 1 {
		c[0].Step = 0 // the program counts from 0, which was taken for no step
	}
	value := algorithms.Measurement{Step: stepOf(m, len(c)), Loss: o.Loss(m.Value)}
	if n := len(c); n == 0 || c[n-1].Step < value.Step {
		return append(c, value)
	}
	i, there := slices.BinarySearchFunc(c, value.Step, func(m algorithms.Measurement, step int64) int { return cmp.Compare(m.Step, step) })
	if there {
		c[i] = value
		return c
	}
	return slices.Insert(c, i, value)
}

// stepOf returns the step of a measurement behind n others.
func stepOf(m *experiment.Measurement, n int) int64 {
	if m.Step == 0 {
		return int64(n + 1)
	}
	return m.Step
}
