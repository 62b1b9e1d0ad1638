package goals

import (
	"fmt"

	"github.com/tuned-hpo/tuned/bench/report"
)

// cmaesSets are the sets that the goals of CMA-ES are measured on: the first one has instances and seeds that nobody tuned on.
var cmaesSets = []string{"evolution-claim", "evolution"}

// cmaes are the goals of CMA-ES: within 200 trials, on functions of real numbers and of levels, and what a suggestion costs.
func (f Figures) cmaes() []Row {
	const name = "cmaes"
	regret := Row{
		Goal: name + ": regret", Where: "bbob24-d5-n200", Measured: noFigure, One: Unknown, Two: Unknown,
		T1: "<= 0.20 of random at N", T2: "<= 0.128",
	}
	levels := Row{
		Goal: name + " - optuna-cmaes", Where: "mixint24-d5-n200", Measured: noFigure, One: Unknown, Two: Unknown,
		T1: "<= -0.1 at N", T2: "<= -0.2",
	}
	var out []Row
	out = append(out, orBlank(f.onSets(cmaesSets, regret, func(s report.Section, r *Row) bool {
		v := normalized(s, name)
		r.Measured = fmt.Sprintf("%.3f; optuna-cmaes %.3f", v, normalized(s, "optuna-cmaes"))
		r.One, r.Two = verdict(v <= 0.20), verdict(v <= 0.128)
		return v == v // not NaN
	}), regret)...)
	out = append(out, orBlank(f.onSets(cmaesSets, levels, func(s report.Section, r *Row) bool {
		p, ok := Figures{Ours: name}.pair(s, "optuna-cmaes")
		d := p.Difference[2]
		r.Measured = d.String()
		r.One, r.Two = verdict(d.Mean <= -0.1), verdict(d.Mean <= -0.2)
		return ok
	}), levels)...)
	rung, ok := f.rung(name, 100, 1000)
	return append(out, atMost(name+": CPU of a suggestion", "d=100, n=1000, median", "us", float64(rung.CPU50)*1e6, 50, 20, ok))
}

// onSets fills in a row for each of the sets that has the suite that the row is about.
func (f Figures) onSets(sets []string, blank Row, fill func(report.Section, *Row) bool) []Row {
	var out []Row
	for _, set := range sets {
		r := blank
		r.Where = set + "/" + blank.Where
		if s, ok := f.section(r.Where, 1); ok && fill(s, &r) {
			out = append(out, r)
		}
	}
	return out
}
