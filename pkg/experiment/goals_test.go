package experiment

import (
	"fmt"
	"math"
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

// twoGoals minimises a and maximises b where c is from 1 to 3 and a at most 10.
func twoGoals() *Spec {
	return &Spec{
		Objective: &Objective{Type: "minimize", ObjectiveMetricName: "a"},
		Tuned: &Extension{
			Objectives: []FurtherObjective{{"b", "maximize"}},
			Constraints: []Constraint{
				{MetricName: "c", Max: new(3.0), Min: new(1.0)},
				{MetricName: "a", Max: new(10.0)},
			},
		},
	}
}

func valuesOf(a, b, c float64) func(string) float64 {
	return func(metric string) float64 {
		return map[string]float64{"a": a, "b": b, "c": c}[metric]
	}
}

func TestGoals(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	tests := []struct {
		name     string
		a, b, c  float64
		losses   []float64
		excess   []float64
		feasible bool
	}{
		{"within", 5, 2, 2, []float64{5, -2}, []float64{-1, -1, -5}, true},
		{"at both ends", 10, 2, 3, []float64{10, -2}, []float64{0, -2, 0}, true},
		{"above max", 5, 2, 3.5, []float64{5, -2}, []float64{0.5, -2.5, -5}, false},
		{"below min", 5, 2, 0.5, []float64{5, -2}, []float64{-2.5, 0.5, -5}, false},
		{"constraint on the objective", 11, 2, 2, []float64{11, -2}, []float64{-1, -1, 1}, false},
		{"unknown", 5, 2, nan, []float64{5, -2}, []float64{nan, nan, -5}, false},
		{"infinite", 5, inf, inf, []float64{5, nan}, []float64{inf, nan, -5}, false},
		{"infinite, within all bounds", -inf, -inf, 2, []float64{nan, nan}, []float64{-1, -1, nan}, false},
		{"no objective", nan, nan, 2, []float64{nan, nan}, []float64{-1, -1, nan}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, value := twoGoals(), valuesOf(tt.a, tt.b, tt.c)
			if diff := gocmp.Diff(s.Losses(value), tt.losses, cmpopts.EquateNaNs()); diff != "" {
				t.Errorf("losses: got (-), want (+):\n%s", diff)
			}
			if diff := gocmp.Diff(s.Excess(value), tt.excess, cmpopts.EquateNaNs()); diff != "" {
				t.Errorf("excess: got (-), want (+):\n%s", diff)
			}
			if got := s.Feasible(value); got != tt.feasible {
				t.Errorf("feasible: got %v, want %v", got, tt.feasible)
			}
		})
	}
	if got, want := twoGoals().Needed(), []string{"a", "b", "c"}; !slices.Equal(got, want) {
		t.Errorf("needed: got %v, want %v", got, want)
	}
	plain := &Spec{Objective: &Objective{Type: "maximize", ObjectiveMetricName: "m", AdditionalMetricNames: []string{"n"}}}
	if got := plain.Needed(); !slices.Equal(got, []string{"m"}) || !plain.Feasible(valuesOf(nan, nan, nan)) || plain.Excess(valuesOf(1, 1, 1)) != nil {
		t.Errorf("one objective without constraints: needs %v, or has some", got)
	}
}

// goalTrial makes a trial with values of several metrics.
func goalTrial(number uint64, state TrialState, values map[string]string) Trial {
	t := Trial{Number: number, Name: fmt.Sprintf("t%d", number), State: state}
	for _, name := range sortedKeys(values) {
		text := values[name]
		t.Observation.Metrics = append(t.Observation.Metrics, Metric{Name: name, Min: text, Max: text, Latest: text})
	}
	return t
}

func TestBestOfGoals(t *testing.T) {
	trial := func(number uint64, a, b, c string) Trial {
		return goalTrial(number, TrialSucceeded, map[string]string{"a": a, "b": b, "c": c})
	}
	tests := []struct {
		name       string
		trials     []Trial
		best       string
		front      []uint64
		infeasible int
	}{
		{"none", nil, "", []uint64{}, 0},
		{"a front by its first objective", []Trial{trial(1, "3", "9", "2"), trial(2, "1", "5", "2"), trial(3, "2", "7", "2")}, "t2", []uint64{2, 3, 1}, 0},
		{"the dominated are not on it", []Trial{trial(1, "3", "9", "2"), trial(2, "4", "8", "2"), trial(3, "2", "9", "2")}, "t3", []uint64{3}, 0},
		{"equal trials count once", []Trial{trial(1, "3", "9", "2"), trial(2, "3", "9", "3"), trial(3, "3.0", "9", "1")}, "t1", []uint64{1}, 0},
		{"a tie goes to the better one", []Trial{trial(1, "3", "8", "2"), trial(2, "3", "9", "2")}, "t2", []uint64{2}, 0},
		{"infeasible ones never win", []Trial{trial(1, "0", "99", "9"), trial(2, "9", "1", "2"), trial(3, "11", "50", "2")}, "t2", []uint64{2}, 2},
		{"none is feasible", []Trial{trial(1, "0", "99", "9"), trial(2, "0", "1", "nan")}, "", []uint64{}, 2},
		{"no number", []Trial{trial(1, "1", "x", "2"), trial(2, "nan", "1", "2"), trial(3, "9", "1", "2")}, "t3", []uint64{3}, 0},
		{"no metric", []Trial{goalTrial(1, TrialSucceeded, map[string]string{"a": "1", "c": "2"}), trial(2, "9", "1", "2")}, "t2", []uint64{2}, 0},
		{"infinite", []Trial{trial(1, "-inf", "1", "2"), trial(2, "1", "inf", "2"), trial(3, "0", "0", "2")}, "t3", []uint64{3}, 0},
		{"infinite constraint", []Trial{trial(1, "0", "5", "inf"), trial(2, "0", "5", "-inf"), trial(3, "9", "1", "2")}, "t3", []uint64{3}, 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tally := NewTally(twoGoals(), tt.trials)
			best, _ := tally.Best()
			if best.Name != tt.best || !slices.Equal(tally.Front(), tt.front) || tally.Infeasible() != tt.infeasible {
				t.Errorf("got best %q, front %v, %d infeasible; want %q, %v, %d",
					best.Name, tally.Front(), tally.Infeasible(), tt.best, tt.front, tt.infeasible)
			}
		})
	}
}

// dominates is the definition: as good in all objectives and better in one, or equal and earlier.
func dominates(a, b member) bool {
	better := a.number < b.number
	for k := range a.losses {
		if a.losses[k] > b.losses[k] {
			return false
		}
		better = better || a.losses[k] < b.losses[k]
	}
	return better
}

// The front holds the trials that no other dominates, in order, whatever the order in which they came.
func TestFront(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		objectives := rapid.IntRange(1, 4).Draw(t, "objectives")
		value := rapid.SampledFrom([]float64{math.Inf(-1), -1, math.Copysign(0, -1), 0, 0.5, 1, 2, 3, math.Inf(1)})
		all := make([]member, rapid.IntRange(0, 25).Draw(t, "trials"))
		for i := range all {
			all[i] = member{rapid.SliceOfN(value, objectives, objectives).Draw(t, "losses"), uint64(i + 1)}
		}
		var got front
		for _, m := range rapid.Permutation(all).Draw(t, "order") {
			got = got.add(m)
		}
		var want []member
		for _, m := range all {
			if !slices.ContainsFunc(all, func(other member) bool { return dominates(other, m) }) {
				want = append(want, m)
			}
		}
		slices.SortFunc(want, func(a, b member) int { return slices.Compare(a.losses, b.losses) })
		if fmt.Sprint(numbersOf(got)) != fmt.Sprint(numbersOf(want)) {
			t.Fatalf("of %v: got %v, want %v", all, got, want)
		}
	})
}

func numbersOf(members []member) (out []uint64) {
	for _, m := range members {
		out = append(out, m.number)
	}
	return out
}

// TestGoalAmongFeasible: the goal is that of spec.objective, and an infeasible trial does not reach it.
func TestGoalAmongFeasible(t *testing.T) {
	for _, tt := range []struct {
		name, c string
		want    string
	}{
		{"feasible", "2", "ExperimentGoalReached"},
		{"infeasible", "9", "ExperimentRunning"},
	} {
		s := twoGoals()
		s.Objective.Goal = new(5.0)
		trials := []Trial{goalTrial(1, TrialSucceeded, map[string]string{"a": "4", "b": "1", "c": tt.c})}
		got := NextStatus(experimentOf(*s), trials, false, epoch)
		if got.Reason() != tt.want {
			t.Errorf("%s: got %s, want %s", tt.name, got.Reason(), tt.want)
		}
		if x := got.Tuned; x == nil || x.TrialsOnFront+x.TrialsInfeasible != 1 || (x.TrialsOnFront == 1) != (tt.c == "2") {
			t.Errorf("%s: got %+v", tt.name, x)
		}
	}
}

// BenchmarkFront measures the end of one more trial beside a long front of two objectives, of which
// it is part, and of three.
func BenchmarkFront(b *testing.B) {
	const trials = 10_000
	for _, objectives := range []int{2, 3} {
		var f front
		for i := range trials {
			x := float64(i) / trials
			f = f.add(member{[]float64{x, -x, x * (1 - x)}[:objectives], uint64(i + 1)})
		}
		b.Run(fmt.Sprint(objectives), func(b *testing.B) {
			for b.Loop() {
				f = f.add(member{[]float64{0.30005, -0.30005, 0.21}[:objectives], trials + 1})
			}
		})
	}
}
