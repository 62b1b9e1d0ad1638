package experiment

import (
	"encoding/json"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

func TestObserveAsKatib(t *testing.T) {
	type vector struct {
		Case        string           `json:"case"`
		Logs        []katibLog       `json:"metric_logs"`
		Strategies  []MetricStrategy `json:"strategies"`
		Observation Observation      `json:"observation"`
		Error       string           `json:"error"`
	}
	for _, v := range readVectors[vector](t, "observation.json") {
		t.Run(v.Case, func(t *testing.T) {
			o := &Objective{Type: "minimize", MetricStrategies: v.Strategies}
			for i, s := range v.Strategies {
				if i == 0 {
					o.ObjectiveMetricName = s.Name
				} else {
					o.AdditionalMetricNames = append(o.AdditionalMetricNames, s.Name)
				}
			}
			ms, err := measurementsOf(v.Logs, o.metrics())
			if err != nil {
				// A Measurement has no text for its time: what Katib refuses here cannot be built.
				if v.Error == "" {
					t.Fatalf("got %v, but Katib accepts it", err)
				}
				return
			}
			if v.Error != "" {
				t.Fatalf("got no error, want Katib's %s", v.Error)
			}
			got := Observe(o, ms)
			for i := range got.Metrics {
				got.Metrics[i].Value = "" // ours alone
			}
			byName := func(a, b Metric) int { return strings.Compare(a.Name, b.Name) }
			slices.SortFunc(got.Metrics, byName)
			slices.SortFunc(v.Observation.Metrics, byName)
			if diff := cmp.Diff(got.Metrics, v.Observation.Metrics, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("observation differs (-got +want):\n%s", diff)
			}
		})
	}
}

// katibLog is a metric log: time, name, value.
type katibLog struct{ T, N, V string }

// measurementsOf returns the measurements of the metrics. Katib skips others before it looks at the time.
func measurementsOf(logs []katibLog, metrics []string) ([]Measurement, error) {
	var ms []Measurement
	for _, log := range logs {
		if !slices.Contains(metrics, log.N) {
			continue
		}
		at, err := time.Parse(time.RFC3339Nano, log.T)
		if err != nil {
			return nil, err
		}
		ms = append(ms, Measurement{Time: at, Metric: log.N, Text: log.V, Value: ParseValue(log.V)})
	}
	return ms, nil
}

// series makes measurements of a metric, one second apart.
func series(metric string, texts ...string) []Measurement {
	ms := make([]Measurement, len(texts))
	for i, text := range texts {
		ms[i] = Measurement{Seq: uint64(i + 1), Metric: metric, Text: text, Time: time.Unix(int64(i), 0)}
	}
	return ms
}

func TestBesideTheValueThatCounts(t *testing.T) {
	o := &Objective{Type: "minimize", ObjectiveMetricName: "loss", MetricStrategies: []MetricStrategy{{Name: "last", Value: "latest"}, {Name: "most", Value: "max"}}}
	tests := []struct{ name, metric, min, max, latest, want string }{
		{"the least", "accuracy", "0.1", "0.9", "0.9", "least of its values; latest 0.9"},
		{"the greatest", "most", "0.1", "0.9", "0.5", "greatest of its values; latest 0.5"},
		{"one value", "accuracy", "0.1", "0.1", "0.1", ""},
		{"the latest counts", "last", "0.1", "0.9", "0.5", ""},
		{"the same in other words", "accuracy", "0.5", "0.9", "5e-1", ""},
		{"ends with NaN", "accuracy", "0.1", "0.9", "NaN", "least of its values; latest NaN"},
		{"only NaN", "accuracy", "NaN", "NaN", "NaN", ""},
		{"none", "absent", "", "", "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var obs Observation
			if tt.min != "" {
				obs.Metrics = []Metric{{Name: tt.metric, Min: tt.min, Max: tt.max, Latest: tt.latest}}
			}
			if got := obs.Beside(tt.metric, o); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestObservedValue(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	tests := []struct {
		name     string
		strategy string
		texts    []string
		want     float64
		wantOK   bool
	}{
		{"min", "min", []string{"0.9", "0.5", "0.7"}, 0.5, true},
		{"max", "max", []string{"0.9", "0.5", "0.7"}, 0.9, true},
		{"latest", "latest", []string{"0.9", "0.5", "0.7"}, 0.7, true},
		{"min after a first NaN", "min", []string{"nan", "0.3", "0.2", "0.25"}, 0.2, true},
		{"max after a first NaN", "max", []string{"nan", "0.3", "0.2"}, 0.3, true},
		{"latest after a first NaN", "latest", []string{"nan", "0.3", "0.2"}, 0.2, true},
		{"min with a later NaN", "min", []string{"0.3", "nan"}, 0.3, true},
		{"latest is NaN", "latest", []string{"0.3", "NaN"}, nan, true},
		{"only NaN", "min", []string{"nan", "nan"}, nan, true},
		{"signed NaN", "min", []string{"-nan"}, nan, true},
		{"infinite", "max", []string{"1", "inf"}, inf, true},
		{"out of range", "min", []string{"1e400"}, inf, true},
		{"out of range and in range", "min", []string{"1e400", "3"}, 3, true},
		{"nothing", "min", nil, nan, false},
		{"empty text", "min", []string{""}, nan, false},
		{"no number", "max", []string{"Genotype(1)"}, nan, false},
		{"no number in the end", "min", []string{"0.3", "done"}, 0.3, true},
		{"no number in the end, latest", "latest", []string{"0.3", "done"}, nan, false},
		{"unavailable", "min", []string{"unavailable"}, nan, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := &Objective{Type: "minimize", ObjectiveMetricName: "m", MetricStrategies: []MetricStrategy{{"m", tt.strategy}}}
			stored, err := json.Marshal(Observe(o, series("m", tt.texts...)))
			if err != nil {
				t.Fatal(err)
			}
			var obs Observation
			if err := json.Unmarshal(stored, &obs); err != nil {
				t.Fatal(err)
			}
			got, ok := obs.Value("m", o)
			if ok != tt.wantOK || got != tt.want && !(math.IsNaN(got) && math.IsNaN(tt.want)) {
				t.Errorf("got %v %v, want %v %v", got, ok, tt.want, tt.wantOK)
			}
		})
	}
}

func TestValueOfAbsentMetric(t *testing.T) {
	o := &Objective{Type: "maximize", ObjectiveMetricName: "m"}
	got, ok := Observe(o, series("m", "1")).Value("other", o)
	if ok || !math.IsNaN(got) {
		t.Errorf("got %v %v, want NaN false", got, ok)
	}
}

func TestObserveOrderAndDefaultStrategies(t *testing.T) {
	o := &Objective{
		Type: "maximize", ObjectiveMetricName: "z", AdditionalMetricNames: []string{"y", "x"},
		MetricStrategies: []MetricStrategy{{"a", "latest"}, {"x", "min"}},
	}
	ms := append(series("x", "1", "1.0", "2", "2.0"), series("y", "1", "2")...)
	got := Observe(o, append(ms, series("ignored", "5")...))
	want := []Metric{
		{Name: "z", Min: "unavailable", Max: "unavailable", Latest: "unavailable"},
		{Name: "y", Min: "1", Max: "2", Latest: "2"},
		{Name: "x", Min: "1", Max: "2", Latest: "2.0"},
		{Name: "a", Min: "unavailable", Max: "unavailable", Latest: "unavailable"},
	}
	if diff := cmp.Diff(got.Metrics, want); diff != "" {
		t.Errorf("observation differs (-got +want):\n%s", diff)
	}
	for metric, want := range map[string]float64{"y": 2, "x": 1} {
		if v, ok := got.Value(metric, o); !ok || v != want {
			t.Errorf("value of %s: got %v %v, want %v true", metric, v, ok, want)
		}
	}
}

func TestParseValue(t *testing.T) {
	inf := math.Inf(1)
	for text, want := range map[string]float64{
		"0.3": 0.3, " 1e-5\n": 1e-5, "+.5": 0.5, "5.": 5, "-0": 0, "inf": inf, "+Inf": inf, "-Infinity": -inf, "1e400": inf, "-1e400": -inf,
		"1e-400": 0, "5e-324": 5e-324, "1.7976931348623157e308": math.MaxFloat64,
		"nan": math.NaN(), "-NaN": math.NaN(), "": math.NaN(), "unavailable": math.NaN(), "0.3%": math.NaN(), "1,5": math.NaN(), "--1": math.NaN(),
	} {
		if got := ParseValue(text); got != want && !(math.IsNaN(got) && math.IsNaN(want)) {
			t.Errorf("ParseValue(%q): got %v, want %v", text, got, want)
		}
	}
}

// An observation's value is what a look at the numbers alone gives, whatever else was reported.
func TestObservedValueIsThatOfTheNumbers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		texts := rapid.SliceOf(rapid.SampledFrom([]string{"nan", "NaN", "", "x", "1", "1.0", "-2", "3e1", "inf", "-inf", "0.5"})).Draw(t, "texts")
		least, most := math.NaN(), math.NaN()
		for _, text := range texts {
			if v := ParseValue(text); !math.IsNaN(v) {
				if !(v > least) {
					least = v
				}
				if !(v < most) {
					most = v
				}
			}
		}
		for strategy, want := range map[string]float64{"min": least, "max": most} {
			o := &Objective{Type: "minimize", ObjectiveMetricName: "m", MetricStrategies: []MetricStrategy{{"m", strategy}}}
			got, _ := Observe(o, series("m", texts...)).Value("m", o)
			if got != want && !(math.IsNaN(got) && math.IsNaN(want)) {
				t.Fatalf("%s of %q: got %v, want %v", strategy, texts, got, want)
			}
		}
	})
}
