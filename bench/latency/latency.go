// Package latency measures what one suggestion takes as the history grows, and what memory.
package latency

import (
	"math"
	"math/rand/v2"
	"time"

	"github.com/tuned-hpo/tuned/algorithms"
	"github.com/tuned-hpo/tuned/bench/problem"
	"github.com/tuned-hpo/tuned/bench/report"
	"github.com/tuned-hpo/tuned/bench/run"
	"github.com/tuned-hpo/tuned/pkg/searchspace"
)

// Climb says how to climb one ladder: a run whose history grows.
type Climb struct {
	Optimizer string        `json:"optimizer"`
	Ours      bool          `json:"ours"`
	Dimension int           `json:"dimension"`
	Pending   int           `json:"pending"` // trials that are running at every suggestion
	Rungs     []int         `json:"rungs"`   // told trials, ascending
	Repeat    int           `json:"repeat"`  // suggestions measured at each rung, at most
	Patience  time.Duration `json:"patience"`
}

// Rung is what was measured from n told trials on. A suggestion is one tell and the ask after it.
type Rung struct {
	N      int           `json:"n"`
	Count  int           `json:"count"`
	CPU50  report.Figure `json:"cpu50"` // seconds
	CPU95  report.Figure `json:"cpu95"`
	Wall50 report.Figure `json:"wall50"`
	Wall95 report.Figure `json:"wall95"`
	Peak   report.Figure `json:"peak"` // the most memory that the process had so far (VmHWM), bytes
}

const (
	// asked is up to how many trials the history of a built-in algorithm is its own. Beyond it
	// grows by points that others chose: asking for 10,000 would take hours for some.
	asked = 200
	// least is how often a rung is measured even where patience is over.
	least = 3
)

// climber is one run whose history grows.
type climber struct {
	Climb
	optimizer run.Optimizer
	task      run.Task
	meter     func(func() (run.Cost, error)) (run.Cost, error)
	peak      func() float64
	deadline  time.Time
	id        uint64
	told      int
	running   []trial // oldest first
	best      trial
	source    *rand.Rand
}

type trial struct {
	id    uint64
	point searchspace.Point
	loss  float64
}

// run climbs until the last rung, or until patience is over, and returns the rungs reached.
func (c *climber) run() ([]Rung, error) {
	var out []Rung
	if len(c.Rungs) > 0 && c.Rungs[0] > 0 { // the first rung begins with trials to tell
		if _, err := c.suggestionAt(0); err != nil {
			return nil, err
		}
	}
	for _, n := range c.Rungs {
		if reached, err := c.grow(n); err != nil || !reached {
			return out, err
		}
		r, err := c.measure(n)
		if err != nil {
			return out, err
		}
		out = append(out, r)
		if c.impatient() {
			break
		}
	}
	return out, c.optimizer.End()
}

func (c *climber) impatient() bool { return time.Now().After(c.deadline) }

// start begins a run and asks for the trials that are pending at the first suggestion.
func (c *climber) start() error {
	if err := c.optimizer.Start(c.task); err != nil {
		return err
	}
	c.id, c.told, c.running = 0, 0, nil
	for len(c.running) < c.Pending {
		if _, err := c.ask(); err != nil {
			return err
		}
	}
	return nil
}

// grow tells trials until n are told, each followed by an ask, as long as patience lasts.
func (c *climber) grow(n int) (reached bool, err error) {
	for c.told < n && (!c.Ours || c.told < asked) {
		if c.impatient() {
			return false, nil
		}
		if _, err := c.suggestion(); err != nil {
			return false, err
		}
	}
	if c.told >= n {
		return true, nil
	}
	c.fill(n - 1)
	_, err = c.suggestion() // takes in what was told
	return true, err
}

// fill tells trials with points that the algorithm did not choose, as a search would: half are near
// the best so far, half anywhere.
func (c *climber) fill(n int) {
	var history []algorithms.Trial
	space := c.task.Problem.Space
	for c.told < n {
		u := space.Encode(c.best.point)
		near := c.source.IntN(2) == 0
		for i := range u {
			if near {
				u[i] += 0.1 * c.source.NormFloat64()
			} else {
				u[i] = c.source.Float64()
			}
		}
		c.id++
		t := trial{id: c.id, point: space.Decode(u)}
		t.loss = loss(t.point)
		c.note(t)
		history = append(history, algorithms.Trial{ID: t.id, Point: t.point, State: algorithms.Succeeded, Losses: []float64{t.loss}})
	}
	c.optimizer.(run.Learner).Learn(history)
}

// measure takes the costs of suggestions from n told trials on.
func (c *climber) measure(n int) (Rung, error) {
	var cpu, wall []float64
	for k := range c.Repeat {
		if k >= least && c.impatient() {
			break
		}
		cost, err := c.suggestionAt(n)
		if err != nil {
			return Rung{}, err
		}
		cpu, wall = append(cpu, cost.CPU), append(wall, cost.Wall)
	}
	r := Rung{N: n, Count: len(cpu), Peak: report.Figure(c.peak())}
	r.CPU50, r.CPU95 = report.Spread(cpu)
	r.Wall50, r.Wall95 = report.Spread(wall)
	return r, nil
}

// suggestionAt is one suggestion after about n trials. Each one after none is of a new run.
func (c *climber) suggestionAt(n int) (run.Cost, error) {
	if n > 0 {
		return c.suggestion()
	}
	if err := c.start(); err != nil {
		return run.Cost{}, err
	}
	return c.ask()
}

// suggestion tells the oldest running trial and asks for one in its place.
func (c *climber) suggestion() (run.Cost, error) {
	t := c.running[0]
	c.running = c.running[1:]
	c.note(t)
	told, err := c.meter(func() (run.Cost, error) {
		return c.optimizer.Tell(t.id, run.Outcome{Losses: []float64{t.loss}})
	})
	if err != nil {
		return told, err
	}
	got, err := c.ask()
	return run.Cost{CPU: told.CPU + got.CPU, Wall: told.Wall + got.Wall}, err
}

func (c *climber) ask() (run.Cost, error) {
	c.id++
	var p searchspace.Point
	cost, err := c.meter(func() (cost run.Cost, err error) {
		p, cost, err = c.optimizer.Ask(c.id)
		return cost, err
	})
	if err == nil {
		c.running = append(c.running, trial{id: c.id, point: p, loss: loss(p)})
	}
	return cost, err
}

func (c *climber) note(t trial) {
	c.told++
	if c.best.point == nil || t.loss < c.best.loss {
		c.best = t
	}
}

// loss is a bowl with axes of unlike length and a little roughness: something to model, at no cost.
func loss(p searchspace.Point) float64 {
	sum := 0.0
	for i, x := range p {
		d := x - 0.3 - 0.4*float64(i%2)
		weight := math.Pow(10, float64(i)/float64(len(p)))
		sum += weight*d*d + 0.01*math.Cos(20*x)
	}
	return sum
}

// task is the run that a ladder is.
func task(dimension, workers, budget int) (run.Task, error) {
	params := make([]searchspace.Parameter, dimension)
	for i := range params {
		params[i] = searchspace.Parameter{Name: string(rune('a'+i%26)) + string(rune('0'+i/26)), Kind: searchspace.Double, Max: 1}
	}
	space, err := searchspace.New(params)
	if err != nil {
		return run.Task{}, err
	}
	p := &problem.Problem{
		Name: "bowl", Cluster: "bowl", Space: space, Budget: budget, Objectives: 1,
		Eval: func(p searchspace.Point, _, _ uint64) problem.Result {
			l := []float64{loss(p)}
			return problem.Result{Losses: l, True: l}
		},
		Regret: func(l float64) float64 { return max(0, l+float64(dimension)) }, Floor: 1e-9,
	}
	return run.Task{Suite: "latency", Problem: p, Seed: 1, Workers: workers}, nil
}
