package bayes

import (
	"math"
	"math/bits"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestHypervolume(t *testing.T) {
	for _, c := range []struct {
		name      string
		points    [][]float64
		reference []float64
		want      float64
	}{
		{"none", nil, []float64{1, 1}, 0},
		{"one objective", [][]float64{{0.5}, {0.25}}, []float64{1}, 0.75},
		{"one point", [][]float64{{1, 2}}, []float64{3, 5}, 6},
		{"at the reference", [][]float64{{1, 2}, {3, 0}}, []float64{3, 5}, 6},
		{"beyond the reference", [][]float64{{1, 2}, {4, 0}}, []float64{3, 5}, 6},
		{"stairs", [][]float64{{0, 2}, {1, 1}, {2, 0}}, []float64{3, 3}, 6},
		{"stairs, one twice", [][]float64{{0, 2}, {1, 1}, {2, 0}, {1, 1}}, []float64{3, 3}, 6},
		{"a dominated point", [][]float64{{0, 0}, {1, 1}}, []float64{3, 3}, 9},
		{"NaN", [][]float64{{nan, 0}, {1, 1}}, []float64{3, 3}, 4},
		{"three objectives", [][]float64{{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}, []float64{2, 2, 2}, 7},
		{"four objectives", [][]float64{{0, 0, 0, 1}, {0, 0, 1, 0}}, []float64{2, 2, 2, 2}, 12},
	} {
		if got := hypervolume(c.points, c.reference); got != c.want {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
}

// TestHypervolumeInclusionExclusion compares with the sum over all subsets of the points, of what
// the points of a subset dominate together.
func TestHypervolumeInclusionExclusion(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 1))
	for m := 1; m <= 5; m++ {
		reference := slices.Repeat([]float64{0.9}, m)
		for range 10 {
			points := uniform(r, 10, m)
			want := inclusionExclusion(points, reference)
			// The sum has 2^10 terms of at most 1, each with a relative error of a few 2^-53.
			const tolerance = 1024 * 8 * 0x1p-53
			if got := hypervolume(points, reference); math.Abs(got-want) > tolerance {
				t.Errorf("%d objectives: got %v, want %v", m, got, want)
			}
			for i, p := range points {
				if !below(p, reference) {
					continue
				}
				others := slices.Concat(points[:i], points[i+1:])
				got, want := exclusive(p, others, reference), want-inclusionExclusion(others, reference)
				if math.Abs(got-want) > 2*tolerance {
					t.Errorf("%d objectives: point %d adds %v, want %v", m, i, got, want)
				}
			}
		}
	}
}

func inclusionExclusion(points [][]float64, reference []float64) float64 {
	sum := 0.0
	for subset := uint(1); subset < 1<<len(points); subset++ {
		volume := -1.0
		for k, r := range reference {
			worst := math.Inf(-1)
			for s := subset; s != 0; s &= s - 1 {
				worst = max(worst, points[bits.TrailingZeros(s)][k])
			}
			volume *= max(0, r-worst)
		}
		if bits.OnesCount(subset)%2 == 1 {
			volume = -volume
		}
		sum += volume
	}
	return sum
}

// TestHypervolumeOfASphere integrates a smooth front: of points on the unit sphere of the positive
// octant, the volume beyond it up to (1, 1, 1) is 1 - pi/6 in the limit.
func TestHypervolumeOfASphere(t *testing.T) {
	const n = 14
	var points [][]float64
	for i := range n + 1 {
		for j := range n + 1 {
			a, b := float64(i)/n*math.Pi/2, float64(j)/n*math.Pi/2
			points = append(points, []float64{math.Sin(a) * math.Cos(b), math.Sin(a) * math.Sin(b), math.Cos(a)})
		}
	}
	got, limit := hypervolume(points, []float64{1, 1, 1}), 1-math.Pi/6
	// What is missing lies between the sphere and stairs of side pi/2/n: less than the sphere's
	// eighth, of area pi/2, times the diagonal of a stair.
	if got > limit || got < limit-math.Pi/2*math.Pi/2/n*math.Sqrt(3) {
		t.Errorf("got %v, limit %v", got, limit)
	}
}

func TestReferencePoint(t *testing.T) {
	for _, c := range []struct {
		name   string
		points [][]float64
		want   []float64
	}{
		{"a front", [][]float64{{0, 20}, {10, 0}, {100, 100}}, []float64{11, 22}},
		{"one best", [][]float64{{0, 0}, {10, 100}}, []float64{1, 10}},
		{"one point", [][]float64{{3, 4}}, []float64{3.1, 4.1}},
		{"NaN first", [][]float64{{nan, 4}, {0, 0}, {10, 100}}, []float64{1, 10}},
	} {
		got := referencePoint(c.points)
		for k, want := range c.want {
			if math.Abs(got[k]-want) > 4*0x1p-52*want { // a product, a difference and a sum
				t.Errorf("%s: got %v, want %v", c.name, got, c.want)
			}
		}
	}
}

// TestBoxes compares what a point would add with the difference of hypervolumes, on grids with ties
// and on random points, and the number of boxes with its bound.
func TestBoxes(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 1))
	draws := []struct {
		name  string
		scale float64
		draw  func(n, m int) [][]float64
	}{
		{"grid", 6, func(n, m int) [][]float64 { return grid(r, n, m, 6) }},
		{"random", 1, func(n, m int) [][]float64 { return uniform(r, n, m) }},
	}
	for _, d := range draws {
		for m := 1; m <= 5; m++ {
			for _, n := range []int{0, 1, 2, 5, 20} {
				points, reference := d.draw(n, m), slices.Repeat([]float64{0.9 * d.scale}, m)
				b := newBoxes(points, reference)
				before := hypervolume(points, reference)
				for _, y := range d.draw(20, m) {
					want := hypervolume(append([][]float64{y}, points...), reference) - before
					// Sums of at most 300 volumes of at most 6^5.
					if got := volumeAdded(b, y); math.Abs(got-want) > 300*8*0x1p-53*math.Pow(d.scale, float64(m)) {
						t.Errorf("%s: %d points of %d objectives, another at %v adds %v, want %v", d.name, n, m, y, got, want)
					}
				}
				size := len(pick(points, front(points)))
				if most := []int{1, 1, size + 1, 2*size + 1}; m < len(most) && len(b.upper)/m > most[m] {
					t.Errorf("%s: %d points of %d objectives make %d boxes", d.name, size, m, len(b.upper)/m)
				}
			}
		}
	}
}

// volumeAdded returns the volume of what is in the boxes and no better than y in any objective: the
// hypervolume that y would add.
func volumeAdded(b boxes, y []float64) float64 {
	sum := 0.0
	for at := 0; at < len(b.upper); at += b.m {
		volume := 1.0
		for k, v := range y {
			volume *= max(0, b.upper[at+k]-max(b.lower[at+k], v))
		}
		sum += volume
	}
	return sum
}
