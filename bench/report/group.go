package report

import (
	"fmt"
	"math"
	"slices"

	"github.com/tuned-hpo/tuned/bench/run"
)

// runKey names what optimizers are compared on.
type runKey struct {
	problem string
	seed    uint64
}

// runGroup is the runs on one suite with one number of workers.
type runGroup struct {
	suite       string
	workers     int
	budget      int
	keys        []runKey // in the order in which they came
	optimizers  []string // in the order in which they came
	runs        map[string]map[runKey]*run.Trajectory
	unsupported map[string][]*run.Trajectory
}

// group sorts runs into groups, in the order in which they came.
func group(runs []*run.Trajectory) []*runGroup {
	var out []*runGroup
	index := make(map[string]*runGroup)
	for _, tr := range runs {
		name := fmt.Sprintf("%s@%d", tr.Suite, tr.Workers)
		g := index[name]
		if g == nil {
			g = &runGroup{
				suite: tr.Suite, workers: tr.Workers, budget: tr.Budget,
				runs: make(map[string]map[runKey]*run.Trajectory), unsupported: make(map[string][]*run.Trajectory),
			}
			index[name] = g
			out = append(out, g)
		}
		g.add(tr)
	}
	return out
}

func (g *runGroup) add(tr *run.Trajectory) {
	k := runKey{tr.Problem, tr.Seed}
	if !slices.Contains(g.keys, k) {
		g.keys = append(g.keys, k)
	}
	if g.runs[tr.Optimizer] == nil {
		g.optimizers = append(g.optimizers, tr.Optimizer)
		g.runs[tr.Optimizer] = make(map[runKey]*run.Trajectory)
	}
	if len(tr.LogRegret) == 0 {
		g.unsupported[tr.Optimizer] = append(g.unsupported[tr.Optimizer], tr)
		return
	}
	g.runs[tr.Optimizer][k] = tr
}

// checkpoints are N/4, N/2 and N, in trials.
func (g *runGroup) checkpoints() [3]int {
	return [3]int{max(1, g.budget/4), max(1, g.budget/2), g.budget}
}

// regretAt is the log10 regret after t trials, or after the last where a run ended before.
func regretAt(tr *run.Trajectory, t int) float64 {
	return tr.LogRegret[min(t, len(tr.LogRegret))-1]
}

// did returns an optimizer's runs in the order of keys.
func (g *runGroup) did(name string) []*run.Trajectory {
	var out []*run.Trajectory
	for _, k := range g.keys {
		if tr := g.runs[name][k]; tr != nil {
			out = append(out, tr)
		}
	}
	return out
}

// reference is what random search does on one problem.
type reference struct {
	mean    []float64 // regret after 1, 2, ... trials, mean over seeds
	logMean []float64 // the same of log10 regret
	median  float64   // of the regret after all
}

// reference returns what random search does on each problem.
func (g *runGroup) reference() map[string]reference {
	byProblem := make(map[string][]*run.Trajectory)
	for _, tr := range g.did(Random) {
		byProblem[tr.Problem] = append(byProblem[tr.Problem], tr)
	}
	out := make(map[string]reference)
	for problem, runs := range byProblem {
		r := reference{mean: make([]float64, g.budget), logMean: make([]float64, g.budget)}
		var last []float64
		for _, tr := range runs {
			for t := range r.mean {
				r.mean[t] += math.Pow(10, regretAt(tr, t+1)) / float64(len(runs))
				r.logMean[t] += regretAt(tr, t+1) / float64(len(runs))
			}
			last = append(last, math.Pow(10, regretAt(tr, g.budget)))
		}
		r.median = quantiles(last, 0.5)[0]
		out[problem] = r
	}
	return out
}

// normalized is a run's regret after t trials as a part of random search's, at most 2.
func (r reference) normalized(tr *run.Trajectory, t int) float64 {
	const most = 2
	return min(most, math.Pow(10, regretAt(tr, t))/r.mean[t-1])
}

// reached is the share of the targets that a run has reached after t trials. A regret at the
// problem's floor has reached all targets below it.
func (r reference) reached(targets []float64, tr *run.Trajectory, t int) float64 {
	share := 0.0
	for _, factor := range targets {
		if regretAt(tr, t) <= math.Log10(r.median*factor)+rounding {
			share += 1 / float64(len(targets))
		}
	}
	return share
}

// targets are multiples of random search's median regret. The fine ones are ten for each power of
// ten, for curves: from 10 to 0.001.
var (
	targets     = []float64{10, 1, 0.1, 0.01}
	fineTargets = func() (out [41]float64) {
		for i := range out {
			out[i] = math.Pow(10, 1-float64(i)/10)
		}
		return out
	}()
)

// rounding lets the median run of random search reach its own regret.
const rounding = 1e-9

// score computes the figures of one optimizer, but for its rank.
func (g *runGroup) score(name string, refs map[string]reference) Score {
	runs := g.did(name)
	s := Score{Optimizer: name, Unsupported: len(g.unsupported[name])}
	if s.Unsupported > 0 {
		s.Reason = g.unsupported[name][0].Unsupported
		s.Ours = g.unsupported[name][0].Ours
	}
	s.count(runs)
	over := func(f func(tr *run.Trajectory) float64) Figure {
		out := make([]float64, len(runs))
		for i, tr := range runs {
			out[i] = f(tr)
		}
		return Figure(mean(out))
	}
	for c, t := range g.checkpoints() {
		s.LogRegret[c] = over(func(tr *run.Trajectory) float64 { return regretAt(tr, t) })
		s.Normalized[c] = over(func(tr *run.Trajectory) float64 { return g.normalized(refs, tr, t) })
		s.Reached[c] = over(func(tr *run.Trajectory) float64 { return g.reached(refs, targets, tr, t) })
	}
	s.Area = over(func(tr *run.Trajectory) float64 {
		curve := make([]float64, g.budget)
		for t := range curve {
			curve[t] = g.normalized(refs, tr, t+1)
		}
		return mean(curve)
	})
	s.Duplicates = over(func(tr *run.Trajectory) float64 { return float64(tr.Duplicates) })
	s.PendingDuplicates = over(func(tr *run.Trajectory) float64 { return float64(tr.PendingDuplicates) })
	s.Simulated = over(func(tr *run.Trajectory) float64 { return tr.Simulated })
	return s
}

// count takes in where the runs come from, and what suggestions cost.
func (s *Score) count(runs []*run.Trajectory) {
	var cpu []float64
	for _, tr := range runs {
		s.Ours = tr.Ours
		if tr.Cached {
			s.Kept++
		} else {
			s.Now++
		}
		if !slices.Contains(s.Versions, tr.Version) {
			s.Versions = append(s.Versions, tr.Version)
		}
		for i := range tr.AskCPU {
			cpu = append(cpu, tr.AskCPU[i]+tr.TellCPU[i])
		}
	}
	s.CPU50, s.CPU95 = Spread(cpu)
}

// normalized and reached are NaN where random search was not run.
func (g *runGroup) normalized(refs map[string]reference, tr *run.Trajectory, t int) float64 {
	if r, ok := refs[tr.Problem]; ok {
		return r.normalized(tr, t)
	}
	return math.NaN()
}

func (g *runGroup) reached(refs map[string]reference, targets []float64, tr *run.Trajectory, t int) float64 {
	if r, ok := refs[tr.Problem]; ok {
		return r.reached(targets, tr, t)
	}
	return math.NaN()
}

// ranks returns the mean ranks of the optimizers that did every run of the group, NaN for others.
func (g *runGroup) ranks() map[string]Checkpoints {
	out := make(map[string]Checkpoints)
	var full []string
	for _, name := range g.optimizers {
		nan := Figure(math.NaN())
		out[name] = Checkpoints{nan, nan, nan}
		if len(g.runs[name]) == len(g.keys) {
			full = append(full, name)
		}
	}
	for c, t := range g.checkpoints() {
		sums := make([]float64, len(full))
		row := make([]float64, len(full))
		for _, k := range g.keys {
			for i, name := range full {
				row[i] = regretAt(g.runs[name][k], t)
			}
			for i, r := range ranks(row) {
				sums[i] += r
			}
		}
		for i, name := range full {
			mean := out[name]
			mean[c] = Figure(sums[i] / float64(len(g.keys)))
			out[name] = mean
		}
	}
	return out
}
