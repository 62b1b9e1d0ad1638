package multifidelity

import (
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tuned-hpo/tuned/algorithms"
	"github.com/tuned-hpo/tuned/pkg/searchspace"
)

func problemOf(t *testing.T, params ...searchspace.Parameter) algorithms.Problem {
	t.Helper()
	space, err := searchspace.New(params)
	if err != nil {
		t.Fatal(err)
	}
	return algorithms.Problem{Space: space, Objectives: 1}
}

var (
	lr     = searchspace.Parameter{Name: "lr", Kind: searchspace.Double, Max: 1}
	number = searchspace.Parameter{Name: "r", Kind: searchspace.Int, Min: 1, Max: 1000}
)

func TestLevels(t *testing.T) {
	for _, tt := range []struct {
		name  string
		r     searchspace.Parameter
		most  float64
		least float64 // 0: not set
		eta   float64
		want  []float64
	}{
		{"the paper's", number, 81, 0, 3, []float64{1, 3, 9, 27, 81}},
		{"3^5", number, 243, 0, 3, []float64{1, 3, 9, 27, 81, 243}},
		{"5^3", number, 125, 0, 5, []float64{1, 5, 25, 125}},
		{"no power", number, 100, 0, 3, []float64{1, 4, 11, 33, 100}},
		{"no whole number", number, 10.5, 0, 3, []float64{1, 3, 10}},
		{"least", number, 100, 10, 3, []float64{11, 33, 100}},
		{"one level", number, 2, 0, 3, []float64{2}},
		{"all the same", number, 1, 0, 3, []float64{1}},
		{"above 1", searchspace.Parameter{Kind: searchspace.Int, Min: 5, Max: 50}, 50, 0, 3, []float64{6, 17, 50}},
		{"from 0 in steps", searchspace.Parameter{Kind: searchspace.Int, Max: 100, Step: 5}, 100, 0, 2, []float64{5, 10, 25, 50, 100}},
		{"most between steps", searchspace.Parameter{Kind: searchspace.Int, Max: 100, Step: 5}, 99, 0, 10, []float64{10, 95}},
		{"shares", searchspace.Parameter{Kind: searchspace.Double, Min: 0.1, Max: 0.9}, 0.9, 0, 3, []float64{0.1, 0.9 / 3, 0.9}},
		{"continuous", searchspace.Parameter{Kind: searchspace.Double, Max: 10}, 8, 0, 2, []float64{1, 2, 4, 8}},
		{"list", searchspace.Parameter{Kind: searchspace.Discrete, Values: []string{"1", "10", "100", "101"}, Numbers: []float64{1, 10, 100, 101}}, 101, 0, 2, []float64{1, 10, 101}},
		{"list of one", searchspace.Parameter{Kind: searchspace.Discrete, Values: []string{"1"}, Numbers: []float64{1}}, 1, 0, 2, []float64{1}},
		{"log", searchspace.Parameter{Kind: searchspace.Int, Min: 1, Max: 64, Distribution: searchspace.LogUniform}, 64, 0, 4, []float64{1, 4, 16, 64}},
		{"huge", searchspace.Parameter{Kind: searchspace.Int, Max: 1 << 52}, 1 << 52, 1 << 50, 2, []float64{1 << 50, 1 << 51, 1 << 52}},
	} {
		tt.r.Name = "r"
		v := algorithms.Values{"resource_name": "r", "r_l": tt.most, "eta": tt.eta}
		if tt.least > 0 {
			v["min_resource"] = tt.least
		}
		f, err := newFidelity(problemOf(t, lr, tt.r), v)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if diff := cmp.Diff(f.levels, tt.want); diff != "" {
			t.Errorf("%s (-got +want):\n%s", tt.name, diff)
		}
		for level := range f.levels {
			if err := f.space.Contains(f.point(searchspace.Point{0.5}, level)); err != nil {
				t.Errorf("%s: level %d: %v", tt.name, level, err)
			}
		}
	}
}

func TestResourceFaults(t *testing.T) {
	label := searchspace.Parameter{Name: "r", Kind: searchspace.Categorical, Values: []string{"a", "b"}}
	child := searchspace.Parameter{Name: "r", Kind: searchspace.Int, Min: 1, Max: 9, ActiveWhen: &searchspace.Condition{Parent: "n", Values: []string{"1"}}}
	parent := searchspace.Parameter{Name: "n", Kind: searchspace.Int, Min: 1, Max: 9}
	ward := searchspace.Parameter{Name: "w", Kind: searchspace.Double, Max: 9, ActiveWhen: &searchspace.Condition{Parent: "r", Values: []string{"1"}}}
	for _, tt := range []struct {
		params []searchspace.Parameter
		v      algorithms.Values
		want   string
	}{
		{[]searchspace.Parameter{lr}, algorithms.Values{"r_l": 9.0}, `resource_name "r" is no parameter`},
		{[]searchspace.Parameter{lr}, algorithms.Values{"eta": 1.5}, "resource_name \"r\" is no parameter\neta must be at least 2, got 1"},
		{[]searchspace.Parameter{lr, label}, nil, "resource_name: r is categorical, not a number"},
		{[]searchspace.Parameter{parent, child}, nil, "resource_name: r must not depend on n"},
		{[]searchspace.Parameter{number, ward}, nil, "resource_name: w must not depend on r"},
		{[]searchspace.Parameter{number}, nil, "there is no parameter but r"},
		{[]searchspace.Parameter{lr, number}, algorithms.Values{"r_l": 1001.0}, "r_l is 1001, but r is at most 1000"},
		{[]searchspace.Parameter{lr, number}, algorithms.Values{"r_l": 9.0, "min_resource": 10.0}, "r_l is 9, but a trial takes 10 of r at least"},
		{[]searchspace.Parameter{lr, number}, algorithms.Values{"r_l": 0.5}, "r_l is 0.5, but a trial takes 1 of r at least"},
		{[]searchspace.Parameter{{Name: "r", Kind: searchspace.Double, Max: 1}, lr}, nil, "min_resource must be set: r may be 0"},
	} {
		v := algorithms.Values{"resource_name": "r"}
		for name, value := range tt.v {
			v[name] = value
		}
		_, err := newFidelity(problemOf(t, tt.params...), v)
		if err == nil || !strings.HasPrefix(err.Error(), tt.want) {
			t.Errorf("got %v, want %q", err, tt.want)
		}
	}
}

// TestBracketsOfHyperband wants those of Li et al. 2018, table 1, for R = 81 and eta = 3, and others by the same formula:
//
//	     s = 4      s = 3      s = 2      s = 1      s = 0
//	i  n_i  r_i   n_i  r_i   n_i  r_i   n_i  r_i   n_i  r_i
//	0   81    1    27    3     9    9     6   27     5   81
//	1   27    3     9    9     3   27     2   81
//	2    9    9     3   27     1   81
//	3    3   27     1   81
//	4    1   81
func TestBracketsOfHyperband(t *testing.T) {
	coarse := searchspace.Parameter{Name: "lr", Kind: searchspace.Double, Min: 1, Max: 10, Step: 1}
	for _, tt := range []struct {
		name      string
		other     searchspace.Parameter
		most, eta float64
		want      []plan
	}{
		{"the paper's", lr, 81, 3, []plan{
			{0, []int{81, 27, 9, 3, 1}}, {1, []int{27, 9, 3, 1}}, {2, []int{9, 3, 1}}, {3, []int{6, 2}}, {4, []int{5}},
		}},
		{"of whole resources alone", lr, 100, 3, []plan{
			{0, []int{81, 27, 9, 3, 1}}, {1, []int{27, 9, 3, 1}}, {2, []int{9, 3, 1}}, {3, []int{6, 2}}, {4, []int{5}},
		}},
		{"halves", lr, 8, 2, []plan{{0, []int{8, 4, 2, 1}}, {1, []int{4, 2, 1}}, {2, []int{4, 2}}, {3, []int{4}}}},
		{"one level", lr, 1, 3, []plan{{0, []int{1}}}},
		{"ten configurations", coarse, 27, 3, []plan{{0, []int{10, 3, 1, 1}}, {1, []int{9, 3, 1}}, {2, []int{6, 2}}, {3, []int{4}}}},
	} {
		f, err := newFidelity(problemOf(t, tt.other, number), algorithms.Values{"resource_name": "r", "r_l": tt.most, "eta": tt.eta})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(f.hyperbandPlans(), tt.want, cmp.AllowUnexported(plan{})); diff != "" {
			t.Errorf("%s (-got +want):\n%s", tt.name, diff)
		}
	}
}

// TestManyLevels wants bounds where the number of trials has none.
func TestManyLevels(t *testing.T) {
	wide := searchspace.Parameter{Name: "r", Kind: searchspace.Double, Min: 1e-300, Max: 1e300}
	f, err := newFidelity(problemOf(t, lr, wide), algorithms.Values{"resource_name": "r", "min_resource": 1e-300, "eta": 2.0})
	if err != nil {
		t.Fatal(err)
	}
	if n := len(f.levels); n < 1900 || n > mostLevels {
		t.Errorf("%d levels", n)
	}
	if p := f.hyperbandPlans(); p[0].sizes[0] != mostTrials || len(p) != len(f.levels) {
		t.Errorf("%d brackets, %d trials in the first rung", len(p), p[0].sizes[0])
	}
}

func TestMemo(t *testing.T) {
	for _, p := range []place{{0, 0, 0}, {3, 0, 0}, {300, 2, 17}, {0, 1, 19}} {
		want := p
		if p.rung == 0 {
			want.root = 20
		}
		if got, ok := readMemo(p.memo(), 20); !ok || got != want {
			t.Errorf("%v became %v, %t", p, got, ok)
		}
	}
	whole := place{300, 2, 17}.memo()
	for i := range whole {
		if p, ok := readMemo(whole[:i], 20); ok {
			t.Errorf("%d bytes of a memo are %v", i, p)
		}
	}
	for _, memo := range [][]byte{
		nil,
		{2, 0, 0, 0},
		append(whole, 0), place{0, 1, 20}.memo(), place{0, 1, 0}.memo(), place{0, 0, 3}.memo(),
		place{mostTrials + mostLevels, 0, 0}.memo(), place{0, mostTrials, 3}.memo(),
		{1, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 0, 0},
	} {
		if p, ok := readMemo(memo, 20); ok {
			t.Errorf("memo %x is %v", memo, p)
		}
	}
}

func TestResult(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	trials := []algorithms.Trial{ // best first
		{ID: 9, State: algorithms.Succeeded, Losses: []float64{-5}, Constraints: []float64{-1}},
		{ID: 1, State: algorithms.Succeeded, Losses: []float64{1}, Constraints: []float64{0}},
		{ID: 2, State: algorithms.Succeeded, Losses: []float64{1, 0}, Constraints: []float64{-inf}},
		{ID: 3, State: algorithms.Succeeded, Losses: []float64{-9}, Constraints: []float64{0.5}},
		{ID: 4, State: algorithms.Succeeded, Losses: []float64{-10}, Constraints: []float64{inf}},
		{ID: 5, State: algorithms.Pruned, Losses: []float64{-10}, Constraints: []float64{0}},
		{ID: 6, State: algorithms.Succeeded, Losses: []float64{nan}, Constraints: []float64{0}},
		{ID: 7, State: algorithms.Succeeded, Losses: []float64{inf}, Constraints: []float64{0}},
		{ID: 8, State: algorithms.Succeeded, Losses: []float64{-inf}, Constraints: []float64{0}},
		{ID: 10, State: algorithms.Failed, Losses: []float64{0}, Constraints: []float64{0}},
		{ID: 11, State: algorithms.Succeeded, Constraints: []float64{0}},
		{ID: 12, State: algorithms.Succeeded, Losses: []float64{0}, Constraints: []float64{nan}},
		{ID: 13, State: algorithms.Succeeded, Losses: []float64{0}},
	}
	for i := range trials {
		r := newResult(&trials[i], 1, nil, 1)
		if want := i < 5; r.goesOn() != want {
			t.Errorf("trial %d goes on: %t, want %t", trials[i].ID, r.goesOn(), want)
		}
		for k := range trials[:i] {
			if other := newResult(&trials[k], 1, nil, 1); r.compare(&other) <= 0 || other.compare(&r) >= 0 {
				t.Errorf("trial %d is not worse than trial %d", trials[i].ID, trials[k].ID)
			}
		}
	}
}
