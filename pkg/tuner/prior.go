package tuner

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/tuned-hpo/tuned/algorithms"
	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/searchspace"
	"github.com/tuned-hpo/tuned/pkg/store"
)

// An experiment keeps a copy of what it learned from earlier ones, in its own record: neither a trial
// that ends later nor the deletion of an earlier experiment changes what it suggests after a restart.
// docs/adr/003-warm-start-by-copy.md has the reasons.

// Bounds on what one experiment keeps of all earlier ones together. Of more trials those with the
// least loss stay.
const (
	maxPriorTrials = 1000
	maxPriorBytes  = 256 << 10 // half of what a store takes for one record
)

// learn copies what there is to learn from the experiments of spec.tuned.warmStart. store.ErrInvalid:
// one does not exist.
func (t *Tuner) learn(ctx context.Context, e *experiment.Experiment) ([]experiment.Prior, error) {
	keys := e.WarmStart()
	if len(keys) == 0 {
		return nil, nil
	}
	space, err := e.Spec.Space()
	if err != nil {
		return nil, err
	}
	out := make([]experiment.Prior, len(keys))
	for i, key := range keys {
		earlier, err := t.Store.Get(ctx, key)
		if errors.Is(err, store.ErrNotFound) {
			return nil, t.unknownPrior(ctx, i, key)
		}
		if err != nil {
			return nil, err
		}
		trials, err := t.Store.Trials(ctx, key)
		if err != nil {
			return nil, err
		}
		l := learner{spec: &e.Spec, space: space, kinds: kindsOf(&earlier.Spec)}
		out[i] = l.prior(earlier, trials)
		out[i].Trials = bounded(out[i].Trials, &e.Spec, maxPriorTrials/len(keys), maxPriorBytes/len(keys))
		t.Config.Log.Info().Str("experiment", e.Key().String()).Str("from", key.String()).
			Int("finished", out[i].Finished).Int("learned", len(out[i].Trials)).Msg("warm start")
	}
	return out, nil
}

// unknownPrior says that there is no such experiment, and which there is.
func (t *Tuner) unknownPrior(ctx context.Context, i int, key experiment.Key) error {
	f := experiment.Fault{
		Path: fmt.Sprintf("spec.tuned.warmStart[%d]", i), Type: experiment.Invalid,
		Detail: fmt.Sprintf("there is no experiment %s to learn from", key),
	}
	stored, err := t.Store.List(ctx)
	if err != nil {
		return err
	}
	var names []string
	for _, e := range stored {
		names = append(names, e.Key().String())
	}
	f.Nearest = experiment.Nearest(key.String(), names)
	return fmt.Errorf("%w: %w", experiment.Faults{f}, store.ErrInvalid)
}

// kindsOf returns the types of a spec's parameters by their names.
func kindsOf(s *experiment.Spec) map[string]string {
	kinds := make(map[string]string, len(s.Parameters))
	for _, p := range s.Parameters {
		kinds[p.Name] = p.ParameterType
	}
	return kinds
}

// learner puts the trials of an earlier experiment in the terms of a new one.
type learner struct {
	spec  *experiment.Spec
	space *searchspace.Space
	kinds map[string]string // of the earlier parameters
}

func (l *learner) prior(e *experiment.Experiment, trials []experiment.Trial) experiment.Prior {
	p := experiment.Prior{Namespace: e.Metadata.Namespace, Name: e.Metadata.Name, UID: e.Metadata.UID}
	for _, ended := range finishedSince(each(trials), 0) {
		if s := ended.State; s != experiment.TrialSucceeded && s != experiment.TrialEarlyStopped {
			continue
		}
		p.Finished++
		if t, ok := l.trial(ended); ok {
			p.Trials = append(p.Trials, t)
		}
	}
	return p
}

// trial returns what a trial says in this space; false when it says nothing: a parameter is missing,
// of another type or out of range, or spec.objective's metric is no finite number.
func (l *learner) trial(t *experiment.Trial) (out experiment.PriorTrial, ok bool) {
	value := l.spec.ValueOf(t)
	if math.IsNaN(l.spec.Losses(value)[0]) {
		return out, false
	}
	var alike searchspace.Assignment
	for _, pair := range t.Assignment {
		if i, known := l.space.Index(pair.Name); known && l.spec.Parameters[i].ParameterType == l.kinds[pair.Name] {
			alike = append(alike, pair)
		}
	}
	point, err := l.space.Project(alike)
	if err != nil {
		return out, false
	}
	out = experiment.PriorTrial{Number: t.Number, Values: make([]*string, l.space.Len())}
	for _, pair := range l.space.Format(point) {
		i, _ := l.space.Index(pair.Name)
		out.Values[i] = &pair.Value
	}
	for _, metric := range l.spec.Needed() {
		out.Metrics = append(out.Metrics, strconv.FormatFloat(value(metric), 'g', -1, 64))
	}
	return out, true
}

// bounded keeps at most so many trials, of at most so many bytes as they are stored: those with the
// least loss of spec.objective, in the order in which they came.
func bounded(trials []experiment.PriorTrial, s *experiment.Spec, most, bytes int) []experiment.PriorTrial {
	order := make([]int, len(trials))
	for i := range order {
		order[i] = i
	}
	loss := func(i int) float64 { return s.Objective.Loss(experiment.ParseValue(trials[i].Metrics[0])) }
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(loss(a), loss(b)) })
	order = order[:min(len(order), most)]
	for n, i := range order {
		if bytes -= stored(&trials[i]); bytes < 0 {
			order = order[:n]
			break
		}
	}
	slices.Sort(order)
	out := make([]experiment.PriorTrial, len(order))
	for n, i := range order {
		out[n] = trials[i]
	}
	return out
}

// stored is about how many bytes a trial takes as JSON: 6 for each quoted text and its comma.
func stored(t *experiment.PriorTrial) int {
	n := 40
	for _, v := range t.Values {
		n += 6
		if v != nil {
			n += 2 * len(*v) // for what JSON escapes
		}
	}
	return n + 6*len(t.Metrics) + len(strings.Join(t.Metrics, ""))
}

// priors turns the text of what an experiment learned into numbers for its algorithm. Trials are
// numbered as in the experiment that they are of.
func priors(e *experiment.Experiment, space *searchspace.Space) (out []algorithms.Prior, err error) {
	needed := e.Spec.Needed()
	for i := range e.Priors {
		p := algorithms.Prior{Name: e.Priors[i].Key().String()}
		for _, t := range e.Priors[i].Trials {
			var a searchspace.Assignment
			for k, v := range t.Values {
				if v != nil && k < len(e.Spec.Parameters) {
					a = append(a, searchspace.Pair{Name: e.Spec.Parameters[k].Name, Value: *v})
				}
			}
			point, err := space.Parse(a)
			if err != nil {
				return nil, fmt.Errorf("read trial %d of %s: %w", t.Number, p.Name, err)
			}
			value := func(metric string) float64 {
				if k := slices.Index(needed, metric); k >= 0 && k < len(t.Metrics) {
					return experiment.ParseValue(t.Metrics[k])
				}
				return math.NaN()
			}
			p.Trials = append(p.Trials, algorithms.Trial{
				ID: t.Number, Point: point, State: algorithms.Succeeded, Losses: e.Spec.Losses(value), Constraints: e.Spec.Excess(value),
			})
		}
		out = append(out, p)
	}
	return out, nil
}
