//go:build failpoint

package simulate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/searchspace"
	"github.com/tuned-hpo/tuned/pkg/store"
)

// trialled is one experiment, and all that the world outside of the daemon knows of it.
type trialled struct {
	key      experiment.Key
	wanted   *experiment.Experiment
	external bool
	stored   bool // the daemon has said so
	over     bool // it has ended, and nothing of it is under way
	trials   int  // when last looked at
	uid      string
	imported *imported // nil: it was created
	people

	works    []*work // in the order of their start
	requests []*request
	seen     map[uint64]experiment.Trial // final trials, as readers first saw them
}

// newTrialled draws an experiment.
func (s *sim) newTrialled(n int) *trialled {
	r := s.random
	x := &trialled{
		key: experiment.Key{Namespace: "default", Name: s.name(n)}, external: r.IntN(3) == 0,
		seen: map[uint64]experiment.Trial{}, people: newPeople(),
	}
	parallel, budget, seed := int32(1+r.IntN(5)), int32(15+r.IntN(40)), s.seed<<16+uint64(n)
	e := &experiment.Experiment{
		Metadata: experiment.Metadata{Namespace: x.key.Namespace, Name: x.key.Name},
		Spec: experiment.Spec{
			Objective: &experiment.Objective{
				Type: "minimize", ObjectiveMetricName: "loss",
				MetricStrategies: []experiment.MetricStrategy{{Name: "loss", Value: "min"}},
			},
			Algorithm:          &experiment.Algorithm{AlgorithmName: []string{"random", "sobol", "random"}[r.IntN(3)]},
			ParallelTrialCount: &parallel, MaxTrialCount: &budget, ResumePolicy: experiment.LongRunning,
			Parameters: []experiment.ParameterSpec{
				{Name: "x", ParameterType: "double", FeasibleSpace: experiment.FeasibleSpace{Min: "-2", Max: "3"}},
				{Name: "n", ParameterType: "int", FeasibleSpace: experiment.FeasibleSpace{Min: "1", Max: "8", Step: "2"}},
				{Name: "c", ParameterType: "categorical", FeasibleSpace: experiment.FeasibleSpace{List: []string{"a", "b"}}},
			},
			Tuned: &experiment.Extension{Seed: &seed, OnCompletion: []experiment.OnCompletion{experiment.Drain, experiment.Kill}[r.IntN(2)]},
		},
	}
	s.limit(e)
	s.rule(e)
	if x.external {
		limit := experiment.Duration(2 * s.pace) // that a client may take for a trial
		e.Spec.Tuned.TrialTimeout = &limit
	} else {
		e.Local.Command = []string{"train"}
	}
	experiment.SetDefaults(e)
	x.wanted = e
	x.budget.is = budgetOf(&e.Spec)
	x.mostTrials, x.mostParallel = int(budget), int(parallel)
	if !x.external && r.IntN(4) == 0 {
		s.bring(x)
	}
	return x
}

// name returns that of an experiment, perhaps of one that was deleted.
func (s *sim) name(n int) string {
	used := map[string]bool{}
	for _, x := range s.experiments {
		used[x.key.Name] = used[x.key.Name] || !x.gone
	}
	for _, x := range s.experiments {
		if !used[x.key.Name] {
			return x.key.Name
		}
	}
	return fmt.Sprintf("e%d", n)
}

// limit gives an experiment further ends: failures, a goal, time or cost.
func (s *sim) limit(e *experiment.Experiment) {
	if s.random.IntN(4) == 0 {
		e.Spec.MaxFailedTrialCount = new(int32(3 + s.random.IntN(10)))
	}
	if s.random.IntN(4) == 0 {
		e.Spec.Objective.Goal = new(0.01)
	}
	switch s.random.IntN(8) {
	case 0:
		limit := experiment.Duration(1 + s.random.Int64N(40*int64(s.pace)))
		e.Spec.Tuned.MaxDuration = &limit
	case 1:
		most := 1 + float64(s.random.IntN(10))
		e.Spec.Tuned.Cost = &experiment.Cost{Max: &most, Metric: "loss"}
	}
}

// submit gives an experiment to the daemon, which may have it already.
func (s *sim) submit(x *trialled) {
	for range 300 { // a disk may be full for hours
		wanted := *x.wanted
		e, err := s.life.tuner.Submit(context.Background(), &wanted)
		switch {
		case err == nil && s.life.heard():
			if x.stored && x.uid != e.Metadata.UID {
				s.broken("%s was acknowledged and is another one now", x.key)
			}
			if !x.stored {
				s.say("%s is submitted, external: %t", x.key, x.external)
			}
			if !x.stored {
				x.clock.since = *e.Metadata.Created
			}
			x.stored, x.uid = true, e.Metadata.UID
			return
		case !s.life.heard() || s.dying.Load() || errors.Is(err, errBroken) || s.life.ended():
			return // it is submitted again
		case !errors.Is(err, store.ErrFull):
			s.broken("submit %s: %v", x.key, err)
		}
		time.Sleep(10 * time.Minute)
		s.rest()
	}
	s.broken("submit %s: the disk stays full", x.key)
}

// created is how many trials there are in all.
func (s *sim) created() (n int) {
	if s.life == nil {
		return 0
	}
	for _, x := range s.experiments {
		trials := x.trials
		if !x.over {
			if snapshot, err := s.life.tuner.Snapshot(x.key); err == nil {
				trials = len(snapshot.Trials)
			}
		}
		n += trials
	}
	return n
}

// over reports whether all is done.
func (s *sim) over() bool {
	all := true
	for _, x := range s.experiments {
		if !x.over {
			snapshot, err := s.life.tuner.Snapshot(x.key)
			x.over = err == nil && snapshot.Settled && len(x.alive()) == 0 && !x.deleting.is
		}
		all = all && x.over
	}
	return all && len(s.experiments) > 0 && s.created() >= enough
}

func (s *sim) unfinished() (out []string) {
	for _, x := range s.experiments {
		if x.over {
			continue
		}
		e, err := s.life.store.Get(context.Background(), x.key)
		snapshot, _ := s.life.tuner.Snapshot(x.key)
		if err == nil {
			out = append(out, fmt.Sprintf("%s (external %t) is %s, %d pending, %d running, %d workloads, trouble %q",
				x.key, x.external, e.Status.State(), e.Status.TrialsPending, e.Status.TrialsRunning, len(x.alive()), snapshot.Trouble))
		}
	}
	return out
}

// inSpace checks an assignment by other means than the program does.
func inSpace(a searchspace.Assignment) error {
	value := map[string]string{}
	for _, pair := range a {
		value[pair.Name] = pair.Value
	}
	x, errX := strconv.ParseFloat(value["x"], 64)
	n, errN := strconv.Atoi(value["n"])
	if err := errors.Join(errX, errN); err != nil {
		return err
	}
	if len(a) != 3 || !(x >= -2 && x <= 3) || !slices.Contains([]int{1, 3, 5, 7}, n) || !slices.Contains([]string{"a", "b"}, value["c"]) {
		return fmt.Errorf("%v lies outside of the search space", a)
	}
	return nil
}
