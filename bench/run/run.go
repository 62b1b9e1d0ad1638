// Package run lets optimizers work on problems: built-in algorithms in this process, peers as
// processes of their own, one run after the other or several at a time, and keeps what they did.
package run

import (
	"errors"
	"fmt"
	"math"

	"github.com/tuned-hpo/tuned/algorithms"
	"github.com/tuned-hpo/tuned/bench/problem"
	"github.com/tuned-hpo/tuned/pkg/searchspace"
)

// ErrUnsupported says that an optimizer cannot work on a problem. The error that wraps it says why.
var ErrUnsupported = errors.New("unsupported")

// Task is what one run is to do.
type Task struct {
	Suite   string // name of the suite
	Hash    string // of the problem
	Problem *problem.Problem
	Seed    uint64
	Workers int // trials that run at a time, at least 1
}

// Cost is what the optimizer itself took for one call, in seconds.
type Cost struct {
	CPU  float64 `json:"cpu"`
	Wall float64 `json:"wall"`
}

// Outcome is what an optimizer is told of a trial.
type Outcome struct {
	Losses      []float64 // any NaN: the trial failed
	Constraints []float64
}

// Failed tells whether the trial has no result.
func (o Outcome) Failed() bool {
	for _, l := range o.Losses {
		if math.IsNaN(l) {
			return true
		}
	}
	return false
}

// Optimizer is asked and told, one run at a time: Start, then any number of Ask and Tell, then End.
// It is not used concurrently. After an error the run is over, and another may be started.
type Optimizer interface {
	// Start begins a run. The error wraps ErrUnsupported when the optimizer cannot work on it.
	Start(t Task) error
	// Ask returns the point of trial id. ErrExhausted and ErrWait of package algorithms mean what
	// they mean there.
	Ask(id uint64) (searchspace.Point, Cost, error)
	// Tell reports a trial that was asked for and has finished.
	Tell(id uint64, o Outcome) (Cost, error)
	// End ends the run.
	End() error
	// Close ends the optimizer.
	Close() error
}

// Learner is an optimizer that can be told trials which it was not asked for.
type Learner interface {
	Learn(finished []algorithms.Trial)
}

// Entry is an optimizer that takes part.
type Entry struct {
	Name    string // with its settings, as asked for
	Version string
	Ours    bool
	Fault   error // why it cannot be started; runs that were kept can still be shown
	Open    func() (Optimizer, error)
	Takes   func(Task) bool // whether it takes part in a task; nil: in all
	// Train opens it for trials that are trained epoch by epoch; nil when it was not chosen for that.
	Train func() (Trainer, error)
}

// Run does one task. The trajectory holds the trials in the order in which they ended in simulated
// time. A run of an optimizer that has no further point is shorter than the budget.
func Run(o Optimizer, t Task) (tr *Trajectory, err error) {
	if err := o.Start(t); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, o.End()) }()
	s := newSimulation(o, t)
	for s.told < t.Problem.Budget {
		if err := s.fill(); err != nil {
			return nil, err
		}
		if len(s.running) == 0 {
			break
		}
		if err := s.finish(); err != nil {
			return nil, err
		}
	}
	return s.trajectory, nil
}

// simulation is one run: trials take their simulated time, and as many run as there are workers.
type simulation struct {
	optimizer  Optimizer
	task       Task
	now        float64 // simulated seconds
	asked      int
	told       int
	done       bool // nothing more is to be asked for
	running    []running
	seen       map[string]bool // every point asked for
	recommend  recommendation
	trajectory *Trajectory
}

// running is a trial between ask and tell.
type running struct {
	id    uint64
	point searchspace.Point
	key   string
	end   float64 // simulated time
	cost  Cost    // of asking for it
}

func newSimulation(o Optimizer, t Task) *simulation {
	return &simulation{
		optimizer: o, task: t, seen: make(map[string]bool), recommend: newRecommendation(t.Problem),
		trajectory: &Trajectory{
			Suite: t.Suite, Hash: t.Hash, Problem: t.Problem.Name, Cluster: t.Problem.Cluster,
			Budget: t.Problem.Budget, Seed: t.Seed, Workers: t.Workers,
		},
	}
}

// fill asks for a point for every idle worker.
func (s *simulation) fill() error {
	for len(s.running) < s.task.Workers && s.asked < s.task.Problem.Budget && !s.done {
		id := uint64(s.asked + 1)
		p, cost, err := s.optimizer.Ask(id)
		switch {
		case errors.Is(err, algorithms.ErrExhausted):
			s.done = true
			return nil
		case errors.Is(err, algorithms.ErrWait) && len(s.running) > 0:
			return nil
		case err != nil:
			return fmt.Errorf("ask for trial %d: %w", id, err)
		}
		if err := s.task.Problem.Space.Contains(p); err != nil {
			return fmt.Errorf("trial %d: the point is not in the space: %w", id, err)
		}
		s.start(running{id: id, point: p, key: pointKey(p), cost: cost})
	}
	return nil
}

// start puts a trial on a worker.
func (s *simulation) start(r running) {
	for _, other := range s.running {
		if other.key == r.key {
			s.trajectory.PendingDuplicates++
			break
		}
	}
	if s.seen[r.key] {
		s.trajectory.Duplicates++
	}
	s.seen[r.key] = true
	r.end = s.now + s.seconds(r)
	s.running = append(s.running, r)
	s.asked++
}

func (s *simulation) seconds(r running) float64 {
	if s.task.Problem.Seconds == nil {
		return 1
	}
	return s.task.Problem.Seconds(r.point, s.task.Seed, r.id)
}

// finish ends the trial that is first to end, the one asked for first where several are.
func (s *simulation) finish() error {
	first := 0
	for i, r := range s.running {
		if r.end < s.running[first].end {
			first = i
		}
	}
	r := s.running[first]
	s.running = append(s.running[:first], s.running[first+1:]...)
	s.now = r.end
	result := s.task.Problem.Eval(r.point, s.task.Seed, r.id)
	cost, err := s.optimizer.Tell(r.id, Outcome{Losses: result.Losses, Constraints: result.Constraints})
	if err != nil {
		return fmt.Errorf("tell trial %d: %w", r.id, err)
	}
	s.told++
	tr := s.trajectory
	tr.IDs = append(tr.IDs, r.id)
	tr.Points = append(tr.Points, Numbers(r.point))
	tr.Losses = append(tr.Losses, Numbers(result.Losses))
	tr.LogRegret = append(tr.LogRegret, s.recommend.take(result))
	tr.AskCPU = append(tr.AskCPU, r.cost.CPU)
	tr.TellCPU = append(tr.TellCPU, cost.CPU)
	tr.Wall += r.cost.Wall + cost.Wall
	tr.Simulated = s.now
	return nil
}

// pointKey tells points apart.
func pointKey(p searchspace.Point) string {
	b := make([]byte, 0, 8*len(p))
	for _, x := range p {
		bits := math.Float64bits(x)
		if math.IsNaN(x) { // of which there are many
			bits = math.MaxUint64
		}
		for k := range 8 {
			b = append(b, byte(bits>>(8*k)))
		}
	}
	return string(b)
}
