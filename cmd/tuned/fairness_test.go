package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/tuned-hpo/tuned/algorithms/builtin"
	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/store/badger"
	"github.com/tuned-hpo/tuned/pkg/trialrunner/local"
	"github.com/tuned-hpo/tuned/pkg/tuner"
)

// machine is a tuner at work with real processes in two slots.
type machine struct {
	*tuner.Tuner
	t     *testing.T
	files string
}

func newMachine(t *testing.T) *machine {
	t.Helper()
	agent, err := buildAgent()
	if err != nil {
		t.Fatal(err)
	}
	s, err := badger.Open(t.TempDir(), badger.Options{Ballast: -1})
	if err != nil {
		t.Fatal(err)
	}
	r, err := local.New(local.Config{Dir: t.TempDir(), Agent: agent, Address: "unix:/nobody", Secret: []byte("s"), CPUs: 2, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	tn, err := tuner.New(tuner.Config{Store: s, Runner: r, Algorithms: builtin.Registry(), Pruners: builtin.Pruners(), Now: time.Now, Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context())) // it has to clear up
	done := make(chan error, 1)
	go func() { done <- tn.Run(ctx) }()
	m := &machine{Tuner: tn, t: t, files: t.TempDir()}
	t.Cleanup(func() {
		m.clear()
		cancel()
		for _, err := range []error{<-done, r.Close(), s.Close()} {
			if err != nil {
				t.Error(err)
			}
		}
	})
	return m
}

// clear deletes all experiments, and with them what runs.
func (m *machine) clear() {
	ctx := context.WithoutCancel(m.t.Context())
	all, err := m.List(ctx)
	if err != nil {
		m.t.Fatal(err)
	}
	for _, e := range all {
		if err := m.Delete(ctx, e.Key(), ""); err != nil {
			m.t.Errorf("delete: %v", err)
		}
	}
}

// create creates an experiment whose trials run until their file is there.
func (m *machine) create(name string, parallel int32) experiment.Key {
	m.t.Helper()
	e := &experiment.Experiment{Metadata: experiment.Metadata{Name: name}}
	e.Spec.Objective = &experiment.Objective{Type: "minimize", ObjectiveMetricName: "loss"}
	e.Spec.Algorithm = &experiment.Algorithm{AlgorithmName: "random"}
	e.Spec.Parameters = []experiment.ParameterSpec{{Name: "x", ParameterType: "double", FeasibleSpace: experiment.FeasibleSpace{Min: "0", Max: "1"}}}
	e.Spec.ParallelTrialCount, e.Spec.MaxTrialCount = &parallel, &parallel
	e.Spec.Tuned = &experiment.Extension{CPUs: 1, StopGrace: new(experiment.Duration(time.Millisecond))}
	experiment.SetDefaults(e)
	e.Local.Command = []string{"sh", "-c", `while [ ! -e "$0-${trialParameters.x}" ]; do sleep 0.02; done; echo loss=1`, filepath.Join(m.files, name)}
	if _, err := m.Create(m.t.Context(), e); err != nil {
		m.t.Fatal(err)
	}
	return e.Key()
}

// until waits for a moment.
func (m *machine) until(key experiment.Key, what string, ok func(tuner.Snapshot) bool) tuner.Snapshot {
	m.t.Helper()
	changes, cancel := m.Watch(key)
	defer cancel()
	for deadline := time.After(5 * time.Minute); ; {
		s, err := m.Load(m.t.Context(), key)
		if err != nil {
			m.t.Fatal(err)
		}
		if ok(s) {
			return s
		}
		select {
		case <-changes:
		case <-deadline:
			m.t.Fatalf("%s: never %s; last %+v", key, what, s.Experiment.Status)
		}
	}
}

// finish lets a running trial end.
func (m *machine) finish(s tuner.Snapshot) {
	m.t.Helper()
	for i := range s.Trials {
		if t := &s.Trials[i]; t.State == experiment.TrialRunning {
			if err := os.WriteFile(filepath.Join(m.files, s.Experiment.Metadata.Name+"-"+t.Assignment[0].Value), nil, 0o600); err != nil {
				m.t.Fatal(err)
			}
			return
		}
	}
	m.t.Fatal("no trial runs")
}

func runs(n int32) func(tuner.Snapshot) bool {
	return func(s tuner.Snapshot) bool { return s.Experiment.Status.TrialsRunning == n }
}

// TestTheNextSlotIsForTheOneThatHasNone: 100 trials that wait hold up another experiment's first one no longer
// than until the next slot is free.
func TestTheNextSlotIsForTheOneThatHasNone(t *testing.T) {
	m := newMachine(t)
	many := m.create("many", 100)
	full := m.until(many, "fills the machine", runs(2))
	late := m.create("late", 1)
	m.until(late, "has a trial", func(s tuner.Snapshot) bool { return len(s.Trials) == 1 })
	for i := range 2 { // once the second is answered, its driver has tried to start the trial
		if err := m.Annotate(t.Context(), late, "", tuner.Note{Text: new(fmt.Sprint(i))}); err != nil {
			t.Fatal(err)
		}
	}
	m.finish(full)
	m.until(late, "runs", runs(1))
	s := m.until(many, "has one trial left", runs(1))
	if got := s.Experiment.Status; got.TrialsSucceeded != 1 || got.TrialsPending != 98 {
		t.Errorf("the large one: got %d ended, %d waiting; want 1 and 98", got.TrialsSucceeded, got.TrialsPending)
	}
	m.finish(s)
	m.until(many, "goes on", func(s tuner.Snapshot) bool {
		return s.Experiment.Status.TrialsSucceeded == 2 && s.Experiment.Status.TrialsRunning == 1
	})
}
