package searchspace

import (
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var nan = math.NaN()

func textSpace(t testing.TB) *Space {
	return mustNew(t,
		Parameter{Name: "lr", Kind: Double, Min: 1e-9, Max: 1e30, Distribution: LogUniform},
		Parameter{Name: "n", Kind: Int, Min: -5, Max: 1e12},
		Parameter{Name: "opt", Kind: Categorical, Values: []string{"adam", "a b\n${x}\"", ""}},
		Parameter{Name: "width", Kind: Discrete, Values: []string{"0.50", "1e1"}, Numbers: []float64{0.5, 10}},
		Parameter{Name: "beta", Kind: Double, Max: 1, ActiveWhen: &Condition{"opt", []string{"adam"}}})
}

func TestFormat(t *testing.T) {
	s := textSpace(t)
	got := s.Format(Point{0.00001, 1e12, 1, 10, nan})
	want := Assignment{{"lr", "0.00001"}, {"n", "1000000000000"}, {"opt", "a b\n${x}\""}, {"width", "1e1"}}
	if diff := cmp.Diff(got, want); diff != "" {
		t.Error(diff)
	}
	if got := s.Format(Point{2e25, -5, 0, 0.5, 0.30000000000000004}); got[0].Value != "2e+25" || got[4].Value != "0.30000000000000004" {
		t.Errorf("got %v", got)
	}
}

func TestParse(t *testing.T) {
	valid := func(name, value string) Assignment {
		a := Assignment{{"beta", "1"}, {"lr", "1e-3"}, {"n", "3"}, {"opt", "adam"}, {"width", "0.50"}}
		for i := range a {
			if a[i].Name == name {
				a[i].Value = value
			}
		}
		return a
	}
	tests := []struct {
		name string
		a    Assignment
		want string
	}{
		{"as is", valid("", ""), ""},
		{"other spelling of a number", valid("n", "3.0"), ""},
		{"fraction of an int", valid("n", "3.5"), `3.5 is off the grid of step 1; the nearest value is 4`},
		{"out of range", valid("beta", "-1"), `parameters[4] (beta): -1 is outside [0, 1]`},
		{"no number", valid("n", "three"), `parameter "n": "three" is no decimal number`},
		{"hexadecimal", valid("n", "0x3"), `"0x3" is no decimal number`},
		{"underscore", valid("n", "1_0"), `"1_0" is no decimal number`},
		{"nan", valid("lr", "nan"), `"nan" is no decimal number`},
		{"inf", valid("lr", "inf"), `+Inf is outside`},
		{"space", valid("n", " 3"), `" 3" is no decimal number`},
		{"other spelling in a list", valid("width", "0.5"), `parameter "width": "0.5" is not in the list`},
		{"inactive given", valid("opt", ""), "parameters[4] (beta): not active while opt has this value, but is set"},
		{"twice", append(valid("", ""), Pair{"n", "3"}), `parameter "n" is given twice`},
		{"unknown", append(valid("", ""), Pair{"m", "3"}), `parameter "m" is not in the space`},
		{"missing", valid("", "")[1:], "parameters[4] (beta): active, but has no value"},
		{"all at once", Assignment{{"m", ""}, {"n", ""}}, "parameter \"m\" is not in the space\nparameter \"n\": \"\" is no decimal number"},
	}
	for _, tt := range tests {
		_, err := textSpace(t).Parse(tt.a)
		if got := message(err); !matches(got, tt.want) {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}

// TestParseRounding: a number that differs from a value of the grid by rounding is that value, also at the ends.
func TestParseRounding(t *testing.T) {
	tenths := Parameter{Name: "x", Kind: Double, Min: 0.1, Max: 0.7, Step: 0.1}
	thousands := Parameter{Name: "x", Kind: Double, Min: -3000, Max: 3000, Step: 0.001}
	whole := Parameter{Name: "x", Kind: Int, Min: -5, Max: 5}
	free := Parameter{Name: "x", Kind: Double, Min: 0, Max: 1}
	for _, tt := range []struct {
		p          Parameter
		text, want string
	}{
		{tenths, "0.30000000000000004", "0.3"},
		{tenths, "0.09999999999999998", "0.1"},
		{tenths, "0.7000000000000001", "0.7"},
		{tenths, "0.3000000009", "0.3"},
		{tenths, "0.300000002", "0.300000002 is off the grid of step 0.1; the nearest value is 0.3"},
		{tenths, "0.700000002", "0.700000002 is outside [0.1, 0.7]"},
		{tenths, "inf", "+Inf is outside"},
		{thousands, "2999.9990000000003", "2999.999"},
		{whole, "2.9999999999999996", "3"},
		{whole, "3.0001", "3.0001 is off the grid"},
		{free, "0.30000000000000004", "0.30000000000000004"},
	} {
		s := mustNew(t, tt.p)
		p, err := s.Parse(Assignment{{"x", tt.text}})
		got := message(err)
		if err == nil {
			got = s.Format(p)[0].Value
		}
		if err == nil && got != tt.want || !strings.Contains(got, tt.want) {
			t.Errorf("%s of [%v, %v] by %v: got %s, want %s", tt.text, tt.p.Min, tt.p.Max, tt.p.Step, got, tt.want)
		}
	}
}

func TestProject(t *testing.T) {
	full := Assignment{{"beta", "1"}, {"lr", "1e-3"}, {"n", "3"}, {"opt", "adam"}, {"width", "0.50"}}
	with := func(more ...Pair) Assignment { return append(append(Assignment{}, full...), more...) } // the last one counts
	tests := []struct {
		name string
		a    Assignment
		want Point
		says string
	}{
		{"as is", full, Point{1e-3, 3, 0, 0.5, 1}, ""},
		{"unknown name", with(Pair{"m", "3"}), Point{1e-3, 3, 0, 0.5, 1}, ""},
		{"inactive", with(Pair{"opt", ""}), Point{1e-3, 3, 2, 0.5, nan}, ""},
		{"inactive that cannot be read", with(Pair{"opt", ""}, Pair{"beta", "high"}), Point{1e-3, 3, 2, 0.5, nan}, ""},
		{"missing", full[1:], nil, "parameters[4] (beta): active, but has no value"},
		{"out of range", with(Pair{"beta", "2"}), nil, "2 is outside [0, 1]"},
		{"not in the list", with(Pair{"opt", "sgd"}), nil, `parameter "opt": "sgd" is not in the list`},
	}
	for _, tt := range tests {
		got, err := textSpace(t).Project(tt.a)
		if !matches(message(err), tt.says) {
			t.Errorf("%s: got %q, want %q", tt.name, message(err), tt.says)
		}
		if diff := cmp.Diff(got, tt.want, cmpopts.EquateNaNs()); err == nil && diff != "" {
			t.Errorf("%s: got (-), want (+):\n%s", tt.name, diff)
		}
	}
}

// FuzzParse checks that whatever is read is in the space and is written so that it reads back.
func FuzzParse(f *testing.F) {
	s := textSpace(f)
	f.Add("0.1", "3", "adam", "0.50", "0.5", "beta")
	f.Add("1e30", "-5", "", "1e1", "-0", "lr")
	f.Fuzz(func(t *testing.T, lr, n, opt, width, last, lastName string) {
		p, err := s.Parse(Assignment{{"lr", lr}, {"n", n}, {"opt", opt}, {"width", width}, {lastName, last}})
		if err != nil {
			return
		}
		if err := s.Contains(p); err != nil {
			t.Fatal(err)
		}
		again, err := s.Parse(s.Format(p))
		if err != nil || !cmp.Equal(again, p, cmpopts.EquateNaNs()) {
			t.Fatalf("got %v, %v, want %v", again, err, p)
		}
	})
}
