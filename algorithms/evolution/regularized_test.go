package evolution

import (
	"slices"
	"strconv"
	"testing"

	"github.com/tuned-hpo/tuned/algorithms"
	"github.com/tuned-hpo/tuned/algorithms/algorithmtest"
	"github.com/tuned-hpo/tuned/pkg/searchspace"
)

func TestRegularized(t *testing.T) {
	algorithmtest.Run(t, Regularized())
	algorithmtest.Run(t, Regularized(), algorithms.RawSetting{Name: "population_size", Value: "4"}, algorithms.RawSetting{Name: "sample_size", Value: "9"})
}

// TestLabelsAreFound wants the best labels of ten lists, of which there are 3^10 combinations, in 400 trials.
func TestLabelsAreFound(t *testing.T) {
	var params []searchspace.Parameter
	for j := range 10 {
		params = append(params, searchspace.Parameter{Name: strconv.Itoa(j), Kind: searchspace.Categorical, Values: []string{"a", "b", "c"}})
	}
	p := algorithms.Problem{Space: space(t, params...), Objectives: 1, Seed: 1, MaxTrials: 400, Parallel: 1}
	trials := let(made(t, Regularized(), p), p, 400, func(u []float64) []float64 {
		wrong := 0.0
		for _, v := range u {
			if v < 0.6 { // "c" is at 5/6
				wrong++
			}
		}
		return []float64{wrong}
	})
	if !slices.ContainsFunc(trials, func(t algorithms.Trial) bool { return t.Losses[0] == 0 }) {
		t.Error("the best labels are not found")
	}
}

// TestAging wants the oldest trials out, the best one too, and trials without a result never in.
func TestAging(t *testing.T) {
	p := algorithms.Problem{Space: doubles(t, 2), Objectives: 1, Seed: 1, Parallel: 1}
	s := made(t, Regularized(), p, algorithms.RawSetting{Name: "population_size", Value: "3"}).(*aging)
	for id, loss := range []float64{0, 9, 8, 7} {
		s.Tell([]algorithms.Trial{
			{ID: uint64(2*id + 1), Point: []float64{loss / 10, 0}, State: algorithms.Succeeded, Losses: []float64{loss}},
			{ID: uint64(2*id + 2), Point: []float64{1, 1}, State: algorithms.Failed},
		})
	}
	var got []float64
	for _, x := range s.latest {
		got = append(got, x.value)
	}
	if slices.Sort(got); !slices.Equal(got, []float64{7, 8, 9}) {
		t.Errorf("parents have losses %v, want 7, 8 and 9", got)
	}
}

// TestStep wants one parameter changed, and all of them by turns.
func TestStep(t *testing.T) {
	c := newCoding(mixed(t))
	var source draws
	source.Seed(1, 2)
	before, g := newGenome(c), newGenome(c)
	before.read(c, searchspace.Point{0.01, 3, 32, 0, 0.25})
	changed := make([]int, c.space.Len())
	for range 500 {
		g.copyFrom(before)
		g.step(c, &source)
		p, q := c.decode(before.v, before.labels), c.decode(g.v, g.labels)
		n := 0
		for i := range p {
			if p[i] != q[i] && i != 4 || i == 4 && before.v[3] != g.v[3] { // which another label makes inactive
				changed[i]++
				n++
			}
		}
		if n != 1 {
			t.Fatalf("%v becomes %v", p, q)
		}
	}
	// 5 standard deviations of a share of 1/5 of 500 are 45.
	if slices.Min(changed) < 55 {
		t.Errorf("parameters changed %v times", changed)
	}
}
