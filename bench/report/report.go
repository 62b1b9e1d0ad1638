// Package report scores runs: how much less regret one optimizer leaves than another, and how sure
// that is, as tables, JSON and plots.
package report

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"slices"

	"github.com/tuned-hpo/tuned/bench/run"
)

// Random is the name of random search, which others are measured against.
const Random = "random"

// Report is all figures of a set of runs.
type Report struct {
	Made     string        `json:"made"`    // when
	Machine  string        `json:"machine"` // where
	Sections []Section     `json:"sections"`
	Async    []Async       `json:"async,omitempty"`
	Failures []run.Failure `json:"failures,omitempty"`
}

// Section is what was found on one suite with one number of workers.
type Section struct {
	Suite   string  `json:"suite"`
	Workers int     `json:"workers"`
	Budget  int     `json:"budget"` // trials per run, N
	Runs    int     `json:"runs"`   // pairs of problem and seed
	Scores  []Score `json:"scores"`
	Pairs   []Pair  `json:"pairs"`
	// Volumes are of the problems with several objectives.
	Volumes []Volume `json:"volumes,omitempty"`
}

// Checkpoints are the figures after N/4, N/2 and N trials.
type Checkpoints = [3]Figure

// Score is what one optimizer reached. Means are over runs.
type Score struct {
	Optimizer string   `json:"optimizer"`
	Ours      bool     `json:"ours"`
	Versions  []string `json:"versions"`
	Now       int      `json:"now"`  // runs made now
	Kept      int      `json:"kept"` // runs made earlier
	// Unsupported counts the runs that it cannot do, for the reason given.
	Unsupported int    `json:"unsupported,omitempty"`
	Reason      string `json:"reason,omitempty"`

	LogRegret Checkpoints `json:"logRegret"`
	// Rank is the mean rank among those that did every run of the section; NaN for the others.
	Rank Checkpoints `json:"rank"`
	// Normalized is the regret as a part of that which random search has after as many trials on the
	// same problem, at most 2. Area is the mean of it over all numbers of trials.
	Normalized Checkpoints `json:"normalized"`
	Area       Figure      `json:"area"`
	// Reached is the share of the targets reached: 10, 1, 0.1 and 0.01 times the median regret of
	// random search after N trials, on each problem.
	Reached Checkpoints `json:"reached"`

	Duplicates        Figure `json:"duplicates"`        // points per run that it had asked for before
	PendingDuplicates Figure `json:"pendingDuplicates"` // those that were still being evaluated
	CPU50             Figure `json:"cpu50"`             // seconds per trial, ask and tell: median
	CPU95             Figure `json:"cpu95"`
	Simulated         Figure `json:"simulated"` // simulated seconds per run
}

// Pair compares one of ours with another optimizer on the runs that both did.
type Pair struct {
	Ours     string `json:"ours"`
	Peer     string `json:"peer"`
	Runs     int    `json:"runs"`
	Clusters int    `json:"clusters"`
	// Difference is the mean of our log10 regret less the peer's: below 0 where ours is better.
	Difference [3]Interval `json:"difference"`
	// WinMinusLoss is the share of runs where ours is better less that where it is worse.
	WinMinusLoss Checkpoints `json:"winMinusLoss"`
}

// Async compares an optimizer with several workers to itself with one, after N trials.
type Async struct {
	Suite      string   `json:"suite"`
	Optimizer  string   `json:"optimizer"`
	Workers    int      `json:"workers"`
	Runs       int      `json:"runs"`
	Difference Interval `json:"difference"` // log10 regret with several workers less that with one
	Pending    int      `json:"pending"`    // points of all runs that were being evaluated already
	Faster     Figure   `json:"faster"`     // simulated time with one worker, divided by that with several
}

// Figure is a number that may be missing: NaN, which JSON writes as null.
type Figure float64

// MarshalJSON writes what is no finite number as null.
func (f Figure) MarshalJSON() ([]byte, error) {
	if math.IsNaN(float64(f)) || math.IsInf(float64(f), 0) {
		return []byte("null"), nil
	}
	return json.Marshal(float64(f))
}

// UnmarshalJSON reads what MarshalJSON writes.
func (f *Figure) UnmarshalJSON(text []byte) error {
	*f = Figure(math.NaN())
	if string(text) == "null" {
		return nil
	}
	return json.Unmarshal(text, (*float64)(f))
}

// MarshalJSON writes the mean and both ends.
func (i Interval) MarshalJSON() ([]byte, error) {
	return json.Marshal(run.Numbers{i.Mean, i.Low, i.High})
}

// UnmarshalJSON reads what MarshalJSON writes.
func (i *Interval) UnmarshalJSON(text []byte) error {
	var n run.Numbers
	if err := json.Unmarshal(text, &n); err != nil {
		return err
	}
	if len(n) != 3 {
		return fmt.Errorf("an interval has 3 numbers, got %d", len(n))
	}
	*i = Interval{n[0], n[1], n[2]}
	return nil
}

// New scores runs.
func New(runs []*run.Trajectory, failures []run.Failure) *Report {
	r := &Report{Failures: failures}
	groups := group(runs)
	for _, g := range groups {
		r.Sections = append(r.Sections, g.section())
	}
	for _, g := range groups {
		for _, one := range groups {
			if g.workers > 1 && one.workers == 1 && one.suite == g.suite {
				r.Async = append(r.Async, compareWorkers(g, one)...)
			}
		}
	}
	return r
}

// section computes the figures of one group.
func (g *runGroup) section() Section {
	s := Section{Suite: g.suite, Workers: g.workers, Budget: g.budget, Runs: len(g.keys)}
	reference := g.reference()
	rank := g.ranks()
	for _, name := range g.optimizers {
		score := g.score(name, reference)
		score.Rank = rank[name]
		s.Scores = append(s.Scores, score)
	}
	for i, ours := range s.Scores {
		for k, peer := range s.Scores {
			mirrored := i == k || g.isOurs(peer.Optimizer) && k < i
			if !g.isOurs(ours.Optimizer) || mirrored {
				continue
			}
			if p := g.pair(ours.Optimizer, peer.Optimizer); p.Runs > 0 {
				s.Pairs = append(s.Pairs, p)
			}
		}
	}
	s.Volumes = g.volumes()
	slices.SortStableFunc(s.Scores, func(a, b Score) int {
		if an, bn := math.IsNaN(float64(a.LogRegret[2])), math.IsNaN(float64(b.LogRegret[2])); an != bn {
			if an {
				return 1
			}
			return -1
		}
		return cmp.Compare(a.LogRegret[2], b.LogRegret[2])
	})
	return s
}

// pair compares two optimizers on the runs that both did.
func (g *runGroup) pair(ours, peer string) Pair {
	p := Pair{Ours: ours, Peer: peer}
	samples := [3][]sample{}
	clusters := make(map[string]bool)
	for _, k := range g.keys {
		a, b := g.runs[ours][k], g.runs[peer][k]
		if a == nil || b == nil {
			continue
		}
		p.Runs++
		clusters[a.Cluster] = true
		for c, t := range g.checkpoints() {
			samples[c] = append(samples[c], sample{a.Cluster, regretAt(a, t) - regretAt(b, t)})
		}
	}
	p.Clusters = len(clusters)
	for c := range samples {
		p.Difference[c] = bootstrap(samples[c])
		p.WinMinusLoss[c] = Figure(winMinusLoss(values(samples[c])))
	}
	return p
}

func values(samples []sample) []float64 {
	out := make([]float64, len(samples))
	for i, s := range samples {
		out[i] = s.value
	}
	return out
}

// compareWorkers compares each optimizer's runs with several workers to those with one.
func compareWorkers(several, one *runGroup) []Async {
	var out []Async
	for _, name := range several.optimizers {
		a := Async{Suite: several.suite, Optimizer: name, Workers: several.workers}
		var samples []sample
		var faster []float64
		for _, k := range several.keys {
			tr, base := several.runs[name][k], one.runs[name][k]
			if tr == nil || base == nil {
				continue
			}
			a.Pending += tr.PendingDuplicates
			samples = append(samples, sample{tr.Cluster, regretAt(tr, tr.Budget) - regretAt(base, tr.Budget)})
			faster = append(faster, base.Simulated/tr.Simulated)
		}
		if a.Runs = len(samples); a.Runs > 0 {
			a.Difference, a.Faster = bootstrap(samples), Figure(mean(faster))
			out = append(out, a)
		}
	}
	return out
}
