// Package fidelity compares optimizers on trials that are trained epoch by epoch: how many epochs, of all trials together,
// one takes to recommend configurations as good as another's.
package fidelity

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/tuned-hpo/tuned/algorithms"
	"github.com/tuned-hpo/tuned/bench/run"
	"github.com/tuned-hpo/tuned/pkg/searchspace"
)

// Study is what one run of an optimizer on a problem did. A configuration is recommended that has the least loss of all
// that were trained for as many epochs as any.
type Study struct {
	Problem string `json:"problem"`
	Cluster string `json:"cluster"`
	Seed    uint64 `json:"seed"`
	Epochs  int    `json:"epochs"` // budget of all trainings together
	// Steps are the moments at which another configuration was recommended, by ascending epoch.
	Steps     []Step  `json:"steps"`
	Trainings int     `json:"trainings"`
	Waits     int     `json:"waits"`   // questions of free workers that were answered by waiting
	Idle      float64 `json:"idle"`    // share of the workers' time, as long as epochs were left to begin
	Seconds   float64 `json:"seconds"` // simulated
	// Unsupported says why the optimizer cannot work on the problem; nothing else is set then.
	Unsupported string `json:"unsupported,omitempty"`
}

// Step is a recommendation.
type Step struct {
	Epoch     int     `json:"epoch"`     // of all trainings together, after which it stands
	LogRegret float64 `json:"logRegret"` // of the configuration after a whole training, without noise
}

// simulation is a study under way. Time is simulated: each configuration has a speed of its own.
type simulation struct {
	trainer run.Trainer
	task    run.Task
	budget  int
	study   *Study

	now     float64
	idle    float64 // of all workers, while epochs were left to begin
	worked  float64 // the same time, idle or not
	begun   int     // epochs
	last    uint64  // id of a training
	running []training
	ended   map[uint64]training
	best    best
	done    bool // there is nothing more to train
}

// training is what a worker does.
type training struct {
	run.Training
	id    uint64
	root  uint64  // the first training of the configuration
	epoch int     // that ended last
	end   float64 // of the next one
}

// best is what is recommended.
type best struct {
	epoch     int
	loss      float64
	logRegret float64
}

// Do runs one study. The budget of the problem is in whole trainings.
func Do(t run.Trainer, task run.Task) (study *Study, err error) {
	p := task.Problem
	s := simulation{
		trainer: t, task: task, budget: p.Budget * p.Curve.Epochs, ended: make(map[uint64]training),
		best:  best{logRegret: p.LogRegret(math.Inf(1))},
		study: &Study{Problem: p.Name, Cluster: p.Cluster, Seed: task.Seed, Epochs: p.Budget * p.Curve.Epochs},
	}
	s.study.Steps = []Step{{LogRegret: s.best.logRegret}}
	if err := t.Start(task); errors.Is(err, run.ErrUnsupported) {
		return &Study{Problem: p.Name, Cluster: p.Cluster, Seed: task.Seed, Unsupported: err.Error()}, nil
	} else if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, t.End()) }()
	for done := 0; done < s.budget; done++ {
		if err := s.fill(); err != nil {
			return nil, err
		}
		if len(s.running) == 0 {
			break
		}
		if err := s.step(done + 1); err != nil {
			return nil, err
		}
	}
	s.study.Trainings, s.study.Seconds = int(s.last), s.now
	if s.worked > 0 {
		s.study.Idle = s.idle / s.worked
	}
	return s.study, nil
}

// fill gives each free worker something to train, as long as epochs are left to begin.
func (s *simulation) fill() error {
	for len(s.running) < s.task.Workers && s.begun < s.budget && !s.done {
		n, err := s.trainer.Next(s.last + 1)
		switch {
		case errors.Is(err, algorithms.ErrExhausted):
			s.done = true
			return nil
		case errors.Is(err, algorithms.ErrWait) && len(s.running) > 0:
			s.study.Waits++
			return nil
		case err != nil:
			return fmt.Errorf("training %d: %w", s.last+1, err)
		}
		if err := s.begin(n); err != nil {
			return fmt.Errorf("training %d: %w", s.last+1, err)
		}
	}
	return nil
}

// begin puts a training on a worker.
func (s *simulation) begin(n run.Training) error {
	if err := s.task.Problem.Space.Contains(n.Point); err != nil {
		return fmt.Errorf("the configuration is not in the space: %w", err)
	}
	s.last++
	t := training{Training: n, id: s.last, root: s.last}
	if n.From > 0 {
		from, ok := s.ended[n.From]
		if !ok || !slices.Equal(from.Point, n.Point) {
			return fmt.Errorf("it goes on from training %d, which is of another configuration or has not ended", n.From)
		}
		t.root, t.epoch = from.root, from.epoch
	}
	if t.epoch >= t.Until {
		return fmt.Errorf("it is to end after epoch %d, and begins after %d", t.Until, t.epoch)
	}
	s.beginEpoch(&t)
	s.running = append(s.running, t)
	return nil
}

func (s *simulation) beginEpoch(t *training) {
	p := s.task.Problem
	t.end = s.now + p.Seconds(t.Point, s.task.Seed, t.root)/float64(p.Curve.Epochs)
	s.begun++
}

// step ends the epoch that is first to end, which is number done of all.
func (s *simulation) step(done int) error {
	first := 0
	for i := range s.running {
		if s.running[i].end < s.running[first].end {
			first = i
		}
	}
	t := &s.running[first]
	if s.begun < s.budget {
		s.idle += float64(s.task.Workers-len(s.running)) * (t.end - s.now)
		s.worked += float64(s.task.Workers) * (t.end - s.now)
	}
	s.now = t.end
	t.epoch++
	loss := s.task.Problem.Curve.Loss(t.Point, t.epoch, s.task.Seed, t.root)
	s.recommend(done, t.epoch, loss, t.Point)
	goesOn, err := s.trainer.Report(t.id, t.epoch, loss)
	if err != nil {
		return fmt.Errorf("training %d, epoch %d: %w", t.id, t.epoch, err)
	}
	switch {
	case goesOn && t.epoch < t.Until && s.begun < s.budget:
		s.beginEpoch(t)
	case goesOn && t.epoch == t.Until:
		return fmt.Errorf("training %d goes on after epoch %d, its last", t.id, t.epoch)
	default:
		s.ended[t.id] = *t
		s.running = slices.Delete(s.running, first, first+1)
	}
	return nil
}

// recommend takes in one loss.
func (s *simulation) recommend(done, epoch int, loss float64, p searchspace.Point) {
	if epoch < s.best.epoch || epoch == s.best.epoch && !(loss < s.best.loss) {
		return
	}
	problem := s.task.Problem
	s.best = best{epoch, loss, problem.LogRegret(problem.Eval(p, s.task.Seed, 0).True[0])}
	s.study.Steps = append(s.study.Steps, Step{done, s.best.logRegret})
}
