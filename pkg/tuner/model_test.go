package tuner

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tuned-hpo/tuned/algorithms"
	"github.com/tuned-hpo/tuned/algorithms/builtin"
	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/store"
)

// modelled makes a registry whose algorithm says the given of its model.
func modelled(t *testing.T, insight func(algorithms.Problem, []algorithms.Trial) (algorithms.Insight, error)) *algorithms.Registry {
	t.Helper()
	registry, err := algorithms.NewRegistry(algorithms.Definition{
		Name: "random", Summary: "for a test",
		Insight: func(p algorithms.Problem, _ algorithms.Values, ts []algorithms.Trial) (algorithms.Insight, error) {
			return insight(p, ts)
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return registry
}

// known is what a model says that expects 2x of each output, one at either side.
func known(p algorithms.Problem, ts []algorithms.Trial) (algorithms.Insight, error) {
	out := algorithms.Insight{Trials: len(ts), At: ts[0].Point, Promise: [][]float64{{-1, 0, math.Inf(-1)}}}
	for range p.Objectives + p.Constraints {
		o := algorithms.OutputInsight{Importance: []algorithms.Importance{{Alone: 0.5, Total: 1}}, Slices: [][]algorithms.Slice{nil}}
		for _, x := range []float64{0, 0.5, 1} {
			o.Slices[0] = append(o.Slices[0], algorithms.Slice{Value: x, Band: algorithms.Band{Mean: 2 * x, Low: 2*x - 1, High: 2*x + 2}})
		}
		for i, value := range []float64{0, 1, 4} {
			mean := float64(i)
			o.LeftOut = append(o.LeftOut, algorithms.LeftOut{ID: uint64(i + 1), Value: value, Band: algorithms.Band{Mean: mean, Low: mean - 1, High: mean + 1}, Residual: value - mean})
		}
		o.Planes = []algorithms.Plane{{Values: [2][]float64{{0, 1}, {0.5}}, Bands: [][]algorithms.Band{{{Mean: 0, Low: -1, High: 2}}, {{Mean: 2, Low: 1, High: 4}}}}}
		out.Outputs = append(out.Outputs, o)
	}
	return out, nil
}

func TestModelInTheTermsOfTheExperiment(t *testing.T) {
	e := severalGoals(wanted(1, 9))
	e.Spec.Tuned.Constraints[0].Min = new(1.0)
	trials := []experiment.Trial{endedTrial(experiment.TrialSucceeded, 1, "0.25", "1"), endedTrial(experiment.TrialPending, 0, "0.5", "")}
	m, err := NewModel(e, trials, modelled(t, known))
	if err != nil {
		t.Fatal(err)
	}
	if m.Trials != 1 || m.Algorithm != "random" || m.Experiment != "default/sim" || m.At[0].Value != "0.25" {
		t.Errorf("got %+v", m)
	}
	if p := m.Promise; len(p) != 1 || p[0].Name != "x" || p[0].Values[0] != -1 || len(p[0].Values) != 3 {
		t.Errorf("promise: got %+v", p)
	}
	// Of x=1 the model expects 2, from 1 to 4, which is -2 of what is maximised, 2 above the
	// max of 10 and 2 below the min of 1.
	want := []ModelOutput{
		{Metric: "loss", Type: "minimize"},
		{Metric: "speed", Type: "maximize"},
		{Metric: "size", Max: new(10.0)},
		{Metric: "size", Min: new(1.0)},
	}
	bands := []Band{{2, 1, 4}, {-2, -4, -1}, {12, 11, 14}, {-1, -3, 0}}
	for i, o := range m.Outputs {
		last := o.Parameters[0].Slice[2]
		if last.Value != "1" || last.Band != bands[i] {
			t.Errorf("%s: got %+v, want %+v at 1", o.Metric, last, bands[i])
		}
		if l := o.LeftOut; math.Abs(float64(l.Within)-2.0/3) > 1e-15 || l.Correlation != 1 || l.Predicts || len(l.Trials) != 3 {
			t.Errorf("%s left out: got %+v", o.Metric, l)
		}
		if want := Value(map[bool]float64{false: 2, true: -2}[o.Type == "maximize" || o.Min != nil]); o.LeftOut.Trials[2].Residual != want {
			t.Errorf("%s left out: got residual %v, want %v", o.Metric, o.LeftOut.Trials[2].Residual, want)
		}
		wantPlane := ModelPlane{[2]string{"x", "x"}, [2][]string{{"0", "1"}, {"0.5"}}, [][]Band{{o.Parameters[0].Slice[0].Band}, {bands[i]}}}
		if diff := cmp.Diff(o.Planes, []ModelPlane{wantPlane}); diff != "" {
			t.Errorf("%s: planes: got (-), want (+):\n%s", o.Metric, diff)
		}
		o.Parameters, o.Planes, o.LeftOut = nil, nil, LeftOut{}
		if diff := cmp.Diff(o, want[i]); diff != "" {
			t.Errorf("got (-), want (+):\n%s", diff)
		}
	}
}

func TestModelThatThereIsNot(t *testing.T) {
	e := wanted(1, 9)
	trials := []experiment.Trial{endedTrial(experiment.TrialSucceeded, 1, "0.25", "1")}
	for _, tt := range []struct {
		name     string
		registry *algorithms.Registry
		says     string
	}{
		{"no model", builtin.Registry(), "algorithm random has no model to show"},
		{"too little", modelled(t, func(algorithms.Problem, []algorithms.Trial) (algorithms.Insight, error) {
			return algorithms.Insight{}, errors.New("too few trials")
		}), "too few trials"},
		{"a panic", modelled(t, func(algorithms.Problem, []algorithms.Trial) (algorithms.Insight, error) {
			panic("singular")
		}), "panicked: singular"},
		{"too few outputs", modelled(t, func(p algorithms.Problem, _ []algorithms.Trial) (algorithms.Insight, error) {
			return algorithms.Insight{At: make([]float64, p.Space.Len())}, nil
		}), "answered 0 outputs"},
	} {
		_, err := NewModel(e, trials, tt.registry)
		if !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: got %v, want ErrInvalid and ...%s...", tt.name, err, tt.says)
		}
	}
}

// TestModelIsMadeAnewWhenATrialHasFinished: until then the same one is answered.
func TestModelIsMadeAnewWhenATrialHasFinished(t *testing.T) {
	made := 0
	registry := modelled(t, func(p algorithms.Problem, ts []algorithms.Trial) (algorithms.Insight, error) {
		made++
		return known(p, ts)
	})
	r := newRig(t, registry)
	r.keep(wanted(1, 9), "sim", endedTrial(experiment.TrialSucceeded, 1, "0.25", "1"), endedTrial(experiment.TrialRunning, 0, "0.5", ""))
	ask := func(want, trials int) {
		t.Helper()
		if m, err := r.Model(t.Context(), r.key); err != nil || m.Trials != trials || made != want {
			t.Errorf("got a model of %d trials, %v, made %d times; want %d, %d", m.Trials, err, made, trials, want)
		}
	}
	ask(1, 1)
	ask(1, 1)
	ended := endedTrial(experiment.TrialSucceeded, 2, "0.5", "0.5")
	ended.Number, ended.Attempt, ended.Name = 2, 1, "sim2"
	if _, err := r.store.Commit(t.Context(), r.key, store.Change{Revision: 2, Update: []experiment.Trial{ended}}); err != nil {
		t.Fatal(err)
	}
	ask(2, 2)
	for i := range maxModels + 1 {
		if _, err := r.models.get(t.Context(), fmt.Sprint(i), 1, func() (Model, error) { return Model{}, nil }); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(r.models.of); n > maxModels {
		t.Errorf("%d models are kept, want at most %d", n, maxModels)
	}
}

// TestModelsOfOthersDoNotWait: while the model of one experiment is made, those of others are there, made before or
// not; of the one no second is made, and who gives up does not wait.
func TestModelsOfOthersDoNotWait(t *testing.T) {
	begun, release := make(chan struct{}, 10), make(chan struct{})
	registry := modelled(t, func(p algorithms.Problem, ts []algorithms.Trial) (algorithms.Insight, error) {
		if len(ts) == 2 { // of the slow one
			begun <- struct{}{}
			<-release
		}
		return known(p, ts)
	})
	r := newRig(t, registry)
	one := func() experiment.Trial { return endedTrial(experiment.TrialSucceeded, 1, "0.25", "1") }
	r.keep(wanted(1, 9), "slow", one(), endedTrial(experiment.TrialSucceeded, 2, "0.5", "1"))
	r.keep(wanted(1, 9), "cached", one())
	r.keep(wanted(1, 9), "uncached", one())
	key := func(name string) experiment.Key { return experiment.Key{Namespace: "default", Name: name} }
	if _, err := r.Model(t.Context(), key("cached")); err != nil {
		t.Fatal(err)
	}
	models := make(chan error, 3)
	ask := func() {
		_, err := r.Model(t.Context(), key("slow"))
		models <- err
	}
	go ask()
	<-begun
	go ask()
	go ask()
	for _, name := range []string{"cached", "uncached"} {
		if m, err := r.Model(t.Context(), key(name)); err != nil || m.Trials != 1 {
			t.Errorf("%s: got a model of %d trials, %v", name, m.Trials, err)
		}
	}
	given, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.Model(given, key("slow")); !errors.Is(err, context.Canceled) {
		t.Errorf("who gave up: got %v", err)
	}
	close(release)
	for range 3 {
		if err := <-models; err != nil {
			t.Error(err)
		}
	}
	if len(begun) > 0 {
		t.Error("the model was made more than once")
	}
}

// TestModelsThatFail: who waits makes the next attempt, also after a panic.
func TestModelsThatFail(t *testing.T) {
	var m models
	for _, fit := range []func() (Model, error){
		func() (Model, error) { return Model{}, errors.New("too few") },
		func() (Model, error) { panic("singular") },
	} {
		func() {
			defer func() { _ = recover() }()
			if _, err := m.get(t.Context(), "e", 1, fit); err == nil {
				t.Error("got a model")
			}
		}()
	}
	if got, err := m.get(t.Context(), "e", 1, func() (Model, error) { return Model{Trials: 7}, nil }); err != nil || got.Trials != 7 {
		t.Errorf("got %+v, %v", got, err)
	}
	if got, err := m.get(t.Context(), "e", 0, nil); err != nil || got.Trials != 7 {
		t.Errorf("for who knows fewer trials: got %+v, %v", got, err)
	}
}

// TestModelPredicts: below the correlation that chance alone gives, a model has shown nothing.
func TestModelPredicts(t *testing.T) {
	for _, tt := range []struct {
		name     string
		values   []float64 // expected to be 0, 1, 2, ...
		predicts bool
	}{
		{"nothing", nil, false},
		{"one", []float64{1}, false},
		{"three in order, one way of six", []float64{1, 2, 3}, false},
		{"four in order, one way of 24", []float64{1, 2, 3, 4}, true},
		{"four, two exchanged", []float64{1, 2, 4, 3}, false},
		{"all alike", []float64{1, 1, 1, 1, 1}, false},
		{"in reverse", []float64{9, 8, 7, 6, 5, 4}, false},
		{"ten, about 0.56 is chance", []float64{0, 3, 1, 9, 2, 5, 7, 4, 6, 8}, true}, // 0.64
		{"ten at 0.39", []float64{7, 0, 1, 9, 2, 3, 4, 5, 8, 6}, false},
	} {
		var cases []algorithms.LeftOut
		for i, v := range tt.values {
			cases = append(cases, algorithms.LeftOut{Value: v, Band: algorithms.Band{Mean: float64(i)}})
		}
		if got := (&view{sign: -1}).leftOut(cases); got.Predicts != tt.predicts {
			t.Errorf("%s: got %v at correlation %v, chance %v", tt.name, got.Predicts, got.Correlation, got.Chance)
		}
	}
}

func TestValueInJSON(t *testing.T) {
	text, err := json.Marshal([]Value{1.5, Value(math.NaN()), Value(math.Inf(-1))})
	if err != nil || string(text) != "[1.5,null,null]" {
		t.Fatalf("got %s, %v", text, err)
	}
	var back []Value
	if err := json.Unmarshal(text, &back); err != nil || back[0] != 1.5 || !math.IsNaN(float64(back[1])) {
		t.Errorf("read back: got %v, %v", back, err)
	}
}

func TestRankCorrelation(t *testing.T) {
	nan := math.NaN()
	for _, tt := range []struct {
		a, b []float64
		want float64
	}{
		{nil, nil, nan},
		{[]float64{1, 2}, []float64{1, 2}, nan},
		{[]float64{1, 2, 9}, []float64{0, 5, 6}, 1},
		{[]float64{1, 2, 9}, []float64{6, 5, 0}, -1},
		{[]float64{1, 1, 1}, []float64{6, 5, 0}, nan},
		{[]float64{1, 2, 2, 3}, []float64{1, 2, 3, 4}, 4.5 / math.Sqrt(4.5*5)}, // ranks 0, 1.5, 1.5, 3
	} {
		if got := rankCorrelation(tt.a, tt.b); fmt.Sprintf("%.12f", got) != fmt.Sprintf("%.12f", tt.want) {
			t.Errorf("%v, %v: got %v, want %v", tt.a, tt.b, got, tt.want)
		}
	}
}
