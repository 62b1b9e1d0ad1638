package goals

import (
	"testing"

	"github.com/tuned-hpo/tuned/bench/report"
)

// TestFrontGoals wants the problem with the least ratio to decide, and the claim to count before the rest.
func TestFrontGoals(t *testing.T) {
	volumes := func(suite string, shares [2][3]float64) report.Section {
		s := report.Section{Suite: suite, Workers: 1}
		for i, problem := range []string{"zdt1", "zdt2"} {
			for k, name := range []string{"nsga2", "optuna-nsga2", "pymoo-nsga2"} {
				s.Volumes = append(s.Volumes, report.Volume{Problem: problem, Optimizer: name, Share: report.Figure(shares[i][k])})
			}
		}
		return s
	}
	for _, tt := range []struct {
		name     string
		shares   [2][3]float64
		one, two Verdict
	}{
		{"better on both", [2][3]float64{{0.9, 0.8, 0.7}, {0.9, 0.9, 0.9}}, Holds, Holds},
		{"less than pymoo on one", [2][3]float64{{0.9, 0.8, 0.7}, {0.96, 0.9, 0.98}}, Holds, Fails},
		{"much less", [2][3]float64{{0.9, 0.8, 0.7}, {0.9, 0.9, 0.99}}, Fails, Fails},
		{"less than Optuna on one", [2][3]float64{{0.9, 0.91, 0.7}, {0.9, 0.8, 0.8}}, Fails, Holds},
	} {
		f := Figures{Reports: []*report.Report{{Sections: []report.Section{
			volumes("fronts/zdt", [2][3]float64{}), volumes("fronts-claim/zdt", tt.shares),
		}}}}
		r := find(t, Rows(f), "nsga2: hypervolume", "")
		if r.Where != "fronts-claim/zdt" || r.One != tt.one || r.Two != tt.two {
			t.Errorf("%s: got %+v", tt.name, r)
		}
	}
	if r := find(t, Rows(Figures{}), "nsga3: hypervolume", ""); r.One != Unknown || r.Two != Unknown {
		t.Errorf("without figures: got %+v", r)
	}
}
