package store

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/tuned-hpo/tuned/pkg/experiment"
)

// Finding is one broken promise that Check found.
type Finding struct {
	Invariant  string // "I1" to "I12"; what each says is at Check
	Experiment experiment.Key
	Trial      string // name; "" when it is not about one trial
	Found      string // the evidence
	Action     string // what a person can do
}

// String returns the finding in one line.
func (f Finding) String() string {
	where := ""
	if f.Experiment != (experiment.Key{}) {
		where = " " + f.Experiment.String()
	}
	if f.Trial != "" {
		where += " trial " + f.Trial
	}
	return fmt.Sprintf("%s%s: %s; %s", f.Invariant, where, f.Found, f.Action)
}

// Workloads names the trials that have a workload at a runner, by experiment. An experiment that is
// not in it is not judged by its workloads.
type Workloads map[experiment.Key][]string

// Check looks for broken invariants in all experiments of a store. The error says that the
// experiments could not even be listed; other errors of reading are findings.
//
//	I1  no more trials than spec.maxTrialCount, or than there were when that was lowered
//	I2  no more trials run than spec.parallelTrialCount, or than were under way when that was lowered
//	I3  what was acknowledged can be read
//	I4  a trial ends once: its state is final exactly when it has a finish number, which no other has
//	I5  the counts of the status are those of the trials
//	I6  the optimal trial is the best one, and the counts of the best are right
//	I7  each workload belongs to a trial that is not final
//	I8  sequence numbers are dense
//	I9  assignments lie in the search space
//	I10 a completed experiment has no workloads, save those of trials that it lets end (onCompletion: Drain)
//	I12 conditions follow each other as they may
//
// I11, that no acknowledged commit is missing, is for the implementation to say.
func Check(ctx context.Context, s Store, workloads Workloads) ([]Finding, error) {
	experiments, err := s.List(ctx)
	if err != nil {
		return nil, fmt.Errorf("check store: %w", err)
	}
	out := workloads.strays(experiments)
	for _, e := range experiments {
		c := checker{e: e}
		if c.trials, err = s.Trials(ctx, e.Key()); err != nil {
			c.unreadable("", err)
		}
		if _, err := s.Events(ctx, e.Key(), 0); err != nil {
			c.unreadable("", err)
		}
		c.counts()
		c.endings()
		c.best()
		c.assignments()
		c.conditions()
		if names, judged := workloads[e.Key()]; judged {
			c.workloads(names)
		}
		if err := c.streams(ctx, s); err != nil {
			return nil, fmt.Errorf("check store: %w", err)
		}
		out = append(out, c.found...)
	}
	return out, nil
}

// strays reports workloads of experiments that are not there.
func (w Workloads) strays(experiments []*experiment.Experiment) (out []Finding) {
	known := map[experiment.Key]bool{}
	for _, e := range experiments {
		known[e.Key()] = true
	}
	for key, names := range w {
		for _, name := range names {
			if !known[key] {
				out = append(out, Finding{
					Invariant: "I7", Experiment: key, Trial: name,
					Found: "a workload runs, but there is no such experiment", Action: "end its trial-agent with SIGTERM",
				})
			}
		}
	}
	return out
}

// checker looks at one experiment.
type checker struct {
	e      *experiment.Experiment
	trials []experiment.Trial
	found  []Finding
}

func (c *checker) add(invariant, trial, action, format string, args ...any) {
	c.found = append(c.found, Finding{
		Invariant: invariant, Experiment: c.e.Key(), Trial: trial,
		Found: fmt.Sprintf(format, args...), Action: action,
	})
}

const (
	actionRestore = "restore the store from a copy, or delete the experiment"
	actionReport  = "keep a copy of the store and report it; results up to here can be exported"
)

func (c *checker) unreadable(trial string, err error) {
	c.add("I3", trial, actionRestore, "%v", err)
}

func (c *checker) counts() {
	spec, status := &c.e.Spec, &c.e.Status
	control := &c.e.Control
	if limit := spec.MaxTrialCount; limit != nil && len(c.trials) > int(max(*limit, control.TrialsThen)) {
		c.add("I1", "", actionReport, "%d trials, spec.maxTrialCount is %d, and was not lowered below that", len(c.trials), *limit)
	}
	states := map[experiment.TrialState]int32{}
	for i := range c.trials {
		states[c.trials[i].State]++
	}
	if limit := spec.ParallelTrialCount; limit != nil && states[experiment.TrialRunning] > max(*limit, control.ActiveThen) {
		c.add("I2", "", actionReport, "%d trials run, spec.parallelTrialCount is %d, and was not lowered below that",
			states[experiment.TrialRunning], *limit)
	}
	for _, of := range []struct {
		state experiment.TrialState
		count int32
	}{
		{experiment.TrialPending, status.TrialsPending},
		{experiment.TrialRunning, status.TrialsRunning},
		{experiment.TrialSucceeded, status.TrialsSucceeded},
		{experiment.TrialKilled, status.TrialsKilled},
		{experiment.TrialFailed, status.TrialsFailed},
		{experiment.TrialEarlyStopped, status.TrialsEarlyStopped},
		{experiment.TrialMetricsUnavailable, status.TrialMetricsUnavailable},
	} {
		if of.count != states[of.state] {
			c.add("I5", "", "start the daemon, which counts anew", "status counts %d %s trials, there are %d", of.count, of.state, states[of.state])
		}
		delete(states, of.state)
	}
	for state, n := range states {
		c.add("I5", "", actionReport, "%d trials are in state %q, which does not exist", n, state)
	}
	if int(status.Trials) != len(c.trials) {
		c.add("I5", "", "start the daemon, which counts anew", "status counts %d trials, there are %d", status.Trials, len(c.trials))
	}
}

// endings checks that each final trial ended once.
func (c *checker) endings() {
	finished := map[uint64]string{}
	for i := range c.trials {
		t := &c.trials[i]
		if t.State.Final() != (t.FinishNo > 0) {
			c.add("I4", t.Name, actionReport, "state %s, finish number %d", t.State, t.FinishNo)
		}
		if t.FinishNo == 0 {
			continue
		}
		if other, taken := finished[t.FinishNo]; taken {
			c.add("I4", t.Name, actionReport, "finish number %d is that of %s too", t.FinishNo, other)
		}
		finished[t.FinishNo] = t.Name
	}
}

func (c *checker) best() {
	if c.e.Spec.Objective == nil {
		return
	}
	tally := experiment.NewTally(&c.e.Spec, c.trials)
	want, named := "", ""
	if t, ok := tally.Best(); ok {
		want = t.Name
	}
	if o := c.e.Status.CurrentOptimalTrial; o != nil {
		named = o.BestTrialName
	}
	if named != want {
		c.add("I6", named, "start the daemon, which looks for the best trial anew", "status names %q as the best trial, %q is", named, want)
	}
	if x := c.e.Status.Tuned; x != nil && (int(x.TrialsOnFront) != len(tally.Front()) || int(x.TrialsInfeasible) != tally.Infeasible()) {
		c.add("I6", "", "start the daemon, which counts anew", "status counts %d trials on the front and %d infeasible ones, there are %d and %d",
			x.TrialsOnFront, x.TrialsInfeasible, len(tally.Front()), tally.Infeasible())
	}
}

func (c *checker) assignments() {
	if len(c.trials) == 0 || len(c.e.Spec.Parameters) == 0 {
		return
	}
	space, err := c.e.Spec.Space()
	if err != nil {
		c.add("I9", "", actionReport, "the stored search space cannot be read: %v", err)
		return
	}
	for i := range c.trials {
		t := &c.trials[i]
		p, err := space.Parse(t.Assignment)
		if err == nil {
			err = space.Contains(p)
		}
		if err != nil {
			c.add("I9", t.Name, actionReport, "%v", err)
		}
	}
}

// conditions checks what no legal path leads to.
func (c *checker) conditions() {
	s := &c.e.Status
	is := map[experiment.ConditionType]bool{}
	for _, condition := range s.Conditions {
		if _, twice := is[condition.Type]; twice {
			c.add("I12", "", actionReport, "condition %s stands twice", condition.Type)
		}
		is[condition.Type] = condition.Status == "True"
	}
	if is[experiment.Succeeded] && is[experiment.Failed] {
		c.add("I12", "", actionReport, "it has succeeded and failed")
	}
	if s.Completed() && is[experiment.Running] {
		c.add("I12", "", actionReport, "it is completed and running")
	}
	if s.Completed() != (s.CompletionTime != nil) {
		c.add("I12", "", actionReport, "completed: %t, has a completion time: %t", s.Completed(), s.CompletionTime != nil)
	}
}

func (c *checker) workloads(names []string) {
	live := map[string]bool{}
	for i := range c.trials {
		live[c.trials[i].Name] = !c.trials[i].State.Final()
	}
	drains := c.e.OnCompletion() == experiment.Drain
	for _, name := range names {
		if !live[name] {
			c.add("I7", name, "start the daemon, which stops it", "a workload exists, but its trial is unknown or over")
		}
		if c.e.Status.Completed() && !(drains && live[name]) {
			c.add("I10", name, "start the daemon, which stops it", "a workload exists, but the experiment is completed")
		}
	}
}

// streams reads every measurement. An error is one of the context.
func (c *checker) streams(ctx context.Context, s Store) error {
	for i := range c.trials {
		t := &c.trials[i]
		for attempt := 1; attempt <= t.Attempt; attempt++ {
			for _, source := range experiment.Sources {
				if err := ctx.Err(); err != nil {
					return err
				}
				c.stream(ctx, s, t, experiment.Stream{Experiment: c.e.Key(), Number: t.Number, Attempt: attempt, Source: source})
			}
		}
	}
	return nil
}

func (c *checker) stream(ctx context.Context, s Store, t *experiment.Trial, stream experiment.Stream) {
	ms, err := s.Measurements(ctx, stream, 0, 0)
	if err != nil {
		if !errors.Is(err, ctx.Err()) || ctx.Err() == nil {
			c.unreadable(t.Name, err)
		}
		return
	}
	acked, err := s.Acked(ctx, stream)
	if err != nil {
		c.unreadable(t.Name, err)
		return
	}
	if acked != uint64(len(ms)) {
		c.add("I8", t.Name, actionRestore, "attempt %d, %s: %d measurements acknowledged, %d found", stream.Attempt, stream.Source, acked, len(ms))
	}
	for i := range ms {
		if ms[i].Seq != uint64(i)+1 {
			c.add("I8", t.Name, actionRestore, "attempt %d, %s: measurement %d is at place %d", stream.Attempt, stream.Source, ms[i].Seq, i+1)
			return
		}
		if v := experiment.ParseValue(ms[i].Text); v != ms[i].Value && !(math.IsNaN(v) && math.IsNaN(ms[i].Value)) {
			c.add("I3", t.Name, actionReport, "attempt %d, %s: measurement %d has value %v, its text %q says %v",
				stream.Attempt, stream.Source, ms[i].Seq, ms[i].Value, ms[i].Text, v)
			return
		}
	}
}
