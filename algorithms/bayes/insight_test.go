package bayes

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/tuned-hpo/tuned/algorithms"
	"github.com/tuned-hpo/tuned/algorithms/sampling"
	"github.com/tuned-hpo/tuned/pkg/searchspace"
)

// evaluated returns n trials at points of a Sobol' sequence. f is given the coordinates of a point in
// the unit cube and a source of noise.
func evaluated(t *testing.T, params []searchspace.Parameter, n int, f func(u []float64, r *rand.Rand) (losses, constraints []float64)) (algorithms.Problem, []algorithms.Trial) {
	t.Helper()
	space, err := searchspace.New(params)
	if err != nil {
		t.Fatal(err)
	}
	p := algorithms.Problem{Space: space, Objectives: 1, Parallel: 1}
	r := rand.New(rand.NewPCG(8, 1))
	s, u := sampling.NewSobol(space.Len(), 1), make([]float64, space.Len())
	var trials []algorithms.Trial
	for i := range n {
		s.At(uint64(i), u)
		point := space.Decode(u)
		losses, constraints := f(space.Encode(point), r)
		p.Objectives, p.Constraints = len(losses), len(constraints)
		trials = append(trials, algorithms.Trial{ID: uint64(i + 1), Point: point, State: algorithms.Succeeded, Losses: losses, Constraints: constraints})
	}
	return p, trials
}

func doubles(names ...string) []searchspace.Parameter {
	var out []searchspace.Parameter
	for _, name := range names {
		out = append(out, searchspace.Parameter{Name: name, Kind: searchspace.Double, Min: 0, Max: 10})
	}
	return out
}

func mustInsight(t *testing.T, p algorithms.Problem, trials []algorithms.Trial) algorithms.Insight {
	t.Helper()
	out, err := GP().Insight(p, algorithms.Values{}, trials)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestInsightOfASum wants the shares, the slices and the planes of a function that is known.
func TestInsightOfASum(t *testing.T) {
	f := func(u []float64) float64 { return 100 + 4*u[0] + 2*u[1] }
	p, trials := evaluated(t, doubles("a", "b", "nothing"), 60, func(u []float64, _ *rand.Rand) ([]float64, []float64) {
		return []float64{f(u)}, nil
	})
	in := mustInsight(t, p, trials)
	o := in.Outputs[0]
	// Variances are 16 : 4 : 0. Importance is of scores, which bend the sum; hence the tolerance.
	for i, want := range []float64{0.8, 0.2, 0} {
		if g := o.Importance[i]; math.Abs(g.Total-want) > 0.06 || math.Abs(g.Alone-want) > 0.06 {
			t.Errorf("parameter %d: %+v, want both %v", i, g, want)
		}
	}
	// The model tells good losses apart, and of those worse than the median, 103, little but their
	// order.
	tolerance := func(loss float64) float64 {
		if loss < 103 {
			return 0.3
		}
		return 2
	}
	u := p.Space.Encode(in.At)
	for i, slice := range o.Slices {
		for _, s := range slice {
			at := slices.Clone(u)
			at[i] = s.Value / 10
			if want := f(at); math.Abs(s.Mean-want) > tolerance(want) || s.Low > s.Mean || s.High < s.Mean {
				t.Errorf("parameter %d at %v: %+v, want %v", i, s.Value, s.Band, want)
			}
		}
		if len(slice) != 33 || slice[0].Value != 0 || slice[32].Value != 10 || len(in.Promise[i]) != 33 {
			t.Errorf("parameter %d: %d points, %d promises", i, len(slice), len(in.Promise[i]))
		}
	}
	for _, plane := range o.Planes {
		for a, row := range plane.Bands {
			for b, band := range row {
				at := slices.Clone(u)
				at[plane.Parameters[0]], at[plane.Parameters[1]] = plane.Values[0][a]/10, plane.Values[1][b]/10
				if want := f(at); math.Abs(band.Mean-want) > tolerance(want) {
					t.Errorf("plane %v at %d, %d: %v, want %v", plane.Parameters, a, b, band.Mean, want)
				}
			}
		}
	}
	if len(o.Planes) != 3 {
		t.Errorf("%d planes", len(o.Planes))
	}
}

// TestInsightIsAboutTheBest wants the slices to go through the best trial, or one of the front, where places by
// losses that are equal say otherwise.
func TestInsightIsAboutTheBest(t *testing.T) {
	for _, test := range []struct {
		name        string
		losses      [][]float64 // of the trials in the order in which they finished
		constraints [][]float64
		ids         []uint64
		want        int
	}{
		{"dominated, with the least sum of places", [][]float64{{0, 0.5}, {0, 1}, {0, 2}, {0, 3}, {0, 0}}, nil, nil, 4},
		{"in the middle of the front", [][]float64{{0, 9}, {1, 1}, {9, 0}, {9, 9}, {8, 8}}, nil, nil, 1},
		{"not feasible", [][]float64{{0, 0}, {3, 3}, {2, 2}, {2, 3}, {4, 4}}, [][]float64{{1}, {-1}, {-1}, {-1}, {-1}}, nil, 2},
		{"none feasible", [][]float64{{3, 3}, {0, 0}, {2, 2}, {2, 3}, {4, 4}}, [][]float64{{1}, {1}, {1}, {1}, {1}}, nil, 1},
		{"equal ones on the front", [][]float64{{0, 0}, {5, 4}, {0, 0}, {2, 3}, {4, 4}}, nil, []uint64{3, 2, 1, 4, 5}, 2},
		{"equal ones of one objective", [][]float64{{1}, {0}, {0}, {2}, {3}}, nil, []uint64{1, 4, 3, 2, 5}, 2},
		{"NaN and an infinity", [][]float64{{0, math.NaN()}, {math.Inf(-1), 0}, {1, 1}, {1, 2}, {2, 1}}, nil, nil, 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			at := 0
			p, trials := evaluated(t, doubles("a", "b"), len(test.losses), func([]float64, *rand.Rand) (losses, constraints []float64) {
				losses = test.losses[at]
				if test.constraints != nil {
					constraints = test.constraints[at]
				}
				at++
				return losses, constraints
			})
			for i, id := range test.ids {
				trials[i].ID = id
			}
			if got, want := mustInsight(t, p, trials).At, trials[test.want].Point; !slices.Equal(got, want) {
				t.Errorf("slices go through %v, want %v", got, want)
			}
		})
	}
}

// TestInsightCalibration counts left-out trials of a noisy function in central intervals.
func TestInsightCalibration(t *testing.T) {
	const n = 120
	p, trials := evaluated(t, doubles("a", "b"), n, func(u []float64, r *rand.Rand) ([]float64, []float64) {
		return []float64{math.Sin(5*u[0]) + u[1] + 0.2*r.NormFloat64()}, nil
	})
	left := mustInsight(t, p, trials).Outputs[0].LeftOut
	if len(left) != n {
		t.Fatalf("%d trials left out", len(left))
	}
	for _, c := range []struct{ share, z float64 }{{0.5, 0.6745}, {0.8, 1.2816}, {0.95, 1.96}} {
		within := 0.0
		for _, l := range left {
			if math.Abs(l.Residual) <= c.z {
				within++
			}
		}
		// Three standard deviations of a share of n.
		if tolerance := 3 * math.Sqrt(c.share*(1-c.share)/n); math.Abs(within/n-c.share) > tolerance {
			t.Errorf("%v of residuals are within the middle %v", within/n, c.share)
		}
	}
	within := 0.0
	for i, l := range left {
		if l.ID != uint64(i+1) || l.Value != trials[i].Losses[0] {
			t.Fatalf("left out %d: %+v", i, l)
		}
		if l.Low <= l.Value && l.Value <= l.High {
			within++
		}
	}
	if within/n < 0.95-3*math.Sqrt(0.95*0.05/n) {
		t.Errorf("%v of losses are in their bands", within/n)
	}
}

// TestInsightOfAllKinds looks at labels, grids and conditions, with a constraint, failures and
// losses at the limits of float64.
func TestInsightOfAllKinds(t *testing.T) {
	params := []searchspace.Parameter{
		{Name: "optimizer", Kind: searchspace.Categorical, Values: []string{"sgd", "adam", "rmsprop"}},
		{Name: "momentum", Kind: searchspace.Double, Min: 0, Max: 1, ActiveWhen: &searchspace.Condition{Parent: "optimizer", Values: []string{"sgd"}}},
		{Name: "layers", Kind: searchspace.Int, Min: 1, Max: 4},
		{Name: "width", Kind: searchspace.Int, Min: 1, Max: 100000, Distribution: searchspace.LogUniform},
	}
	p, trials := evaluated(t, params, 40, func(u []float64, _ *rand.Rand) ([]float64, []float64) {
		return []float64{-1 - u[0] - u[2]}, []float64{0.3 - u[3]}
	})
	trials[3].State, trials[3].Losses, trials[3].Constraints = algorithms.Failed, []float64{nan}, nil
	trials[5].Losses[0], trials[6].Losses[0], trials[7].Losses[0] = math.MaxFloat64, nan, inf
	trials[9].State = algorithms.Pruned
	in := mustInsight(t, p, trials)
	if p.Space.Contains(in.At) != nil || in.Trials != 38 || len(in.Outputs) != 2 {
		t.Errorf("%d trials, %d outputs, at %v", in.Trials, len(in.Outputs), in.At)
	}
	active := in.At[1] == in.At[1]
	for k, o := range in.Outputs {
		if len(o.Slices[0]) != 3 || len(o.Slices[1]) > 0 != active || len(o.Slices[2]) != 4 || len(o.Slices[3]) < 30 {
			t.Errorf("output %d: slices of %d, %d, %d and %d", k, len(o.Slices[0]), len(o.Slices[1]), len(o.Slices[2]), len(o.Slices[3]))
		}
		for i, slice := range o.Slices {
			for j, s := range slice {
				at := slices.Clone(in.At)
				at[i] = s.Value
				if i > 0 && p.Space.Contains(at) != nil {
					t.Errorf("output %d: %v is no value of parameter %d", k, s.Value, i)
				}
				if j > 0 && s.Value <= slice[j-1].Value {
					t.Errorf("output %d, parameter %d: %v follows on %v", k, i, s.Value, slice[j-1].Value)
				}
			}
		}
	}
	if want := []int{37, 38}; len(in.Outputs[0].LeftOut) != want[0] || len(in.Outputs[1].LeftOut) != want[1] {
		t.Errorf("left out %d losses and %d constraints, want %v", len(in.Outputs[0].LeftOut), len(in.Outputs[1].LeftOut), want)
	}
	// The constraint falls by 1 over the range of width; the model errs towards its mean at the ends.
	slice := in.Outputs[1].Slices[3]
	if first, last := slice[0].Mean, slice[len(slice)-1].Mean; math.Abs(first-0.3) > 0.2 || math.Abs(last+0.7) > 0.2 {
		t.Errorf("the constraint goes from %v to %v, want 0.3 to -0.7", first, last)
	}
}

func TestInsightOfTooLittle(t *testing.T) {
	p, trials := evaluated(t, doubles("a"), 3, func(u []float64, _ *rand.Rand) ([]float64, []float64) { return u, nil })
	for n := range 3 {
		if _, err := GP().Insight(p, algorithms.Values{}, trials[:n]); err == nil {
			t.Errorf("%d trials make a model", n)
		}
	}
	mustInsight(t, p, trials)
}

// TestInsightRepeats wants the same bits twice.
func TestInsightRepeats(t *testing.T) {
	p, trials := evaluated(t, doubles("a", "b"), 20, func(u []float64, _ *rand.Rand) ([]float64, []float64) {
		return []float64{u[0] * u[1], u[0] - u[1]}, []float64{u[0] - 0.7}
	})
	a, b := mustInsight(t, p, trials), mustInsight(t, p, trials)
	for k := range a.Outputs {
		if !slices.Equal(a.Outputs[k].LeftOut, b.Outputs[k].LeftOut) || !slices.Equal(a.Outputs[k].Importance, b.Outputs[k].Importance) ||
			!slices.Equal(a.Outputs[k].Slices[0], b.Outputs[k].Slices[0]) || !slices.Equal(a.Promise[0], b.Promise[0]) {
			t.Errorf("output %d differs", k)
		}
	}
}

// TestInsightOfWideAxes wants slices and planes labelled with the values that were looked at, on axes
// whose features are bent.
func TestInsightOfWideAxes(t *testing.T) {
	p, trials := evaluated(t, []searchspace.Parameter{
		{Name: "lr", Kind: searchspace.Double, Min: 1e-4, Max: 1},
		{Name: "units", Kind: searchspace.Int, Min: 1, Max: 1 << 20},
	}, 60, func([]float64, *rand.Rand) ([]float64, []float64) { return []float64{0}, nil })
	// Points are spread evenly over the features.
	e := newEncoding(p.Space)
	for i := range trials {
		x := p.Space.Encode(trials[i].Point)
		trials[i].Point = e.point(x)
		magnitude := math.Log10(trials[i].Point[0]) + 2
		trials[i].Losses[0] = magnitude * magnitude
	}
	o := mustInsight(t, p, trials).Outputs[0]
	best := o.Slices[0][0]
	for _, s := range o.Slices[0] {
		if s.Mean < best.Mean {
			best = s
		}
	}
	if best.Value < 0.005 || best.Value > 0.02 {
		t.Errorf("the slice of lr is least at %g, want some 0.01", best.Value)
	}
	for i := range e.axes {
		a := &e.axes[i]
		check := func(what string, most int, values []float64) {
			features := a.sample(most)
			if len(values) != len(features) {
				t.Fatalf("%s of axis %d: %d values for %d features", what, i, len(values), len(features))
			}
			for k, v := range values {
				if f := a.feature(searchspace.Point{v}); math.Abs(f-features[k]) > 1e-12 {
					t.Errorf("%s of axis %d: %g has feature %g, want %g", what, i, v, f, features[k])
				}
			}
		}
		var values []float64
		for _, s := range o.Slices[i] {
			values = append(values, s.Value)
		}
		check("slice", 33, values)
		check("plane", 17, o.Planes[0].Values[i])
	}
}
