//go:build failpoint

package simulate

import (
	"context"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/tuned-hpo/tuned/algorithms"
	"github.com/tuned-hpo/tuned/algorithms/builtin"
	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/trialrunner"
)

// sentence is the last answer of a rule, when it was to stop.
type sentence struct {
	reason   string
	measured int // how many measurements it was asked about
}

// mark says that a trial is stored as one that a rule stops.
type mark struct {
	attempt int
	reason  string
	since   time.Time
}

// rules are the early-stopping rules that experiments have here.
var rules = []experiment.Algorithm{
	{AlgorithmName: "medianstop", AlgorithmSettings: []experiment.Setting{{Name: "min_trials_required", Value: "2"}, {Name: "start_step", Value: "2"}}},
	{AlgorithmName: "threshold", AlgorithmSettings: []experiment.Setting{{Name: "upper", Value: "0.9"}}},
	{AlgorithmName: "successivehalving", AlgorithmSettings: []experiment.Setting{{Name: "min_resource", Value: "2"}, {Name: "reduction_factor", Value: "3"}}},
}

// rule gives an experiment a rule, two or none.
func (s *sim) rule(e *experiment.Experiment) {
	one, two := rules[s.random.IntN(len(rules))], rules[s.random.IntN(len(rules))]
	switch s.random.IntN(6) {
	case 0:
		e.Spec.EarlyStopping = &one
	case 1:
		e.Spec.Tuned.EarlyStopping = []experiment.Algorithm{one}
	case 2:
		e.Spec.EarlyStopping, e.Spec.Tuned.EarlyStopping = &one, []experiment.Algorithm{two}
	}
}

func (x *trialled) ruled() bool { return len(x.wanted.Spec.EarlyStoppingRules()) > 0 }

// witness is a rule of which the world hears what it is asked, and answers.
type witness struct {
	algorithms.Pruner
	life    *life
	of      *trialled
	durable map[uint64]int // how much of a trial's curve was found in the store
}

// witnessed returns the program's rules, each with its witness.
func (l *life) witnessed() *algorithms.Pruners {
	defs := slices.Clone(builtin.Pruners().Definitions())
	for i := range defs {
		make := defs[i].New
		defs[i].New = func(p algorithms.Problem, v algorithms.Values) (algorithms.Pruner, error) {
			rule, err := make(p, v)
			return &witness{rule, l, l.sim.seeded(p.Seed), map[uint64]int{}}, err
		}
	}
	pruners, err := algorithms.NewPruners(defs...)
	if err != nil {
		l.sim.broken("%v", err)
	}
	return pruners
}

// seeded returns the experiment with a seed, which no two share.
func (s *sim) seeded(seed uint64) *trialled {
	i := slices.IndexFunc(s.experiments, func(x *trialled) bool { return *x.wanted.Spec.Tuned.Seed == seed })
	return s.experiments[i]
}

// Prune answers as the rule does. A rule whose answer was not carried out, for the disk was full, is asked
// about the same again before it is asked about more.
func (w *witness) Prune(running algorithms.Trial, others []algorithms.Trial) algorithms.Decision {
	for _, t := range append(slices.Clip(others), running) {
		w.mayKnow(&t)
	}
	if was, ok := w.life.sentences[w.of][running.ID]; ok && len(running.Curve) > was.measured {
		w.life.sim.violate("%s: a rule stopped trial %d after %d measurements, which was forgotten: it is asked after %d",
			w.of.key, running.ID, was.measured, len(running.Curve))
	}
	d := w.Pruner.Prune(running, others)
	if w.life.sentences[w.of] == nil {
		w.life.sentences[w.of] = map[uint64]sentence{}
	}
	delete(w.life.sentences[w.of], running.ID)
	if d.Stop {
		w.life.sentences[w.of][running.ID] = sentence{d.Reason, len(running.Curve)}
	}
	return d
}

// mayKnow asserts that what a rule is shown of a trial is durable.
func (w *witness) mayKnow(t *algorithms.Trial) {
	if len(t.Curve) == w.durable[t.ID] {
		return
	}
	ctx := context.Background()
	stored, err := w.life.store.Trial(ctx, w.of.key, t.ID)
	if err != nil {
		return // it is being deleted
	}
	var ms []experiment.Measurement
	for attempt := 1; attempt <= stored.Attempt; attempt++ {
		for _, source := range experiment.Sources {
			more, err := w.life.store.Measurements(ctx, experiment.Stream{Experiment: w.of.key, Number: t.ID, Attempt: attempt, Source: source}, 0, 0)
			if err != nil {
				return
			}
			ms = append(ms, more...)
		}
	}
	for _, shown := range t.Curve {
		if !slices.ContainsFunc(ms, func(m experiment.Measurement) bool {
			return m.Value == shown.Loss || math.IsNaN(m.Value) && math.IsNaN(shown.Loss)
		}) {
			w.life.sim.violate("%s: a rule is asked about trial %d with %g, which is not durable (%v are)", w.of.key, t.ID, shown.Loss, ms)
		}
	}
	w.durable[t.ID] = len(t.Curve)
}

// checkSentence is called when measurements have been acknowledged: a trial that a rule has stopped because of
// them is marked.
func (s *sim) checkSentence(x *trialled, number uint64, attempt int) {
	sentence, ok := s.life.sentences[x][number]
	if !ok {
		return
	}
	delete(s.life.sentences[x], number)
	t, err := s.life.store.Trial(context.Background(), x.key, number)
	if err != nil || t.Attempt == attempt && !t.Stopping && !t.State.Final() {
		s.broken("%s: a rule stopped trial %d (%s), which is %s and goes on (%v)", x.key, number, sentence.reason, t.State, err)
	}
	if t.Pruned != "" && !strings.Contains(t.Pruned, sentence.reason) {
		s.broken("%s: a rule stopped trial %d because %q, stored is %q", x.key, number, sentence.reason, t.Pruned)
	}
	s.notePruned(x, &t)
	s.rest() // what is reported next meets a trial that was told to stop, and never one that is just being told
}

// notePruned remembers that a trial is stored as one that a rule stops.
func (s *sim) notePruned(x *trialled, t *experiment.Trial) {
	if _, known := x.pruned[t.Name]; !known && t.Pruned != "" {
		x.pruned[t.Name] = mark{t.Attempt, t.Pruned, time.Now()}
		s.pruned++
		s.say("%s trial %d is stopped by a rule: %s", x.key.Name, t.Number, t.Pruned)
	}
}

// checkPruned asserts that trials which a rule has stopped stay so, are not tried again, and end for that reason.
func (s *sim) checkPruned(x *trialled, trials []experiment.Trial) {
	for i := range trials {
		t := &trials[i]
		s.notePruned(x, t)
		was, pruned := x.pruned[t.Name]
		switch {
		case !pruned:
		case t.Pruned != was.reason || !t.Stopping || t.Attempt != was.attempt:
			s.broken("%s: trial %d was stopped by a rule at attempt %d (%s), stored is attempt %d, stopping %t (%q)",
				x.key, t.Number, was.attempt, was.reason, t.Attempt, t.Stopping, t.Pruned)
		case t.State.Final() && s.wasStopped(x, t) &&
			(t.State != experiment.TrialEarlyStopped || !strings.Contains(t.Message, was.reason)):
			s.broken("%s: trial %d was stopped by a rule (%s), and ended as %s: %s", x.key, t.Number, was.reason, t.State, t.Message)
		}
	}
}

// wasStopped reports whether a trial that a rule stops did not end by itself before.
func (s *sim) wasStopped(x *trialled, t *experiment.Trial) bool {
	if x.external {
		told := slices.ContainsFunc(x.requests, func(r *request) bool { return r.trial == t.Name && r.value != "" })
		return !told && t.Reason != "TimedOut"
	}
	w := x.work(t.Name, t.Attempt)
	return w != nil && (w.phase == trialrunner.Lost || w.exit.Reason == trialrunner.ReasonStopped)
}
