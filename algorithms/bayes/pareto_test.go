package bayes

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

var nan, inf = math.NaN(), math.Inf(1)

func TestRanks(t *testing.T) {
	for _, c := range []struct {
		name   string
		points [][]float64
		want   []int
		front  []int
	}{
		{"none", nil, []int{}, nil},
		{"one", [][]float64{{1, 2}}, []int{0}, []int{0}},
		{"a chain", [][]float64{{3, 3}, {1, 1}, {2, 2}}, []int{2, 0, 1}, []int{1}},
		{"a front", [][]float64{{2, 1}, {1, 2}, {0, 3}}, []int{0, 0, 0}, []int{2, 1, 0}},
		{"equal points", [][]float64{{1, 1}, {1, 1}, {2, 1}}, []int{0, 0, 1}, []int{0}},
		{"equal in one objective", [][]float64{{1, 2}, {1, 1}, {0, 2}}, []int{1, 0, 0}, []int{2, 1}},
		{"NaN", [][]float64{{nan, 0}, {1, 1}, {2, 2}, {0, nan}}, []int{2, 0, 1, 2}, []int{1}},
		{"only NaN", [][]float64{{nan, 0}}, []int{1}, nil},
		{"infinite", [][]float64{{inf, 0}, {0, inf}, {inf, inf}, {-inf, 5}}, []int{0, 1, 2, 0}, []int{3, 0}},
	} {
		if got := ranks(c.points); !slices.Equal(got, c.want) {
			t.Errorf("%s: ranks are %v, want %v", c.name, got, c.want)
		}
		if got := front(c.points); !slices.Equal(got, c.front) {
			t.Errorf("%s: the front is %v, want %v", c.name, got, c.front)
		}
	}
}

// TestRanksPeel compares with the definition: the front of what is left when the ranks before are
// taken away.
func TestRanksPeel(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for m := 1; m <= 5; m++ {
		points := grid(r, 40, m, 6)
		got := ranks(points)
		for rank, left := 0, len(points); left > 0; rank++ {
			for i, p := range points {
				dominated := slices.ContainsFunc(points, func(q []float64) bool {
					j := slices.IndexFunc(points, func(o []float64) bool { return &o[0] == &q[0] })
					return got[j] >= rank && dominates(q, p)
				})
				if got[i] >= rank && dominated == (got[i] == rank) {
					t.Fatalf("%d objectives: point %v has rank %d", m, p, got[i])
				}
				if got[i] == rank {
					left--
				}
			}
		}
	}
}

// grid draws points with coordinates 0, 1, ... below levels, so that there are ties.
func grid(r *rand.Rand, n, m, levels int) [][]float64 {
	points := make([][]float64, n)
	for i := range points {
		points[i] = make([]float64, m)
		for k := range points[i] {
			points[i][k] = float64(r.IntN(levels))
		}
	}
	return points
}

// uniform draws points of the unit cube.
func uniform(r *rand.Rand, n, m int) [][]float64 {
	points := make([][]float64, n)
	for i := range points {
		points[i] = make([]float64, m)
		for k := range points[i] {
			points[i][k] = r.Float64()
		}
	}
	return points
}
