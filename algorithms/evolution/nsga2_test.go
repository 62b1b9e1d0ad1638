package evolution

import (
	"math"
	"slices"
	"testing"

	"github.com/tuned-hpo/tuned/algorithms"
	"github.com/tuned-hpo/tuned/algorithms/algorithmtest"
)

func TestNSGA2(t *testing.T) {
	algorithmtest.Run(t, NSGA2())
	algorithmtest.Run(t, NSGA2(),
		algorithms.RawSetting{Name: "population_size", Value: "5"}, algorithms.RawSetting{Name: "mutation_prob", Value: "0.5"}, algorithms.RawSetting{Name: "crossover_prob", Value: "1"})
}

// made makes a suggester.
func made(t testing.TB, def algorithms.Definition, p algorithms.Problem, raw ...algorithms.RawSetting) algorithms.Suggester {
	t.Helper()
	v, err := algorithms.Parse(def, raw, "")
	if err != nil {
		t.Fatal(err)
	}
	s, err := algorithms.New(def, p, v)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// let asks for and tells so many trials, one after the other; a trial with a NaN fails.
func let(s algorithms.Suggester, p algorithms.Problem, trials int, losses func(u []float64) []float64) []algorithms.Trial {
	all := make([]algorithms.Trial, 0, trials)
	for id := range uint64(trials) {
		out, _ := s.Ask([]uint64{id + 1}, nil)
		t := algorithms.Trial{ID: id + 1, Point: out[0].Point, Memo: out[0].Memo, State: algorithms.Succeeded}
		if t.Losses = losses(p.Space.Encode(t.Point)); slices.ContainsFunc(t.Losses, math.IsNaN) {
			t.State = algorithms.Failed
		}
		s.Tell([]algorithms.Trial{t})
		all = append(all, t)
	}
	return all
}

// TestCrowd compares with distances computed by hand.
func TestCrowd(t *testing.T) {
	inf := math.Inf(1)
	for _, tt := range []struct {
		name   string
		losses [][]float64
		want   []float64
	}{
		{"one", [][]float64{{1, 1}}, []float64{inf}},
		{"two", [][]float64{{1, 2}, {2, 1}}, []float64{inf, inf}},
		{"four", [][]float64{{1, 2}, {4, 0}, {0, 4}, {3, 1}}, []float64{(3.-0)/4 + (4.-1)/4, inf, inf, (4.-1)/4 + (2.-0)/4}},
		{"equal ones", [][]float64{{1, 1}, {1, 1}, {1, 1}}, []float64{inf, 0, inf}},
		{"far apart", [][]float64{{math.MaxFloat64, 0}, {0, 1}, {-math.MaxFloat64, 2}}, []float64{inf, 2, inf}},
	} {
		var front []*solution
		for _, l := range tt.losses {
			front = append(front, &solution{losses: l})
		}
		setCrowding(slices.Clone(front))
		for i, x := range front {
			if x.crowding != tt.want[i] {
				t.Errorf("%s: %v has distance %g, want %g", tt.name, x.losses, x.crowding, tt.want[i])
			}
		}
	}
}

// schaffer has its front where all coordinates are equal, between 0.25 and 0.75.
func schaffer(u []float64) []float64 {
	out := make([]float64, 2)
	for _, v := range u {
		out[0] += float64((v - 0.25) * (v - 0.25))
		out[1] += float64((v - 0.75) * (v - 0.75))
	}
	return out
}

// TestFrontIsFound wants the population on the front, whose losses have sqrt f1 + sqrt f2 = sqrt(d)/2, and spread.
func TestFrontIsFound(t *testing.T) {
	const d, size = 4, 20
	p := algorithms.Problem{Space: doubles(t, d), Objectives: 2, Seed: 1, Parallel: 1}
	for _, def := range []algorithms.Definition{NSGA2(), NSGA3()} {
		s := made(t, def, p, algorithms.RawSetting{Name: "population_size", Value: "20"})
		let(s, p, 1500, schaffer)
		members := s.(*genetic).fronts.members
		length := math.Sqrt(d) / 2
		var firsts []float64
		for _, x := range members {
			a, b := math.Sqrt(x.losses[0]), math.Sqrt(x.losses[1])
			if x.rank != 0 || a+b > 1.2*length {
				t.Errorf("%s: %v is no point of the front", def.Name, x.losses)
			}
			firsts = append(firsts, a/length)
		}
		slices.Sort(firsts)
		if len(firsts) != size || firsts[0] > 0.1 || firsts[size-1] < 0.9 {
			t.Errorf("%s: the front reaches from %g to %g of it", def.Name, firsts[0], firsts[len(firsts)-1])
		}
		for i := range firsts[1:] {
			if gap := firsts[i+1] - firsts[i]; gap > 5./size {
				t.Errorf("%s: a gap of %g in the front", def.Name, gap)
			}
		}
	}
}

// TestLateResults wants a trial that ends after hundreds of later ones to count, and failures to stop nothing.
func TestLateResults(t *testing.T) {
	p := algorithms.Problem{Space: mixed(t), Objectives: 2, Constraints: 1, Seed: 2, Parallel: 2}
	for _, def := range []algorithms.Definition{NSGA2(), NSGA3()} {
		s := made(t, def, p, algorithms.RawSetting{Name: "population_size", Value: "12"})
		out, _ := s.Ask([]uint64{1}, nil)
		late := algorithms.Trial{ID: 1, Point: out[0].Point, Memo: out[0].Memo}
		for id := uint64(2); id < 300; id++ {
			out, err := s.Ask([]uint64{id}, []algorithms.Trial{late})
			if err != nil || len(out) != 1 {
				t.Fatalf("%s: %v, %v", def.Name, out, err)
			}
			trial := algorithms.Trial{ID: id, Point: out[0].Point, Memo: out[0].Memo, State: algorithms.Succeeded, Losses: schaffer(p.Space.Encode(out[0].Point)), Constraints: []float64{1}}
			if id%3 > 0 {
				trial.State, trial.Losses, trial.Constraints = algorithms.Failed, []float64{math.NaN(), math.NaN()}, nil
			}
			s.Tell([]algorithms.Trial{trial})
		}
		late.State, late.Losses, late.Constraints = algorithms.Succeeded, []float64{1e9, 1e9}, []float64{0}
		s.Tell([]algorithms.Trial{late})
		f := s.(*genetic).fronts
		if len(f.members) != 12 || len(f.of[0]) != 1 || f.of[0][0].losses[0] != 1e9 {
			t.Errorf("%s: the only feasible trial is not the best of %d", def.Name, len(f.members))
		}
	}
}

// TestFailuresAlone wants points spread over the space while nothing succeeds.
func TestFailuresAlone(t *testing.T) {
	p := algorithms.Problem{Space: doubles(t, 2), Objectives: 2, Seed: 3, MaxTrials: 200, Parallel: 1}
	for _, def := range []algorithms.Definition{NSGA2(), NSGA3()} {
		s := made(t, def, p)
		mean := 0.0
		for _, trial := range let(s, p, 200, func([]float64) []float64 { return []float64{math.NaN(), math.NaN()} }) {
			mean += trial.Point[0] / 200
		}
		// 5 standard deviations of the mean of 200 uniform draws are 0.1.
		if math.Abs(mean-0.5) > 0.1 {
			t.Errorf("%s: points have mean %g", def.Name, mean)
		}
	}
}

// BenchmarkGenetic is one Ask and one Tell.
func BenchmarkGenetic(b *testing.B) {
	for _, def := range []algorithms.Definition{NSGA2(), NSGA3()} {
		for _, objectives := range []int{2, 3} {
			for _, size := range []string{"100", "1000"} {
				b.Run(def.Name+"/"+string(rune('0'+objectives))+"/"+size, func(b *testing.B) {
					p := algorithms.Problem{Space: doubles(b, 10), Objectives: objectives, Seed: 1, Parallel: 1}
					s := made(b, def, p, algorithms.RawSetting{Name: "population_size", Value: size})
					losses := func(u []float64) []float64 { return append(schaffer(u), bowl(u[:2]))[:objectives] }
					let(s, p, 3000, losses)
					id := uint64(3000)
					b.ReportAllocs()
					for b.Loop() {
						id++
						out, _ := s.Ask([]uint64{id}, nil)
						s.Tell([]algorithms.Trial{{ID: id, Point: out[0].Point, State: algorithms.Succeeded, Losses: losses(p.Space.Encode(out[0].Point))}})
					}
				})
			}
		}
	}
}
