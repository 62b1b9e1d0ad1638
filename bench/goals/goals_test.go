package goals

import (
	"math"
	"strings"
	"testing"

	"github.com/tuned-hpo/tuned/bench/fidelity"
	"github.com/tuned-hpo/tuned/bench/latency"
	"github.com/tuned-hpo/tuned/bench/report"
)

// section is one where the mean differences to a peer at N/4, N/2 and N have intervals of ±0.1.
func section(suite, peer string, means [3]float64, ours, theirs float64) *report.Report {
	p := report.Pair{Ours: "gp", Peer: peer, Runs: 24, Clusters: 24}
	for c, m := range means {
		p.Difference[c] = report.Interval{Mean: m, Low: m - 0.1, High: m + 0.1}
	}
	at := func(v float64) report.Checkpoints { return report.Checkpoints{1, 1, report.Figure(v)} }
	return &report.Report{Sections: []report.Section{{
		Suite: suite, Workers: 1, Pairs: []report.Pair{p},
		Scores: []report.Score{{Optimizer: "gp", Normalized: at(ours)}, {Optimizer: peer, Normalized: at(theirs)}},
	}}}
}

// find returns the only row of a goal at a place.
func find(t *testing.T, rows []Row, goal, where string) Row {
	t.Helper()
	var found []Row
	for _, r := range rows {
		if strings.Contains(r.Goal, goal) && strings.Contains(r.Where, where) {
			found = append(found, r)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d rows of %s, %s in %+v", len(found), goal, where, rows)
	}
	return found[0]
}

func TestSuiteGoals(t *testing.T) {
	const bbob, gp = "full/bbob24-d5", "optuna-gp"
	tests := []struct {
		name     string
		report   *report.Report
		goal     string
		one, two Verdict
	}{
		{"ambition", section(bbob, gp, [3]float64{-0.3, -0.5, -0.6}, 0.2, 0.3), "gp - optuna-gp", Holds, Holds},
		{"enough", section(bbob, gp, [3]float64{-0.3, -0.4, -0.4}, 0.2, 0.2), "gp - optuna-gp", Holds, Fails},
		{"not sure at N/4", section(bbob, gp, [3]float64{-0.05, -0.4, -0.4}, 0.2, 0.2), "gp - optuna-gp", Fails, Fails},
		{"mean too small", section(bbob, gp, [3]float64{-0.3, -0.29, -0.4}, 0.2, 0.2), "gp - optuna-gp", Fails, Fails},
		{"arithmetic mean worse", section(bbob, gp, [3]float64{-0.3, -0.5, -0.6}, 0.28, 0.24), "gp - optuna-gp", Fails, Holds},
		{"no figure", section(bbob, gp, [3]float64{-0.3, -0.5, -0.6}, math.NaN(), 0.24), "gp - optuna-gp", Fails, Holds},
		{"level with hebo", section("quick/x", "hebo", [3]float64{0, 0, 0.05}, 0, 0), "gp - hebo", Holds, Fails},
		{"worse than smac", section("quick/x", "smac-hpo", [3]float64{0, 0, 0.2}, 0, 0), "gp - smac", Fails, Fails},
		{"better than smac", section("quick/x", "smac-hpo", [3]float64{0, 0, -0.2}, 0, 0), "gp - smac", Holds, Holds},
		{"trees", section("claim/cond8", "optuna-tpe-group", [3]float64{0, 0, -0.4}, 0, 0), "conditional", Holds, Fails},
		{"one of two peers", section("quick/cat24-d5", gp, [3]float64{-1, -1, -1}, 0, 0), "categories", Unknown, Unknown},
	}
	for _, tt := range tests {
		rows := Rows(Figures{Ours: "gp", Reports: []*report.Report{tt.report}})
		if r := find(t, rows, tt.goal, ""); r.One != tt.one || r.Two != tt.two {
			t.Errorf("%s: got %+v, want %s, %s", tt.name, r, tt.one, tt.two)
		}
	}
}

func TestGoalsAgainstTwoPeers(t *testing.T) {
	both := section("full/hpotab15-open", "optuna-gp", [3]float64{0, 0, -0.2}, 0, 0)
	tpe := section("full/hpotab15-open", "optuna-tpe", [3]float64{0, 0, -0.3}, 0, 0)
	both.Sections[0].Pairs = append(both.Sections[0].Pairs, tpe.Sections[0].Pairs...)
	r := find(t, Rows(Figures{Ours: "gp", Reports: []*report.Report{both}}), "real tables", "full/hpotab15-open")
	if r.One != Holds || r.Two != Fails || r.Measured != "optuna-gp -0.20 [-0.30, -0.10]; optuna-tpe -0.30 [-0.40, -0.20]" {
		t.Errorf("got %+v", r)
	}
}

// TestClaimCounts puts figures on fresh problems before those on problems that were tuned on.
func TestClaimCounts(t *testing.T) {
	rows := Rows(Figures{Ours: "gp", Reports: []*report.Report{
		section("quick/bbob24-d5", "optuna-gp", [3]float64{-1, -1, -1}, 0, 0),
		section("claim/bbob24-d5", "optuna-gp", [3]float64{1, 1, 1}, 0, 0),
	}})
	if r := find(t, rows, "gp - optuna-gp", ""); r.Where != "claim/bbob24-d5" || r.One != Fails {
		t.Errorf("got %+v", r)
	}
}

func TestCostGoals(t *testing.T) {
	f := Figures{
		Ours: "gp",
		Ladders: []latency.Ladder{
			{Climb: latency.Climb{Optimizer: "gp", Dimension: 10, Pending: 8}, Reached: []latency.Rung{{N: 100, CPU50: 1}}},
			{Climb: latency.Climb{Optimizer: "gp", Dimension: 10}, Reached: []latency.Rung{
				{N: 100, CPU50: 0.010}, {N: 500, CPU50: 0.050}, {N: 1000, CPU50: 0.020, Peak: 60e6},
			}},
		},
		Firsts:  []latency.First{{Optimizer: "gp", Wall50: 0.0009}},
		Studies: []latency.Study{{Optimizer: "tpe", Dimension: 40, Trials: 1000, CPU: 0.5}},
	}
	tests := []struct {
		goal, where, measured string
		one, two              Verdict
	}{
		{"CPU of a suggestion", "n=100,", "10 ms", Holds, Fails},
		{"CPU of a suggestion", "n=500,", "50 ms", Fails, Fails},
		{"gp: CPU of a suggestion", "n=1000,", "20 ms", Holds, Holds},
		{"CPU of a suggestion", "n=10000,", "-", Unknown, Unknown},
		{"first suggestion", "", "0.9 ms", Holds, Holds},
		{"memory", "", "60 MB", Holds, Fails},
		{"tpe: CPU of a suggestion", "", "-", Unknown, Nowhere},
		{"tpe: CPU of a study", "", "0.5 s", Holds, Fails},
	}
	rows := Rows(f)
	for _, tt := range tests {
		if r := find(t, rows, tt.goal, tt.where); r.Measured != tt.measured || r.One != tt.one || r.Two != tt.two {
			t.Errorf("%s, %s: got %+v", tt.goal, tt.where, r)
		}
	}
}

func TestCMAESGoals(t *testing.T) {
	at := func(v float64) report.Checkpoints { return report.Checkpoints{1, 1, report.Figure(v)} }
	scores := func(suite string, v float64) report.Section {
		return report.Section{Suite: suite, Workers: 1, Scores: []report.Score{{Optimizer: "cmaes", Normalized: at(v)}}}
	}
	levels := report.Section{Suite: "evolution/mixint24-d5-n200", Workers: 1, Pairs: []report.Pair{{Ours: "cmaes", Peer: "optuna-cmaes"}}}
	levels.Pairs[0].Difference[2] = report.Interval{Mean: -0.15, Low: -0.3, High: 0.1}
	rows := Rows(Figures{
		Ours:    "gp",
		Reports: []*report.Report{{Sections: []report.Section{scores("evolution/bbob24-d5-n200", 0.12), scores("evolution-claim/bbob24-d5-n200", 0.15), levels}}},
		Ladders: []latency.Ladder{{Climb: latency.Climb{Optimizer: "cmaes", Dimension: 100}, Reached: []latency.Rung{{N: 1000, CPU50: 30e-6}}}},
	})
	for _, tt := range []struct {
		goal, where string
		one, two    Verdict
	}{
		{"cmaes: regret", "evolution-claim/", Holds, Fails},
		{"cmaes: regret", "evolution/", Holds, Holds},
		{"cmaes - optuna-cmaes", "evolution/", Holds, Fails},
		{"cmaes: CPU", "d=100", Holds, Fails},
	} {
		if r := find(t, rows, tt.goal, tt.where); r.One != tt.one || r.Two != tt.two {
			t.Errorf("got %+v, want %s, %s", r, tt.one, tt.two)
		}
	}
}

// TestFidelityGoals compares the best of ours at the end with the best of each family.
func TestFidelityGoals(t *testing.T) {
	section := func(suite string, workers, waits int, share report.Figure) fidelity.Section {
		return fidelity.Section{
			Suite: suite, Workers: workers,
			Scores: []fidelity.Score{
				{Optimizer: "asha", Ours: true, Studies: 2, Curve: []float64{0, -1}, Waits: waits},
				{Optimizer: "bohb", Ours: true, Studies: 2, Curve: []float64{0, -2}},
				{Optimizer: "optuna-sha", Studies: 2, Curve: []float64{0, -1}},
				{Optimizer: "optuna-hyperband", Studies: 2, Curve: []float64{0, -1.5}},
				{Optimizer: "synetune-asha"},
			},
			Shares: []fidelity.Share{{Ours: "asha", Peer: "optuna-hyperband", Mean: 0.1}, {Ours: "bohb", Peer: "optuna-hyperband", Mean: share}, {Ours: "bohb", Peer: "optuna-sha", Mean: 0.2}},
		}
	}
	rows := Rows(Figures{Ours: "gp", Curves: []fidelity.Section{
		section("fidelity/curves24-d5", 4, 0, report.Figure(math.Inf(1))), section("fidelity-claim/curves24-d5", 4, 0, 0.6), section("fidelity-claim/curves24-d5", 16, 3, 0.8),
	}})
	for _, tt := range []struct {
		goal, where, measured string
		one, two              Verdict
	}{
		{"quality of optuna", "fidelity-claim/curves24-d5@4", "60 % [0 %, 0 %] of optuna-hyperband; bohb", Holds, Holds},
		{"quality of optuna", "fidelity-claim/curves24-d5@16", "80 % [0 %, 0 %] of optuna-hyperband; bohb", Holds, Fails},
		{"quality of optuna", "fidelity/curves24-d5@4", "> 100 % [0 %, 0 %] of optuna-hyperband; bohb", Fails, Fails},
		{"quality of synetune", "", noFigure, Unknown, Unknown},
		{"no worker waits", "", "3 waits in 4 studies", Fails, Nowhere},
	} {
		if r := find(t, rows, tt.goal, tt.where); r.Measured != tt.measured || r.One != tt.one || r.Two != tt.two {
			t.Errorf("got %+v, want %+v", r, tt)
		}
	}
}
