package auto_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/tuned-hpo/tuned/algorithms"
	"github.com/tuned-hpo/tuned/pkg/searchspace"
)

// problem has so many numbers and labels.
func problem(t *testing.T, numbers, labels int, change func(*algorithms.Problem)) algorithms.Problem {
	t.Helper()
	var params []searchspace.Parameter
	for i := range numbers {
		params = append(params, searchspace.Parameter{Name: fmt.Sprint("x", i), Kind: searchspace.Double, Max: 1})
	}
	for i := range labels {
		params = append(params, searchspace.Parameter{Name: fmt.Sprint("l", i), Kind: searchspace.Categorical, Values: []string{"a", "b"}})
	}
	space, err := searchspace.New(params)
	if err != nil {
		t.Fatal(err)
	}
	p := algorithms.Problem{Space: space, Objectives: 1, Parallel: 1}
	if change != nil {
		change(&p)
	}
	return p
}

func budget(n int) func(*algorithms.Problem) {
	return func(p *algorithms.Problem) { p.MaxTrials = n }
}

// rules has a row for each rule, with what is chosen and after how many trials.
var rules = []struct {
	name            string
	numbers, labels int
	change          func(*algorithms.Problem)
	want            []string
}{
	{"few trials", 5, 0, budget(100), []string{"0 gp"}},
	{"one trial less than many", 5, 0, budget(999), []string{"0 gp"}},
	{"many trials", 5, 0, budget(1000), []string{"0 cmaes"}},
	{"many trials, labels too", 3, 3, budget(1200), []string{"0 cmaes"}},
	{"many trials, labels mostly", 2, 3, budget(1000), []string{"0 de"}},
	{"labels mostly, too few trials", 2, 3, budget(999), []string{"0 gp"}},
	{"many parameters, labels mostly", 4, 6, budget(2000), []string{"0 de"}},
	{"many parameters, labels mostly, fewer trials", 4, 6, budget(1999), []string{"0 cmaes"}},
	{"labels mostly without a budget", 2, 3, nil, []string{"0 gp", "500 cmaes"}},
	{"few parameters", 2, 0, budget(999), []string{"0 gp"}},
	{"many trials of few parameters", 2, 0, budget(1000), []string{"0 cmaes"}},
	{"few parameters without a budget", 2, 0, nil, []string{"0 gp", "500 cmaes"}},
	{"many parameters need more", 20, 0, budget(1999), []string{"0 gp"}},
	{"many trials of many parameters", 20, 0, budget(2000), []string{"0 cmaes"}},
	{"no budget", 5, 0, nil, []string{"0 gp", "500 cmaes"}},
	{"labels alone", 0, 3, budget(5000), []string{"0 gp", "10000 tpe"}},
	{"one number", 1, 3, nil, []string{"0 gp", "10000 tpe"}},
	{"constraints", 5, 0, func(p *algorithms.Problem) { p.Constraints, p.MaxTrials = 1, 5000 }, []string{"0 gp", "10000 cmaes"}},
	{"trials at the same time", 5, 0, func(p *algorithms.Problem) { p.Parallel, p.MaxTrials = 64, 64 }, []string{"0 gp"}},
	{"earlier experiments", 5, 0, func(p *algorithms.Problem) { p.Priors, p.MaxTrials = make([]algorithms.Prior, 1), 50 }, []string{"0 gp"}},
	{"very many parameters", 501, 0, budget(100), []string{"0 cmaes"}},
	{"very many labels", 0, 501, budget(100), []string{"0 tpe"}},
	{"very many parameters, several objectives", 501, 0, func(p *algorithms.Problem) { p.Objectives = 2 }, []string{"0 nsga2"}},
	{"several objectives", 5, 2, func(p *algorithms.Problem) { p.Objectives, p.MaxTrials = 3, 5000 }, []string{"0 gp", "2000 nsga2"}},
	{"no parameters", 0, 0, budget(100), []string{"0 gp", "10000 tpe"}},
}

func TestRules(t *testing.T) {
	def := definition(t, "auto")
	for _, tt := range rules {
		t.Run(tt.name, func(t *testing.T) {
			p := problem(t, tt.numbers, tt.labels, tt.change)
			var got []string
			for from, on := 0, true; on; {
				c := def.Chooses(p, algorithms.Values{}, from)
				got = append(got, fmt.Sprint(from, " ", c.Name))
				from, on = c.Until, c.Until > 0
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// TestSeed: the setting that seeds an algorithm seeds whichever is chosen.
func TestSeed(t *testing.T) {
	def := definition(t, "auto")
	first := func(seed string) searchspace.Point {
		values, err := algorithms.Parse(def, []algorithms.RawSetting{{Name: "random_state", Value: seed}}, "")
		if err != nil {
			t.Fatal(err)
		}
		s, err := algorithms.New(def, problem(t, 3, 0, func(p *algorithms.Problem) { p.MaxTrials = 5000 }), values)
		if err != nil {
			t.Fatal(err)
		}
		out, err := s.Ask([]uint64{1}, nil)
		if err != nil {
			t.Fatal(err)
		}
		return out[0].Point
	}
	if !slices.Equal(first("1"), first("1")) || slices.Equal(first("1"), first("2")) {
		t.Error("the first point is not a function of the seed")
	}
}

// TestSwitch: trials before a switch are not lost on who comes after it. A loss that a model has brought low without a budget is
// where the evolution strategy goes on.
func TestSwitch(t *testing.T) {
	def := definition(t, "auto")
	p := problem(t, 2, 0, nil)
	s, err := algorithms.New(def, p, algorithms.Values{})
	if err != nil {
		t.Fatal(err)
	}
	bowl := func(x searchspace.Point) float64 { return (x[0]-0.7)*(x[0]-0.7) + (x[1]-0.2)*(x[1]-0.2) }
	at := def.Chooses(p, algorithms.Values{}, 0).Until // 500
	worst := 0.0
	for id := uint64(1); id <= uint64(at+20); id++ {
		out, err := s.Ask([]uint64{id}, nil)
		if err != nil {
			t.Fatal(err)
		}
		loss := bowl(out[0].Point)
		if int(id) > at {
			worst = max(worst, loss)
		}
		s.Tell([]algorithms.Trial{{ID: id, Point: out[0].Point, Memo: out[0].Memo, State: algorithms.Succeeded, Losses: []float64{loss}}})
	}
	// A warm start draws with a deviation of a tenth in each direction: 0.5 is five of them, squared and added up.
	if worst > 0.5 {
		t.Errorf("after the switch a trial has a loss of %g, far from the best", worst)
	}
}
