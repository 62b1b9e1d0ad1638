package problem

import (
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/tuned-hpo/tuned/internal/testenv"
	"github.com/tuned-hpo/tuned/pkg/searchspace"
)

// problems makes all problems of a suite, or skips the test where something is not installed.
func problems(t *testing.T, s Suite) []*Problem {
	t.Helper()
	switch s.Family {
	case "hpotab15":
		needTables(t)
	case "skl":
		needSKL(t)
	}
	all, err := s.Problems()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func needTables(t *testing.T) {
	t.Helper()
	for name := range tables {
		if _, err := os.Stat(filepath.Join(cacheFolder(), "tables", name+".table")); err != nil {
			testenv.Skip(t, "the tables of bench/problem/install are not installed")
		}
	}
}

// TestProblems checks of every problem of every suite what Problem promises.
func TestProblems(t *testing.T) {
	names := map[string]bool{}
	for _, s := range Suites() {
		t.Run(s.Set+"/"+s.Name, func(t *testing.T) {
			if names[s.Set+"/"+s.Name] {
				t.Error("the name is not unique in its set")
			}
			names[s.Set+"/"+s.Name] = true
			seen := map[string]bool{}
			for _, p := range problems(t, s) {
				if seen[p.Name] {
					t.Errorf("%s: comes twice", p.Name)
				}
				seen[p.Name] = true
				if s.Family != "skl" { // of which one problem has its own test: an evaluation takes 0.1 s
					checkProblem(t, p)
				}
			}
			if len(s.SeedList()) == 0 || len(seen) == 0 {
				t.Error("the suite has no runs")
			}
		})
	}
}

func checkProblem(t *testing.T, p *Problem) {
	t.Helper()
	source := rand.New(rand.NewPCG(5, 6))
	u := make([]float64, p.Space.Len())
	for trial := range uint64(20) {
		for i := range u {
			u[i] = source.Float64()
		}
		x := p.Space.Decode(u)
		before := slices.Clone(x)
		r := p.Eval(x, 7, trial)
		if !same(x, before) {
			t.Fatalf("%s: Eval changed the point", p.Name)
		}
		again := p.Eval(x, 7, trial)
		if !same(r.Losses, again.Losses) || !same(r.True, again.True) || !same(r.Constraints, again.Constraints) {
			t.Errorf("%s: two evaluations of one trial differ", p.Name)
		}
		if len(r.Losses) != p.Objectives || len(r.True) != p.Objectives || len(r.Constraints) != p.Constraints {
			t.Errorf("%s: result %+v has the wrong lengths", p.Name, r)
		}
		if s := p.Seconds(x, 7, trial); !(s > 0) || math.IsInf(s, 1) {
			t.Errorf("%s: an evaluation takes %g s", p.Name, s)
		}
		if p.Objectives == 1 && p.Constraints == 0 {
			if regret := p.Regret(r.True[0]); !(regret > -1e-9) || math.IsInf(regret, 1) {
				t.Errorf("%s: regret %g of %v", p.Name, regret, r.True)
			}
		}
	}
	if p.Floor <= 0 || p.Budget <= 0 || p.Cluster == "" {
		t.Errorf("%s: floor, budget or cluster is missing", p.Name)
	}
}

// same holds NaN equal to NaN.
func same(a, b []float64) bool {
	return slices.EqualFunc(a, b, func(x, y float64) bool { return x == y || math.IsNaN(x) && math.IsNaN(y) })
}

// TestHashSeesChanges checks that the hash changes with whatever a run depends on.
func TestHashSeesChanges(t *testing.T) {
	make1 := func() *Problem {
		p, err := makeBBOB("f01", 3, 1)
		if err != nil {
			t.Fatal(err)
		}
		p.Budget = 50
		return p
	}
	want := make1().Hash()
	if got := make1().Hash(); got != want {
		t.Errorf("hash of the same problem is %s, then %s", want, got)
	}
	changes := map[string]func(p *Problem){
		"name":   func(p *Problem) { p.Name = "other" },
		"budget": func(p *Problem) { p.Budget = 51 },
		"space": func(p *Problem) {
			params := p.Space.Parameters()
			params[0].Max = 5.5
			space, err := searchspace.New(params)
			if err != nil {
				t.Fatal(err)
			}
			p.Space = space
		},
		"value": func(p *Problem) {
			eval := p.Eval
			p.Eval = func(x searchspace.Point, seed, trial uint64) Result {
				r := eval(x, seed, trial)
				r.Losses[0] *= 1 + 1e-6
				return r
			}
		},
		"regret": func(p *Problem) { p.Regret = func(loss float64) float64 { return loss } },
	}
	for name, change := range changes {
		p := make1()
		change(p)
		if p.Hash() == want {
			t.Errorf("hash does not see a change of the %s", name)
		}
	}
}

// TestHiddenTablesAreInClaimOnly keeps what is kept for the claim out of what is tuned on. A suite of
// tables that names none has all.
func TestHiddenTablesAreInClaimOnly(t *testing.T) {
	hidden := []string{"blood_transfusion", "imagenet", "kc1", "parkinsons_telemonitoring", "vehicle"}
	for _, s := range Suites() {
		if s.Set != "claim" && s.Family == "hpotab15" && len(s.Members) == 0 {
			t.Errorf("%s/%s holds all tables, also the hidden ones", s.Set, s.Name)
		}
		for _, m := range s.Members {
			if s.Set != "claim" && slices.Contains(hidden, m) {
				t.Errorf("%s/%s holds the hidden table %s", s.Set, s.Name, m)
			}
		}
		if s.Set == "claim" && s.Instances != [2]uint64{} && s.Instances[0] < 100 {
			t.Errorf("claim/%s has the tuned instance %d", s.Name, s.Instances[0])
		}
	}
}
