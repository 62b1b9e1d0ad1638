package problem

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestHypervolume(t *testing.T) {
	tests := []struct {
		name      string
		points    [][]float64
		reference []float64
		want      float64
	}{
		{"none", nil, []float64{1, 1}, 0},
		{"one", [][]float64{{0.5, 0.25}}, []float64{1, 1}, 0.375},
		{"staircase", [][]float64{{1, 2}, {2, 1}, {0, 3}}, []float64{4, 4}, 4 + 2 + 2 + 1},
		{"dominated and twice", [][]float64{{1, 1}, {1, 1}, {2, 2}, {1, 3}}, []float64{4, 4}, 9},
		{"at or beyond the reference", [][]float64{{4, 0}, {0, 5}, {math.NaN(), 0}}, []float64{4, 4}, 0},
		{"box", [][]float64{{1, 2, 3}}, []float64{2, 4, 6}, 6},
		{"two boxes", [][]float64{{0, 1, 1}, {1, 0, 0}}, []float64{2, 2, 2}, 2 + 4 - 1},
		{"same height", [][]float64{{0, 1, 0}, {1, 0, 0}}, []float64{2, 2, 2}, 6},
		{"one behind a step", [][]float64{{1, 1, 0}, {0, 1, 1}}, []float64{2, 2, 2}, 3},
	}
	for _, tt := range tests {
		if got := Hypervolume(tt.points, tt.reference); got != tt.want {
			t.Errorf("%s: got %g, want %g", tt.name, got, tt.want)
		}
	}
}

// TestHypervolumeAgainstSampling counts dominated random points of the box.
func TestHypervolumeAgainstSampling(t *testing.T) {
	const n, samples = 12, 100000
	source := rand.New(rand.NewPCG(1, 3))
	for _, m := range []int{2, 3} {
		reference := []float64{1, 1, 1}[:m]
		points := make([][]float64, n)
		for i := range points {
			points[i] = []float64{source.Float64(), source.Float64(), source.Float64()}[:m]
		}
		dominated := 0
		x := make([]float64, m)
		for range samples {
			for i := range x {
				x[i] = source.Float64()
			}
			for _, p := range points {
				if below(p, x) {
					dominated++
					break
				}
			}
		}
		share := float64(dominated) / samples
		// 5 deviations of a share are at most 5 * 0.5 / sqrt(samples) = 0.008.
		if got := Hypervolume(points, reference); math.Abs(got-share) > 0.008 {
			t.Errorf("%d losses: got %g, %g of the box is dominated", m, got, share)
		}
	}
}

// front returns the losses at n settings of the first parameters (n^2 for three losses) while the
// others are where g is least.
func front(t *testing.T, p *Problem, member string, n int) [][]float64 {
	t.Helper()
	best := map[string]float64{"dtlz1-3": 0.5, "dtlz2-2": 0.5, "dtlz2-3": 0.5}[member]
	x := make([]float64, p.Space.Len())
	for i := range x {
		x[i] = best
	}
	var losses [][]float64
	for i := range n {
		x[0] = float64(i) / float64(n-1)
		if p.Objectives == 2 {
			losses = append(losses, p.Eval(x, 0, 0).True)
			continue
		}
		for j := range n {
			x[1] = float64(j) / float64(n-1)
			losses = append(losses, p.Eval(x, 0, 0).True)
		}
	}
	return losses
}

// TestFrontsHaveTheirHypervolume compares the volume of a dense front with the exact one. It is
// less, by at most some steps of the grid.
func TestFrontsHaveTheirHypervolume(t *testing.T) {
	for _, member := range sortedNames(multis) {
		for _, d := range []int{6, 12} {
			p := one(t, "multi", member, d, 0)
			n, gap := 20000, 1e-4
			if p.Objectives == 3 {
				n, gap = 40, 0.04
			}
			got := p.Regret(Hypervolume(front(t, p, member, n), p.Reference))
			if !(got >= -1e-9 && got < gap) {
				t.Errorf("%s: a dense front is %g short of the exact hypervolume", p.Name, got)
			}
		}
	}
}

// TestNothingBeatsTheFront evaluates points near the front and elsewhere: the reference is above
// all losses, and no set exceeds the exact hypervolume.
func TestNothingBeatsTheFront(t *testing.T) {
	source := rand.New(rand.NewPCG(2, 2))
	for _, member := range sortedNames(multis) {
		p := one(t, "multi", member, 6, 0)
		losses := front(t, p, member, 50)
		x := make([]float64, 6)
		for range 300 {
			for i := range x {
				x[i] = source.Float64()
			}
			r := p.Eval(p.Space.Decode(x), 0, 0).True
			if !below(r, p.Reference) {
				t.Errorf("%s: losses %v are not below the reference %v", p.Name, r, p.Reference)
			}
			losses = append(losses, r)
		}
		if got := p.Regret(Hypervolume(losses, p.Reference)); got < 0 {
			t.Errorf("%s: regret %g is below 0", p.Name, got)
		}
	}
}
