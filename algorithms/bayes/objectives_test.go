package bayes

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/tuned-hpo/tuned/algorithms"
	"github.com/tuned-hpo/tuned/pkg/searchspace"
)

// wishes are one of each kind, of two objectives, or of two and a constraint.
func wishes() map[string]wish {
	front := [][]float64{{-1, 1}, {0, 0}, {1, -1}}
	return map[string]wish{
		"improvement": &improvement{newEHVI(front, []float64{2, 2}), make([]float64, 2)},
		"direction":   newDirection(rand.New(rand.NewPCG(1, 1)), []float64{-2, -2}, 1.8),
		"feasible": &feasibly{
			wish: &improvement{newEHVI(front, []float64{2, 2}), make([]float64, 2)}, objectives: 2, thresholds: []float64{0.3},
		},
		"feasible alone": &feasibly{objectives: 2, thresholds: []float64{0.3}},
		"exploring":      &feasibly{objectives: 2, thresholds: []float64{-0.3}, exploring: true},
	}
}

// TestWishGradients compares with central differences.
func TestWishGradients(t *testing.T) {
	for name, w := range wishes() {
		for _, x := range [][6]float64{{0.1, 0.2, 0.3, 0.5, 0.6, 0.7}, {-20, -15, 30, 0.5, 0.6, 0.7}, {3, 4, -2, 0.1, 0.2, 0.3}} {
			n := 2
			if _, ok := w.(*feasibly); ok {
				n = 3
			}
			rate := func(x [6]float64) (float64, []float64) {
				g := make([]float64, 6)
				return w.rate(x[:n], x[3:3+n], g[:n], g[3:3+n]), g
			}
			value, got := rate(x)
			for i := range x {
				if i%3 >= n {
					continue
				}
				const h = 1e-6
				up, down := x, x
				up[i] += h
				down[i] -= h
				above, _ := rate(up)
				below, _ := rate(down)
				// Differences err by h^2 times a third derivative of the order of the slope, and by
				// rounding of the value, over h.
				if want := (above - below) / (2 * h); math.Abs(got[i]-want) > 1e-6*(1+math.Abs(want))+4e-16*math.Abs(value)/h {
					t.Errorf("%s at %v: derivative %d is %v, by differences %v", name, x, i, got[i], want)
				}
			}
		}
	}
}

// TestDirections wants the average over directions of the best value, squared, to be the
// hypervolume: in two dimensions it is pi/4 of it (Golovin and Zhang 2020, lemma 5).
func TestDirections(t *testing.T) {
	const n = 20000
	scores := [][]float64{{1, 3}, {2, 2}, {3, 1}} // above the reference (0, 0): a hypervolume of 6
	r := rand.New(rand.NewPCG(2, 1))
	sum := 0.0
	for range n {
		w, best := newDirection(r, []float64{0, 0}, 0), 0.0
		for _, s := range scores {
			best = max(best, w.rate(s, []float64{1, 1}, make([]float64, 2), make([]float64, 2)))
		}
		sum += best * best
	}
	// The square is at most 13; five standard deviations of the mean are below 0.2.
	if got := math.Pi / 4 * sum / n; math.Abs(got-6) > 0.2 {
		t.Errorf("the hypervolume is %v, want 6", got)
	}
}

func TestScoreConstraint(t *testing.T) {
	for _, c := range []struct {
		name   string
		values []float64
	}{
		{"both sides", []float64{-1, 2, 0, -3, 1e9}},
		{"all feasible", []float64{-1, -2, -3}},
		{"all zero", []float64{0, 0}},
		{"missing", []float64{nan, -1, 1}},
		{"only missing", []float64{nan, nan}},
		{"infinite", []float64{inf, -inf, 1, -1}},
		{"limits", []float64{math.MaxFloat64, -math.MaxFloat64}},
		{"far apart", []float64{math.MaxFloat64, 0.3, -0.1, 0.2}},
		{"as far as can be", []float64{0.1, -0.1, 1, -1, 2, 1e300, -1e300, math.MaxFloat64, -math.MaxFloat64, inf, -inf}},
	} {
		scores := make([]float64, len(c.values))
		limit := scoreConstraint(c.values, scores)
		sum := 0.0
		for i, v := range c.values {
			sum += scores[i]
			if !isFinite(scores[i]) || !math.IsNaN(v) && (v <= 0) != (scores[i] <= limit) {
				t.Errorf("%s: %v has score %v, 0 has %v", c.name, v, scores[i], limit)
			}
			for j, w := range c.values {
				if v < w && scores[i] > scores[j] {
					t.Errorf("%s: %v and %v have scores %v and %v", c.name, v, w, scores[i], scores[j])
				}
			}
		}
		if math.Abs(sum) > 1e-12*float64(len(scores)) || !isFinite(limit) {
			t.Errorf("%s: scores sum up to %v, limit %v", c.name, sum, limit)
		}
	}
}

// searchSquare lets a Gaussian process find points of the unit square by itself.
func searchSquare(t *testing.T, p algorithms.Problem, n int, f func(u []float64) (losses, constraints []float64)) (algorithms.Suggester, []algorithms.Trial) {
	t.Helper()
	space, err := searchspace.New([]searchspace.Parameter{
		{Name: "a", Kind: searchspace.Double, Min: 0, Max: 1}, {Name: "b", Kind: searchspace.Double, Min: 0, Max: 1},
	})
	if err != nil {
		t.Fatal(err)
	}
	p.Space, p.MaxTrials, p.Parallel = space, n, 1
	s, err := algorithms.New(GP(), p, algorithms.Values{})
	if err != nil {
		t.Fatal(err)
	}
	var trials []algorithms.Trial
	for id := range uint64(n) {
		out, err := s.Ask([]uint64{id + 1}, nil)
		if err != nil {
			t.Fatal(err)
		}
		losses, constraints := f(out[0].Point)
		trial := algorithms.Trial{ID: id + 1, Point: out[0].Point, State: algorithms.Succeeded, Losses: losses, Constraints: constraints, Memo: out[0].Memo}
		s.Tell([]algorithms.Trial{trial})
		trials = append(trials, trial)
	}
	return s, trials
}

// TestBatchesOfSeveral wants the points of a batch apart, with several objectives and with constraints,
// met or not.
func TestBatchesOfSeveral(t *testing.T) {
	for _, c := range []struct {
		name                    string
		objectives, constraints int
		limit                   float64
	}{
		{"objectives", 2, 0, 0},
		{"a constraint", 1, 1, 0.5},
		{"both", 2, 1, 0.5},
		{"nothing feasible", 2, 1, -1},
	} {
		s, _ := searchSquare(t, algorithms.Problem{Objectives: c.objectives, Constraints: c.constraints, Seed: 1}, 8, func(u []float64) ([]float64, []float64) {
			losses := []float64{math.Sin(9*u[0]) + u[1]*u[1], math.Cos(7*u[0]*u[1]) + u[0]}
			return losses[:c.objectives], []float64{u[1] + 0.2*math.Sin(8*u[0]) - c.limit}[:c.constraints]
		})
		out, err := s.Ask([]uint64{9, 10, 11, 12, 13, 14, 15, 16}, nil)
		if err != nil {
			t.Fatal(err)
		}
		for i, a := range out {
			for _, b := range out[:i] {
				if math.Hypot(a.Point[0]-b.Point[0], a.Point[1]-b.Point[1]) < 0.005 {
					t.Errorf("%s: suggestions %d and %d are as good as one: %v, %v", c.name, b.ID, a.ID, b.Point, a.Point)
				}
			}
		}
	}
}

// TestSeveralObjectives wants most of the hypervolume of a front that is known: of the squared
// distances from two corners, with reference (2, 2). Their front is on the diagonal, where the
// distances are 2t^2 and 2(1-t)^2; it leaves out 4 minus the integral of 2(1-sqrt(x/2))^2.
func TestSeveralObjectives(t *testing.T) {
	_, trials := searchSquare(t, algorithms.Problem{Objectives: 2, Seed: 1}, 30, func(u []float64) ([]float64, []float64) {
		a, b := u[0], u[1]
		return []float64{a*a + b*b, (1-a)*(1-a) + (1-b)*(1-b)}, nil
	})
	var losses [][]float64
	for _, trial := range trials {
		losses = append(losses, trial.Losses)
	}
	// The integral over x from 0 to 2 is 2/3. Thirty points on the front at best leave stairs of
	// about 4/60 in all.
	const best = 4 - 2.0/3
	if got := hypervolume(losses, []float64{2, 2}); got < best-0.15 {
		t.Errorf("hypervolume %v of %v", got, best)
	}
}

// TestSeveralObjectivesOfMany wants a search to add to the hypervolume of more trials than are
// modelled: ten suggestions more than ten times as many random points.
func TestSeveralObjectivesOfMany(t *testing.T) {
	const n = 500
	f := func(u []float64, _ *rand.Rand) ([]float64, []float64) {
		return []float64{valley(u, 0.2), valley(u, 0.8)}, nil
	}
	p, trials := evaluated(t, doubles("a", "b", "c"), n+100, f)
	losses := func(trials []algorithms.Trial) (out [][]float64) {
		for _, trial := range trials {
			out = append(out, trial.Losses)
		}
		return out
	}
	reference := []float64{4, 4}
	before, random := hypervolume(losses(trials[:n]), reference), hypervolume(losses(trials), reference)
	trials = trials[:n:n]
	s, err := algorithms.New(GP(), p, algorithms.Values{})
	if err != nil {
		t.Fatal(err)
	}
	s.Tell(trials)
	for id := range uint64(10) {
		out, err := s.Ask([]uint64{n + id + 1}, nil)
		if err != nil {
			t.Fatal(err)
		}
		l, _ := f(p.Space.Encode(out[0].Point), nil)
		trial := algorithms.Trial{ID: out[0].ID, Point: out[0].Point, State: algorithms.Succeeded, Losses: l, Memo: out[0].Memo}
		s.Tell([]algorithms.Trial{trial})
		trials = append(trials, trial)
	}
	if got := hypervolume(losses(trials), reference); got-before < random-before {
		t.Errorf("ten suggestions add %v, a hundred random points %v", got-before, random-before)
	}
}

// TestConstraints wants the optimum on the edge of a disc of which 20 % of the square is a part, and
// more feasible trials than that.
func TestConstraints(t *testing.T) {
	const n = 25
	_, trials := searchSquare(t, algorithms.Problem{Objectives: 1, Constraints: 1, Seed: 1}, n, func(u []float64) ([]float64, []float64) {
		a, b := u[0], u[1]
		return []float64{a + b}, []float64{(a-0.7)*(a-0.7) + (b-0.7)*(b-0.7) - 0.0625}
	})
	best, feasible := math.Inf(1), 0
	for _, trial := range trials {
		if trial.Constraints[0] <= 0 {
			feasible++
			best = min(best, trial.Losses[0])
		}
	}
	want := 1.4 - 0.25*math.Sqrt2
	if best > want+0.02 || feasible < n/3 {
		t.Errorf("best %v of %v, %d trials are feasible", best, want, feasible)
	}
}

// TestNothingFeasible wants the search to go on where no trial is feasible, and towards where the
// constraint is least.
func TestNothingFeasible(t *testing.T) {
	_, trials := searchSquare(t, algorithms.Problem{Objectives: 2, Constraints: 2, Seed: 1}, 15, func(u []float64) ([]float64, []float64) {
		return []float64{u[0], u[1]}, []float64{1 + u[0], 1 + u[1]}
	})
	least := math.Inf(1)
	for _, trial := range trials {
		least = min(least, trial.Constraints[0]+trial.Constraints[1])
	}
	if least > 2.02 {
		t.Errorf("the least sum of constraints is %v, want 2", least)
	}
}
