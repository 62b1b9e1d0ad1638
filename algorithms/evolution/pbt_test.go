package evolution

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/tuned-hpo/tuned/algorithms"
	"github.com/tuned-hpo/tuned/algorithms/algorithmtest"
	"github.com/tuned-hpo/tuned/pkg/searchspace"
)

func pbtSettings(members, share string, more ...algorithms.RawSetting) []algorithms.RawSetting {
	return append([]algorithms.RawSetting{{Name: "n_population", Value: members}, {Name: "truncation_threshold", Value: share}}, more...)
}

func TestPBTConformance(t *testing.T) {
	for _, settings := range [][]algorithms.RawSetting{
		pbtSettings("5", "0.2"),
		pbtSettings("8", "0.5", algorithms.RawSetting{Name: "resample_probability", Value: "0"}),
		pbtSettings("16", "0.1", algorithms.RawSetting{Name: "resample_probability", Value: "1"}),
	} {
		t.Run(fmt.Sprint(settings), func(t *testing.T) { algorithmtest.Run(t, PBT(), settings...) })
	}
}

// newPBT has a population of 40.
func newPBT(t testing.TB, p algorithms.Problem, share string, more ...algorithms.RawSetting) *population {
	t.Helper()
	return newPBTOf(t, p, "40", share, more...)
}

func newPBTOf(t testing.TB, p algorithms.Problem, members, share string, more ...algorithms.RawSetting) *population {
	t.Helper()
	v, err := algorithms.Parse(PBT(), pbtSettings(members, share, more...), "")
	if err != nil {
		t.Fatal(err)
	}
	s, err := algorithms.New(PBT(), p, v)
	if err != nil {
		t.Fatal(err)
	}
	return s.(*population)
}

// crowd plays a population of five, one trial at a time.
type crowd struct {
	*population
	t  *testing.T
	id uint64
}

func newCrowd(t *testing.T, share string) *crowd {
	p := algorithms.Problem{Space: toySpace(t), Objectives: 1, Seed: 2, Parallel: 1}
	return &crowd{population: newPBTOf(t, p, "5", share), t: t}
}

// ask returns the next suggestion while others are pending.
func (c *crowd) ask(pending ...algorithms.Trial) algorithms.Trial {
	c.t.Helper()
	c.id++
	out, err := c.Ask([]uint64{c.id}, pending)
	if err != nil {
		c.t.Fatal(err)
	}
	return algorithms.Trial{ID: c.id, Point: out[0].Point, Memo: out[0].Memo, Curve: []algorithms.Measurement{{Step: int64(out[0].Parent)}}}
}

// parent is that of an asked trial.
func parent(t algorithms.Trial) uint64 { return uint64(t.Curve[0].Step) }

func (c *crowd) end(t algorithms.Trial, state algorithms.State, loss float64) {
	t.State, t.Losses, t.Curve = state, []float64{loss}, nil
	c.Tell([]algorithms.Trial{t})
}

// begin lets five members end their first trials, with losses from 1 to 5.
func (c *crowd) begin() (first []algorithms.Trial) {
	c.t.Helper()
	for k := range 5 {
		t := c.ask()
		if parent(t) != 0 {
			c.t.Fatalf("trial %d begins a member, and goes on from trial %d", t.ID, parent(t))
		}
		first = append(first, t)
		c.end(t, algorithms.Succeeded, float64(k+1))
	}
	return first
}

func TestPBTGoesOn(t *testing.T) {
	c := newCrowd(t, "0.2")
	first := c.begin()
	for k := range 5 {
		next, want := c.ask(), uint64(k+1)
		same := slices.Equal(next.Point, first[k].Point)
		if k == 4 { // it is behind
			if parent(next) != 6 || same {
				t.Errorf("the last of five goes on from trial %d at %v, want from the latest of the best, 6, and another point than its own", parent(next), next.Point)
			}
		} else if parent(next) != want || !same {
			t.Errorf("member %d goes on from trial %d at %v, want its own at %v", k+1, parent(next), next.Point, first[k].Point)
		}
		c.end(next, algorithms.Succeeded, float64(k+1)/10)
	}
	if next := c.ask(); parent(next) != 6 {
		t.Errorf("the first member goes on from trial %d, want its latest, 6", parent(next))
	}
}

// TestPBTNeverWaits wants a free member to go on while others have not ended their first trials.
func TestPBTNeverWaits(t *testing.T) {
	c := newCrowd(t, "0.4")
	var running []algorithms.Trial
	for range 5 {
		running = append(running, c.ask(running...))
	}
	if _, err := c.Ask([]uint64{6}, running); !errors.Is(err, algorithms.ErrWait) {
		t.Fatalf("with all members under way: got %v, want %v", err, algorithms.ErrWait)
	}
	c.end(running[2], algorithms.Succeeded, 1)
	running = slices.Delete(running, 2, 3)
	for range 3 {
		next := c.ask(running...)
		if want := c.members[3].trial; parent(next) != want {
			t.Fatalf("the free member goes on from trial %d, want %d", parent(next), want)
		}
		c.end(next, algorithms.Succeeded, 1)
	}
}

func TestPBTAfterFailures(t *testing.T) {
	for _, tt := range []struct {
		name  string
		state algorithms.State
		loss  float64
	}{
		{"failed", algorithms.Failed, math.NaN()}, {"pruned", algorithms.Pruned, 0}, {"diverged", algorithms.Succeeded, math.NaN()}, {"infinite", algorithms.Succeeded, math.Inf(-1)},
	} {
		c := newCrowd(t, "0.2")
		first := c.begin()
		c.end(c.ask(), tt.state, tt.loss) // the best member
		for range 4 {
			c.end(c.ask(), algorithms.Succeeded, 10)
		}
		next := c.ask()
		if parent(next) != 1 || slices.Equal(next.Point, first[0].Point) {
			t.Errorf("%s: goes on from trial %d at %v, want from 1, the best there is, at another point than %v", tt.name, parent(next), next.Point, first[0].Point)
		}
	}
	c := newCrowd(t, "0.2")
	seen := map[float64]bool{}
	for range 15 {
		next := c.ask()
		if parent(next) != 0 || seen[next.Point[0]] {
			t.Errorf("while nothing succeeds trial %d goes on from %d at %v", next.ID, parent(next), next.Point)
		}
		seen[next.Point[0]] = true
		c.end(next, algorithms.Failed, math.NaN())
	}
}

// TestPBTEquals wants no more members behind than the share, also where most are equal.
func TestPBTEquals(t *testing.T) {
	p := algorithms.Problem{Space: toySpace(t), Objectives: 1, Seed: 1, Parallel: 1}
	c := &crowd{population: newPBT(t, p, "0.2"), t: t}
	behind := 0
	latest := map[uint64]uint64{}
	const n = 4000
	for range n {
		next := c.ask()
		root := membershipOf(&next).root
		if latest[root] != parent(next) {
			behind++
		}
		latest[root] = next.ID
		loss := 0.0
		if root <= 4 {
			loss = -1
		}
		c.end(next, algorithms.Succeeded, loss)
	}
	// Binomial with p = 0.2, but for lots of members that are behind and keep theirs until they have another
	// trial: standard deviation 25, of which six.
	if math.Abs(float64(behind)-n/5) > 150 {
		t.Errorf("%d of %d trials go on from another member's, want about a fifth", behind, n)
	}
}

// TestPBTForeignTrials wants first points to be members, and what is enqueued when there are enough not to be.
func TestPBTForeignTrials(t *testing.T) {
	c := newCrowd(t, "0.4")
	c.id++
	c.end(algorithms.Trial{ID: c.id, Point: searchspace.Point{0.005}}, algorithms.Succeeded, 0.5)
	c.end(algorithms.Trial{ID: 9, Point: searchspace.Point{5}}, algorithms.Succeeded, 0) // of another space
	for k := range 4 {
		c.end(c.ask(), algorithms.Succeeded, float64(k+1))
	}
	if next := c.ask(); parent(next) != 1 || next.Point[0] != 0.005 {
		t.Errorf("goes on from trial %d at %v, want from the first point", parent(next), next.Point)
	}
	c.id = 9
	c.end(algorithms.Trial{ID: c.id, Point: searchspace.Point{0.006}}, algorithms.Succeeded, 0)
	for range 20 {
		next := c.ask()
		if parent(next) == 9 {
			t.Fatalf("trial %d goes on from one that was enqueued", next.ID)
		}
		c.end(next, algorithms.Succeeded, 1)
	}
}

// TestExplore wants each parameter to change, to a value near by.
func TestExplore(t *testing.T) {
	near := func(low, high float64) func(v, w float64) bool {
		return func(v, w float64) bool { return math.Abs(w-low*v) < 1e-9 || math.Abs(w-high*v) < 1e-9 }
	}
	within := func(d float64) func(v, w float64) bool {
		return func(v, w float64) bool { return math.Abs(w-v) <= d*(1+1e-9) }
	}
	for _, tt := range []struct {
		name  string
		param searchspace.Parameter
		from  []float64
		near  func(v, w float64) bool
	}{
		{"double", searchspace.Parameter{Kind: searchspace.Double, Min: 1, Max: 100}, []float64{2, 50}, near(0.8, 1.2)},
		{"logarithmic", searchspace.Parameter{Kind: searchspace.Double, Distribution: searchspace.LogUniform, Min: 1e-6, Max: 1}, []float64{1e-5, 0.1}, near(0.8, 1.2)},
		{"negative", searchspace.Parameter{Kind: searchspace.Double, Min: -100, Max: -1}, []float64{-2, -50}, near(0.8, 1.2)},
		{"about zero", searchspace.Parameter{Kind: searchspace.Double, Min: -1, Max: 1}, []float64{0, 0.001}, within(0.02)},
		{"at an end", searchspace.Parameter{Kind: searchspace.Double, Min: 1, Max: 100}, []float64{100, 1}, near(0.8, 1.2)},
		{"int", searchspace.Parameter{Kind: searchspace.Int, Min: 1, Max: 9}, []float64{1, 2, 9}, within(2)},
		{"step", searchspace.Parameter{Kind: searchspace.Double, Min: 0, Max: 1, Step: 0.3}, []float64{0, 0.3, 0.9}, within(0.3)},
		{"logarithmic step", searchspace.Parameter{Kind: searchspace.Int, Distribution: searchspace.LogUniform, Min: 1, Max: 1000, Step: 1}, []float64{1, 2, 1000}, within(200)},
		{"discrete", searchspace.Parameter{Kind: searchspace.Discrete, Values: []string{"1", "10", "100"}, Numbers: []float64{1, 10, 100}}, []float64{1, 10, 100}, within(90)},
		{"two labels", searchspace.Parameter{Kind: searchspace.Categorical, Values: []string{"a", "b"}}, []float64{0, 1}, within(1)},
		{"labels", searchspace.Parameter{Kind: searchspace.Categorical, Values: []string{"a", "b", "c"}}, []float64{0, 1, 2}, within(2)},
	} {
		tt.param.Name = "p"
		s := space(t, tt.param)
		e := newExplorer(s, 0, 1)
		for _, v := range tt.from {
			for id := range uint64(50) {
				e.begin(id)
				w := e.vary(searchspace.Point{v})
				if s.Contains(w) != nil || w[0] == v || !tt.near(v, w[0]) {
					t.Errorf("%s: from %v to %v", tt.name, v, w[0])
				}
			}
		}
	}
	one := newExplorer(space(t, searchspace.Parameter{Name: "p", Kind: searchspace.Categorical, Values: []string{"a"}}), 0, 1)
	if w := one.vary(searchspace.Point{0}); w[0] != 0 {
		t.Errorf("of the only value there is: got %v", w)
	}
}

// TestExploreResamples wants about a quarter of values drawn anew: from the upper half, which none is near.
func TestExploreResamples(t *testing.T) {
	e := newExplorer(space(t, searchspace.Parameter{Name: "p", Kind: searchspace.Double, Max: 1}), 0.25, 1)
	far := 0
	const n = 4000
	for id := range uint64(n) {
		if e.begin(id); e.vary(searchspace.Point{0.1})[0] > 0.5 {
			far++
		}
	}
	// Binomial with p = 1/8: standard deviation 21, of which five.
	if math.Abs(float64(far)-n/8) > 105 {
		t.Errorf("%d of %d are in the upper half, want about %d", far, n, n/8)
	}
}

// TestPBTMemo wants only what was suggested here taken for that.
func TestPBTMemo(t *testing.T) {
	good := membership{3, 2}.encode()
	for _, tt := range []struct {
		name string
		memo []byte
		want membership
	}{
		{"none", nil, membership{root: 9}},
		{"first", membership{}.encode(), membership{root: 9}},
		{"later", good, membership{3, 2}},
		{"cut", good[:2], membership{root: 9}},
		{"longer", append(slices.Clone(good), 0), membership{root: 9}},
		{"of another algorithm", memo{run: 3, generation: 2}.encode(), membership{root: 9}},
		{"of a later trial", membership{9, 1}.encode(), membership{root: 9}},
	} {
		if got := membershipOf(&algorithms.Trial{ID: 9, Memo: tt.memo}); got != tt.want {
			t.Errorf("%s: got %v, want %v", tt.name, got, tt.want)
		}
	}
}

func TestAdvisePBT(t *testing.T) {
	for _, tt := range []struct {
		members          int64
		share            float64
		trials, parallel int
		want             []string
	}{
		{40, 0.2, 400, 8, nil},
		{40, 0.2, 0, 40, nil},
		{40, 0.2, 40, 8, []string{"n_population"}},
		{5, 0.2, 400, 6, []string{"n_population"}},
		{5, 0.1, 400, 5, []string{"truncation_threshold"}},
		{5, 0, 400, 5, []string{"truncation_threshold"}},
		{5, 0.6, 400, 5, []string{"truncation_threshold"}},
	} {
		var got []string
		for _, a := range advisePBT(algorithms.Problem{MaxTrials: tt.trials, Parallel: tt.parallel}, algorithms.Values{"n_population": tt.members, "truncation_threshold": tt.share}) {
			got = append(got, a.Setting)
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%+v: got advice about %q", tt, got)
		}
	}
}

// BenchmarkPBT asks for one trial of a population of 100, of which 16 have one under way.
func BenchmarkPBT(b *testing.B) {
	s := newPBTOf(b, algorithms.Problem{Space: toySpace(b), Objectives: 1, Seed: 1, Parallel: 16}, "100", "0.2")
	var pending []algorithms.Trial
	id := uint64(0)
	next := func() {
		id++
		out, err := s.Ask([]uint64{id}, pending)
		if err != nil {
			b.Fatal(err)
		}
		pending = append(pending, algorithms.Trial{ID: id, Point: out[0].Point, Memo: out[0].Memo})
	}
	for id < 10_000 {
		next()
		if len(pending) == 16 {
			t := pending[0]
			t.State, t.Losses = algorithms.Succeeded, []float64{t.Point[0]}
			pending = pending[1:]
			s.Tell([]algorithms.Trial{t})
		}
	}
	for b.Loop() {
		if _, err := s.Ask([]uint64{id + 1}, pending); err != nil {
			b.Fatal(err)
		}
	}
}
