package bayes

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tuned-hpo/tuned/pkg/searchspace"
)

func newSpace(t testing.TB, params ...searchspace.Parameter) *searchspace.Space {
	t.Helper()
	space, err := searchspace.New(params)
	if err != nil {
		t.Fatal(err)
	}
	return space
}

// mixedSpace has each kind of parameter, and one that two others depend on.
func mixedSpace(t testing.TB) *searchspace.Space {
	return newSpace(t,
		searchspace.Parameter{Name: "momentum", Kind: searchspace.Double, Max: 1, ActiveWhen: &searchspace.Condition{Parent: "opt", Values: []string{"sgd"}}},
		searchspace.Parameter{Name: "lr", Kind: searchspace.Double, Distribution: searchspace.LogUniform, Min: 1e-4, Max: 1},
		searchspace.Parameter{Name: "layers", Kind: searchspace.Int, Min: 1, Max: 4},
		searchspace.Parameter{Name: "units", Kind: searchspace.Int, Min: 1, Max: 1 << 30},
		searchspace.Parameter{Name: "batch", Kind: searchspace.Discrete, Values: []string{"16", "32", "1e3"}, Numbers: []float64{16, 32, 1000}},
		searchspace.Parameter{Name: "opt", Kind: searchspace.Categorical, Values: []string{"adam", "sgd", "lion"}},
		searchspace.Parameter{Name: "width", Kind: searchspace.Double, Max: 1, ActiveWhen: &searchspace.Condition{Parent: "layers", Values: []string{"3", "4"}}})
}

func TestFeatures(t *testing.T) {
	e := newEncoding(mixedSpace(t))
	x := make([]float64, 7)
	e.features(searchspace.Point{math.NaN(), 1e-2, 3, 1, 1000, 2, 0.25}, x)
	units := (0x1p-31 + math.Log(1.5-0x1p-31)/math.Log(0x1p30)) / 2 // halfway between two places
	want := []float64{math.NaN(), 0.5, 0.625, units, 5. / 6, 2, 0.25}
	near := cmp.Comparer(func(a, b float64) bool { return math.Abs(a-b) < 1e-15 || math.IsNaN(a) && math.IsNaN(b) })
	if diff := cmp.Diff(x, want, near); diff != "" {
		t.Error(diff)
	}
}

// TestEncodingIsInvertible walks from points to features and back, and from features that are
// snapped to points.
func TestEncodingIsInvertible(t *testing.T) {
	space := mixedSpace(t)
	e := newEncoding(space)
	random := rand.New(rand.NewPCG(1, 2))
	u, x, masked, again := make([]float64, 7), make([]float64, 7), make([]float64, 7), make([]float64, 7)
	for range 1000 {
		for i := range u {
			u[i] = random.Float64()
			x[i] = e.axes[i].snap(u[i])
			if !e.axes[i].labels {
				u[i] = e.axes[i].straighten(u[i])
			}
		}
		p := e.point(x)
		if err := space.Contains(p); err != nil {
			t.Fatal(err)
		}
		if want := space.Decode(u); !samePoints(p, want) {
			t.Fatalf("%v: got %v, want %v", u, p, want)
		}
		e.mask(x, masked)
		e.features(p, again)
		for i := range again {
			// The logarithm and back cost some ulp.
			if math.IsNaN(masked[i]) != math.IsNaN(again[i]) || math.Abs(masked[i]-again[i]) > 1e-14 {
				t.Fatalf("%v: features are %v, then %v", u, masked, again)
			}
		}
	}
}

// samePoints compares coordinates up to some ulp; NaN equals NaN.
func samePoints(p, q searchspace.Point) bool {
	return slices.EqualFunc(p, q, func(a, b float64) bool {
		return math.Abs(a-b) <= 1e-14*math.Abs(a) || math.IsNaN(a) && math.IsNaN(b)
	})
}

func TestAround(t *testing.T) {
	space := newSpace(t,
		searchspace.Parameter{Name: "few", Kind: searchspace.Int, Min: 1, Max: 2},
		searchspace.Parameter{Name: "some", Kind: searchspace.Int, Min: 0, Max: 99},
		searchspace.Parameter{Name: "many", Kind: searchspace.Int, Min: 0, Max: 1<<12 - 1})
	e := newEncoding(space)
	few := e.axes[0].around(0.25, nil)
	some := e.axes[1].around(0.005, nil)
	many := e.axes[2].around(e.axes[2].snap(0), nil)
	if diff := cmp.Diff(few, []float64{0.25, 0.75}); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(some, []float64{0.015, 0.025, 0.045, 0.085, 0.165, 0.325, 0.645}); diff != "" {
		t.Error(diff)
	}
	if !slices.Contains(many, 1.5/4096) || !slices.Contains(many, 1024.5/4096) {
		t.Errorf("got %v, want the next level and one a quarter of the axis away", many)
	}
}

func TestTrust(t *testing.T) {
	e := newEncoding(mixedSpace(t))
	rows := []float64{
		math.NaN(), 0.5, 0.625, 0.5, 0.5, 2, 0.25,
		0.1, 0.9, 0.125, 0.5, 0.5, 1, math.NaN(),
	}
	region := newTrust(e, rows, 2, 0.2, 0.3)
	if want := 0.2 + 0.3*2/40; math.Abs(region.radius-want) > 1e-15 {
		t.Errorf("got radius %g, want %g", region.radius, want)
	}
	lower, upper := make([]float64, 7), []float64{1, 1, 1, 1, 1, 2, 1}
	region.box([]float64{0.2, 0.8, 0.125, 0.5, 0.5, 1, math.NaN()}, lower, upper)
	r := region.radius
	near := cmp.Comparer(func(a, b float64) bool { return math.Abs(a-b) < 1e-15 })
	if diff := cmp.Diff(lower, []float64{0, 0.9 - r, 0, 0.5 - r, 0, 0, 0}, near); diff != "" { // layers, batch and opt are coarse
		t.Error(diff)
	}
	if diff := cmp.Diff(upper, []float64{0.1 + r, 1, 1, 0.5 + r, 1, 2, 1}, near); diff != "" {
		t.Error(diff)
	}
	if radius := newTrust(e, slices.Repeat(rows, 21), 42, 0.2, 0.3).radius; !math.IsInf(radius, 1) {
		t.Errorf("got radius %g for 42 points, want no limit", radius)
	}
}

func TestMemo(t *testing.T) {
	lower, upper := []float64{-1, -2}, []float64{1, 2}
	good := memo{told: 300, fitted: 294, theta: []float64{0.5, -2}}
	text := good.encode()
	if got, ok := decodeMemo(text, lower, upper); !ok || !cmp.Equal(got, good, cmp.AllowUnexported(memo{})) {
		t.Errorf("got %v, %t, want %v", got, ok, good)
	}
	for name, bad := range map[string][]byte{
		"nothing":            nil,
		"of another version": append([]byte{memoVersion + 1}, text[1:]...),
		"too short":          text[:len(text)-1],
		"too long":           append(slices.Clone(text), 0),
		"a stranger":         []byte("xxxxxxxxxxxxxxxxxxxxxx"),
		"out of bounds":      memo{theta: []float64{0.5, 3}}.encode(),
		"not a number":       memo{theta: []float64{math.NaN(), 0}}.encode(),
		"fitted to later":    memo{told: 1, fitted: 2, theta: []float64{0, 0}}.encode(),
	} {
		if got, ok := decodeMemo(bad, lower, upper); ok {
			t.Errorf("%s: got %v, want it refused", name, got)
		}
	}
}

// extremeSpace has ranges whose ratio of the ends overflows, or nearly so.
func extremeSpace(t testing.TB) *searchspace.Space {
	return newSpace(t,
		searchspace.Parameter{Name: "all", Kind: searchspace.Double, Min: 1e-300, Max: 1e300},
		searchspace.Parameter{Name: "least", Kind: searchspace.Double, Min: 5e-324, Max: 1},
		searchspace.Parameter{Name: "subnormal", Kind: searchspace.Double, Min: 1e-309, Max: 1},
		searchspace.Parameter{Name: "bent", Kind: searchspace.Double, Min: 1e-300, Max: 1})
}

// TestExtremeAxes wants features of ranges of all magnitudes finite, monotone and invertible.
func TestExtremeAxes(t *testing.T) {
	for i, a := range newEncoding(extremeSpace(t)).axes {
		last := math.Inf(-1)
		for k := range 101 {
			u := float64(k) / 100
			f := a.feature(a.alone.Decode([]float64{u}))
			if back := a.straighten(f); !(f > last && f >= 0 && f <= 1 && math.Abs(back-u) <= 1e-12) {
				t.Fatalf("axis %d: %g has feature %g, after %g, and is %g back", i, u, f, last, back)
			}
			last = f
			if again := a.bend(a.straighten(u)); math.Abs(again-u) > 1e-9 {
				t.Fatalf("axis %d: feature %g is of a place that has %g", i, u, again)
			}
		}
	}
}

// TestWideAxes wants ranges of several magnitudes bent, and back again: ends and order are kept, and
// a step of a magnitude near the lower end is no smaller than a twentieth of the axis.
func TestWideAxes(t *testing.T) {
	e := newEncoding(newSpace(t,
		searchspace.Parameter{Name: "lr", Kind: searchspace.Double, Min: 1e-5, Max: 1},
		searchspace.Parameter{Name: "units", Kind: searchspace.Int, Min: 1, Max: 1 << 20},
		searchspace.Parameter{Name: "width", Kind: searchspace.Int, Min: 4, Max: 512},
		searchspace.Parameter{Name: "log", Kind: searchspace.Double, Distribution: searchspace.LogUniform, Min: 1e-5, Max: 1},
		searchspace.Parameter{Name: "narrow", Kind: searchspace.Double, Min: 1, Max: 99},
		searchspace.Parameter{Name: "signed", Kind: searchspace.Double, Min: -1, Max: 1},
	))
	for i, a := range e.axes {
		if bent := a.ratio > 0; bent != (i < 3) {
			t.Errorf("axis %d: bent is %t", i, bent)
		}
		last := math.Inf(-1)
		for k := range 101 {
			u := float64(k) / 100
			f := a.bend(u)
			if back := a.straighten(f); f <= last || f < 0 || f > 1 || math.Abs(back-u) > 1e-12 {
				t.Fatalf("axis %d: %g is bent to %g, after %g, and back to %g", i, u, f, last, back)
			}
			last = f
		}
	}
	x, y := make([]float64, 6), make([]float64, 6)
	e.features(searchspace.Point{1e-4, 10, 16, 0.1, 50, 0}, x)
	e.features(searchspace.Point{1e-3, 100, 64, 0.1, 50, 0}, y)
	for i := range 3 {
		if y[i]-x[i] < 0.05 {
			t.Errorf("axis %d: a magnitude is %g of the axis", i, y[i]-x[i])
		}
	}
	if p := e.point(x); math.Abs(p[0]-1e-4) > 1e-12 || p[1] != 10 || p[2] != 16 {
		t.Errorf("got %v back", p)
	}
}
