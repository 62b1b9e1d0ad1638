package run

import (
	"math"

	"github.com/tuned-hpo/tuned/bench/problem"
)

// recommendation is what a run recommends so far: the feasible trial with the least told loss.
type recommendation struct {
	problem *problem.Problem
	told    float64     // loss of that trial
	regret  float64     // log10, of its loss without noise
	front   [][]float64 // with several objectives: losses without noise of all feasible trials, none dominated
}

func newRecommendation(p *problem.Problem) recommendation {
	r := recommendation{problem: p, told: math.Inf(1), regret: p.LogRegret(math.Inf(1))}
	if p.Objectives > 1 {
		r.regret = p.LogRegret(0)
	}
	return r
}

// take takes in one trial and returns the log10 regret of what is now recommended.
func (r *recommendation) take(result problem.Result) float64 {
	if (Outcome{Losses: result.Losses}).Failed() || !feasible(result.Constraints) {
		return r.regret
	}
	if r.problem.Objectives > 1 {
		r.front = insert(r.front, result.True)
		r.regret = r.problem.LogRegret(problem.Hypervolume(r.front, r.problem.Reference))
		return r.regret
	}
	if result.Losses[0] < r.told {
		r.told = result.Losses[0]
		r.regret = r.problem.LogRegret(result.True[0])
	}
	return r.regret
}

func feasible(constraints []float64) bool {
	for _, c := range constraints {
		if !(c <= 0) {
			return false
		}
	}
	return true
}
