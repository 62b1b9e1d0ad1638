package evolution

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/tuned-hpo/tuned/algorithms"
	"github.com/tuned-hpo/tuned/algorithms/algorithmtest"
)

func TestNSGA3(t *testing.T) {
	algorithmtest.Run(t, NSGA3())
	algorithmtest.Run(t, NSGA3(), algorithms.RawSetting{Name: "population_size", Value: "6"}, algorithms.RawSetting{Name: "divisions", Value: "2"})
}

// TestReferenceDirections compares numbers with those of Deb and Jain 2014, section V, and one set with its points.
func TestReferenceDirections(t *testing.T) {
	for _, tt := range []struct{ objectives, divisions, most, want int }{
		{3, 12, 0, 91},
		{5, 6, 0, 210},
		{3, 4, 0, 15},
		{2, 99, 0, 100},
		{1, 7, 0, 1},
		{3, 0, 91, 91},
		{3, 0, 90, 78},
		{5, 0, 212, 210},
		{2, 0, 40, 40},
		{1, 0, 40, 1},
		{2, 0, 1, 1},
		{8, 0, 156, 156},
		{10, 0, 275, 275}, // two layers, of 3 and 2 divisions
		{3, 0, 6, 6},
		{4, 0, 5, 4}, // of one division
	} {
		got := referenceDirections(tt.objectives, tt.divisions, tt.most)
		if len(got) != tt.want {
			t.Errorf("%+v: %d directions", tt, len(got))
		}
		seen := make(map[string]bool)
		for _, d := range got {
			seen[fmt.Sprintf("%.9f", d)] = true
			if length := dot(d, d); math.Abs(length-1) > 1e-15*float64(4*tt.objectives) || slices.Min(d) < 0 {
				t.Errorf("%+v: direction %v", tt, d)
			}
		}
		if len(seen) != len(got) {
			t.Errorf("%+v: %d of %d directions differ", tt, len(seen), len(got))
		}
	}
	got := fmt.Sprintf("%.3f", referenceDirections(3, 2, 0))
	if want := "[[0.000 0.000 1.000] [0.000 0.707 0.707] [0.000 1.000 0.000] [0.707 0.000 0.707] [0.707 0.707 0.000] [1.000 0.000 0.000]]"; got != want {
		t.Errorf("got %s", got)
	}
}

// populated returns a population of members that succeeded.
func populated(losses ...[]float64) *fronts {
	f := new(fronts)
	for _, l := range losses {
		f.insert(&solution{losses: l})
	}
	return f
}

// TestScale compares intercepts with those known, and where the plane fails with the range that stands for it.
func TestScale(t *testing.T) {
	const huge = math.MaxFloat64
	for _, tt := range []struct {
		name   string
		losses [][]float64
		want   []float64
	}{
		{"a plane", [][]float64{{4, 10, 100}, {2, 14, 100}, {2, 10, 200}, {2.5, 10.5, 110}}, []float64{2, 4, 100}},
		{"a tilted plane", [][]float64{{5, 0.000001}, {0, 8}, {1, 1}}, []float64{5, 8}},
		{"one point", [][]float64{{3, 4}}, []float64{1, 1}},
		{"no range in one", [][]float64{{1, 7}, {2, 7}, {5, 7}}, []float64{4, 1}},
		{"one extreme point for both", [][]float64{{0, 0}, {2, 4}}, []float64{2, 4}},
		{"huge", [][]float64{{huge, -huge}, {-huge, huge}}, []float64{huge, huge}}, // by half
	} {
		s := newScale(len(tt.want))
		if !s.fit(populated(tt.losses...)) {
			t.Errorf("%s: the first scale is no change", tt.name)
		}
		for k, want := range tt.want {
			if got := 2 * s.length[k]; tt.name == "huge" && s.length[k] != want || tt.name != "huge" && math.Abs(got-want) > 1e-5*want {
				t.Errorf("%s: got %v, want %v", tt.name, s.length, tt.want)
			}
		}
		if s.fit(populated(tt.losses...)) {
			t.Errorf("%s: the same population changes the scale", tt.name)
		}
	}
}

// TestNiching wants the member that leaves to be of a niche from which niching, as it is written, leaves one out.
func TestNiching(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 1))
	for range 200 {
		n := newNiches(referenceDirections(3, 3, 0))
		var f fronts
		for range 5 + r.IntN(20) {
			f.insert(&solution{losses: []float64{r.Float64(), r.Float64(), r.Float64()}})
		}
		worst := n.worst(&f)
		if worst.rank != len(f.of)-1 {
			t.Fatalf("rank %d of %d fronts leaves", worst.rank, len(f.of))
		}
		rest := make([]int, len(n.directions))
		for _, x := range f.members {
			if x != worst {
				rest[x.niche]++
			}
		}
		if want := filled(n, &f); !slices.Equal(slices.Sorted(slices.Values(rest)), slices.Sorted(slices.Values(want))) {
			t.Fatalf("niches have %v members, want as many as %v", rest, want)
		}
	}
}

// filled is algorithm 4 of Deb and Jain 2014 for all members of the last front but one: how many each niche has then.
func filled(n *niches, f *fronts) []int {
	count, left := make([]int, len(n.directions)), make([]int, len(n.directions))
	for _, x := range f.members {
		if x.rank < len(f.of)-1 {
			count[x.niche]++
		} else {
			left[x.niche]++
		}
	}
	for range len(f.last()) - 1 {
		best := -1
		for i := range count {
			if left[i] > 0 && (best < 0 || count[i] < count[best]) {
				best = i
			}
		}
		count[best]++
		left[best]--
	}
	return count
}

// TestFarthestLeaves has two niches, of which the fuller one loses the member that is farthest from its direction.
func TestFarthestLeaves(t *testing.T) {
	n := newNiches(referenceDirections(2, 1, 0)) // the axes
	f := populated([]float64{0, 1}, []float64{0.1, 0.8}, []float64{0.3, 0.6}, []float64{1, 0})
	if worst := n.worst(f); worst.losses[0] != 0.3 {
		t.Errorf("%v leaves", worst.losses)
	}
}
