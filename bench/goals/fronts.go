package goals

import (
	"fmt"
	"math"
	"strings"

	"github.com/tuned-hpo/tuned/bench/report"
)

// fronts are the goals of the genetic algorithms on several objectives, against the same ones of Optuna and pymoo.
func (f Figures) fronts() []Row {
	var out []Row
	for _, ours := range []string{"nsga2", "nsga3"} {
		optuna, pymoo := "optuna-"+ours, "pymoo-"+ours
		blank := Row{
			Goal: ours + ": hypervolume", Where: "zdt, dtlz, N=1000", Measured: noFigure, One: Unknown, Two: Unknown,
			T1: fmt.Sprintf("on each problem >= %s's, >= 95 %% of %s's", optuna, pymoo), T2: fmt.Sprintf(">= %s's", pymoo),
		}
		var rows []Row
		for _, s := range f.frontSections() {
			first, one := least(s, ours, optuna)
			second, two := least(s, ours, pymoo)
			if first == "" || second == "" {
				continue
			}
			r := blank
			r.Where, r.Measured = s.Suite, fmt.Sprintf("least %s; %s; log10 regret %s; %s", first, second, f.regret(s, ours, optuna), f.regret(s, ours, pymoo))
			r.One, r.Two = verdict(one >= 1 && two >= 0.95), verdict(two >= 1)
			rows = append(rows, r)
		}
		out = append(append(out, orBlank(rows, blank)...), f.frontCost(ours))
	}
	return out
}

// frontSections are those of the claim, or else of the set that was tuned on.
func (f Figures) frontSections() []report.Section {
	for _, set := range []string{"fronts-claim/", "fronts/"} {
		var out []report.Section
		for _, r := range f.Reports {
			for _, s := range r.Sections {
				if s.Workers == 1 && strings.HasPrefix(s.Suite, set) {
					out = append(out, s)
				}
			}
		}
		if len(out) > 0 {
			return out
		}
	}
	return nil
}

// least is the least ratio of our hypervolume and a peer's on a problem of the suite, with its name.
func least(s report.Section, ours, peer string) (text string, ratio float64) {
	for _, v := range s.Volumes {
		if v.Optimizer != peer {
			continue
		}
		if r := float64(s.Volume(v.Problem, ours) / v.Share); !math.IsNaN(r) && (text == "" || r < ratio) {
			text, ratio = fmt.Sprintf("%.4f of %s's, on %s", r, peer, v.Problem), r
		}
	}
	return text, ratio
}

// regret is how much less the regret of ours is than a peer's.
func (f Figures) regret(s report.Section, ours, peer string) string {
	f.Ours = ours
	p, ok := f.pair(s, peer)
	if !ok {
		return noFigure
	}
	return p.Difference[2].String()
}

// frontCost is the goal on what ask and tell take, the suite with the most.
func (f Figures) frontCost(ours string) Row {
	most, known := 0.0, false
	for _, s := range f.frontSections() {
		for _, c := range s.Scores {
			if c.Optimizer == ours && !math.IsNaN(float64(c.CPU50)) {
				most, known = max(most, float64(c.CPU50)*1e3), true
			}
		}
	}
	return atMost(ours+": CPU of a trial", "zdt, dtlz, N=1000, median", "ms", most, 0.1, 0.05, known)
}
