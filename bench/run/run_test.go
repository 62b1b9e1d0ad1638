package run

import (
	"errors"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/tuned-hpo/tuned/algorithms"
	"github.com/tuned-hpo/tuned/bench/problem"
	"github.com/tuned-hpo/tuned/pkg/searchspace"
)

// script is an optimizer that asks for given points of one parameter.
type script struct {
	xs      []float64
	waits   int // how often it waits although a worker is idle
	told    []uint64
	started int
}

func (s *script) Start(Task) error { s.told = nil; s.started++; return nil }

func (s *script) Ask(id uint64) (searchspace.Point, Cost, error) {
	switch {
	case id > uint64(len(s.xs)):
		return nil, Cost{}, algorithms.ErrExhausted
	case s.waits > 0 && id == 2:
		s.waits--
		return nil, Cost{}, algorithms.ErrWait
	}
	return searchspace.Point{s.xs[id-1]}, Cost{CPU: 0.001, Wall: 0.002}, nil
}

func (s *script) Tell(id uint64, _ Outcome) (Cost, error) {
	s.told = append(s.told, id)
	return Cost{CPU: 0.0001}, nil
}

func (s *script) End() error   { return nil }
func (s *script) Close() error { return nil }

// line is the problem whose loss is x and whose evaluation takes 10 x seconds. Above 0.9 it fails.
func line(t *testing.T, budget int) *problem.Problem {
	t.Helper()
	space, err := searchspace.New([]searchspace.Parameter{{Name: "x", Kind: searchspace.Double, Max: 1}})
	if err != nil {
		t.Fatal(err)
	}
	return &problem.Problem{
		Name: "line", Cluster: "line", Space: space, Budget: budget, Objectives: 1, Floor: 1e-3,
		Eval: func(p searchspace.Point, _, _ uint64) problem.Result {
			if p[0] > 0.9 {
				return problem.Result{Losses: []float64{math.NaN()}, True: []float64{math.Inf(1)}}
			}
			return problem.Result{Losses: []float64{p[0]}, True: []float64{p[0]}}
		},
		Regret:  func(loss float64) float64 { return min(loss, 10) },
		Seconds: func(p searchspace.Point, _, _ uint64) float64 { return 10 * p[0] },
	}
}

func TestRun(t *testing.T) {
	tests := []struct {
		name      string
		xs        []float64
		waits     int
		workers   int
		ids       []uint64
		regret    []float64 // not its logarithm
		simulated float64
		duplicate [2]int // seen before, and pending
	}{
		{"one worker", []float64{0.5, 0.8, 0.1, 0}, 0, 1, []uint64{1, 2, 3, 4}, []float64{0.5, 0.5, 0.1, 1e-3}, 14, [2]int{}},
		{"failures first", []float64{0.95, 0.92, 0.5}, 0, 1, []uint64{1, 2, 3}, []float64{10, 10, 0.5}, 23.7, [2]int{}},
		// 0 to 5: trial 1; 0 to 8: trial 2; 5 to 6: trial 3; 6 to 8: trial 4, asked for after trial 2.
		{"two workers", []float64{0.5, 0.8, 0.1, 0.2}, 0, 2, []uint64{1, 3, 2, 4}, []float64{0.5, 0.1, 0.1, 0.1}, 8, [2]int{}},
		{"more workers than trials", []float64{0.5, 0.8, 0.1}, 0, 8, []uint64{3, 1, 2}, []float64{0.1, 0.1, 0.1}, 8, [2]int{}},
		{"duplicates", []float64{0.5, 0.5, 0.1, 0.5}, 0, 2, []uint64{1, 2, 3, 4}, []float64{0.5, 0.5, 0.1, 0.1}, 10, [2]int{2, 1}},
		{"exhausted", []float64{0.5}, 0, 1, []uint64{1}, []float64{0.5}, 5, [2]int{}},
		{"waiting", []float64{0.5, 0.2}, 1, 2, []uint64{1, 2}, []float64{0.5, 0.2}, 7, [2]int{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := &script{xs: tt.xs, waits: tt.waits}
			budget := len(tt.xs)
			if tt.name == "exhausted" {
				budget = 10
			}
			tr, err := Run(s, Task{Problem: line(t, budget), Seed: 1, Workers: tt.workers})
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(tr.IDs, tt.ids) || !slices.Equal(s.told, tt.ids) {
				t.Errorf("trials ended in the order %v, were told as %v, want %v", tr.IDs, s.told, tt.ids)
			}
			for i, want := range tt.regret {
				if got := tr.LogRegret[i]; math.Abs(got-math.Log10(want)) > 1e-12 {
					t.Errorf("log10 regret after %d trials is %v, want %v", i+1, got, math.Log10(want))
				}
			}
			if math.Abs(tr.Simulated-tt.simulated) > 1e-9 {
				t.Errorf("took %v simulated seconds, want %v", tr.Simulated, tt.simulated)
			}
			if got := [2]int{tr.Duplicates, tr.PendingDuplicates}; got != tt.duplicate {
				t.Errorf("duplicates %v, want %v", got, tt.duplicate)
			}
		})
	}
}

func TestPointOutsideOfTheSpaceEndsTheRun(t *testing.T) {
	if _, err := Run(&script{xs: []float64{1.5}}, Task{Problem: line(t, 1), Workers: 1}); err == nil {
		t.Error("no error")
	}
}

// TestRecommendation tells a noisy problem apart from its truth: told losses choose, true ones score.
func TestRecommendation(t *testing.T) {
	p := line(t, 1)
	r := newRecommendation(p)
	steps := []struct {
		name        string
		told, truth float64
		constraints []float64
		want        float64 // regret
	}{
		{"first", 0.5, 0.4, nil, 0.4},
		{"looks better, is worse", 0.3, 0.6, nil, 0.6},
		{"looks worse, is better", 0.35, 0.01, nil, 0.6},
		{"not feasible", 0, 0, []float64{-1, 0.1}, 0.6},
		{"NaN constraint", 0, 0, []float64{math.NaN()}, 0.6},
		{"feasible", 0.2, 0.2, []float64{-1, 0}, 0.2},
		{"failed", math.NaN(), math.Inf(1), nil, 0.2},
	}
	for _, s := range steps {
		got := r.take(problem.Result{Losses: []float64{s.told}, True: []float64{s.truth}, Constraints: s.constraints})
		if math.Abs(got-math.Log10(s.want)) > 1e-12 {
			t.Errorf("%s: got %v, want %v", s.name, got, math.Log10(s.want))
		}
	}
}

func TestFrontOfSeveralObjectives(t *testing.T) {
	p := &problem.Problem{
		Objectives: 2, Reference: []float64{1, 1}, Floor: 1e-9,
		Regret: func(volume float64) float64 { return 1 - volume },
	}
	r := newRecommendation(p)
	steps := []struct {
		losses []float64
		volume float64
	}{
		{[]float64{2, 0}, 0},          // beyond the reference
		{[]float64{0.5, 0.5}, 0.25},   // a square
		{[]float64{0.75, 0.75}, 0.25}, // dominated
		{[]float64{0.25, 0.75}, 0.3125},
		{[]float64{0.25, 0.5}, 0.375}, // dominates both
	}
	for _, s := range steps {
		got := r.take(problem.Result{Losses: s.losses, True: s.losses})
		if math.Abs(got-math.Log10(1-s.volume)) > 1e-12 {
			t.Errorf("%v: regret 10^%v, want %v", s.losses, got, 1-s.volume)
		}
	}
	if len(r.front) != 2 { // the point beyond the reference is not dominated
		t.Errorf("front is %v", r.front)
	}
}

func TestBuiltin(t *testing.T) {
	for name, want := range map[string]string{
		"rndom":                `unknown algorithm "rndom", did you mean "random"?`,
		"darts":                `algorithm "darts" is not built yet: use bayesianoptimization, tpe or random`,
		"random:x":             `algorithm random: setting "x" has no value, want name=value`,
		"random:no_such=1":     `algorithm random: unknown setting "no_such", known are random_state`,
		"sobol:random_state=3": "",
	} {
		_, err := Builtin(name)
		if got := message(err); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}

func message(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// TestBuiltinRuns checks that a run is a function of its seed alone, and that its cost is measured.
func TestBuiltinRuns(t *testing.T) {
	e, err := Builtin("random")
	if err != nil {
		t.Fatal(err)
	}
	o, err := e.Open()
	if err != nil {
		t.Fatal(err)
	}
	var runs []*Trajectory
	for _, seed := range []uint64{1, 2, 1} {
		tr, err := Run(o, Task{Problem: line(t, 20), Seed: seed, Workers: 3})
		if err != nil {
			t.Fatal(err)
		}
		runs = append(runs, tr)
	}
	if len(runs[0].Points) != 20 || len(runs[0].AskCPU) != 20 {
		t.Errorf("got %d points, %d costs", len(runs[0].Points), len(runs[0].AskCPU))
	}
	if !cmp.Equal(runs[0].Points, runs[2].Points) || cmp.Equal(runs[0].Points, runs[1].Points) {
		t.Error("points are no function of the seed")
	}
}

func TestQueue(t *testing.T) {
	good := Entry{Name: "good", Version: "1", Open: func() (Optimizer, error) { return &script{xs: []float64{0.5, 0.2}}, nil }}
	bad := Entry{Name: "bad", Version: "1", Open: func() (Optimizer, error) { return &script{xs: []float64{7}}, nil }}
	absent := Entry{Name: "absent", Fault: errors.New("not installed")}
	choosy := good
	choosy.Name, choosy.Takes = "choosy", func(t Task) bool { return t.Seed == 5 }
	var tasks []Task
	for seed := range uint64(6) {
		tasks = append(tasks, Task{Suite: "s", Hash: "h", Problem: line(t, 2), Seed: seed, Workers: 1})
	}
	q := &Queue{Tasks: tasks, Entries: []Entry{good, bad, absent, choosy}, Cache: NewCache(t.TempDir()), Workers: 2}
	runs, failures, err := q.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(runs) != len(tasks)+1 {
		t.Fatalf("got %d runs, want %d", len(runs), len(tasks)+1)
	}
	if last := runs[len(tasks)]; last.Optimizer != "choosy" || last.Seed != 5 {
		t.Errorf("the last run is of %s, seed %d, want choosy, seed 5", last.Optimizer, last.Seed)
	}
	for i, tr := range runs[:len(tasks)] {
		if tr.Optimizer != "good" || tr.Seed != uint64(i) || tr.Cached {
			t.Errorf("run %d is of %s, seed %d, cached %t", i, tr.Optimizer, tr.Seed, tr.Cached)
		}
	}
	// The two workers may each have begun another run when the third failed.
	if n := len(failures); n < 1+most || n > 1+most+1 || failures[0].Optimizer != "absent" || failures[1].Optimizer != "bad" {
		t.Errorf("failures are %+v", failures)
	}
	again, _, err := q.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(runs, again, cmpopts.IgnoreFields(Trajectory{}, "Cached")); diff != "" || !again[0].Cached {
		t.Errorf("kept runs differ, or were made again:\n%s", diff)
	}
}

func TestEstimateWeighsByOptimizer(t *testing.T) {
	w := work{
		Queue: &Queue{Workers: 2}, failed: []int{0, 0, most}, // the last has been given up
		took: []float64{1, 100, 50}, trials: []int{100, 50, 100}, left: []int{1000, 20, 1000},
	}
	if got := w.estimate(); got != 25*time.Second { // (10 + 40) / 2
		t.Errorf("got %s, want 25s", got)
	}
	w.trials[1] = 0
	if got := w.estimate(); got != 0 {
		t.Errorf("before its first run: got %s", got)
	}
}
