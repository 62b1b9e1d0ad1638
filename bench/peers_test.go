package main

import (
	"slices"
	"testing"

	"github.com/tuned-hpo/tuned/bench/problem"
	"github.com/tuned-hpo/tuned/bench/run"
	"github.com/tuned-hpo/tuned/internal/testenv"
)

// TestOptuna lets real peers work on spaces of each kind, as far as a model of theirs is used. A point
// outside of the space would end the run with an error.
func TestOptuna(t *testing.T) {
	dir, err := peersFolder()
	if err != nil {
		t.Fatal(err)
	}
	installed, err := installedPeers(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	peers := []string{"optuna-gp", "optuna-tpe-group"}
	for _, name := range peers {
		if !slices.Contains(installed, name) {
			testenv.Skip(t, "the peer "+name+" of bench/peers/install optuna is not installed")
		}
	}
	entries, err := choosePeers(t.Context(), peers)
	if err != nil {
		t.Fatal(err)
	}
	suites, err := chooseSuites([]string{"quick/mixint24-d5", "quick/cat24-d5", "quick/cond8", "quick/fail24-d5"})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Fault != nil {
			t.Fatalf("%s: %v", e.Name, e.Fault)
		}
		o, err := e.Open()
		if err != nil {
			t.Fatalf("%s: %v", e.Name, err)
		}
		for _, s := range suites {
			letWork(t, o, e, s.Suite)
		}
		if err := o.Close(); err != nil {
			t.Errorf("%s: %v", e.Name, err)
		}
	}
}

// letWork runs the first problem of a suite, two trials at a time.
func letWork(t *testing.T, o run.Optimizer, e run.Entry, s problem.Suite) {
	t.Helper()
	const trials = 13 // Optuna's models are used after 10
	problems, err := s.Problems()
	if err != nil {
		t.Fatal(err)
	}
	short := *problems[0]
	short.Budget = trials
	tr, err := run.Run(o, run.Task{Suite: s.Name, Problem: &short, Seed: 1, Workers: 2})
	if err != nil || len(tr.LogRegret) != trials {
		t.Errorf("%s on %s: %d trials, want %d: %v", e.Name, short.Name, len(tr.LogRegret), trials, err)
	}
}
