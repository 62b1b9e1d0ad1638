package main

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/tuner"
)

// progress is what all views show of an experiment at one moment, computed once.
type progress struct {
	Key        experiment.Key
	Spec       *experiment.Spec
	Objective  *experiment.Objective // of Spec
	State      experiment.ConditionType
	External   bool
	Budget     int // trials in all; 0 means unlimited
	Done       int // trials that ended, however they did
	Running    int
	Failed     int                // of Done: those without a result
	Infeasible int                // of Done: those that do not keep the constraints
	Best       *experiment.Trial  // nil while no trial qualifies
	BestValue  float64            // NaN without Best
	Front      int                // trials on the Pareto front; 0 with one objective
	Finished   []experiment.Trial // in the order in which they finished
	Values     []float64          // objective of each of Finished; NaN where there is none, or it is infeasible
	Trouble    string             // why a step is put off; "" when all is well
	Elapsed    time.Duration
	ETA        time.Duration // valid when ETAKnown
	ETAKnown   bool
}

// newProgress computes the progress at now of a run that began at start.
func newProgress(s tuner.Snapshot, start, now time.Time) progress {
	spec := &s.Experiment.Spec
	p := progress{
		Key: s.Experiment.Key(), Spec: spec, Objective: spec.Objective, State: s.Experiment.Status.State(), Infeasible: s.Infeasible,
		External: s.External, Trouble: s.Trouble, Budget: count(spec.MaxTrialCount, 0), Best: s.Best, BestValue: math.NaN(),
		Elapsed: now.Sub(start),
	}
	if several(spec) {
		p.Front = len(s.Front)
	}
	var durations, ages []time.Duration
	for i := range s.Trials {
		t := &s.Trials[i]
		switch {
		case t.State == experiment.TrialRunning:
			p.Running++
			ages = append(ages, now.Sub(t.Started))
		case t.State.Final():
			p.Finished = append(p.Finished, *t)
			if d, ok := duration(t); ok {
				durations = append(durations, d)
			}
		}
	}
	slices.SortFunc(p.Finished, func(a, b experiment.Trial) int { return int(int64(a.FinishNo) - int64(b.FinishNo)) })
	p.Done = len(p.Finished)
	for i := range p.Finished {
		if failed(p.Finished[i].State) {
			p.Failed++
		}
		p.Values = append(p.Values, feasibleValue(&p.Finished[i], spec))
	}
	if p.Best != nil {
		p.BestValue = objectiveOf(p.Best, p.Objective)
	}
	if p.Budget > 0 && !s.Experiment.Status.Completed() {
		p.ETA, p.ETAKnown = eta(durations, ages, p.Budget-p.Done, count(spec.ParallelTrialCount, 1))
	}
	return p
}

// feasibleValue returns a trial's value of the objective, NaN when it has none that is finite or breaks a
// constraint.
func feasibleValue(t *experiment.Trial, s *experiment.Spec) float64 {
	v := objectiveOf(t, s.Objective)
	if !finite(v) || !s.Feasible(s.ValueOf(t)) {
		return math.NaN()
	}
	return v
}

// better reports whether value a is nearer to the objective than b.
func (p *progress) better(a, b float64) bool { return p.Objective.Loss(a) < p.Objective.Loss(b) }

// failed reports whether a state is an end without a result.
func failed(s experiment.TrialState) bool {
	return s == experiment.TrialFailed || s == experiment.TrialMetricsUnavailable
}

// diverged reports whether a trial ended well, but can never be the best.
func diverged(t *experiment.Trial) bool { return t.Reason == tuner.ReasonDiverged }

func count(n *int32, without int) int {
	if n == nil {
		return without
	}
	return int(*n)
}

// objectiveOf returns a trial's value of the objective, NaN when it has none.
func objectiveOf(t *experiment.Trial, o *experiment.Objective) float64 {
	return metricOf(t, o.ObjectiveMetricName, o)
}

func metricOf(t *experiment.Trial, metric string, o *experiment.Objective) float64 {
	if v, ok := t.Observation.Value(metric, o); ok {
		return v
	}
	return math.NaN()
}

// duration returns how long a finished trial ran; false when it never did.
func duration(t *experiment.Trial) (time.Duration, bool) {
	if t.Started.IsZero() || t.Finished.IsZero() {
		return 0, false
	}
	return max(0, t.Finished.Sub(t.Started)), true
}

// flags writes an assignment as command-line flags, quoted for a shell.
func flags(pairs []experiment.Pair) string {
	words := make([]string, len(pairs))
	for i, p := range pairs {
		words[i] = quoteWord("--" + p.Name + "=" + p.Value)
	}
	return strings.Join(words, " ")
}

// short writes a value for a line of progress, with 5 significant digits.
func short(v float64) string { return strconv.FormatFloat(v, 'g', 5, 64) }

// exact writes a value with all its digits.
func exact(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }

// clock writes a duration in at most two units: 850ms, 12s, 3m05s, 2h07m, 4d03h.
func clock(d time.Duration) string {
	two := func(n time.Duration) string {
		if n < 10 {
			return "0" + strconv.Itoa(int(n))
		}
		return strconv.Itoa(int(n))
	}
	const day = 24 * time.Hour
	switch d = max(d, 0); {
	case d < time.Second:
		return strconv.Itoa(int(d.Milliseconds())) + "ms"
	case d < time.Minute:
		return strconv.Itoa(int(d/time.Second)) + "s"
	case d < time.Hour:
		return strconv.Itoa(int(d/time.Minute)) + "m" + two(d%time.Minute/time.Second) + "s"
	case d < day:
		return strconv.Itoa(int(d/time.Hour)) + "h" + two(d%time.Hour/time.Minute) + "m"
	}
	return strconv.Itoa(int(d/day)) + "d" + two(d%day/time.Hour) + "h"
}
