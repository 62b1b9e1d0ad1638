package experiment

import (
	"fmt"
	"math"
	"testing"

	"pgregory.net/rapid"
)

// trialOf makes a trial with one observed value of the metric m.
func trialOf(number uint64, state TrialState, texts ...string) Trial {
	o := &Objective{Type: "minimize", ObjectiveMetricName: "m"}
	return Trial{
		Number: number, Name: fmt.Sprintf("t%d", number), State: state, Observation: Observe(o, series("m", texts...)),
		Assignment: []Pair{{Name: "p", Value: fmt.Sprint(number)}},
	}
}

func TestBest(t *testing.T) {
	const ok, stopped = TrialSucceeded, TrialEarlyStopped
	tests := []struct {
		name   string
		kind   string
		trials []Trial
		want   string
	}{
		{"none", "minimize", nil, ""},
		{"minimize", "minimize", []Trial{trialOf(1, ok, "2"), trialOf(2, ok, "1"), trialOf(3, ok, "3")}, "t2"},
		{"maximize", "maximize", []Trial{trialOf(1, ok, "2"), trialOf(2, ok, "1"), trialOf(3, ok, "3")}, "t3"},
		{"tie", "minimize", []Trial{trialOf(1, ok, "2"), trialOf(2, ok, "1"), trialOf(3, ok, "1.0")}, "t2"},
		{"first NaN", "minimize", []Trial{trialOf(1, ok, "nan"), trialOf(2, ok, "0.1"), trialOf(3, ok, "0.05")}, "t3"},
		{"last NaN", "maximize", []Trial{trialOf(1, ok, "0.1"), trialOf(2, ok, "nan")}, "t1"},
		{"only NaN", "minimize", []Trial{trialOf(1, ok, "nan")}, ""},
		{"no number", "minimize", []Trial{trialOf(1, ok, "1"), trialOf(2, ok, "Genotype()")}, "t1"},
		{"infinite", "minimize", []Trial{trialOf(1, ok, "inf"), trialOf(2, ok, "1e300")}, "t2"},
		{"infinitely low", "minimize", []Trial{trialOf(1, ok, "1"), trialOf(2, ok, "-inf")}, "t1"},
		{"infinitely high", "maximize", []Trial{trialOf(1, ok, "Infinity"), trialOf(2, ok, "1")}, "t2"},
		{"beyond float64", "maximize", []Trial{trialOf(1, ok, "1e400"), trialOf(2, ok, "1")}, "t2"},
		{"only infinite", "minimize", []Trial{trialOf(1, ok, "inf")}, ""},
		{"only infinitely low", "minimize", []Trial{trialOf(1, ok, "-inf")}, ""},
		{"infinite at first", "minimize", []Trial{trialOf(1, ok, "2"), trialOf(2, ok, "inf", "1")}, "t2"},
		{"early stopped counts", "minimize", []Trial{trialOf(1, ok, "2"), trialOf(2, stopped, "1")}, "t2"},
		{"others do not", "minimize", []Trial{
			trialOf(1, TrialFailed, "1"), trialOf(2, TrialKilled, "1"), trialOf(3, TrialRunning, "1"),
			trialOf(4, TrialPending, "1"), trialOf(5, TrialMetricsUnavailable, "1"), trialOf(6, ok, "9"),
		}, "t6"},
		{"min over NaN first", "minimize", []Trial{trialOf(1, ok, "0.2"), trialOf(2, ok, "nan", "0.1", "0.5")}, "t2"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, found := Best(tt.trials, &Spec{Objective: &Objective{Type: tt.kind, ObjectiveMetricName: "m"}})
			if got.Name != tt.want || found != (tt.want != "") {
				t.Errorf("got %q %v, want %q", got.Name, found, tt.want)
			}
		})
	}
}

func TestGoalReached(t *testing.T) {
	goal := func(v float64) *float64 { return &v }
	tests := []struct {
		kind  string
		goal  *float64
		value float64
		want  bool
	}{
		{"minimize", goal(0.1), 0.1, true},
		{"minimize", goal(0.1), 0.11, false},
		{"minimize", goal(0.1), -5, true},
		{"maximize", goal(0.9), 0.9, true},
		{"maximize", goal(0.9), 0.89, false},
		{"maximize", goal(0.9), 2, true},
		{"minimize", nil, math.Inf(-1), false},
		{"minimize", goal(0), 0, true},
		{"minimize", goal(0), 0.01, false},
		{"maximize", goal(0), math.Copysign(0, -1), true},
		{"minimize", goal(0.1), math.NaN(), false},
		{"maximize", goal(0.1), math.NaN(), false},
		{"maximize", goal(0.1), math.Inf(1), false},
		{"minimize", goal(0.1), math.Inf(-1), false},
	}
	for _, tt := range tests {
		if got := GoalReached(&Objective{Type: tt.kind, Goal: tt.goal}, tt.value); got != tt.want {
			t.Errorf("%s, value %v: got %v, want %v", tt.kind, tt.value, got, tt.want)
		}
	}
}

var allStates = []TrialState{TrialPending, TrialRunning, TrialSucceeded, TrialKilled, TrialFailed, TrialMetricsUnavailable, TrialEarlyStopped}

func drawTrials(t *rapid.T, most int) []Trial {
	states := rapid.SliceOfN(rapid.SampledFrom(allStates), 0, most).Draw(t, "states")
	trials := make([]Trial, len(states))
	for i, state := range states {
		text := rapid.SampledFrom([]string{"nan", "1", "0.5", "0.50", "-1", "inf", "-inf", "", "unavailable"}).Draw(t, "value")
		trials[i] = trialOf(uint64(i+1), state, text)
	}
	return trials
}

// Nothing beats the best, and what comes before it is worse: the definition, checked pair by pair.
func TestBestBeatsAll(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		trials := drawTrials(t, 12)
		o := &Objective{Type: rapid.SampledFrom([]string{"minimize", "maximize"}).Draw(t, "type"), ObjectiveMetricName: "m"}
		loss := func(trial Trial) float64 {
			v, ok := trial.Observation.Value("m", o)
			if !ok || math.IsInf(v, 0) || trial.State != TrialSucceeded && trial.State != TrialEarlyStopped {
				return math.NaN()
			}
			return o.Loss(v)
		}
		best, found := Best(trials, &Spec{Objective: o})
		if found && math.IsNaN(loss(best)) {
			t.Fatalf("trial %s without a value won", best.Name)
		}
		for _, other := range trials {
			l := loss(other)
			switch {
			case math.IsNaN(l):
			case !found:
				t.Fatalf("none won, but %s has loss %v", other.Name, l)
			case l < loss(best), l == loss(best) && other.Number < best.Number:
				t.Fatalf("%s won with loss %v against %s with %v", best.Name, loss(best), other.Name, l)
			}
		}
	})
}
