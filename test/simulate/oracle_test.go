//go:build failpoint

package simulate

import (
	"context"
	"fmt"
	"math"
	"os"
	"reflect"
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
	findings, err := store.Check(ctx, s.life.store, nil)
	if err != nil || len(findings) > 0 {
		s.broken("fsck: %v %v", findings, err)
	}
	for _, x := range s.experiments {
		if x.stored {
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
	if n, most := len(trials), int(*x.wanted.Spec.MaxTrialCount); n > most {
		s.broken("%s has %d trials, its budget is %d (I1)", x.key, n, most)
	}
	active := 0
	for i := range trials {
		if !trials[i].State.Final() {
			active++
		}
	}
	if most := int(*x.wanted.Spec.ParallelTrialCount); active > most {
		s.broken("%s has %d trials under way, at most %d may be (I2)", x.key, active, most)
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
	s.checkTold(x, trials)
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
		if t.State != experiment.TrialSucceeded {
			continue
		}
		for _, m := range t.Observation.Metrics {
			text := m.Min
			if m.Value != "" {
				text = m.Value
			}
			if v, err := strconv.ParseFloat(text, 64); err == nil && m.Name == "loss" && v < least {
				best, least = t.Name, v
			}
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
func (s *sim) checkTold(x *trialled, trials []experiment.Trial) {
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
	}
}

// checkEnd asserts that everything has come to its end.
func (s *sim) checkEnd() {
	s.check()
	workloads := store.Workloads{}
	for _, x := range s.experiments {
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
			if t.Reason == "Lost" && lost[t.Name] < 3 && e.Status.Reason() == "ExperimentMaxTrialsReached" && e.Spec.Objective.Goal == nil {
				s.broken("%s: trial %d was given up after %d losses, want 3 attempts", x.key, t.Number, lost[t.Name])
			}
		}
		if max := int(*x.wanted.Spec.MaxTrialCount); e.Status.Reason() == "ExperimentMaxTrialsReached" && len(trials) != max {
			s.broken("%s reached its budget of %d with %d trials", x.key, max, len(trials))
		}
	}
	findings, err := store.Check(context.Background(), s.life.store, workloads)
	if err != nil || len(findings) > 0 {
		s.broken("fsck in the end: %v %v", findings, err)
	}
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
		trials, _ := s.life.store.Trials(context.Background(), x.key)
		for i := range trials {
			t := &trials[i]
			fmt.Fprintf(&b, "%s %d %s %d %s %v %+v\n", x.key, t.Number, t.State, t.Attempt, t.Reason, t.Assignment, t.Observation)
		}
	}
	return b.String()
}
