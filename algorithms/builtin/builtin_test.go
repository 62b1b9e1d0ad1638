package builtin

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/tuned-hpo/tuned/algorithms"
	"github.com/tuned-hpo/tuned/internal/testenv"
	"github.com/tuned-hpo/tuned/pkg/searchspace"
)

// settingsCase is one case of Katib's algorithm-settings.json.
type settingsCase struct {
	Service    string
	Algorithm  string
	Settings   []algorithms.RawSetting
	Parameters []struct {
		Name          string
		ParameterType string `json:"parameter_type"`
		FeasibleSpace struct {
			Min, Max, Step string
			List           []string
		} `json:"feasible_space"`
	}
	MaxTrialCount      int `json:"max_trial_count"`
	ParallelTrialCount int `json:"parallel_trial_count"`
	Code               string
	Details            string
}

// services lists the algorithms that Katib's services know.
var services = map[string][]string{
	"hyperopt":  {"random", "tpe"},
	"optuna":    {"random", "tpe", "multivariate-tpe", "cmaes", "grid"},
	"skopt":     {"bayesianoptimization"},
	"goptuna":   {"random", "tpe", "cmaes", "sobol"},
	"hyperband": {"hyperband"},
	"pbt":       {"pbt"},
	"enas":      {"enas"},
	"darts":     {"darts"},
}

func TestSettingsOfKatib(t *testing.T) {
	data, err := os.ReadFile(testenv.Katib(t, "vectors", "algorithm-settings.json"))
	if err != nil {
		t.Fatal(err)
	}
	var cases []settingsCase
	if err := json.Unmarshal(data, &cases); err != nil {
		t.Fatal(err)
	}
	if len(cases) == 0 {
		t.Fatal("no cases")
	}
	for i, c := range cases {
		err := c.check()
		if accepted, want := err == nil, c.Code == "OK"; accepted != want {
			t.Errorf("case %d, %s of %s with %v: got %v, want %s %s", i, c.Algorithm, c.Service, c.Settings, err, c.Code, c.Details)
		}
	}
	t.Logf("%d cases", len(cases))
}

// check does what is done with an experiment before anything of it runs.
func (c settingsCase) check() error {
	def, err := Registry().Lookup(c.Algorithm)
	if err != nil {
		return err
	}
	if known, listed := services[c.Service]; listed && !slices.Contains(known, c.Algorithm) {
		return fmt.Errorf("%s does not know %s", c.Service, c.Algorithm)
	}
	values, err := algorithms.Parse(def, c.Settings, c.Service)
	if err != nil {
		return err
	}
	space, err := c.space()
	if err != nil {
		return err
	}
	return algorithms.Check(def, algorithms.Problem{
		Space: space, Objectives: 1, MaxTrials: c.MaxTrialCount, Parallel: c.ParallelTrialCount,
	}, values)
}

func (c settingsCase) space() (*searchspace.Space, error) {
	kinds := map[string]searchspace.Kind{"DOUBLE": searchspace.Double, "INT": searchspace.Int, "DISCRETE": searchspace.Discrete, "CATEGORICAL": searchspace.Categorical}
	var params []searchspace.Parameter
	for _, p := range c.Parameters {
		param := searchspace.Parameter{Name: p.Name, Kind: kinds[p.ParameterType], Values: p.FeasibleSpace.List}
		for _, n := range []struct {
			text string
			to   *float64
		}{{p.FeasibleSpace.Min, &param.Min}, {p.FeasibleSpace.Max, &param.Max}, {p.FeasibleSpace.Step, &param.Step}} {
			if n.text == "" {
				continue
			}
			var err error
			if *n.to, err = strconv.ParseFloat(n.text, 64); err != nil {
				return nil, err
			}
		}
		if param.Kind == searchspace.Discrete {
			if err := sortNumbers(&param); err != nil {
				return nil, err
			}
		}
		params = append(params, param)
	}
	return searchspace.New(params)
}

func sortNumbers(p *searchspace.Parameter) error {
	number := make(map[string]float64)
	for _, text := range p.Values {
		v, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return err
		}
		number[text] = v
	}
	slices.SortFunc(p.Values, func(a, b string) int { return cmp.Compare(number[a], number[b]) })
	for _, text := range p.Values {
		p.Numbers = append(p.Numbers, number[text])
	}
	return nil
}

// TestExamplesOfKatib parses the settings of all example experiments.
func TestExamplesOfKatib(t *testing.T) {
	seen := 0
	err := filepath.WalkDir(testenv.Katib(t, "examples"), func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || filepath.Ext(path) != ".yaml" {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		var doc struct {
			Kind string
			Spec struct {
				Algorithm struct {
					AlgorithmName     string
					AlgorithmSettings []algorithms.RawSetting
				}
			}
		}
		if readable := yaml.Unmarshal(data, &doc) == nil; !readable || doc.Kind != "Experiment" {
			return nil // a template of something else
		}
		seen++
		a := doc.Spec.Algorithm
		def, err := Registry().Lookup(a.AlgorithmName)
		if err == nil {
			_, err = algorithms.Parse(def, a.AlgorithmSettings, "")
		}
		if invalid := a.AlgorithmName == "invalid-algorithm"; (err != nil) != invalid {
			t.Errorf("%s: algorithm %s: %v", path, a.AlgorithmName, err)
		}
		return nil
	})
	if err != nil || seen == 0 {
		t.Fatalf("%d experiments, %v", seen, err)
	}
	t.Logf("%d experiments", seen)
}

func problem(t *testing.T, parallel int) algorithms.Problem {
	t.Helper()
	space, err := searchspace.New([]searchspace.Parameter{
		{Name: "lr", Kind: searchspace.Double, Max: 1}, {Name: "epochs", Kind: searchspace.Int, Min: 1, Max: 9},
	})
	if err != nil {
		t.Fatal(err)
	}
	return algorithms.Problem{Space: space, Objectives: 1, Parallel: parallel}
}

var makeCases = []struct {
	name     string
	settings []algorithms.RawSetting
	parallel int
	dialect  string
	want     string // "" when it works
}{
	{"random", nil, 3, "", ""},
	{"sobol", nil, 3, "", ""},
	{"grid", nil, 3, "", "algorithm grid: parameters[0] (lr): a grid needs a step for a double"},
	{"bayesianoptimization", nil, 3, "", ""},
	{"gp", nil, 3, "", ""},
	{"tpe", []algorithms.RawSetting{{Name: "gamma", Value: "0.3"}, {Name: "n_startup_trials", Value: "3"}}, 3, "", ""},
	{"tpe", []algorithms.RawSetting{{Name: "gamma", Value: "0"}}, 3, "", "setting gamma must be above 0 and below 1, got 0"},
	{"cmaes", []algorithms.RawSetting{{Name: "restart_strategy", Value: "bipop"}}, 3, "", ""},
	{"cmaes", []algorithms.RawSetting{{Name: "restart_strategy", Value: "bipop"}}, 3, "goptuna", ""},
	{"cmaes", []algorithms.RawSetting{{Name: "restart_strategy", Value: "bipop"}}, 3, "optuna", "must be one of none, None, ipop"},
	{"hyperband", hyperbandSettings("9", "3"), 9, "", ""},
	{"hyperband", hyperbandSettings("9", "3"), 1, "hyperband", ""},
	{"hyperband", hyperbandSettings("9", "1"), 9, "", "eta must be at least 2, got 1"},
	{"hyperband", hyperbandSettings("9", "0"), 9, "", ""},
	{"hyperband", hyperbandSettings("9.5", "3"), 9, "", "r_l is 9.5, but epochs is at most 9"},
	{"hyperband", hyperbandSettings("0.1", "3"), 1, "", "r_l is 0.1, but a trial takes 1 of epochs at least"},
	{"hyperband", append(hyperbandSettings("9", "3"), algorithms.RawSetting{Name: "foo", Value: "1"}), 9, "hyperband", ""},
	{"hyperband", append(hyperbandSettings("9", "3"), algorithms.RawSetting{Name: "foo", Value: "1"}), 9, "", "unknown setting"},
	{"hyperband", hyperbandSettings(" 9 ", "3"), 9, "hyperband", ""},
	{"hyperband", hyperbandSettings(" 9 ", "3"), 9, "", "setting r_l must be a finite number"},
	{"hyperband", hyperbandSettings("0", "3"), 9, "", "setting r_l must be above 0, got 0"},
	{"hyperband", nil, 9, "", "setting r_l is required: "},
	{"hyperband", append(hyperbandSettings("9", "3")[:2], algorithms.RawSetting{Name: "resource_name", Value: "epoch"}), 9, "", `resource_name "epoch" is no parameter`},
	{"asha", hyperbandSettings("9", "3")[1:], 9, "", ""},
	{"asha", append(hyperbandSettings("9", "3"), algorithms.RawSetting{Name: "brackets", Value: "4"}), 9, "", "min_early_stopping_rate and brackets must be at most 3 together"},
	{"bohb", hyperbandSettings("9", "3")[1:], 9, "", ""},
	{"successivehalving", hyperbandSettings("9", "3")[1:], 9, "", ""},
	{"pbt", pbtSettings("5"), 3, "pbt", ""},
	{"pbt", pbtSettings("5")[1:], 3, "", ""},
	{"pbt", pbtSettings("5")[1:], 3, "pbt", "setting suggestion_trial_dir is required"},
	{"pbt", append(pbtSettings("5")[1:], algorithms.RawSetting{Name: "suggestion_trial_dir", Value: "checkpoints"}), 3, "", "suggestion_trial_dir must be an absolute path below /"},
	{"pbt", append(pbtSettings("5")[1:], algorithms.RawSetting{Name: "suggestion_trial_dir", Value: "//"}), 3, "", "suggestion_trial_dir must be an absolute path below /"},
	{"pbt", pbtSettings("4"), 3, "pbt", "setting n_population must be at least 5, got 4"},
	{"pbt", append(pbtSettings("5"), algorithms.RawSetting{Name: "resample_probability", Value: "0.3"}), 3, "pbt", "unknown setting"},
	{"pbt", append(pbtSettings("5"), algorithms.RawSetting{Name: "resample_probability", Value: "0.3"}), 3, "", ""},
	{"pbt", append(pbtSettings("5"), algorithms.RawSetting{Name: "resample_probability", Value: "1.1"}), 3, "", "setting resample_probability must be at least 0 and at most 1"},
	{"enas", nil, 3, "", "spec.nasConfig: neural architecture search needs an external service"},
	{"darts", nil, 3, "", "spec.nasConfig: neural architecture search needs an external service"},
	{"bayesian", nil, 3, "", `unknown algorithm "bayesian", known are auto, random, sobol, grid, bayesianoptimization`},
	{"sobel", nil, 3, "", `unknown algorithm "sobel", did you mean "sobol"?`},
}

func TestMakeBuiltin(t *testing.T) {
	for _, tt := range makeCases {
		def, err := Registry().Lookup(tt.name)
		var values algorithms.Values
		if err == nil {
			values, err = algorithms.Parse(def, tt.settings, tt.dialect)
		}
		if err == nil {
			_, err = algorithms.New(def, problem(t, tt.parallel), values)
		}
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s %v: got %v, want %q", tt.name, tt.settings, err, tt.want)
		}
		if got, want := errors.Is(err, algorithms.ErrNotBuilt), strings.Contains(tt.want, "not built yet"); got != want {
			t.Errorf("%s: %v wraps ErrNotBuilt: %t, want %t", tt.name, err, got, want)
		}
	}
}

func hyperbandSettings(length, eta string) []algorithms.RawSetting {
	return []algorithms.RawSetting{{Name: "r_l", Value: length}, {Name: "eta", Value: eta}, {Name: "resource_name", Value: "epochs"}}
}

func pbtSettings(population string) []algorithms.RawSetting {
	return []algorithms.RawSetting{
		{Name: "suggestion_trial_dir", Value: "/tmp"}, {Name: "n_population", Value: population}, {Name: "truncation_threshold", Value: "0.2"},
	}
}
