package experiment

import (
	"errors"
	"math"
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/tuned-hpo/tuned/pkg/searchspace"
)

func TestParseNumber(t *testing.T) {
	for _, tt := range []struct {
		text string
		want float64
	}{
		{"3", 3},
		{"+3", 3},
		{"-3", -3},
		{".5", 0.5},
		{"5.", 5},
		{"0.10", 0.1},
		{"1e-3", 0.001},
		{"1E+3", 1000},
		{"007", 7},
		{"-0", math.Copysign(0, -1)},
		{"1e-400", 0},
		{"inf", math.Inf(1)},
		{"-Inf", math.Inf(-1)},
		{"+infinity", math.Inf(1)},
		{"nan", math.NaN()},
		{"NaN", math.NaN()},
	} {
		got, err := ParseNumber(tt.text)
		if err != nil || math.Float64bits(got) != math.Float64bits(tt.want) && !(math.IsNaN(got) && math.IsNaN(tt.want)) {
			t.Errorf("%q: got %v, %v; want %v", tt.text, got, err, tt.want)
		}
	}
	for _, text := range []string{"", " 1", "1 ", "1_000", "0x10", "0x1p-2", "0b1", "1e999", "-1e999", "1,5", "one", "1e", ".", "--1", "١", "nan(1)"} {
		if got, err := ParseNumber(text); err == nil {
			t.Errorf("%q: got %v, want an error", text, got)
		}
	}
}

func TestSpace(t *testing.T) {
	s := Spec{
		Algorithm: &Algorithm{AlgorithmName: "hyperband", AlgorithmSettings: []Setting{{"resource_name", "epochs"}}},
		Parameters: []ParameterSpec{
			{Name: "lr", ParameterType: "double", FeasibleSpace: FeasibleSpace{Min: "1e-3", Max: ".10", Distribution: "logUniform"}},
			{Name: "units", ParameterType: "int", FeasibleSpace: FeasibleSpace{Min: "8", Max: "64", Step: "8", Distribution: "normal"}},
			{Name: "drop", ParameterType: "discrete", FeasibleSpace: FeasibleSpace{List: []string{"0.50", "1e-1", "2"}, Distribution: "uniform"}},
			{Name: "opt", ParameterType: "categorical", FeasibleSpace: FeasibleSpace{List: []string{"sgd", "adam"}}},
			{
				Name: "beta", ParameterType: "double", FeasibleSpace: FeasibleSpace{Min: "0", Max: "1", Distribution: "logNormal"},
				ActiveWhen: &ActiveWhen{Parameter: "opt", Values: []string{"adam"}},
			},
			{Name: "epochs", ParameterType: "int", FeasibleSpace: FeasibleSpace{Min: "1", Max: "1"}},
		},
	}
	s.Parameters[4].FeasibleSpace.Min = "0.5"
	space, err := s.Space()
	if err != nil {
		t.Fatal(err)
	}
	want := []searchspace.Parameter{
		{Name: "lr", Kind: searchspace.Double, Distribution: searchspace.LogUniform, Min: 0.001, Max: 0.1},
		{Name: "units", Kind: searchspace.Int, Distribution: searchspace.Normal, Min: 8, Max: 64, Step: 8},
		{Name: "drop", Kind: searchspace.Discrete, Values: []string{"1e-1", "0.50", "2"}, Numbers: []float64{0.1, 0.5, 2}},
		{Name: "opt", Kind: searchspace.Categorical, Values: []string{"sgd", "adam"}},
		{
			Name: "beta", Kind: searchspace.Double, Distribution: searchspace.LogNormal, Min: 0.5, Max: 1,
			ActiveWhen: &searchspace.Condition{Parent: "opt", Values: []string{"adam"}},
		},
		{Name: "epochs", Kind: searchspace.Discrete, Values: []string{"1"}, Numbers: []float64{1}},
	}
	if diff := gocmp.Diff(want, space.Parameters()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if !slices.Equal(s.Parameters[2].FeasibleSpace.List, []string{"0.50", "1e-1", "2"}) {
		t.Errorf("the spec's own list was sorted: %v", s.Parameters[2].FeasibleSpace.List)
	}
}

// TestSpaceOfResource wants the range of the parameter that Hyperband deals out to reach r_l.
func TestSpaceOfResource(t *testing.T) {
	for _, tt := range []struct {
		kind, min, max, most string
		want                 searchspace.Parameter
	}{
		{"int", "1", "1", "2", searchspace.Parameter{Kind: searchspace.Int, Min: 1, Max: 2}},
		{"int", "1", "20", "27.5", searchspace.Parameter{Kind: searchspace.Int, Min: 1, Max: 27}},
		{"int", "1", "81", "27", searchspace.Parameter{Kind: searchspace.Int, Min: 1, Max: 81}},
		{"double", "0.5", "1", "2.5", searchspace.Parameter{Kind: searchspace.Double, Min: 0.5, Max: 2.5}},
		{"int", "1", "1", "many", searchspace.Parameter{Kind: searchspace.Discrete, Values: []string{"1"}, Numbers: []float64{1}}},
		{"int", "1", "1", "inf", searchspace.Parameter{Kind: searchspace.Discrete, Values: []string{"1"}, Numbers: []float64{1}}},
	} {
		s := Spec{
			Algorithm:  &Algorithm{AlgorithmName: "hyperband", AlgorithmSettings: []Setting{{"r_l", tt.most}, {"resource_name", "epochs"}}},
			Parameters: []ParameterSpec{{Name: "epochs", ParameterType: tt.kind, FeasibleSpace: FeasibleSpace{Min: tt.min, Max: tt.max}}},
		}
		space, err := s.Space()
		if err != nil {
			t.Errorf("%s from %s to %s, r_l %s: %v", tt.kind, tt.min, tt.max, tt.most, err)
			continue
		}
		tt.want.Name = "epochs"
		if diff := gocmp.Diff([]searchspace.Parameter{tt.want}, space.Parameters()); diff != "" {
			t.Errorf("%s from %s to %s, r_l %s, -want +got:\n%s", tt.kind, tt.min, tt.max, tt.most, diff)
		}
	}
}

func TestSpaceFaults(t *testing.T) {
	s := Spec{Parameters: []ParameterSpec{
		{Name: "a", ParameterType: "double", FeasibleSpace: FeasibleSpace{Min: "low", Max: "1", Step: "0"}},
		{Name: "b", ParameterType: "int", FeasibleSpace: FeasibleSpace{Min: "2", Max: "1"}},
		{Name: "c", ParameterType: "double", FeasibleSpace: FeasibleSpace{Max: "1"}},
		{Name: "d", ParameterType: "real", FeasibleSpace: FeasibleSpace{Min: "0", Max: "1"}},
		{Name: "e", ParameterType: "double", FeasibleSpace: FeasibleSpace{Min: "0", Max: "1", Distribution: "gamma"}},
		{Name: "f", ParameterType: "categorical", FeasibleSpace: FeasibleSpace{List: []string{"x"}}, ActiveWhen: &ActiveWhen{"g", []string{"x"}}},
		{Name: "g", ParameterType: "categorical", FeasibleSpace: FeasibleSpace{List: []string{"x"}}, ActiveWhen: &ActiveWhen{"f", []string{"x"}}},
	}}
	_, err := s.Space()
	var faults Faults
	if !errors.As(err, &faults) {
		t.Fatalf("got %v, want Faults", err)
	}
	for _, path := range []string{
		"spec.parameters[0].feasibleSpace.min", "spec.parameters[0].feasibleSpace.step", "spec.parameters[1].feasibleSpace.max",
		"spec.parameters[2].feasibleSpace.max", "spec.parameters[3].parameterType", "spec.parameters[4].feasibleSpace.distribution",
		"spec.parameters[5].activeWhen",
	} {
		if !faults.has(path) {
			t.Errorf("no fault at %s among:\n%v", path, faults)
		}
	}
	if len(faults) != 7 {
		t.Errorf("got %d faults, want 7:\n%v", len(faults), faults)
	}
}

// TestSpaceBelowZero: a range whose max is below zero ends there; only a resource grows up to r_l.
func TestSpaceBelowZero(t *testing.T) {
	for _, tt := range []struct {
		kind, low, high string
		min, max        float64
	}{
		{"int", "-5", "-1", -5, -1},
		{"double", "-1.5", "-0.5", -1.5, -0.5},
		{"int", "-9007199254740992", "-9007199254740000", -9007199254740992, -9007199254740000},
	} {
		s := &Spec{Parameters: []ParameterSpec{{Name: "x", ParameterType: tt.kind, FeasibleSpace: FeasibleSpace{Min: tt.low, Max: tt.high}}}}
		space, err := s.Space()
		if err != nil {
			t.Errorf("[%s, %s]: %v", tt.low, tt.high, err)
			continue
		}
		if p := space.Parameters()[0]; p.Min != tt.min || p.Max != tt.max {
			t.Errorf("%s [%s, %s] became [%v, %v]", tt.kind, tt.low, tt.high, p.Min, p.Max)
		}
	}
}
