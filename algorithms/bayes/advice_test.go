package bayes

import (
	"strings"
	"testing"

	"github.com/tuned-hpo/tuned/algorithms"
)

// TestAdviceWithoutInitialPoints wants the two results that the model takes told of, whatever the setting.
func TestAdviceWithoutInitialPoints(t *testing.T) {
	def := BayesianOptimization()
	values, err := algorithms.Parse(def, []algorithms.RawSetting{{Name: "n_initial_points", Value: "0"}}, "")
	if err != nil {
		t.Fatal(err)
	}
	for trials, want := range []int{0, 1, 1, 0} {
		advice := def.Advise(algorithms.Problem{Space: mixedSpace(t), Objectives: 1, MaxTrials: trials}, values)
		if len(advice) != want {
			t.Errorf("%d trials: got %v, want %d", trials, advice, want)
		}
	}
}

func TestAdvice(t *testing.T) {
	for _, tt := range []struct {
		name   string
		def    algorithms.Definition
		budget int
		priors int
		value  string // of the setting; "" for none
		about  string // setting
		says   []string
	}{
		{"defaults", BayesianOptimization(), 4, 0, "", "n_initial_points", nil},
		{"a budget of the default", BayesianOptimization(), 3, 0, "", "n_initial_points", []string{"never used", "takes 3 trials", "there are 3 in all", "raise maxTrialCount or lower n_initial_points"}},
		{"one trial", BayesianOptimization(), 1, 0, "", "", []string{"never used", "takes 2 results", "maxTrialCount is 1; raise it"}},
		{"two trials", GP(), 2, 0, "", "", []string{"never used", "takes 2 results", "maxTrialCount is 2; raise it"}},
		{"as many as the budget", BayesianOptimization(), 20, 0, "20", "n_initial_points", []string{"never used"}},
		{"one less than the budget", BayesianOptimization(), 21, 0, "20", "n_initial_points", nil},
		{"more, without a limit", BayesianOptimization(), 0, 0, "1000000", "n_initial_points", nil},
		{"more, after earlier experiments", BayesianOptimization(), 20, 1, "30", "n_initial_points", nil},
		{"gp", GP(), 20, 0, "30", "initial_points", []string{"takes 30 trials"}},
		{"gp, fewer", GP(), 20, 0, "10", "initial_points", nil},
		{"tpe by default", TPE(), 10, 0, "", "n_startup_trials", []string{"takes 10 trials"}},
		{"tpe after earlier experiments", TPE(), 10, 1, "", "n_startup_trials", []string{"never used"}},
		{"multivariate-tpe", MultivariateTPE(), 10, 0, "9", "n_startup_trials", nil},
		{"another model", BayesianOptimization(), 20, 0, "RF", "base_estimator", []string{"RF has no effect", "Gaussian process", "leave it out"}},
		{"the model there is", BayesianOptimization(), 20, 0, "GP", "base_estimator", nil},
		{"per second", BayesianOptimization(), 20, 0, "PIps", "acq_func", []string{"PIps works as PI", "write PI"}},
		{"not per second", BayesianOptimization(), 20, 0, "EI", "acq_func", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := algorithms.Problem{Space: mixedSpace(t), Objectives: 1, MaxTrials: tt.budget, Priors: make([]algorithms.Prior, tt.priors)}
			var raw []algorithms.RawSetting
			if tt.value != "" {
				raw = append(raw, algorithms.RawSetting{Name: tt.about, Value: tt.value})
			}
			values, err := algorithms.Parse(tt.def, raw, "")
			if err != nil {
				t.Fatal(err)
			}
			advice := tt.def.Advise(p, values)
			if len(tt.says) == 0 {
				if len(advice) > 0 {
					t.Errorf("got %v, want no advice", advice)
				}
				return
			}
			if len(advice) != 1 || advice[0].Setting != tt.about {
				t.Fatalf("got %v, want one about %s", advice, tt.about)
			}
			for _, words := range tt.says {
				if !strings.Contains(advice[0].Text, words) {
					t.Errorf("got %q, want it to say %q", advice[0].Text, words)
				}
			}
		})
	}
}
