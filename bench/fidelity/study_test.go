package fidelity

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/tuned-hpo/tuned/algorithms"
	"github.com/tuned-hpo/tuned/bench/problem"
	"github.com/tuned-hpo/tuned/bench/run"
	"github.com/tuned-hpo/tuned/pkg/searchspace"
)

// line is a problem of one parameter: the regret is its value, and the loss of an epoch is above it by 1/epoch.
func line(t *testing.T, budget int) run.Task {
	t.Helper()
	space, err := searchspace.New([]searchspace.Parameter{{Name: "x", Kind: searchspace.Double, Max: 1}})
	if err != nil {
		t.Fatal(err)
	}
	p := &problem.Problem{
		Name: "line", Cluster: "line", Space: space, Budget: budget, Objectives: 1, Floor: 1e-3,
		Eval: func(x searchspace.Point, _, _ uint64) problem.Result {
			return problem.Result{Losses: []float64{x[0]}, True: []float64{x[0]}}
		},
		Regret:  func(loss float64) float64 { return min(loss, 1) },
		Seconds: func(searchspace.Point, uint64, uint64) float64 { return 4 },
		Curve: &problem.Curve{Epochs: 4, Loss: func(x searchspace.Point, epoch int, _, _ uint64) float64 {
			return x[0] + 1/float64(epoch)
		}},
	}
	return run.Task{Suite: "test", Problem: p, Seed: 1, Workers: 2}
}

// scripted is a trainer that gives out trainings in order, and stops some of them.
type scripted struct {
	trainings []run.Training
	waits     map[uint64]int // questions for an id that are answered by waiting
	stop      map[uint64]int // epoch after which an id is stopped
	log       []string
}

func (s *scripted) Start(run.Task) error { return nil }

func (s *scripted) Next(id uint64) (run.Training, error) {
	if s.waits[id] > 0 {
		s.waits[id]--
		return run.Training{}, algorithms.ErrWait
	}
	if id > uint64(len(s.trainings)) {
		return run.Training{}, algorithms.ErrExhausted
	}
	return s.trainings[id-1], nil
}

func (s *scripted) Report(id uint64, epoch int, loss float64) (bool, error) {
	s.log = append(s.log, fmt.Sprintf("%d:%d:%.2f", id, epoch, loss))
	return epoch < s.trainings[id-1].Until && epoch != s.stop[id], nil
}

func (s *scripted) End() error   { return nil }
func (s *scripted) Close() error { return nil }

func TestStudy(t *testing.T) {
	point := func(x float64) searchspace.Point { return searchspace.Point{x} }
	s := &scripted{
		trainings: []run.Training{
			{Point: point(0.5), Until: 1}, {Point: point(0.2), Until: 4}, {Point: point(0.5), Until: 2, From: 1}, {Point: point(0.1), Until: 4},
		},
		waits: map[uint64]int{4: 1}, stop: map[uint64]int{2: 2},
	}
	got, err := Do(s, line(t, 3))
	if err != nil {
		t.Fatal(err)
	}
	const want = "1:1:1.50 2:1:1.20 2:2:0.70 3:2:1.00 4:1:1.10 4:2:0.60 4:3:0.43 4:4:0.35"
	if log := strings.Join(s.log, " "); log != want {
		t.Errorf("got %s\nwant %s", log, want)
	}
	steps := ""
	for _, step := range got.Steps {
		steps += fmt.Sprintf("%d:%.2f ", step.Epoch, step.LogRegret)
	}
	// A new configuration is recommended when it is the best of those that were trained longest.
	if steps != "0:0.00 1:-0.30 2:-0.70 3:-0.70 6:-1.00 7:-1.00 8:-1.00 " {
		t.Errorf("steps %s", steps)
	}
	if got.Trainings != 4 || got.Waits != 1 || !(got.Idle > 0.2 && got.Idle < 0.6) || got.Seconds != 6 {
		t.Errorf("got %+v", got)
	}
}

// TestStudyFaults wants an error for what a trainer must not do.
func TestStudyFaults(t *testing.T) {
	good := run.Training{Point: searchspace.Point{0.5}, Until: 4}
	for name, second := range map[string]run.Training{
		"outside":              {Point: searchspace.Point{2}, Until: 4},
		"of nobody":            {Point: searchspace.Point{0.5}, Until: 4, From: 9},
		"of one that runs":     {Point: searchspace.Point{0.5}, Until: 4, From: 1},
		"no epoch":             {Point: searchspace.Point{0.5}},
		"another's checkpoint": {Point: searchspace.Point{0.4}, Until: 4, From: 1},
	} {
		if _, err := Do(&scripted{trainings: []run.Training{good, second}}, line(t, 3)); err == nil || errors.Is(err, run.ErrUnsupported) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// TestBudget wants no epoch to begin beyond the budget.
func TestBudget(t *testing.T) {
	task := line(t, 2)
	task.Workers = 5
	s := &scripted{trainings: make([]run.Training, 20)}
	for i := range s.trainings {
		s.trainings[i] = run.Training{Point: searchspace.Point{0.5}, Until: 3}
	}
	got, err := Do(s, task)
	if err != nil || len(s.log) != 8 || got.Epochs != 8 {
		t.Errorf("%d epochs of %d, %v", len(s.log), got.Epochs, err)
	}
}

// TestShare compares curves whose shares are known.
func TestShare(t *testing.T) {
	study := func(cluster string, steps ...Step) *Study {
		return &Study{Problem: cluster, Cluster: cluster, Seed: 1, Epochs: 100, Steps: append([]Step{{0, 0}}, steps...)}
	}
	fast := []*Study{study("a", Step{20, -1}, Step{60, -2}), study("b", Step{20, -1}, Step{60, -2})}
	slow := []*Study{study("a", Step{90, -1}), study("b", Step{100, -1})}
	if s := Compare("x", "y", fast, slow); s.Mean != 0.2 || s.Low != 0.2 || s.High != 0.2 || s.Runs != 2 || s.Difference != -1 {
		t.Errorf("got %+v", s)
	}
	if s := Compare("y", "x", slow, fast); !math.IsInf(float64(s.Mean), 1) || s.Difference != 1 || Percent(s.Mean) != "> 100 %" {
		t.Errorf("got %+v", s)
	}
	if s := Compare("x", "y", fast[:1], slow); s.Runs != 1 || !math.IsInf(float64(s.High), 1) {
		t.Errorf("of one cluster: got %+v", s)
	}
	fast[0].Unsupported = "no"
	if s := Compare("x", "y", fast, slow); s.Runs != 1 {
		t.Errorf("%d runs, of which one is unsupported", s.Runs)
	}
}
