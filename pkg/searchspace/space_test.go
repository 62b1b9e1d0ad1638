package searchspace

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

func mustNew(t testing.TB, params ...Parameter) *Space {
	t.Helper()
	s, err := New(params)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// spaces draws spaces of all kinds of parameter, with conditions on the parameters before.
func spaces() *rapid.Generator[*Space] {
	return rapid.Custom(func(t *rapid.T) *Space {
		var params []Parameter
		for i := range rapid.IntRange(1, 6).Draw(t, "parameters") {
			p := parameters().Draw(t, "parameter")
			p.Name = string(rune('a'+(7*i)%26)) + "_" // order of names differs from that of positions
			if parent := rapid.IntRange(-1, i-1).Draw(t, "parent"); parent >= 0 && params[parent].Kind >= Discrete {
				values := params[parent].Values
				p.ActiveWhen = &Condition{Parent: params[parent].Name, Values: values[:rapid.IntRange(1, len(values)).Draw(t, "values")]}
			}
			params = append(params, p)
		}
		s, err := New(params)
		if err != nil {
			t.Fatalf("%+v: %v", params, err)
		}
		return s
	})
}

func parameters() *rapid.Generator[Parameter] {
	lists := rapid.SampledFrom([]Parameter{
		{Kind: Categorical, Values: []string{"adam", "sgd", ""}},
		{Kind: Categorical, Values: []string{"only"}},
		{Kind: Discrete, Values: []string{"-1e3", "0.50", "7"}, Numbers: []float64{-1000, 0.5, 7}},
	})
	return rapid.OneOf(lists, rapid.Custom(ranges))
}

func ranges(t *rapid.T) Parameter {
	dist := rapid.SampledFrom([]Distribution{Uniform, LogUniform, Normal, LogNormal}).Draw(t, "distribution")
	least := -math.MaxFloat64
	if dist == LogUniform || dist == LogNormal {
		least = math.SmallestNonzeroFloat64
	}
	p := Parameter{Kind: Double, Distribution: dist}
	switch rapid.IntRange(0, 3).Draw(t, "shape") {
	case 0:
		p.Kind = Int
		p.Min = float64(rapid.Int64Range(max(int64(max(least, -1<<39)), 1-min(1, int64(-min(0, least)))), 1<<39).Draw(t, "min"))
		p.Max = p.Min + float64(rapid.Int64Range(1, 1<<39).Draw(t, "width"))
	case 1: // a decimal grid
		p.Step = float64(rapid.IntRange(1, 50).Draw(t, "step")) / 100
		first := rapid.IntRange(-500, 500).Draw(t, "min")
		if least > 0 {
			first = max(first, -first) + 1
		}
		p.Min = float64(first) / 100
		p.Max = float64(first+rapid.IntRange(50, 5000).Draw(t, "width")) / 100
	default:
		p.Min = rapid.Float64Range(least, math.MaxFloat64/2).Draw(t, "min")
		p.Max = rapid.Float64Range(math.Nextafter(p.Min, math.Inf(1)), math.MaxFloat64).Draw(t, "max")
	}
	return p
}

func cube(t *rapid.T, s *Space) []float64 {
	return rapid.SliceOfN(rapid.Float64Range(0, 1), s.Len(), s.Len()).Draw(t, "u")
}

func TestDecodedPointIsInTheSpace(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := spaces().Draw(t, "space")
		if err := s.Contains(s.Decode(cube(t, s))); err != nil {
			t.Fatal(err)
		}
	})
}

func TestCodingRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := spaces().Draw(t, "space")
		p := s.Decode(cube(t, s))
		u := s.Encode(p)
		for i, got := range s.Decode(u) {
			if !(u[i] >= 0 && u[i] <= 1) {
				t.Errorf("parameter %d, value %v: coded as %v", i, p[i], u[i])
			}
			if math.IsNaN(p[i]) && math.IsNaN(got) || got == p[i] {
				continue
			}
			if s.axes[i].cells > 0 || !near(&s.axes[i], got, p[i]) {
				t.Errorf("parameter %d of %+v: got %v from the code of %v", i, s.params, got, p[i])
			}
		}
	})
}

// near allows for the rounding of u: an ulp of 1 is 2^-53, and the steepest the coding gets is at
// the ends of the normal ones, where a standard deviation of 1/6 and a density of e^-4.5/sqrt(2 pi)
// make dt/du 37.6; two more roundings each way.
func near(a *axis, got, want float64) bool {
	const du = 4 * 37.6 * 0x1p-53
	if a.log { // relative error is that of the logarithm, which itself is no better than its ulp
		magnitude := max(a.logRange, math.Abs(math.Log(a.min)), 1)
		return math.Abs(math.Log(got/want)) <= du*magnitude || math.Abs(got-want) <= 2*math.SmallestNonzeroFloat64
	}
	scale := max(math.Abs(a.min), math.Abs(a.max))
	return math.Abs(got/scale-want/scale) <= 2*du || math.Abs(got-want) <= 2*math.SmallestNonzeroFloat64
}

func TestTextRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := spaces().Draw(t, "space")
		p := s.Decode(cube(t, s))
		a := s.Format(p)
		slices.Reverse(a)
		got, err := s.Parse(a)
		if err != nil {
			t.Fatal(err)
		}
		if !cmp.Equal(got, p, cmpopts.EquateNaNs()) {
			t.Fatalf("got %v, want %v from %v", got, p, a)
		}
	})
}

func TestCodingIsMonotone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := parameters().Draw(t, "parameter")
		p.Name = "x"
		s := mustNewRapid(t, p)
		u := rapid.SliceOfN(rapid.Float64Range(0, 1), 2, 20).Draw(t, "u")
		slices.Sort(u)
		last := math.Inf(-1)
		for _, u := range u {
			v := s.Decode([]float64{u})[0]
			if v < last {
				t.Fatalf("%+v falls from %v to %v at %v", p, last, v, u)
			}
			last = v
		}
	})
}

func TestCodingReachesBothEnds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := ranges(t)
		p.Name = "x"
		s := mustNewRapid(t, p)
		last := p.Max
		if n, finite := s.Cells(); finite { // the last step may end before max
			last = s.Cell(n - 1)[0]
		}
		for u, want := range map[float64]float64{0: p.Min, 1: last} {
			if got := s.Decode([]float64{u})[0]; got != want {
				t.Errorf("%+v: got %v at %v, want %v", p, got, u, want)
			}
		}
		for _, end := range []float64{p.Min, last} {
			if got := s.Decode(s.Encode(Point{end}))[0]; p.Step == 0 && p.Kind == Double && got != end {
				t.Errorf("%+v: got %v from the code of the end %v", p, got, end)
			}
		}
	})
}

func mustNewRapid(t *rapid.T, p Parameter) *Space {
	s, err := New([]Parameter{p})
	if err != nil {
		t.Fatalf("%+v: %v", p, err)
	}
	return s
}

func TestExtremeRanges(t *testing.T) {
	const tiny = math.SmallestNonzeroFloat64
	ranges := [][2]float64{
		{-math.MaxFloat64, math.MaxFloat64},
		{tiny, 2 * tiny},
		{tiny, 3 * tiny},
		{tiny, math.MaxFloat64},
		{1, math.Nextafter(1, 2)},
		{1e300, math.Nextafter(1e300, 2e300)},
		{-tiny, tiny},
		{1e-310, 1e-300},
	}
	for _, r := range ranges {
		for dist := Uniform; dist <= LogNormal; dist++ {
			if r[0] <= 0 && (dist == LogUniform || dist == LogNormal) {
				continue
			}
			s := mustNew(t, Parameter{Name: "x", Kind: Double, Distribution: dist, Min: r[0], Max: r[1]})
			for _, u := range []float64{-1, 0, 0.25, 0.5, 1, 2, math.NaN(), math.Inf(1), math.Inf(-1)} {
				p := s.Decode([]float64{u})
				if err := s.Contains(p); err != nil {
					t.Errorf("%v, distribution %d, u=%v: %v", r, dist, u, err)
				}
				if c := s.Encode(p)[0]; !(c >= 0 && c <= 1) {
					t.Errorf("%v, distribution %d, value %v: coded as %v", r, dist, p[0], c)
				}
			}
		}
	}
}

func TestLongGridsAreExact(t *testing.T) {
	grids := []Parameter{
		{Kind: Int, Min: 1, Max: 1 << 40},
		{Kind: Int, Min: -1 << 39, Max: 1<<39 - 1},
		{Kind: Int, Max: 1<<53 - 1},
		{Kind: Int, Min: -1 << 52, Max: 1<<52 - 1},
		{Kind: Int, Min: -1<<52 + 3, Max: 1<<52 - 7, Step: 3},
		{Kind: Int, Min: 1, Max: 1<<52 + 1},
		{Kind: Int, Min: 1<<53 - 1<<40, Max: 1<<53 - 1, Step: 1},
		{Kind: Double, Min: 1e-300, Max: 1e6, Step: 1e-5},
		{Kind: Double, Min: 1e-310, Max: 1e-300, Step: 1e-311},
		{Kind: Double, Min: 1, Max: math.MaxFloat64, Step: 1e297},
		{Kind: Double, Min: -math.MaxFloat64, Max: math.MaxFloat64, Step: 1e300},
	}
	for _, p := range grids {
		for dist := Uniform; dist <= LogNormal; dist++ {
			p.Name, p.Distribution = "x", dist
			if (p.Min <= 0 || p.Max/p.Step > maxCells) && (dist == LogUniform || dist == LogNormal) ||
				dist != Uniform && p.Max-p.Min > maxCells && p.Kind == Int {
				continue
			}
			s := mustNew(t, p)
			n, _ := s.Cells()
			for _, k := range []uint64{0, 1, 2, n / 3, n / 2, n/2 + 1, n/3*2 + 1, n/5*4 + 1, n - 3, n - 2, n - 1} {
				want := s.Cell(k)
				if err := s.Contains(want); err != nil {
					t.Errorf("%+v cell %d: %v", p, k, err)
				}
				if got := s.Decode(s.Encode(want)); got[0] != want[0] {
					t.Errorf("%+v cell %d: got %v from the code of %v", p, k, got[0], want[0])
				}
			}
		}
	}
}

func TestStepGrid(t *testing.T) {
	tests := []struct {
		min, max, step float64
		want           string
	}{
		{0.1, 0.5, 0.1, "0.1 0.2 0.3 0.4 0.5"},
		{0.5, 0.9, 0.1, "0.5 0.6 0.7 0.8 0.9"},
		{0.1, 0.3, 0.2, "0.1 0.3"},
		{0.01, 0.05, 0.015, "0.01 0.025 0.04"},
		{-0.3, 0.3, 0.15, "-0.3 -0.15 0 0.15 0.3"},
		{1e-7, 4e-7, 1e-7, "1e-07 2e-07 3e-07 4e-07"},
		{1e-300, 3e-300, 1e-300, "1e-300 2e-300 3e-300"},
		{0, 3e22, 1e22, "0 1e+22 2e+22 3e+22"},
		{1e-300, 2, 1, "1e-300 1 2"},
		{100000, 300000, 100000, "100000 200000 300000"},
	}
	for _, tt := range tests {
		s := mustNew(t, Parameter{Name: "x", Kind: Double, Min: tt.min, Max: tt.max, Step: tt.step})
		n, _ := s.Cells()
		var got []string
		for k := range n {
			got = append(got, s.Format(s.Cell(k))[0].Value)
		}
		if got := strings.Join(got, " "); got != tt.want {
			t.Errorf("%v to %v by %v: got %s, want %s", tt.min, tt.max, tt.step, got, tt.want)
		}
	}
}

func TestContains(t *testing.T) {
	s := mustNew(t,
		Parameter{Name: "opt", Kind: Categorical, Values: []string{"adam", "sgd"}},
		Parameter{Name: "momentum", Kind: Double, Min: 0, Max: 1, Step: 0.1, ActiveWhen: &Condition{"opt", []string{"sgd"}}},
		Parameter{Name: "width", Kind: Discrete, Values: []string{"8", "16"}, Numbers: []float64{8, 16}})
	nan := math.NaN()
	tests := []struct {
		p    Point
		want string
	}{
		{Point{0, nan, 8}, ""},
		{Point{1, 0.3, 16}, ""},
		{Point{0, 0.3, 8}, "parameters[1] (momentum): not active while opt has this value, but is set"},
		{Point{1, nan, 8}, "parameters[1] (momentum): active, but has no value"},
		{Point{1, 0.30000000000000004, 8}, "off the grid of step 0.1; the nearest value is 0.3"},
		{Point{1, 1.5, 8}, "1.5 is outside [0, 1]"},
		{Point{2, nan, 8}, "2 is not in the list"},
		{Point{0.5, nan, 8}, "0.5 is not in the list"},
		{Point{0, nan, 9}, "9 is not in the list"},
		{Point{0, nan, nan}, "parameters[2] (width): active, but has no value"},
		{Point{0, nan, math.Inf(1)}, "+Inf is not in the list"},
		{Point{1, math.Inf(-1), 7}, "-Inf is outside [0, 1]\nparameters[2] (width): 7 is not in the list"},
		{Point{0}, "point has 1 coordinates, space has 3 parameters"},
	}
	for _, tt := range tests {
		if got := message(s.Contains(tt.p)); !matches(got, tt.want) {
			t.Errorf("%v: got %q, want %q", tt.p, got, tt.want)
		}
	}
}

func message(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func matches(got, want string) bool {
	return strings.Contains(got, want) && (got == "") == (want == "")
}

func TestSpaceIsImmutable(t *testing.T) {
	params := []Parameter{
		{Name: "a", Kind: Categorical, Values: []string{"x", "y"}},
		{Name: "b", Kind: Discrete, Values: []string{"1", "2"}, Numbers: []float64{1, 2}, ActiveWhen: &Condition{"a", []string{"y"}}},
	}
	s := mustNew(t, params...)
	want := s.Parameters()
	for _, p := range [][]Parameter{params, s.Parameters()} {
		p[0].Values[0], p[1].Numbers[0], p[1].ActiveWhen.Values[0], p[1].Name = "z", 9, "x", "c"
	}
	if diff := cmp.Diff(s.Parameters(), want); diff != "" {
		t.Error(diff)
	}
	if i, ok := s.Index("b"); i != 1 || !ok {
		t.Errorf("got index %d, %t, want 1", i, ok)
	}
	if _, ok := s.Index("c"); ok || s.Len() != 2 {
		t.Errorf("c is found in a space of length %d", s.Len())
	}
}

func TestSpansTileTheUnitInterval(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := spaces().Draw(t, "space")
		p := s.Decode(cube(t, s))
		for i, u := range s.Encode(p) {
			if math.IsNaN(p[i]) {
				continue
			}
			low, high := s.Span(i, p[i])
			if !(low <= u && u <= high) {
				t.Errorf("parameter %d, value %v: coded as %v outside [%v, %v]", i, p[i], u, low, high)
			}
			a := &s.axes[i]
			if a.cells == 0 {
				continue
			}
			const rounding = 64 * 0x1p-53 // as in TestGridCodes
			if k := a.cellOf(p[i]); k+1 < a.cells {
				if next, _ := s.Span(i, a.at(k+1)); math.Abs(next-high) > rounding {
					t.Errorf("parameter %d: cell %d ends at %v, the next begins at %v", i, k, high, next)
				}
			} else if math.Abs(high-1) > rounding {
				t.Errorf("parameter %d: the last cell ends at %v", i, high)
			}
		}
	})
}
