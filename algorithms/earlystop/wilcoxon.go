package earlystop

import (
	"fmt"
	"math"
	"slices"

	"github.com/tuned-hpo/tuned/algorithms"
)

// Wilcoxon stops a trial that is tested on a list of instances or folds, one report for each.
func Wilcoxon() algorithms.PrunerDefinition {
	return algorithms.PrunerDefinition{
		Name:      "wilcoxon",
		Summary:   "for trials that report one value per fold or instance: stops one that a signed-rank test finds worse than the best",
		Reference: "Wilcoxon 1945, Individual comparisons by ranking methods",
		Settings: []algorithms.Setting{
			{
				Name: "p_threshold", Type: algorithms.FloatSetting, Min: 0, Max: 1, Default: "0.1",
				Help: "a trial is stopped when the test's p-value is below this",
			},
			wholeNumber("start_step", 0, "2", "folds that the trial must have in common with the best one"),
		},
		New: func(p algorithms.Problem, v algorithms.Values) (algorithms.Pruner, error) {
			return wilcoxon{unit{p.Maximized}, v.Float("p_threshold", 0.1), int(v.Int("start_step", 2))}, nil
		},
	}
}

type wilcoxon struct {
	unit
	p     float64
	folds int
}

func (w wilcoxon) Prune(running algorithms.Trial, others []algorithms.Trial) algorithms.Decision {
	best := bestOf(others)
	if best == nil || len(best.Curve) == 0 || !finite(running.Curve) || !finite(best.Curve) {
		return goOn
	}
	var differences []float64
	for _, m := range running.Curve {
		if loss, ok := at(best.Curve, m.Step); ok {
			differences = append(differences, m.Loss-loss)
		}
	}
	if len(differences) < max(2, w.folds) {
		return goOn
	}
	p := signedRank(differences)
	own, its := mean(running.Curve), mean(best.Curve)
	if p >= w.p || own <= its { // better on average: not to be stopped, whatever the test says
		return goOn
	}
	return stop(fmt.Sprintf("after %s: mean %s is %s that of trial %d, %s (signed-rank test, p = %.2g)",
		plural(len(differences), "fold"), w.text(own), w.worse(), best.ID, w.text(its), p))
}

// bestOf returns the first of the trials with the least loss; nil when none has one. One that breaks
// constraints is the best of none.
func bestOf(trials []algorithms.Trial) (best *algorithms.Trial) {
	for i := range trials {
		t := &trials[i]
		if t.State != algorithms.Succeeded || slices.ContainsFunc(t.Constraints, func(c float64) bool { return !(c <= 0) }) {
			continue
		}
		if loss := t.Losses[0]; loss == loss && (best == nil || loss < best.Losses[0]) {
			best = t
		}
	}
	return best
}

func finite(curve []algorithms.Measurement) bool {
	return !slices.ContainsFunc(curve, func(m algorithms.Measurement) bool { return math.IsNaN(m.Loss) || math.IsInf(m.Loss, 0) })
}

// exactUpTo is the number of differences up to which the test is exact, as long as none is zero.
const exactUpTo = 50

// signedRank returns the p-value of Wilcoxon's test that differences are symmetric around zero, against the
// alternative that they are larger. Zeros count half for each side.
func signedRank(differences []float64) float64 {
	slices.SortFunc(differences, func(a, b float64) int {
		switch a, b := math.Abs(a), math.Abs(b); {
		case a < b:
			return -1
		case a > b:
			return 1
		}
		return 0
	})
	n := len(differences)
	positive, ties, zeros := 0.0, 0.0, false
	for i := 0; i < n; {
		j := i + 1
		for j < n && math.Abs(differences[j]) == math.Abs(differences[i]) {
			j++
		}
		rank, size := float64(float64(i+j+1)/2), float64(j-i) // of all that are equal, the mean
		ties += float64(size*size*size) - size
		for _, d := range differences[i:j] {
			switch {
			case d > 0:
				positive += rank
			case d == 0:
				positive += float64(rank / 2)
				zeros = true
			}
		}
		i = j
	}
	if n <= exactUpTo && !zeros {
		return upperTail(n, int(positive))
	}
	m := float64(n)
	variance := (float64(m*(m+1)*(2*m+1)) - float64(ties/2)) / 24
	return math.Erfc((positive-float64(m*(m+1)/4))/math.Sqrt(2*variance)) / 2
}

// upperTail returns the probability that the ranks 1 to n, each positive with probability 1/2, have a
// positive sum of at least w: the number of subsets by sum, one rank after the other. n is at most exactUpTo,
// so that all numbers are exact.
func upperTail(n, w int) float64 {
	sums := make([]float64, n*(n+1)/2+1)
	sums[0] = 1
	for rank := 1; rank <= n; rank++ {
		for s := rank * (rank + 1) / 2; s >= rank; s-- {
			sums[s] += sums[s-rank]
		}
	}
	total := 0.0
	for _, count := range sums[max(w, 0):] {
		total += count
	}
	return math.Ldexp(total, -n)
}
