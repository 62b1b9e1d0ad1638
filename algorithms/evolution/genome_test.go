package evolution

import (
	"math"
	"slices"
	"testing"

	"github.com/tuned-hpo/tuned/pkg/searchspace"
)

// TestBinaryCrossover wants what the distribution says: half of the children of two numbers far from the ends between
// them, as far beyond one as beyond the other, and all in the unit interval.
func TestBinaryCrossover(t *testing.T) {
	const n = 20000
	var source draws
	source.Seed(1, 2)
	for _, p := range [][2]float64{{0.4, 0.6}, {0.6, 0.4}, {0, 1}, {0, 0.01}, {0.3, 0.3}} {
		low, high := min(p[0], p[1]), max(p[0], p[1])
		inside, sum := 0, 0.0
		for range n {
			v := binaryCrossover(p[0], p[1], &source)
			if !(v >= 0 && v <= 1) {
				t.Fatalf("%v: child %g", p, v)
			}
			if v >= low && v <= high {
				inside++
			}
			sum += v / n
		}
		if p[0] == p[1] {
			if inside != n {
				t.Errorf("%v: %d children differ", p, n-inside)
			}
			continue
		}
		want := 0.5
		if low == 0 && high == 1 {
			want = 1
		} else if low == 0 {
			want = 0.75 // on that side there is no room, alpha is 1
		}
		// 5 standard deviations of a share are at most 5 * 0.5 / sqrt(n) = 0.018.
		if share := float64(inside) / n; math.Abs(share-want) > 0.018 {
			t.Errorf("%v: %g of the children are between, want %g", p, share, want)
		}
		// Children are some hundredths of the distance away.
		if mean := (p[0] + p[1]) / 2; low > 0 && math.Abs(sum-mean) > 0.005 {
			t.Errorf("%v: children have mean %g, want %g", p, sum, mean)
		}
	}
}

// TestPolynomialMutation wants the median step of the distribution, at u = 1/4, in the middle of the interval.
func TestPolynomialMutation(t *testing.T) {
	const n = 20000
	var source draws
	source.Seed(3, 4)
	for _, x := range []float64{0, 0.5, 1} {
		steps := make([]float64, n)
		up := 0
		for i := range steps {
			y := polynomialMutation(x, &source)
			if !(y >= 0 && y <= 1) {
				t.Fatalf("%g becomes %g", x, y)
			}
			if y > x {
				up++
			}
			steps[i] = math.Abs(y - x)
		}
		slices.Sort(steps)
		want := 1 - math.Pow(0.5+0.5*math.Pow(0.5, etaMutation+1), 1./(etaMutation+1))
		// Of steps the density at the median is above 3, so that 5 deviations of it are below 5 * 0.5 / (3 sqrt n) = 0.006.
		if got := steps[n/2]; math.Abs(got-want) > 0.006 && x == 0.5 {
			t.Errorf("%g: median step %g, want %g", x, got, want)
		}
		if share := float64(up) / n; x == 0.5 && math.Abs(share-0.5) > 0.018 || x == 1 && up > 0 {
			t.Errorf("%g: %g go up", x, share)
		}
	}
}

// TestMutationLeavesSteps wants a number in steps, and a label, to be another one after each mutation.
func TestMutationLeavesSteps(t *testing.T) {
	c := newCoding(space(t,
		searchspace.Parameter{Name: "int", Kind: searchspace.Int, Min: 1, Max: 3},
		searchspace.Parameter{Name: "log", Kind: searchspace.Int, Min: 1, Max: 512, Distribution: searchspace.LogUniform},
		searchspace.Parameter{Name: "one", Kind: searchspace.Categorical, Values: []string{"only"}},
		searchspace.Parameter{Name: "label", Kind: searchspace.Categorical, Values: []string{"a", "b"}}))
	var source draws
	source.Seed(5, 6)
	g, before := newGenome(c), newGenome(c)
	p := searchspace.Point{2, 20, 0, 1}
	for range 2000 {
		before.read(c, p)
		g.copyFrom(before)
		g.mutate(c, 1, &source)
		q := c.decode(g.v, g.labels)
		if err := c.space.Contains(q); err != nil || q[0] == p[0] || q[1] == p[1] || q[3] == p[3] {
			t.Fatalf("%v becomes %v, %v", p, q, err)
		}
		p = q
	}
}

// TestGenesThatAreNotActive wants a child to have a parameter that one parent has, and a number for what none has.
func TestGenesThatAreNotActive(t *testing.T) {
	c := newCoding(mixed(t))
	var source draws
	source.Seed(7, 8)
	one, two, child := newGenome(c), newGenome(c), newGenome(c)
	one.read(c, searchspace.Point{0.01, 3, 32, 0, 0.25}) // sgd, which alone has momentum
	two.read(c, searchspace.Point{0.1, 4, 64, 1, math.NaN()})
	if one.active() != 5 || two.active() != 4 {
		t.Errorf("%d and %d are active, want 5 and 4", one.active(), two.active())
	}
	for range 100 {
		child.cross(one, two, &source)
		if momentum := child.v[3]; momentum != one.v[3] {
			t.Fatalf("momentum %g of parents %g, %g", momentum, one.v[3], two.v[3])
		}
		child.cross(two, two, &source)
		if !math.IsNaN(child.v[3]) {
			t.Fatalf("momentum %g of parents without", child.v[3])
		}
		child.mutate(c, 1, &source)
		child.complete(c, &source)
		if p := c.decode(child.v, child.labels); c.space.Contains(p) != nil {
			t.Fatalf("child %v", p)
		}
	}
}
