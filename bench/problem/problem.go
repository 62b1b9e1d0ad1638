// Package problem holds the problems that the bench sets to optimizers: functions with known
// optima, tables of real hyperparameter searches, and the frozen list of suites made of them.
package problem

import (
	"math"

	"github.com/tuned-hpo/tuned/pkg/searchspace"
)

// Problem is a function to be minimized. It may be used concurrently.
type Problem struct {
	Name    string // unique, such as "bbob24/f08/d5/i3"
	Cluster string // problems that differ in instance or size alone share one: the unit of the bootstrap
	Space   *searchspace.Space
	Budget  int // evaluations per run

	Objectives  int // losses per evaluation, at least 1
	Constraints int // feasible when all values are <= 0

	// Reference is the point, one loss per objective, up to which a front of several objectives
	// is measured; see Hypervolume. It is nil for one objective.
	Reference []float64

	// Eval evaluates the point of trial number trial of the run with the given seed. It is a
	// function of its arguments: noise, too, is drawn by (seed, trial).
	Eval func(p searchspace.Point, seed, trial uint64) Result

	// Regret turns the noise-free first loss of the point that a run recommends into a regret, 0
	// at the optimum. A run that found no feasible point has the loss +Inf, and a finite regret, too.
	// Reports compare log10(max(Regret, Floor)). With several objectives it takes the dominated
	// hypervolume instead.
	Regret func(loss float64) float64
	Floor  float64

	// Curve is how a trial gets to its loss; nil where it has one loss, at its end.
	Curve *Curve

	// Seconds is the simulated duration of an evaluation, for runs with several workers.
	Seconds func(p searchspace.Point, seed, trial uint64) float64
}

// Result is one evaluation.
type Result struct {
	Losses      []float64 // what the optimizer is told; all NaN when the evaluation failed
	Constraints []float64
	True        []float64 // the losses without noise, by which a run is scored; +Inf when it failed
}

// LogRegret is the figure that reports compare.
func (p *Problem) LogRegret(loss float64) float64 {
	return math.Log10(max(p.Regret(loss), p.Floor))
}
