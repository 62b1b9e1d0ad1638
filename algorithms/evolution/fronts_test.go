package evolution

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// drawn is a solution on a coarse grid, so that there are ties, of any class but failed.
func drawn(r *rand.Rand, objectives int) *solution {
	x := &solution{losses: make([]float64, objectives)}
	for k := range x.losses {
		x.losses[k] = float64(r.IntN(8))
	}
	if r.IntN(4) == 0 {
		x.class, x.value = infeasible, float64(r.IntN(5))
	} else if r.IntN(6) == 0 {
		x.class = pruned
	}
	return x
}

// peel returns the fronts by their definition: what nothing left dominates is the next one.
func peel(all []*solution) map[*solution]int {
	rank := make(map[*solution]int)
	left := slices.Clone(all)
	for k := 0; len(left) > 0; k++ {
		var rest []*solution
		for _, x := range left {
			if slices.ContainsFunc(left, func(y *solution) bool { return y.dominates(x) }) {
				rest = append(rest, x)
			} else {
				rank[x] = k
			}
		}
		left = rest
	}
	return rank
}

// TestFronts inserts and removes, and wants the fronts of the definition each time.
func TestFronts(t *testing.T) {
	for objectives := 1; objectives <= 4; objectives++ {
		r := rand.New(rand.NewPCG(1, uint64(objectives)))
		var f fronts
		for step := range 300 {
			f.insert(drawn(r, objectives))
			if len(f.members) > 30 {
				last := f.last()
				f.drop(last[r.IntN(len(last))])
			}
			want := peel(f.members)
			count := 0
			for k, front := range f.of {
				for _, x := range front {
					count++
					if x.rank != k || want[x] != k || f.members[x.at] != x {
						t.Fatalf("%d objectives, step %d: %+v is in front %d, want %d", objectives, step, x, k, want[x])
					}
				}
			}
			if count != len(f.members) {
				t.Fatalf("%d objectives, step %d: %d members in fronts of %d", objectives, step, count, len(f.members))
			}
		}
	}
}

// TestDominates orders classes before losses.
func TestDominates(t *testing.T) {
	of := func(class class, value float64, losses ...float64) *solution {
		return &solution{standing: standing{class, value}, losses: losses}
	}
	for _, tt := range []struct {
		name string
		x, y *solution
		want bool
	}{
		{"better in one", of(succeeded, 0, 1, 2), of(succeeded, 0, 1, 3), true},
		{"equal", of(succeeded, 0, 1, 2), of(succeeded, 0, 1, 2), false},
		{"a trade", of(succeeded, 0, 1, 4), of(succeeded, 0, 2, 3), false},
		{"feasible", of(succeeded, 0, 9, 9), of(infeasible, 0.1, 1, 1), true},
		{"pruned", of(pruned, 0, 9, 9), of(infeasible, 0.1, 1, 1), true},
		{"pruned and better", of(pruned, 0, 1, 1), of(succeeded, 0, 9, 9), false},
		{"misses by less", of(infeasible, 1, 9, 9), of(infeasible, 2, 1, 1), true},
		{"misses by as much", of(infeasible, 1, 1, 1), of(infeasible, 1, 2, 2), false},
	} {
		if got := tt.x.dominates(tt.y); got != tt.want {
			t.Errorf("%s: got %t", tt.name, got)
		}
	}
}
