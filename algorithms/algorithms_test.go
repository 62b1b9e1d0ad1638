package algorithms

import (
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func definition() Definition {
	return Definition{Name: "a", Settings: []Setting{
		{Name: "count", Type: IntSetting, Min: 1, Max: 9, Default: "3"},
		{Name: "share", Type: FloatSetting, Max: 1, OpenMin: true, OpenMax: true},
		{Name: "rate", Type: FloatSetting},
		{Name: "fast", Type: BoolSetting},
		{Name: "mode", Type: StringSetting, Choices: []string{"x", "y"}, Default: "x"},
		{Name: "folder", Type: StringSetting, Required: true, Help: "where"},
		{Name: "old", Type: IntSetting, Dialect: "one", Min: 0, Max: Unbounded},
		{Name: "new", Type: IntSetting, Dialect: "two", Default: "7"},
	}}
}

var parseCases = []struct {
	name    string
	text    string // name=value, separated by spaces
	dialect string
	want    Values
	fault   string // lines
}{
	{"defaults", "folder=", "one", Values{"count": int64(3), "mode": "x", "folder": ""}, ""},
	{
		"all", "folder=f count=9 share=.5 rate=-1e3 fast=True mode=y old=0 new=2", "",
		Values{"folder": "f", "count": int64(9), "share": 0.5, "rate": -1000.0, "fast": true, "mode": "y", "old": int64(0), "new": int64(2)},
		"",
	},
	{"required", "", "", nil, "algorithm a: setting folder is required: where"},
	{"of another dialect", "folder=f new=1", "one", nil, `unknown setting "new", known are`},
	{"typo", "folder=f cuont=1", "", nil, `unknown setting "cuont", did you mean "count"?`},
	{"twice", "folder=f count=1 count=1", "", nil, "setting count is given twice"},
	{
		"Python's numbers", "folder=f count=0_5 rate=-1_0.5_0 share=.2_5", "one",
		Values{"folder": "f", "count": int64(5), "rate": -10.5, "share": 0.25, "mode": "x"},
		"",
	},
	{"not of Python", "folder=f count=_5 rate=1__0", "one", nil, "count must be a whole\nrate must be a finite"},
	{"beyond what is held", "folder=f rate=-inf", "one", Values{"folder": "f", "count": int64(3), "mode": "x", "rate": -math.MaxFloat64}, ""},
	{"twice in a dialect", "folder=f count=1 count=2", "one", Values{"folder": "f", "count": int64(2), "mode": "x"}, ""},
	{"no int", "folder=f count=1.5", "", nil, `setting count must be a whole number, got "1.5"`},
	{"int beyond int64", "folder=f old=9223372036854775808", "", nil, "must be a whole number"},
	{"below", "folder=f count=0", "", nil, "setting count must be at least 1 and at most 9, got 0"},
	{"above", "folder=f count=10", "", nil, "setting count must be at least 1 and at most 9, got 10"},
	{"without upper bound", "folder=f old=-1", "", nil, "setting old must be at least 0, got -1"},
	{"open min", "folder=f share=0", "", nil, "setting share must be above 0 and below 1, got 0"},
	{"open max", "folder=f share=1", "", nil, "setting share must be above 0 and below 1, got 1"},
	{"nan", "folder=f share=nan", "", nil, "must be a finite number"},
	{"inf", "folder=f rate=inf", "", nil, "must be a finite number"},
	{"hexadecimal", "folder=f rate=0x1p3", "", nil, "must be a finite number"},
	{"bool", "folder=f fast=1", "", nil, `setting fast must be true or false, got "1"`},
	{"choice", "folder=f mode=z", "", nil, `setting mode must be one of x, y, got "z"`},
	{"all faults", "count=0 mode=z zzzzzz=1", "", nil, "count must\nmode must\nunknown setting\nis required"},
}

func TestParse(t *testing.T) {
	for _, tt := range parseCases {
		got, err := Parse(definition(), rawSettings(tt.text), tt.dialect)
		if tt.fault == "" {
			if diff := cmp.Diff(got, tt.want); diff != "" || err != nil {
				t.Errorf("%s: %v\n%s", tt.name, err, diff)
			}
			continue
		}
		if err == nil || len(strings.Split(err.Error(), "\n")) != len(strings.Split(tt.fault, "\n")) {
			t.Errorf("%s: got %v, want %s", tt.name, err, tt.fault)
			continue
		}
		for _, want := range strings.Split(tt.fault, "\n") {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: got %v, want %s", tt.name, err, want)
			}
		}
	}
}

func rawSettings(text string) []RawSetting {
	var raw []RawSetting
	for _, field := range strings.Fields(text) {
		name, value, _ := strings.Cut(field, "=")
		raw = append(raw, RawSetting{name, value})
	}
	return raw
}

func TestRegistry(t *testing.T) {
	make := func(Problem, Values) (Suggester, error) { return nil, ErrNotBuilt }
	r, err := NewRegistry(Definition{Name: "random", New: make}, Definition{Name: "planned"}, Definition{Name: "sobol", Aliases: []string{"qmc"}, New: make})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"random": "random", "sobol": "sobol", "qmc": "sobol"} {
		if d, err := r.Lookup(name); d.Name != want || err != nil {
			t.Errorf("%s: got %s, %v", name, d.Name, err)
		}
	}
	for name, want := range map[string]string{
		"rondom": `did you mean "random"?`, "SOBOL": `did you mean "sobol"?`, "qcm": `known are`, "": `known are random, sobol`,
	} {
		if _, err := r.Lookup(name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %s", name, err, want)
		}
	}
	if diff := cmp.Diff(r.Names(), []string{"random", "planned", "sobol"}); diff != "" {
		t.Error(diff)
	}
	if got := Nearest("abx", []string{"abd", "aby", "abc", "abz"}); got != "abc" {
		t.Errorf("got %q, want the first of equals in the alphabet", got)
	}
}

func TestRegistryRefuses(t *testing.T) {
	_, err := NewRegistry(
		Definition{Name: "a"}, Definition{Name: "b", Aliases: []string{"a", ""}},
		Definition{Name: "c", Settings: []Setting{{Name: "n", Type: IntSetting, Default: "x"}}})
	for _, want := range []string{`algorithms a and b share the name "a"`, "definition 1 has an empty name", "algorithm c: default of setting n must be a whole number"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
