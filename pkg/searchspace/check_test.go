package searchspace

import (
	"errors"
	"math"
	"strings"
	"testing"
)

var faults = []struct {
	name string
	p    Parameter
	want string
}{
	{"no name", Parameter{Kind: Int, Max: 1}, "parameters[1] (): name is empty"},
	{"twice", Parameter{Name: "cat", Kind: Int, Max: 1}, "parameters[1] (cat): name is already that of parameters[0]"},
	{"kind", Parameter{Name: "x"}, "kind 0 is not one of double, int, discrete, categorical"},
	{"distribution", Parameter{Name: "x", Kind: Int, Max: 1, Distribution: 9}, "distribution 9 is not one of"},
	{"log at 0", Parameter{Name: "lr", Kind: Double, Max: 1, Distribution: LogUniform}, "parameters[1] (lr): log scale needs min > 0, got 0"},
	{"log below 0", Parameter{Name: "lr", Kind: Double, Min: -2, Max: 1, Distribution: LogNormal}, "log scale needs min > 0, got -2"},
	{"equal", Parameter{Name: "x", Kind: Int, Min: 3, Max: 3}, "min and max are both 3: there is nothing to search"},
	{"reversed", Parameter{Name: "x", Kind: Double, Min: 3, Max: 1}, "max must be above min 3, got 1"},
	{"NaN", Parameter{Name: "x", Kind: Double, Min: nan, Max: 1}, "min must be a finite number, got NaN"},
	{"Inf", Parameter{Name: "x", Kind: Double, Max: math.Inf(1)}, "max must be a finite number, got +Inf"},
	{"step below 0", Parameter{Name: "x", Kind: Double, Max: 1, Step: -0.1}, "step must be above 0, got -0.1"},
	{"step NaN", Parameter{Name: "x", Kind: Double, Max: 1, Step: nan}, "step must be a finite number, got NaN"},
	{"step too wide", Parameter{Name: "x", Kind: Double, Max: 1, Step: 1.5}, "step must be at most max - min = 1, got 1.5"},
	{"step too fine", Parameter{Name: "x", Kind: Double, Max: 1, Step: 1e-13}, "grid has more than 2^40 values"},
	{"step too fine for log", Parameter{Name: "x", Kind: Int, Min: 1<<53 - 9, Max: 1<<53 - 1, Distribution: LogUniform}, "max of an int on a log scale must be at most 2^40, got 9007199254740991"},
	{"fraction", Parameter{Name: "x", Kind: Int, Min: 0.5, Max: 3}, "min of an int must be a whole number, got 0.5"},
	{"step of an int", Parameter{Name: "x", Kind: Int, Max: 3, Step: 0.5}, "step of an int must be a whole number, got 0.5"},
	{"int beyond 2^53", Parameter{Name: "x", Kind: Int, Min: 1, Max: 1<<53 + 2}, "max of an int must be within ±2^53"},
	{"int of more than 2^53 values", Parameter{Name: "x", Kind: Int, Max: 1 << 53}, "an int can have at most 2^53 values to be exact"},
	{"and with a step", Parameter{Name: "x", Kind: Int, Max: 1 << 53, Step: 1}, "grid has more than 2^53 values, widen step 1"},
	{"normal int of more than 2^40 values", Parameter{Name: "x", Kind: Int, Max: 1 << 40, Distribution: Normal}, "an int can have at most 2^40 values unless its distribution is uniform"},
	{"and with a step", Parameter{Name: "x", Kind: Int, Max: 1 << 42, Step: 2, Distribution: Normal}, "grid has more than 2^40 values, widen step 2"},
	{"step too fine for log", Parameter{Name: "x", Kind: Int, Min: 1<<53 - 9, Max: 1<<53 - 1, Step: 2, Distribution: LogUniform}, "grid is too fine for a log scale: max is more than 2^40 steps of 2"},
	{"list of a range", Parameter{Name: "x", Kind: Int, Max: 3, Values: []string{"1"}}, "a range has no list"},
	{"empty list", Parameter{Name: "x", Kind: Categorical}, "list is empty"},
	{"empty discrete list", Parameter{Name: "x", Kind: Discrete}, "list is empty"},
	{"duplicate", Parameter{Name: "x", Kind: Categorical, Values: []string{"a", "b", "a"}}, `list[2] repeats list[0], "a"`},
	{"same number", Parameter{Name: "x", Kind: Discrete, Values: []string{"1", "1.0"}, Numbers: []float64{1, 1}}, `"1.0" and "1" are the same number`},
	{"descending", Parameter{Name: "x", Kind: Discrete, Values: []string{"2", "1"}, Numbers: []float64{2, 1}}, "list[1] is below list[0]: numbers must ascend"},
	{"no number", Parameter{Name: "x", Kind: Discrete, Values: []string{"a"}, Numbers: []float64{1}}, `list[0] must be a finite number, got "a"`},
	{"NaN in list", Parameter{Name: "x", Kind: Discrete, Values: []string{"nan"}, Numbers: []float64{nan}}, `list[0] must be a finite number, got "nan"`},
	{"other number", Parameter{Name: "x", Kind: Discrete, Values: []string{"2"}, Numbers: []float64{3}}, `list[0] is "2", but its number is 3`},
	{"numbers missing", Parameter{Name: "x", Kind: Discrete, Values: []string{"2"}}, "list has 1 texts and 0 numbers"},
	{"numbers of labels", Parameter{Name: "x", Kind: Categorical, Values: []string{"2"}, Numbers: []float64{2}}, "only a discrete list has numbers"},
	{"range of a list", Parameter{Name: "x", Kind: Categorical, Values: []string{"2"}, Max: 2}, "a list has no min, max or step"},
	{"distribution of a list", Parameter{Name: "x", Kind: Categorical, Values: []string{"2"}, Distribution: Normal}, "a list has no distribution"},
	{"unknown parent", child("nobody", "x"), `activeWhen names "nobody", which is no parameter`},
	{"own parent", child("x", "x"), "activeWhen names the parameter itself"},
	{"double parent", child("double", "1"), "activeWhen names double, a double"},
	{"unknown value", child("cat", "z"), `activeWhen value "z" is none of cat`},
	{"value off the grid", child("int", "2"), `activeWhen value "2" is none of int: 2 is off the grid of step 2`},
	{"value out of range", child("int", "99"), "99 is outside [1, 9]"},
	{"value twice", child("int", "3", "3"), `activeWhen value "3" is given twice`},
	{"no value", child("cat"), "activeWhen has no values"},
}

func TestFaults(t *testing.T) {
	for _, tt := range faults {
		_, err := New([]Parameter{
			{Name: "cat", Kind: Categorical, Values: []string{"x", "y"}},
			tt.p,
			{Name: "double", Kind: Double, Max: 1},
			{Name: "int", Kind: Int, Min: 1, Max: 9, Step: 2},
		})
		if got := message(err); !matches(got, tt.want) || strings.Contains(got, "\n") {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
		var f *Fault
		if !errors.As(err, &f) || f.Field == "" || f.Index != 1 {
			t.Errorf("%s: got fault %+v", tt.name, f)
		}
	}
}

func child(parent string, values ...string) Parameter {
	return Parameter{Name: "x", Kind: Int, Max: 1, ActiveWhen: &Condition{Parent: parent, Values: values}}
}

func TestCycles(t *testing.T) {
	cat := func(name, parent string) Parameter {
		return Parameter{Name: name, Kind: Categorical, Values: []string{"x"}, ActiveWhen: &Condition{parent, []string{"x"}}}
	}
	_, err := New([]Parameter{cat("leaf", "a"), cat("a", "b"), cat("b", "c"), cat("c", "a"), cat("d", "e"), cat("e", "d")})
	want := "parameters[0] (leaf): activeWhen leads back to a through b\nparameters[4] (d): activeWhen leads back to d through e"
	if got := message(err); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestEveryFaultAtOnce(t *testing.T) {
	_, err := New([]Parameter{
		{Name: "lr", Kind: Double, Min: 0, Max: -1, Step: -1, Distribution: LogUniform},
		{Name: "lr", Kind: Int, Min: 0.5, Max: math.NaN()},
		{Name: "n", Kind: Int, Max: 3, ActiveWhen: &Condition{"lr", nil}},
	})
	want := []string{"max must be above min", "log scale", "name is already", "min of an int", "max must be a finite", "a double"}
	for _, w := range want {
		if !strings.Contains(message(err), w) {
			t.Errorf("no %q in:\n%v", w, err)
		}
	}
}
