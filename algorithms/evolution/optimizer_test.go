package evolution

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"

	"github.com/tuned-hpo/tuned/algorithms"
	"github.com/tuned-hpo/tuned/internal/golden"
	"github.com/tuned-hpo/tuned/pkg/searchspace"
)

// study asks and tells one trial after the other.
type study struct {
	*optimizer
	space *searchspace.Space
	id    uint64
}

func newStudy(t testing.TB, p algorithms.Problem, settings ...algorithms.RawSetting) *study {
	t.Helper()
	v, err := algorithms.Parse(CMAES(), settings, "")
	if err != nil {
		t.Fatal(err)
	}
	s, err := algorithms.New(CMAES(), p, v)
	if err != nil {
		t.Fatal(err)
	}
	return &study{optimizer: s.(*optimizer), space: p.Space}
}

// step does one trial, of which loss is NaN when it fails.
func (s *study) step(loss func(u []float64) float64) algorithms.Trial {
	s.id++
	out, _ := s.Ask([]uint64{s.id}, nil)
	t := algorithms.Trial{ID: s.id, Point: out[0].Point, Memo: out[0].Memo, State: algorithms.Succeeded}
	t.Losses = []float64{loss(s.space.Encode(t.Point))}
	if math.IsNaN(t.Losses[0]) {
		t.State = algorithms.Failed
	}
	s.Tell([]algorithms.Trial{t})
	return t
}

// bowl has its optimum at 0.3 in each coordinate. It has no sum of products that a compiler could fuse.
func bowl(u []float64) float64 {
	sum := 0.0
	for _, v := range u {
		sum += float64((v - 0.3) * (v - 0.3))
	}
	return sum
}

func space(t testing.TB, params ...searchspace.Parameter) *searchspace.Space {
	t.Helper()
	s, err := searchspace.New(params)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// doubles is the unit cube.
func doubles(t testing.TB, n int) *searchspace.Space {
	t.Helper()
	var params []searchspace.Parameter
	for j := range n {
		params = append(params, searchspace.Parameter{Name: "x" + strconv.Itoa(j), Kind: searchspace.Double, Max: 1})
	}
	return space(t, params...)
}

func mixed(t testing.TB) *searchspace.Space {
	t.Helper()
	return space(t,
		searchspace.Parameter{Name: "lr", Kind: searchspace.Double, Distribution: searchspace.LogUniform, Min: 1e-5, Max: 1},
		searchspace.Parameter{Name: "layers", Kind: searchspace.Int, Min: 1, Max: 6},
		searchspace.Parameter{Name: "batch", Kind: searchspace.Discrete, Values: []string{"16", "32", "64"}, Numbers: []float64{16, 32, 64}},
		searchspace.Parameter{Name: "optimizer", Kind: searchspace.Categorical, Values: []string{"sgd", "adam", "rmsprop"}},
		searchspace.Parameter{Name: "momentum", Kind: searchspace.Double, Max: 1, ActiveWhen: &searchspace.Condition{Parent: "optimizer", Values: []string{"sgd"}}})
}

// TestRecommendationsOnRecord wants what 100 trials recommend, to the bit and whatever processor this is.
func TestRecommendationsOnRecord(t *testing.T) {
	var got bytes.Buffer
	for _, c := range []struct {
		name  string
		space *searchspace.Space
		raw   []algorithms.RawSetting
	}{
		{"doubles", doubles(t, 3), nil},
		{"doubles, as published", doubles(t, 3), []algorithms.RawSetting{{Name: "refine", Value: "false"}}},
		{"separable", doubles(t, 3), []algorithms.RawSetting{{Name: "separable", Value: "true"}}},
		{"learning rates", doubles(t, 3), []algorithms.RawSetting{{Name: "lr_adapt", Value: "true"}}},
		{"bipop", doubles(t, 2), []algorithms.RawSetting{{Name: "restart_strategy", Value: "bipop"}, {Name: "popsize", Value: "4"}}},
		{"mixed", mixed(t), nil},
	} {
		s := newStudy(t, algorithms.Problem{Space: c.space, Objectives: 1, Seed: 1, MaxTrials: 100, Parallel: 1}, c.raw...)
		best := s.step(bowl)
		for range 99 {
			if trial := s.step(bowl); trial.Losses[0] < best.Losses[0] {
				best = trial
			}
		}
		fmt.Fprintf(&got, "%s: trial %d, loss %g, %v\n", c.name, best.ID, best.Losses[0], []float64(best.Point))
	}
	golden.Compare(t, "testdata/recommendations.golden", got.String())
}

// TestRestarts wants a run that has converged to be followed by one of twice the population, or in turn by
// small ones, and none without a strategy.
func TestRestarts(t *testing.T) {
	for _, strategy := range []string{"none", "ipop", "bipop"} {
		s := newStudy(t, algorithms.Problem{Space: doubles(t, 2), Objectives: 1, Seed: 2, Parallel: 1},
			algorithms.RawSetting{Name: "restart_strategy", Value: strategy}, algorithms.RawSetting{Name: "popsize", Value: "6"})
		run, large, small := uint64(0), 6, 0
		for s.id < 20000 && s.runs.run < 6 {
			s.step(func(u []float64) float64 { return bowl(u) + 1 })
			if s.runs.run == run {
				continue
			}
			run = s.runs.run
			switch lambda := s.strategy.lambda; {
			case !s.runs.small && lambda == 2*large:
				large = lambda
			case s.runs.small && lambda >= 6 && lambda <= large/2:
				small++
			default:
				t.Errorf("%s: run %d has a population of %d after large ones of %d", strategy, run, lambda, large)
			}
			if len(s.generation) > 0 || s.strategy.generation != 0 {
				t.Errorf("%s: run %d does not begin anew", strategy, run)
			}
		}
		if got, want := s.runs.run > 0, strategy != "none"; got != want {
			t.Errorf("%s: restarts: %t", strategy, got)
		}
		if got, want := small > 0, strategy == "bipop"; got != want {
			t.Errorf("%s: small runs: %t", strategy, got)
		}
	}
}

// TestWarmStart wants the first trials where the best of an earlier experiment, or of another algorithm, were.
func TestWarmStart(t *testing.T) {
	p := algorithms.Problem{Space: mixed(t), Objectives: 1, Seed: 3, Parallel: 1}
	source := rand.New(rand.NewPCG(1, 2))
	var earlier []algorithms.Trial
	for id := range uint64(200) {
		u := make([]float64, p.Space.Len())
		for j := range u {
			u[j] = source.Float64()
		}
		point := p.Space.Decode(u)
		loss := bowl(p.Space.Encode(point))
		if point[3] != 1 { // only one optimizer is good
			loss++
		}
		earlier = append(earlier, algorithms.Trial{ID: id + 1, Point: point, State: algorithms.Succeeded, Losses: []float64{loss}})
	}
	ids := make([]uint64, 100)
	for k := range ids {
		ids[k] = uint64(k + 1)
	}
	mean := func(s *study) (loss, good float64) {
		out, _ := s.Ask(ids, nil)
		for _, o := range out {
			loss += bowl(p.Space.Encode(o.Point)) / float64(len(out))
			if o.Point[3] == 1 {
				good += 1 / float64(len(out))
			}
		}
		return loss, good
	}
	cold, _ := mean(newStudy(t, p))
	told := newStudy(t, p)
	told.Tell(earlier)
	p.Priors = []algorithms.Prior{{Trials: earlier}}
	for name, s := range map[string]*study{"told": told, "prior": newStudy(t, p)} {
		if warm, good := mean(s); !(warm < 0.75*cold) || good < 0.5 {
			t.Errorf("%s: mean loss %g, %g without a warm start; %g have the good label", name, warm, cold, good)
		}
	}
}

// TestFewForeign wants trials of users to be members of the first generation.
func TestFewForeign(t *testing.T) {
	s := newStudy(t, algorithms.Problem{Space: doubles(t, 2), Objectives: 1, Seed: 1, Parallel: 1})
	for k := range 3 {
		v := 0.1 * float64(k)
		s.Tell([]algorithms.Trial{{ID: 100 + uint64(k), Point: []float64{v, v}, State: algorithms.Succeeded, Losses: []float64{v}}})
	}
	if s.strategy.mean[0] != 0.5 || len(s.generation) != 0 {
		t.Errorf("before a trial of ours the mean is %v, and there are %d members", s.strategy.mean, len(s.generation))
	}
	s.step(bowl)
	if len(s.generation) != 4 || s.generation[2].v[0] != 0.2 {
		t.Errorf("members are %v", s.generation)
	}
}

// TestFailures wants the distribution to leave where trials fail, and to stay while all do.
func TestFailures(t *testing.T) {
	s := newStudy(t, algorithms.Problem{Space: doubles(t, 2), Objectives: 1, Seed: 4, Parallel: 1}, algorithms.RawSetting{Name: "refine", Value: "false"})
	for range 50 {
		s.step(func([]float64) float64 { return math.NaN() })
	}
	if s.strategy.generation != 0 || s.strategy.mean[0] != 0.5 {
		t.Errorf("after failures alone, generation %d, mean %v", s.strategy.generation, s.strategy.mean)
	}
	for range 200 {
		s.step(func(u []float64) float64 {
			if u[0] > 0.4 {
				return math.NaN()
			}
			return bowl(u)
		})
	}
	if m := s.strategy.mean; bowl(m) > 0.01 {
		t.Errorf("the mean is %v, the optimum is at 0.3, 0.3", m)
	}
}

// TestStanding wants feasible trials before pruned ones, these before infeasible ones, and failed ones last.
func TestStanding(t *testing.T) {
	loss := func(state algorithms.State, v float64, constraints ...float64) algorithms.Trial {
		return algorithms.Trial{State: state, Losses: []float64{v}, Constraints: constraints}
	}
	order := []algorithms.Trial{
		loss(algorithms.Succeeded, -1e300, -1), loss(algorithms.Succeeded, 5, 0),
		loss(algorithms.Pruned, 1, -1), loss(algorithms.Pruned, 2, -1),
		loss(algorithms.Succeeded, 9, 1), loss(algorithms.Pruned, 1, 2), loss(algorithms.Succeeded, 1), loss(algorithms.Failed, math.NaN()),
	}
	for i := range order[1:] {
		if a, b := standingOf(&order[i], 1), standingOf(&order[i+1], 1); a.compare(b) >= 0 {
			t.Errorf("%v is not before %v", a, b)
		}
	}
	for _, v := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		if trial := loss(algorithms.Succeeded, v); standingOf(&trial, 0).class != failed {
			t.Errorf("loss %g is not a failure", v)
		}
	}
	if trial := loss(algorithms.Succeeded, 1, math.NaN()); standingOf(&trial, 1).value != math.Inf(1) {
		t.Error("a constraint without a value is kept")
	}
}

// TestAdvice wants to hear of a budget or a population that leaves next to no generations, and of a step size
// in the units of a parameter.
func TestAdvice(t *testing.T) {
	for _, tt := range []struct {
		trials  int
		setting string
		value   string
		want    string // the setting that is spoken of; "-" for none
	}{
		{0, "sigma", "0.5", "-"}, {0, "sigma", "20", "sigma"}, {10, "sigma", "0", ""}, {12, "popsize", "6", "-"}, {11, "popsize", "6", "popsize"},
	} {
		v, err := algorithms.Parse(CMAES(), []algorithms.RawSetting{{Name: tt.setting, Value: tt.value}}, "")
		if err != nil {
			t.Fatal(err)
		}
		got := "-"
		for _, a := range adviseCMAES(algorithms.Problem{Space: doubles(t, 2), MaxTrials: tt.trials}, v) {
			got = a.Setting
		}
		if got != tt.want {
			t.Errorf("%d trials, %s %s: advice on %q, want %q", tt.trials, tt.setting, tt.value, got, tt.want)
		}
	}
}

func FuzzMemo(f *testing.F) {
	f.Add([]byte(nil))
	f.Add(memo{run: 3, generation: 1 << 40, v: []float64{0.5, -2}}.encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		m := memo{v: make([]float64, 2)}
		if !m.decode(b) {
			return
		}
		again := memo{v: make([]float64, 2)}
		if !again.decode(m.encode()) || again.run != m.run || again.generation != m.generation || again.v[0] != m.v[0] || again.v[1] != m.v[1] {
			t.Errorf("%v becomes %v", m, again)
		}
	})
}

// BenchmarkTrial is one Ask and one Tell.
func BenchmarkTrial(b *testing.B) {
	for _, n := range []int{5, 20, 100} {
		for _, separable := range []string{"false", "true"} {
			b.Run(fmt.Sprintf("d=%d/separable=%s", n, separable), func(b *testing.B) {
				s := newStudy(b, algorithms.Problem{Space: doubles(b, n), Objectives: 1, Seed: 1, Parallel: 1}, algorithms.RawSetting{Name: "separable", Value: separable})
				b.ReportAllocs()
				for b.Loop() {
					s.step(bowl)
				}
			})
		}
	}
}

// TestEvenSteps wants a generation's steps along each axis to be one of each eighth of the normal distribution.
func TestEvenSteps(t *testing.T) {
	const n, trials = 5, 8
	for seed := range uint64(5) {
		s := newStudy(t, algorithms.Problem{Space: doubles(t, n), Objectives: 1, Seed: seed})
		taken := [n][trials]int{}
		for id := range uint64(trials) {
			out, err := s.Ask([]uint64{id + 1}, nil)
			if err != nil {
				t.Fatal(err)
			}
			var m memo
			m.v = make([]float64, n)
			if !m.decode(out[0].Memo) {
				t.Fatalf("trial %d has the memo %v", id+1, out[0].Memo)
			}
			for j, v := range m.v {
				u := 0.5 + math.Erf((v-s.strategy.mean[j])/s.strategy.sigma/math.Sqrt2)/2
				taken[j][min(int(trials*u), trials-1)]++
			}
		}
		for j, eighths := range taken {
			if slices.Max(eighths[:]) > 1 {
				t.Errorf("seed %d: along axis %d there are %v steps in the eighths", seed, j, eighths)
			}
		}
	}
}
