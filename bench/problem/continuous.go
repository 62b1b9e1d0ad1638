package problem

import (
	"fmt"
	"math"
	"slices"

	"github.com/tuned-hpo/tuned/pkg/searchspace"
)

// regretFloor is what regrets of functions with a known optimum are counted from.
const regretFloor = 1e-8

// bbobMembers are f01 to f24.
func bbobMembers() []string {
	names := make([]string, len(bbobFunctions))
	for i := range names {
		names[i] = fmt.Sprintf("f%02d", i+1)
	}
	return names
}

// place makes the function of a member of the families made of the 24 functions.
func place(member string, d int, instance uint64) *bbob {
	return newBBOB(slices.Index(bbobMembers(), member)+1, d, instance)
}

// makeBBOB makes a problem of bbob24: the functions as they are.
func makeBBOB(member string, d int, instance uint64) (*Problem, error) {
	if d < 2 {
		return nil, fmt.Errorf("bbob24 needs at least 2 dimensions, got %d", d)
	}
	b := place(member, d, instance)
	return b.problem("bbob24", member, instance, cube(d, -bbobDomain, bbobDomain), func(p searchspace.Point) []float64 { return p })
}

// problem makes the problem of finding the optimum in a space whose points coordinates maps to x.
func (b *bbob) problem(family, member string, instance uint64, params []searchspace.Parameter, coordinates func(searchspace.Point) []float64) (*Problem, error) {
	space, err := searchspace.New(params)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", family, member, err)
	}
	name := fmt.Sprintf("%s/%s/d%d/i%d", family, member, b.d, instance)
	p := &Problem{
		Name:       name,
		Cluster:    family + "/" + member,
		Space:      space,
		Objectives: 1,
		Eval: func(p searchspace.Point, _, _ uint64) Result {
			return exactly(b.fopt + b.excess(coordinates(p)))
		},
		Floor:   regretFloor,
		Seconds: logNormalSeconds(name),
	}
	p.setOptimum(b.fopt)
	return p, nil
}

// exactly is the result of an evaluation without noise.
func exactly(loss float64) Result {
	return Result{Losses: []float64{loss}, True: []float64{loss}}
}

// failed is the result of an evaluation that came to nothing.
func failed() Result {
	return Result{Losses: []float64{math.NaN()}, True: []float64{math.Inf(1)}}
}

// setOptimum sets Regret: the loss above the optimum. A run without a feasible point gets the
// worst regret of some random points.
func (p *Problem) setOptimum(optimum float64) {
	worst := 0.0
	p.sample(64, func(_ searchspace.Point, r Result) {
		if loss := r.True[0]; !math.IsInf(loss, 1) {
			worst = max(worst, loss-optimum)
		}
	})
	p.Regret = func(loss float64) float64 {
		if math.IsInf(loss, 1) {
			return worst
		}
		return loss - optimum
	}
}
