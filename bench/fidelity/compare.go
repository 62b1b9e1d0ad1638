package fidelity

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/tuned-hpo/tuned/bench/report"
)

// Share is how many of its epochs an optimizer would have needed if it were another one: the epochs after which the mean
// log10 regret of ours is no more than what the peer's ends with, as a part of all. It is +Inf where ours does not
// get there. The interval is of bootstrap draws of whole clusters.
type Share struct {
	Ours string        `json:"ours"`
	Peer string        `json:"peer"`
	Runs int           `json:"runs"`
	Mean report.Figure `json:"mean"`
	Low  report.Figure `json:"low"`
	High report.Figure `json:"high"`
	// Difference is the mean difference of log10 regret at the end, ours less the peer's.
	Difference report.Figure `json:"difference"`
}

// parts is into how many parts the epochs of a study are divided for means.
const parts = 200

// curve returns the log10 regret of a study after each part of its epochs.
func (s *Study) curve() []float64 {
	out := make([]float64, parts+1)
	at := 0
	for k := range out {
		for at+1 < len(s.Steps) && s.Steps[at+1].Epoch*parts <= k*s.Epochs {
			at++
		}
		out[k] = s.Steps[at].LogRegret
	}
	return out
}

// pair is the curves of two optimizers on the same problem and seed.
type pair struct {
	cluster     string
	ours, peers []float64
}

// Compare compares two optimizers on the studies that both did.
func Compare(ours, peer string, a, b []*Study) Share {
	pairs := match(a, b)
	all := make([]int, len(pairs))
	for i := range all {
		all[i] = i
	}
	s := Share{Ours: ours, Peer: peer, Runs: len(pairs)}
	mean, difference := share(pairs, all)
	s.Mean, s.Difference = report.Figure(mean), report.Figure(difference)
	low, high := interval(pairs)
	s.Low, s.High = report.Figure(low), report.Figure(high)
	return s
}

// match pairs the studies of one problem and seed, in the order of clusters.
func match(a, b []*Study) []pair {
	type key struct {
		problem string
		seed    uint64
	}
	theirs := make(map[key]*Study)
	for _, s := range b {
		theirs[key{s.Problem, s.Seed}] = s
	}
	var out []pair
	for _, s := range a {
		if t := theirs[key{s.Problem, s.Seed}]; t != nil && s.Unsupported == "" && t.Unsupported == "" {
			out = append(out, pair{s.Cluster, s.curve(), t.curve()})
		}
	}
	slices.SortStableFunc(out, func(x, y pair) int { return cmp.Compare(x.cluster, y.cluster) })
	return out
}

// share is that of the chosen pairs, and the difference at the end.
func share(pairs []pair, chosen []int) (part, difference float64) {
	ours, theirs := make([]float64, parts+1), 0.0
	for _, i := range chosen {
		for k, v := range pairs[i].ours {
			ours[k] += v
		}
		theirs += pairs[i].peers[parts]
	}
	n := float64(len(chosen))
	for k, v := range ours {
		if v <= theirs {
			return float64(k) / parts, (ours[parts] - theirs) / n
		}
	}
	return math.Inf(1), (ours[parts] - theirs) / n
}

// interval returns the 95 % percentile interval of the share when clusters are drawn with replacement; that of less than two
// clusters is infinite.
func interval(pairs []pair) (low, high float64) {
	const draws, confidence = 2000, 0.95
	var clusters [][]int
	for i := range pairs {
		if i == 0 || pairs[i].cluster != pairs[i-1].cluster {
			clusters = append(clusters, nil)
		}
		last := len(clusters) - 1
		clusters[last] = append(clusters[last], i)
	}
	if len(clusters) < 2 {
		return math.Inf(-1), math.Inf(1)
	}
	source := rand.New(rand.NewPCG(1, uint64(len(pairs))))
	shares := make([]float64, draws)
	var chosen []int
	for r := range shares {
		chosen = chosen[:0]
		for range clusters {
			chosen = append(chosen, clusters[source.IntN(len(clusters))]...)
		}
		shares[r], _ = share(pairs, chosen)
	}
	slices.Sort(shares)
	tail := int((1 - confidence) / 2 * draws)
	return shares[tail], shares[draws-1-tail]
}

// MeanCurve is the mean log10 regret of studies after each part of their epochs.
func MeanCurve(studies []*Study) []float64 {
	out := make([]float64, parts+1)
	for _, s := range studies {
		for k, v := range s.curve() {
			out[k] += v / float64(len(studies))
		}
	}
	return out
}
