package earlystop

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/tuned-hpo/tuned/algorithms"
	"github.com/tuned-hpo/tuned/algorithms/algorithmtest"
)

func settings(pairs ...string) (out []algorithms.RawSetting) {
	for pair := range slices.Chunk(pairs, 2) {
		out = append(out, algorithms.RawSetting{Name: pair[0], Value: pair[1]})
	}
	return out
}

func TestConformance(t *testing.T) {
	given := map[string][]algorithms.RawSetting{
		"threshold": settings("upper", "1.5"), "successivehalving": settings("min_resource", "1", "reduction_factor", "2"),
		"wilcoxon": settings("p_threshold", "0.4"), "percentile": settings("min_trials_required", "1"),
		"medianstop": settings("min_trials_required", "1"), "patience": settings("patience", "5"),
	}
	for _, def := range Definitions() {
		t.Run(def.Name, func(t *testing.T) { algorithmtest.RunPruner(t, def, given[def.Name]...) })
	}
	t.Run("katib", func(t *testing.T) {
		algorithmtest.RunPruner(t, MedianStop(), settings("semantics", "katib", "min_trials_required", "1")...)
	})
}

// made returns a rule with settings.
func made(t *testing.T, def algorithms.PrunerDefinition, maximized bool, pairs ...string) algorithms.Pruner {
	t.Helper()
	v, err := algorithms.ParsePruner(def, settings(pairs...))
	if err != nil {
		t.Fatal(err)
	}
	p, err := algorithms.NewPruner(def, algorithms.Problem{Objectives: 1, Maximized: maximized}, v)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// curve has steps from 1.
func curve(losses ...float64) (out []algorithms.Measurement) {
	for i, loss := range losses {
		out = append(out, algorithms.Measurement{Step: int64(i + 1), Loss: loss})
	}
	return out
}

func succeeded(id uint64, losses ...float64) algorithms.Trial {
	return algorithms.Trial{ID: id, State: algorithms.Succeeded, Losses: losses[len(losses)-1:], Curve: curve(losses...)}
}

func TestReasons(t *testing.T) {
	others := []algorithms.Trial{succeeded(1, -.5, -.7, -.8), succeeded(2, -.4, -.75, -.9), succeeded(3, -.6, -.85, -.95)}
	tests := []struct {
		def      algorithms.PrunerDefinition
		settings []string
		running  []algorithms.Measurement // losses of an accuracy
		want     string
	}{
		{MedianStop(), []string{"start_step", "2"}, curve(-.1, -.7), "step 2: best value so far 0.7 is below 0.75, the median of 3 trials"},
		{MedianStop(), []string{"start_step", "3"}, curve(-.1, -.7), ""},
		{
			MedianStop(),
			[]string{"semantics", "katib", "start_step", "2"},
			curve(-.1, -.6),
			"report 2: best value so far 0.6 is below 0.633333, the mean of 3 trials over their first 2 reports",
		},
		{MedianStop(), []string{"semantics", "katib", "start_step", "2"}, curve(-.1, -.6, -.6), ""},
		{Percentile(), []string{"min_trials_required", "3"}, curve(-.5), "step 1: best value so far 0.5 is below 0.55, the percentile 75 of 3 trials"},
		{Threshold(), []string{"lower", "0.2"}, curve(-.1), "step 1: value 0.1 is below 0.2"},
		{Threshold(), []string{"lower", "0.2", "upper", "1"}, curve(-1.5), "step 1: value 1.5 is above 1"},
		{Threshold(), []string{"lower", "0.2"}, curve(-.3), ""},
		{Threshold(), []string{"lower", "0.2"}, curve(math.NaN()), "step 1: the value is no number"},
		{Patience(), []string{"patience", "1"}, curve(-.5, -.4, -.45), "step 3: the best of the last 2 reports is 0.45, below the 0.5 that it had before"},
		{Patience(), []string{"patience", "1", "min_delta", "0.1"}, curve(-.5, -.4, -.45), ""},
		{
			SuccessiveHalving(),
			[]string{"min_resource", "2", "reduction_factor", "2"},
			curve(-.9, -.7),
			"step 2: value 0.7 is below 0.75, that of the best 1 in 2 of 4 trials that came to rung 2",
		},
		{
			SuccessiveHalving(),
			[]string{"min_resource", "2", "bootstrap_count", "4"},
			curve(-.9, -.99),
			"step 2: no more than 4 trials came to rung 2, of which none goes on (bootstrap_count)",
		},
		{SuccessiveHalving(), []string{"min_resource", "2"}, curve(-.9, -.85), ""},
		{
			Wilcoxon(),
			[]string{"p_threshold", "0.13"},
			curve(-.4, -.6, -.7),
			"after 3 folds: mean 0.566667 is below that of trial 3, 0.8 (signed-rank test, p = 0.12)",
		},
		{Wilcoxon(), nil, curve(-.4, -.6, -.7), ""}, // 1/8 is not below 0.1
	}
	for i, tt := range tests {
		t.Run(fmt.Sprint(tt.def.Name, i), func(t *testing.T) {
			got := made(t, tt.def, true, tt.settings...).Prune(algorithms.Trial{ID: 9, Curve: tt.running}, others)
			if got.Reason != tt.want || got.Stop != (tt.want != "") {
				t.Errorf("got  %+v\nwant %q", got, tt.want)
			}
		})
	}
}

// TestKatibsMean has the example of Katib's arithmetic: averages 1, 2 and 9 make 4, although their median is 2.
func TestKatibsMean(t *testing.T) {
	others := []algorithms.Trial{succeeded(1, 1, 1), succeeded(2, 1, 3), succeeded(3, 8, 10, -100), succeeded(4, math.NaN(), 1)}
	katib := made(t, MedianStop(), false, "semantics", "katib", "start_step", "2")
	for best, want := range map[float64]bool{3: false, 4: false, 4.01: true} {
		if got := katib.Prune(algorithms.Trial{Curve: curve(best, 50)}, others); got.Stop != want {
			t.Errorf("best %g: got %+v", best, got)
		}
	}
	if got := katib.Prune(algorithms.Trial{Curve: curve(50, 50)}, others[1:]); got.Stop {
		t.Errorf("two averages of the three that are required, but %+v", got)
	}
}

func TestSettings(t *testing.T) {
	tests := []struct {
		def   algorithms.PrunerDefinition
		given []algorithms.RawSetting
		want  string
	}{
		{MedianStop(), settings("start_step", "0"), "early stopping rule medianstop: setting start_step must be at least 1, got 0"},
		{MedianStop(), settings("min_trials_required", "0"), "setting min_trials_required must be at least 1, got 0"},
		{MedianStop(), settings("start_stop", "4"), `unknown setting "start_stop", did you mean "start_step"?`},
		{MedianStop(), settings("semantics", "katib", "interval_steps", "2"), "interval_steps has no meaning"},
		{Threshold(), nil, "early stopping rule threshold: give lower, upper or both"},
		{Threshold(), settings("lower", "2", "upper", "1"), "lower is 2, above upper, which is 1"},
		{SuccessiveHalving(), settings("reduction_factor", "1"), "reduction_factor must be at least 2, got 1"},
	}
	for _, tt := range tests {
		v, err := algorithms.ParsePruner(tt.def, tt.given)
		if err == nil {
			_, err = algorithms.NewPruner(tt.def, algorithms.Problem{}, v)
		}
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s %v: got %v, want %q", tt.def.Name, tt.given, err, tt.want)
		}
	}
}

func TestQuantile(t *testing.T) {
	tests := []struct {
		values []float64
		share  float64
		want   float64
	}{
		{[]float64{3}, 0.5, 3},
		{[]float64{4, 1}, 0.5, 2.5},
		{[]float64{9, 1, 5}, 0.5, 5},
		{[]float64{4, 3, 2, 1}, 0.25, 1.75},
		{[]float64{4, 3, 2, 1}, 1, 4},
		{[]float64{4, 3, 2, 1}, 0, 1},
		{[]float64{math.Inf(1), 1, math.Inf(1)}, 0.75, math.Inf(1)},
	}
	for _, tt := range tests {
		if got := quantile(slices.Clone(tt.values), tt.share); got != tt.want {
			t.Errorf("share %g of %v: got %g, want %g", tt.share, tt.values, got, tt.want)
		}
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for range 500 {
		values := make([]float64, 1+rng.IntN(40))
		for i := range values {
			values[i] = float64(rng.IntN(10))
		}
		k, sorted := rng.IntN(len(values)), slices.Sorted(slices.Values(values))
		if got := selected(values, k); got != sorted[k] || slices.Max(values[:k+1]) != got || slices.Min(values[k:]) != got {
			t.Fatalf("place %d of %v: got %g", k, sorted, got)
		}
	}
}

// TestSignedRank has p-values of scipy.stats.wilcoxon(alternative="greater", zero_method="zsplit") 1.14.1.
func TestSignedRank(t *testing.T) {
	tests := []struct {
		differences []float64
		want        float64
	}{
		{[]float64{1, 2, 3}, 0.125},
		{[]float64{-1, 2, 3, 4}, 0.125},
		{[]float64{-3, -1, 2}, 0.75},
		{[]float64{1, 1, -1, 2, 5, 3}, 0.046875},
		{[]float64{0, 0, 0}, 0.5},
		{[]float64{0, 1, 2}, 0.09072460386071024},
	}
	for _, tt := range tests {
		if got := signedRank(slices.Clone(tt.differences)); math.Abs(got-tt.want) > 1e-12 {
			t.Errorf("%v: got %.17g, want %.17g", tt.differences, got, tt.want)
		}
	}
}

func BenchmarkMedian(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 1))
	trial := func(id uint64) algorithms.Trial {
		losses := make([]float64, 1000)
		for i := range losses {
			losses[i] = rng.Float64()
		}
		return succeeded(id, losses...)
	}
	var others []algorithms.Trial
	for id := range uint64(1000) {
		others = append(others, trial(id+1))
	}
	running := trial(1001)
	v, _ := algorithms.ParsePruner(MedianStop(), nil)
	p, _ := algorithms.NewPruner(MedianStop(), algorithms.Problem{}, v)
	for b.Loop() {
		p.Prune(running, others)
	}
}
