//go:build failpoint

package simulate

import (
	"context"
	"fmt"
	"math"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/store"
	"github.com/tuned-hpo/tuned/pkg/trialrunner"
)

// violate is broken for other goroutines than the main one: the process ends, for they might never rest.
func (s *sim) violate(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "seed %d, after %s: BROKEN: %s\n", s.seed, time.Since(s.begun), fmt.Sprintf(format, args...))
	os.Exit(1)
}

// observeLast notes what readers see at the moment at which the daemon dies.
func (l *life) observeLast() {
	for _, x := range l.sim.experiments {
		if x.gone || !x.stored {
			continue
		}
		if snapshot, err := l.tuner.Snapshot(x.key); err == nil {
			x.observe(snapshot.Trials)
		}
	}
}

// observe notes final trials as they are first seen.
func (x *trialled) observe(trials []experiment.Trial) {
	for _, t := range trials {
		if _, seen := x.seen[t.Number]; !seen && t.State.Final() {
			x.seen[t.Number] = t
		}
	}
}

// check compares what is stored with all that the world knows.
func (s *sim) check() {
	ctx := context.Background()
	s.fsck(nil)
	for _, x := range s.experiments {
		if x.stored {
			s.learn(x)
		}
		if x.stored && !x.gone && !x.deleting.is {
			s.checkExperiment(ctx, x)
		}
	}
}

func (s *sim) checkExperiment(ctx context.Context, x *trialled) {
	e, err := s.life.store.Get(ctx, x.key)
	if err != nil {
		s.broken("%s was acknowledged: %v", x.key, err)
	}
	trials, err := s.life.store.Trials(ctx, x.key)
	if err != nil {
		s.broken("%s: %v", x.key, err)
	}
	if snapshot, err := s.life.tuner.Snapshot(x.key); err == nil {
		x.observe(snapshot.Trials)
		if !reflect.DeepEqual(states(snapshot.Trials), states(trials)) {
			s.broken("%s: readers see %v, stored is %v", x.key, states(snapshot.Trials), states(trials))
		}
	}
	x.observe(trials)
	for number, was := range x.seen {
		if int(number) > len(trials) || !same(was, trials[number-1]) {
			s.broken("%s: final trial %d has changed from %+v (I4)", x.key, number, was)
		}
	}
	s.checkBest(x, e, trials)
	s.checkMeasured(ctx, x, trials)
	s.checkTold(ctx, x, trials)
	s.checkPoints(x)
	s.checkPruned(x, trials)
	s.checkReason(x, e, trials)
	s.checkImported(ctx, x, trials)
}

// fsck has the program look for itself. What has become less may be exceeded.
func (s *sim) fsck(workloads store.Workloads) {
	findings, err := store.Check(context.Background(), s.life.store, workloads)
	findings = slices.DeleteFunc(findings, func(f store.Finding) bool {
		return (f.Invariant == "I1" || f.Invariant == "I2") && slices.ContainsFunc(s.experiments, func(x *trialled) bool {
			return x.key == f.Experiment && x.lowered && !x.gone
		})
	})
	if err != nil || len(findings) > 0 {
		s.broken("fsck: %v %v", findings, err)
	}
}

func states(trials []experiment.Trial) (out []string) {
	for i := range trials {
		out = append(out, fmt.Sprintf("%s/%d", trials[i].State, trials[i].Attempt))
	}
	return out
}

func same(a, b experiment.Trial) bool {
	return a.State == b.State && a.Attempt == b.Attempt && a.FinishNo == b.FinishNo && a.Reason == b.Reason &&
		reflect.DeepEqual(a.Observation, b.Observation) && reflect.DeepEqual(a.Assignment, b.Assignment)
}

// checkBest looks for the best trial by other means than the program does.
func (s *sim) checkBest(x *trialled, e *experiment.Experiment, trials []experiment.Trial) {
	best, least := "", math.Inf(1)
	for i := range trials {
		t := &trials[i]
		if t.State != experiment.TrialSucceeded && t.State != experiment.TrialEarlyStopped {
			continue
		}
		if v, err := strconv.ParseFloat(leastLoss(t), 64); err == nil && v < least {
			best, least = t.Name, v
		}
	}
	named := ""
	if o := e.Status.CurrentOptimalTrial; o != nil {
		named = o.BestTrialName
	}
	if named != best {
		s.broken("%s names %q as the best, %q is, at %g (I6)", x.key, named, best, least)
	}
}

// leastLoss is a trial's value by the strategy of loss, as text; "" when there is none.
func leastLoss(t *experiment.Trial) string {
	for _, m := range t.Observation.Metrics {
		switch {
		case m.Name != "loss":
		case m.Value != "":
			return m.Value
		default:
			return m.Min
		}
	}
	return ""
}

// checkMeasured asserts that what was acknowledged is stored, and what is stored was measured.
func (s *sim) checkMeasured(ctx context.Context, x *trialled, trials []experiment.Trial) {
	for _, w := range x.works {
		ms, err := s.life.store.Measurements(ctx, experiment.Stream{Experiment: x.key, Number: w.number, Attempt: w.attempt, Source: "agent"}, 0, 0)
		if err != nil || uint64(len(ms)) < w.acked || len(ms) > len(w.measured) {
			s.broken("%s: %d acknowledged, %d stored, %d measured (I3): %v", w, w.acked, len(ms), len(w.measured), err)
		}
		for i, m := range ms {
			if want := w.measured[i]; m.Seq != want.Seq || m.Text != want.Text || m.Metric != want.Metric || m.Step != want.Step {
				s.broken("%s: measurement %d is %+v, want %+v (I3)", w, i+1, m, want)
			}
		}
		if t := trials[w.number-1]; t.State == experiment.TrialSucceeded && t.Attempt == w.attempt && len(ms) != len(w.measured) {
			s.broken("%s succeeded with %d of %d measurements", w, len(ms), len(w.measured))
		}
	}
}

// checkTold asserts that results stand as they were accepted.
func (s *sim) checkTold(ctx context.Context, x *trialled, trials []experiment.Trial) {
	for _, r := range x.requests {
		if r.trial == "" {
			continue
		}
		t, ok := experiment.FindTrial(trials, r.trial)
		if !ok {
			s.broken("%s: trial %s was handed out and is gone", x.key, r.trial)
		}
		if r.known && (t.State != experiment.TrialSucceeded || t.Observation.Metrics[0].Latest != r.value) {
			s.broken("%s: %s was accepted for trial %d, which is %s with %+v", x.key, r.value, t.Number, t.State, t.Observation)
		}
		ms, err := s.life.store.Measurements(ctx, experiment.Stream{Experiment: x.key, Number: t.Number, Attempt: 1, Source: "tell"}, 0, 0)
		if err != nil || uint64(len(ms)) < r.acked {
			s.broken("%s: %d measurements of %s were acknowledged, %d are stored (I3): %v", x.key, r.acked, r.id, len(ms), err)
		}
		for i := range min(len(r.reported), len(ms)) {
			if ms[i].Text != r.reported[i] && ms[i].Text != r.value {
				s.broken("%s: measurement %d of %s is %q, want %q (I3)", x.key, i+1, r.id, ms[i].Text, r.reported[i])
			}
		}
	}
}

// checkEnd asserts that everything has come to its end.
func (s *sim) checkEnd() {
	s.check()
	workloads := store.Workloads{}
	for _, x := range s.experiments {
		if x.gone {
			continue
		}
		workloads[x.key] = nil
		lost := map[string]int{}
		for _, w := range x.works {
			if !w.removed {
				workloads[x.key] = append(workloads[x.key], w.trial)
			}
			if w.phase == trialrunner.Lost {
				lost[w.trial]++
			}
		}
		trials, _ := s.life.store.Trials(context.Background(), x.key)
		e, _ := s.life.store.Get(context.Background(), x.key)
		for i := range trials {
			t := &trials[i]
			if !t.State.Final() {
				s.broken("%s: trial %d is %s in the end", x.key, t.Number, t.State)
			}
			if t.Reason == "Lost" && lost[t.Name] < 3 && x.endings == 1 && x.halted[t.Name].IsZero() && e.Status.Reason() == "ExperimentMaxTrialsReached" && e.Spec.Objective.Goal == nil {
				s.broken("%s: trial %d was given up after %d losses, want 3 attempts", x.key, t.Number, lost[t.Name])
			}
		}
	}
	s.fsck(workloads)
	for key, left := range workloads {
		if len(left) > 0 {
			s.broken("%s: workloads are left: %v (I10)", key, left)
		}
	}
}

// summary is all that is stored but for what differs by name.
func (s *sim) summary() string {
	var b strings.Builder
	for _, x := range s.experiments {
		if x.gone {
			continue
		}
		trials, _ := s.life.store.Trials(context.Background(), x.key)
		for i := range trials {
			t := &trials[i]
			fmt.Fprintf(&b, "%s %d %s %d %s %v %+v\n", x.key, t.Number, t.State, t.Attempt, t.Reason, t.Assignment, t.Observation)
		}
	}
	return b.String()
}
