package multifidelity_test

import (
	"slices"
	"testing"

	"github.com/tuned-hpo/tuned/algorithms"
	"github.com/tuned-hpo/tuned/algorithms/algorithmtest"
	"github.com/tuned-hpo/tuned/algorithms/builtin"
	"github.com/tuned-hpo/tuned/pkg/searchspace"
)

var names = []string{"hyperband", "asha", "bohb", "successivehalving"}

// resources are parameters of the suite's spaces, each with settings that make several levels of it.
var resources = []struct{ name, most, least string }{
	{"int", "9", "1"},
	{"double", "3", "0.2"},
	{"step", "0.9", "0.1"},
	{"discrete", "1e3", "8"},
	{"large", "1000", "1"},
	{"b", "3", "1"},
}

func TestConformance(t *testing.T) {
	for _, name := range names {
		for _, r := range resources {
			t.Run(name+" of "+r.name, func(t *testing.T) {
				algorithmtest.Run(t, definition(t, name), settings("resource_name", r.name, "r_l", r.most, "min_resource", r.least)...)
			})
		}
	}
	t.Run("asha at random", func(t *testing.T) {
		algorithmtest.Run(t, definition(t, "asha"), settings("resource_name", "int", "r_l", "9", "sampler", "random")...)
	})
	t.Run("asha of brackets", func(t *testing.T) {
		algorithmtest.Run(t, definition(t, "asha"), settings("resource_name", "int", "min_resource", "1", "eta", "2", "brackets", "3", "min_early_stopping_rate", "1")...)
	})
}

func definition(t testing.TB, name string) algorithms.Definition {
	t.Helper()
	def, err := builtin.Registry().Lookup(name)
	if err != nil {
		t.Fatal(err)
	}
	return def
}

// settings returns settings of names and values in turn.
func settings(namesAndValues ...string) (raw []algorithms.RawSetting) {
	for i := 0; i < len(namesAndValues); i += 2 {
		raw = append(raw, algorithms.RawSetting{Name: namesAndValues[i], Value: namesAndValues[i+1]})
	}
	return raw
}

// epochs is a problem whose resource is a number of epochs.
func epochs(t testing.TB, most int) algorithms.Problem {
	t.Helper()
	space, err := searchspace.New([]searchspace.Parameter{
		{Name: "lr", Kind: searchspace.Double, Distribution: searchspace.LogUniform, Min: 1e-4, Max: 1},
		{Name: "epochs", Kind: searchspace.Int, Min: 1, Max: float64(most)},
		{Name: "momentum", Kind: searchspace.Double, Max: 1},
	})
	if err != nil {
		t.Fatal(err)
	}
	return algorithms.Problem{Space: space, Objectives: 1, Seed: 7, Parallel: 1}
}

func suggester(t testing.TB, name string, p algorithms.Problem, raw ...algorithms.RawSetting) algorithms.Suggester {
	t.Helper()
	def := definition(t, name)
	values, err := algorithms.Parse(def, raw, "")
	if err != nil {
		t.Fatal(err)
	}
	s, err := algorithms.New(def, p, values)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestAdvice(t *testing.T) {
	for _, tt := range []struct {
		name   string
		raw    []algorithms.RawSetting
		trials int
		want   []string // settings advised on
	}{
		{"hyperband", settings("r_l", "9"), 13, nil},
		{"hyperband", settings("r_l", "9"), 12, []string{""}},
		{"hyperband", settings("r_l", "2"), 0, []string{"r_l"}},
		{"hyperband", settings("r_l", "2", "eta", "2"), 0, nil},
		{"bohb", settings("random_fraction", "1"), 1, []string{"", "random_fraction"}},
		{"asha", settings("r_l", "81", "min_resource", "80"), 1, []string{"r_l"}},
		{"successivehalving", settings("eta", "100"), 1, []string{"r_l"}},
	} {
		def := definition(t, tt.name)
		values, err := algorithms.Parse(def, append(tt.raw, settings("resource_name", "epochs")...), "")
		if err != nil {
			t.Fatal(err)
		}
		p := epochs(t, 81)
		p.MaxTrials = tt.trials
		var got []string
		for _, a := range def.Advise(p, values) {
			got = append(got, a.Setting)
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s %v: advice on %q, want %q", tt.name, tt.raw, got, tt.want)
		}
	}
}
