package problem

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/tuned-hpo/tuned/pkg/searchspace"
)

// one makes a problem of a family.
func one(t *testing.T, family, member string, d int, instance uint64) *Problem {
	t.Helper()
	p, err := families[family].make(member, d, instance)
	if err != nil {
		t.Fatal(err)
	}
	p.Budget = 100
	return p
}

// TestLevelsReachTheOptimum tries all levels while the continuous parameters are at the optimum.
func TestLevelsReachTheOptimum(t *testing.T) {
	const d = 5
	for _, family := range []string{"mixint24", "cat24"} {
		for _, member := range bbobMembers() {
			p := one(t, family, member, d, 2)
			levels := levelsOf(p.Space.Parameters())
			x := slices.Clone(place(member, d, 2).xopt)
			least := math.Inf(1)
			for cell := range product(levels) {
				for i, n := range levels {
					if n > 0 {
						x[i] = float64(cell % n)
						cell /= n
					}
				}
				if err := p.Space.Contains(x); err != nil {
					t.Fatalf("%s: %v", p.Name, err)
				}
				least = min(least, p.Regret(p.Eval(x, 0, 0).True[0]))
			}
			// fopt is up to 100, of which a double keeps 1e-14; the functions round to 1e-9.
			if !(math.Abs(least) < 1e-9) {
				t.Errorf("%s: least regret is %g, want 0", p.Name, least)
			}
		}
	}
}

func product(levels []int) int {
	n := 1
	for _, l := range levels {
		n *= max(1, l)
	}
	return n
}

func TestGridThroughKeepsDomainAndOptimum(t *testing.T) {
	for _, n := range []int{2, 3, 4, 5, 8, 16} {
		for optimum := -5.0; optimum <= 5; optimum += 0.37 {
			grid := gridThrough(optimum, n)
			if !slices.Contains(grid, optimum) {
				t.Errorf("%d levels %v miss the optimum %g", n, grid, optimum)
			}
			if grid[0] < -bbobDomain || grid[n-1] > bbobDomain || !slices.IsSorted(grid) {
				t.Errorf("%d levels for %g are %v", n, optimum, grid)
			}
		}
	}
}

// TestCategoriesAreShuffled: of 24 parameters with 8 values, some come in no order.
func TestCategoriesAreShuffled(t *testing.T) {
	source := rand.New(rand.NewPCG(1, 1))
	grid := gridThrough(0, 8)
	if shuffled("x", grid, source); slices.IsSorted(grid) {
		t.Error("the values of a categorical parameter are in order")
	}
}

// TestTreesAreZeroAtTheirTargets puts every switch to its free value and every number to its
// target, and looks for anything lower from random points.
func TestTreesAreZeroAtTheirTargets(t *testing.T) {
	for number, member := range sortedNames(trees) {
		for instance := uint64(1); instance <= 5; instance++ {
			c, err := newConditional(trees[member], uint64(number), instance)
			if err != nil {
				t.Fatal(err)
			}
			// Coding a number and back costs some 1e-16, whose square does not count.
			if got := c.excess(c.bestPoint()); !(got >= 0 && got < 1e-12) {
				t.Errorf("%s/i%d: %g above the optimum at its place", member, instance, got)
			}
			source := rand.New(rand.NewPCG(instance, 1))
			u := make([]float64, len(c.params))
			for range 500 {
				for i := range u {
					u[i] = source.Float64()
				}
				if x := c.space.Decode(u); c.excess(x) < 0 {
					t.Errorf("%s/i%d: %v is below the optimum", member, instance, x)
				}
			}
		}
	}
}

// bestPoint decodes the targets on the branch without cost.
func (c *conditional) bestPoint() searchspace.Point {
	u := slices.Clone(c.target)
	moved := 0.0
	for i, costs := range c.costs {
		if k := slices.Index(costs, 0); k >= 0 {
			u[i] = (float64(k) + 0.5) / float64(len(costs))
			moved += c.drift[i][k]
		}
	}
	at := c.space.Encode(c.space.Decode(u))
	return c.space.Decode(c.reachable(at, moved))
}

// TestTreesHaveSteeperBestBranches: the group below the best value of a switch weighs more.
func TestTreesHaveSteeperBestBranches(t *testing.T) {
	c, err := newConditional(trees["optimizer"], 0, 1)
	if err != nil {
		t.Fatal(err)
	}
	best := c.params[0].Values[slices.Index(c.costs[0], 0)]
	for _, value := range c.params[0].Values {
		want := 1.0
		if value == best {
			want = 3
		}
		if got := c.weight(&searchspace.Condition{Parent: "optimizer", Values: []string{value}}); got != want {
			t.Errorf("weight below %s is %g, want %g", value, got, want)
		}
	}
}

// TestNoise compares the spread of told losses with what the family says.
func TestNoise(t *testing.T) {
	for family, sigma := range map[string]float64{"noisy24-1": 0.01, "noisy24-30": 0.3} {
		p, exact := one(t, family, "f08", 5, 1), one(t, "bbob24", "f08", 5, 1)
		fopt := place("f08", 5, 1).fopt
		x := searchspace.Point{1, 2, -3, 4, 0.5}
		const n = 4000
		sum, squares := 0.0, 0.0
		for trial := range uint64(n) {
			r := p.Eval(x, 3, trial)
			if want := exact.Eval(x, 0, 0).True[0]; r.True[0] != want {
				t.Fatalf("%s: true loss %g, want %g", family, r.True[0], want)
			}
			e := math.Log((r.Losses[0] - fopt) / (r.True[0] - fopt))
			sum += e
			squares += e * e
		}
		// 5 standard deviations of the mean and of the standard deviation of normal variables.
		if m := sum / n; math.Abs(m) > 5*sigma/math.Sqrt(n) {
			t.Errorf("%s: mean of the logarithm is %g", family, m)
		}
		if s := math.Sqrt(squares / n); math.Abs(s-sigma) > 5*sigma/math.Sqrt(2*n) {
			t.Errorf("%s: deviation is %g, want %g", family, s, sigma)
		}
		if p.Eval(x, 3, 1).Losses[0] == p.Eval(x, 4, 1).Losses[0] {
			t.Errorf("%s: seeds have the same noise", family)
		}
	}
}

// TestRegions measures the volumes in which evaluations fail, and losses run away.
func TestRegions(t *testing.T) {
	const n = 4000
	for _, member := range bbobMembers() {
		for _, d := range []int{2, 5, 20} {
			failing, outlier := one(t, "fail24", member, d, 1), one(t, "outlier24", member, d, 1)
			exact := one(t, "bbob24", member, d, 1)
			failures, outliers := 0, 0
			source := rand.New(rand.NewPCG(9, 9))
			x := make(searchspace.Point, d)
			for range n {
				fillUniform(x, source)
				want := exact.Regret(exact.Eval(x, 0, 0).True[0])
				r := failing.Eval(x, 0, 0)
				if math.IsNaN(r.Losses[0]) != math.IsInf(r.True[0], 1) {
					t.Fatalf("%s: result %+v", failing.Name, r)
				}
				if math.IsNaN(r.Losses[0]) {
					failures++
				}
				// The scale divides out up to rounding of the whole loss.
				if got := outlier.Regret(outlier.Eval(x, 0, 0).True[0]); got > want*(1+1e-9)+1e-9 {
					outliers++
				}
			}
			// The edge is a quantile of 4,000 points, and so is this count: 6 deviations of each,
			// sqrt(2 * 0.1 * 0.9 / 4000) = 0.0067.
			for what, count := range map[string]int{"fail": failures, "run away": outliers} {
				if share := float64(count) / n; math.Abs(share-0.1) > 0.04 {
					t.Errorf("%s d%d: %g of the cube %s, want 0.1", member, d, share, what)
				}
			}
			xopt := place(member, d, 1).xopt
			for _, p := range []*Problem{failing, outlier} {
				if got := p.Regret(p.Eval(xopt, 0, 0).True[0]); !(math.Abs(got) < 1e-9) {
					t.Errorf("%s: regret at the optimum is %g", p.Name, got)
				}
			}
			if r := failing.Regret(math.Inf(1)); !(r > 0) || math.IsInf(r, 1) {
				t.Errorf("%s: a run of failures has regret %g", failing.Name, r)
			}
		}
	}
}

// TestNoiseIsOfTheProblem: in runs of one seed, problems have noise and durations of their own.
func TestNoiseIsOfTheProblem(t *testing.T) {
	a, b := one(t, "noisy24-30", "f01", 5, 1), one(t, "noisy24-30", "f01", 5, 2)
	noise := func(p *Problem, instance uint64) float64 {
		r := p.Eval(make(searchspace.Point, 5), 1, 1)
		fopt := place("f01", 5, instance).fopt
		return (r.Losses[0] - fopt) / (r.True[0] - fopt)
	}
	if x, y := noise(a, 1), noise(b, 2); math.Abs(x-y) < 1e-6 {
		t.Errorf("two instances have the noise %g", x)
	}
	if x, y := a.Seconds(nil, 1, 1), b.Seconds(nil, 1, 1); x == y {
		t.Errorf("evaluations of two instances take %g s", x)
	}
}
