package goals

import (
	"testing"

	"github.com/tuned-hpo/tuned/bench/report"
)

// TestAutoGoal holds the one that chooses against the best of ours on each suite, whichever comes first in a pair; peers do
// not count.
func TestAutoGoal(t *testing.T) {
	suite := func(name string, regrets map[string]float64) report.Section {
		s := report.Section{Suite: name, Workers: 1}
		for _, o := range []string{"gp", "auto", "tpe", "optuna-gp"} {
			v := report.Figure(regrets[o])
			s.Scores = append(s.Scores, report.Score{Optimizer: o, Ours: o != "optuna-gp", LogRegret: report.Checkpoints{v, v, v}})
		}
		pair := func(a, b string) report.Pair {
			p := report.Pair{Ours: a, Peer: b}
			for c := range p.Difference {
				d := regrets[a] - regrets[b]
				p.Difference[c] = report.Interval{Mean: d, Low: d - 0.1, High: d + 0.2}
			}
			return p
		}
		s.Pairs = []report.Pair{pair("gp", "auto"), pair("gp", "tpe"), pair("auto", "tpe"), pair("auto", "optuna-gp")}
		return s
	}
	even := suite("full/a", map[string]float64{"gp": -1, "auto": -1, "tpe": 0, "optuna-gp": -2})
	behind := suite("long/b", map[string]float64{"gp": -1, "auto": -1.5, "tpe": -1.75, "optuna-gp": 0})
	ahead := suite("long/c", map[string]float64{"gp": -1, "auto": -1.5, "tpe": 0, "optuna-gp": 0})
	tests := []struct {
		name     string
		sections []report.Section
		one, two Verdict
		measured string
	}{
		{"even", []report.Section{even}, Holds, Fails, "worst full/a: gp +0.00 [-0.20, +0.10]"},
		{"ahead", []report.Section{ahead}, Holds, Holds, "worst long/c: gp -0.50 [-0.70, -0.40]"},
		{"behind on one", []report.Section{ahead, even, behind}, Fails, Fails, "worst long/b: tpe +0.25 [+0.15, +0.45]"},
		{"nothing", nil, Unknown, Unknown, noFigure},
	}
	for _, tt := range tests {
		r := find(t, Rows(Figures{Ours: "gp", Reports: []*report.Report{{Sections: tt.sections}}}), "auto - best single", "")
		if r.One != tt.one || r.Two != tt.two || r.Measured != tt.measured {
			t.Errorf("%s: got %+v", tt.name, r)
		}
	}
}
