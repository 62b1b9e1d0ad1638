package problem

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/tuned-hpo/tuned/pkg/searchspace"
)

// TestConstrainedOptima checks that the optimum is feasible and has its value, and that a random
// search around it, and one everywhere, find nothing feasible below.
func TestConstrainedOptima(t *testing.T) {
	for member, b := range bounds {
		p := one(t, "constrained", member, 0, 0)
		if err := p.Space.Contains(b.at); err != nil {
			t.Errorf("%s: %v", member, err)
		}
		// Published figures have some 12 digits; active constraints are crossed by as much.
		const digits = 1e-9
		loss, constraints := b.values(b.at)
		if got := loss - b.optimum; math.Abs(got) > digits*max(1, math.Abs(b.optimum)) {
			t.Errorf("%s: loss at the optimum is %.15g, want %.15g", member, loss, b.optimum)
		}
		if worst := slices.Max(constraints); worst > digits*100 {
			t.Errorf("%s: a constraint is %g at the optimum", member, worst)
		}
		source := rand.New(rand.NewPCG(4, 4))
		least := leastAround(p, b.at, source)
		if least < -digits*100*max(1, math.Abs(b.optimum)) {
			t.Errorf("%s: there is a feasible point %g below the optimum", member, least)
		}
		if least > 0.01*max(1, math.Abs(b.optimum)) {
			t.Errorf("%s: the best feasible point near the optimum is %g above it", member, least)
		}
	}
}

// leastAround is the least regret of feasible points at all distances from a point.
func leastAround(p *Problem, at searchspace.Point, source *rand.Rand) float64 {
	centre := p.Space.Encode(at)
	u := make([]float64, len(centre))
	least := math.Inf(1)
	for k := range 100000 {
		reach := math.Pow(10, -float64(k%7))
		for i := range u {
			u[i] = centre[i] + reach*(2*source.Float64()-1)
		}
		r := p.Eval(p.Space.Decode(u), 0, 0)
		if slices.Max(r.Constraints) <= 0 {
			least = min(least, p.Regret(r.True[0]))
		}
	}
	return least
}
