package host_test

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"net"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/tuned-hpo/tuned/algorithms"
	"github.com/tuned-hpo/tuned/algorithms/algorithmtest"
	"github.com/tuned-hpo/tuned/algorithms/builtin"
	"github.com/tuned-hpo/tuned/pkg/searchspace"
	"github.com/tuned-hpo/tuned/plugins"
	"github.com/tuned-hpo/tuned/plugins/host"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is for plugins that answer: longer than any machine takes.
const patience = 5 * time.Minute

// offered lists the built-in algorithms that go through the wire here: with -short those that compute little.
func offered() []string {
	names := []string{"random", "sobol", "grid"}
	if !testing.Short() {
		names = append(names, "gp", "tpe")
	}
	return names
}

func builtIn(t testing.TB, names ...string) []algorithms.Definition {
	t.Helper()
	var defs []algorithms.Definition
	for _, name := range names {
		def, err := builtin.Registry().Lookup(name)
		if err != nil {
			t.Fatal(err)
		}
		defs = append(defs, def)
	}
	return defs
}

// serve starts a server on a Unix socket, lets fill register what it offers, and connects to it.
func serve(t testing.TB, fill func(grpc.ServiceRegistrar), options ...grpc.ServerOption) (*grpc.Server, *grpc.ClientConn) {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "s")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer(options...)
	fill(server)
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	conn, err := grpc.NewClient("unix:"+socket, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		conn.Close()
		server.Stop()
		if err := <-served; err != nil && !errors.Is(err, grpc.ErrServerStopped) {
			t.Error(err)
		}
	})
	return server, conn
}

// throughWire serves definitions by a plugin and returns what the host makes of it.
func throughWire(t testing.TB, defs ...algorithms.Definition) []algorithms.Definition {
	t.Helper()
	_, conn := serve(t, func(s grpc.ServiceRegistrar) {
		if err := plugins.Register(s, defs...); err != nil {
			t.Fatal(err)
		}
	})
	out, err := host.Definitions(t.Context(), conn, patience)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestWire(t *testing.T) {
	for _, def := range throughWire(t, builtIn(t, offered()...)...) {
		t.Run(def.Name, func(t *testing.T) { algorithmtest.Run(t, def) })
	}
}

// TestDefinitions wants all that the built-in definitions say, of every algorithm that is built.
func TestDefinitions(t *testing.T) {
	built := slices.DeleteFunc(builtin.Registry().Definitions(), func(d algorithms.Definition) bool { return d.New == nil })
	built[0].Kinds = []searchspace.Kind{searchspace.Double, searchspace.Categorical}
	got := throughWire(t, built...)
	functions := cmpopts.IgnoreFields(algorithms.Definition{}, "Check", "Advise", "Insight", "New", "Remaining", "Chooses")
	if diff := cmp.Diff(got, built, functions, cmpopts.EquateEmpty()); diff != "" {
		t.Error(diff)
	}
	for i, d := range built {
		if (got[i].Check == nil) != (d.Check == nil) || (got[i].Advise == nil) != (d.Advise == nil) || (got[i].Insight == nil) != (d.Insight == nil) {
			t.Errorf("%s: other functions", d.Name)
		}
	}
}

// spaces returns a conditional one of all kinds, and a grid with conditions.
func spaces(t testing.TB) map[string]*searchspace.Space {
	t.Helper()
	mixed := []searchspace.Parameter{
		{Name: "lr", Kind: searchspace.Double, Distribution: searchspace.LogUniform, Min: 1e-5, Max: 1},
		{Name: "momentum", Kind: searchspace.Double, Distribution: searchspace.Normal, Min: -1, Max: 1, ActiveWhen: &searchspace.Condition{Parent: "optimizer", Values: []string{"sgd"}}},
		{Name: "optimizer", Kind: searchspace.Categorical, Values: []string{"adam", "sgd"}},
		{Name: "layers", Kind: searchspace.Int, Min: 1, Max: 9},
		{Name: "units", Kind: searchspace.Int, Distribution: searchspace.LogNormal, Min: 1, Max: 512, Step: 1, ActiveWhen: &searchspace.Condition{Parent: "layers", Values: []string{"2", "3", "5"}}},
		{Name: "batch", Kind: searchspace.Discrete, Values: []string{"16", "32", "1e3"}, Numbers: []float64{16, 32, 1000}},
	}
	grid := slices.Clone(mixed[1:])
	grid[0].Step = 0.1
	out := map[string]*searchspace.Space{}
	for name, params := range map[string][]searchspace.Parameter{"mixed": mixed, "grid": grid} {
		space, err := searchspace.New(params)
		if err != nil {
			t.Fatal(err)
		}
		out[name] = space
	}
	return out
}

// problems returns kinds of problem over each space, of which each has trials that went before.
func problems(t testing.TB) map[string]algorithms.Problem {
	t.Helper()
	out := map[string]algorithms.Problem{}
	for name, space := range spaces(t) {
		p := algorithms.Problem{Space: space, Objectives: 1, Seed: math.MaxUint64 - 7, MaxTrials: 200, Parallel: 4}
		out[name] = p
		p.Constraints = 2
		out[name+" constrained"] = p
		p.Objectives = 2
		out[name+" multi-objective"] = p
		p.Priors = []algorithms.Prior{{Name: "a", Trials: history(p, 12)}, {Name: "none"}, {Name: "a", Trials: history(p, 5)}}
		out[name+" prior"] = p
	}
	return out
}

// history returns finished trials of all outcomes.
func history(p algorithms.Problem, n int) (out []algorithms.Trial) {
	r := rand.New(rand.NewPCG(uint64(n), 1))
	u := make([]float64, p.Space.Len())
	for id := range uint64(n) {
		for i := range u {
			u[i] = r.Float64()
		}
		out = append(out, outcome(p, r, algorithms.Trial{ID: id + 1, Point: p.Space.Decode(u)}))
	}
	return out
}

// outcome finishes a trial.
func outcome(p algorithms.Problem, r *rand.Rand, t algorithms.Trial) algorithms.Trial {
	t.State = []algorithms.State{algorithms.Succeeded, algorithms.Succeeded, algorithms.Succeeded, algorithms.Pruned, algorithms.Failed}[r.IntN(5)]
	t.Losses, t.Constraints = nil, nil
	for k := range p.Objectives {
		loss := float64(k) + r.Float64()
		for _, u := range p.Space.Encode(t.Point) {
			loss += (u - 0.3) * (u - 0.3)
		}
		if t.State == algorithms.Failed {
			loss = math.NaN()
		}
		t.Losses = append(t.Losses, loss)
	}
	for range p.Constraints {
		t.Constraints = append(t.Constraints, r.Float64()-0.7)
	}
	return t
}

// play asks in batches and lets trials finish out of order. It returns all answers as text, in which numbers are bits.
func play(p algorithms.Problem, s algorithms.Suggester) (out []string) {
	r := rand.New(rand.NewPCG(3, 3))
	var pending []algorithms.Trial
	id := uint64(0)
	for range 14 {
		ids := []uint64{id + 1, id + 2, id + 3}
		suggestions, err := s.Ask(ids, pending)
		id += uint64(len(suggestions))
		out = append(out, fmt.Sprint(err))
		for _, sug := range suggestions {
			pending = append(pending, algorithms.Trial{ID: sug.ID, Point: sug.Point, Memo: sug.Memo, Losses: slices.Repeat([]float64{math.NaN()}, p.Objectives)})
			out = append(out, fmt.Sprintf("%d %x %x", sug.ID, bits(sug.Point), sug.Memo))
		}
		for len(pending) > r.IntN(5) {
			i := r.IntN(len(pending))
			s.Tell([]algorithms.Trial{outcome(p, r, pending[i])})
			pending = slices.Delete(pending, i, i+1)
		}
	}
	return out
}

// bits are those of numbers; all NaN are one.
func bits(numbers []float64) (out []uint64) {
	for _, v := range numbers {
		if math.IsNaN(v) {
			v = math.NaN()
		}
		out = append(out, math.Float64bits(v))
	}
	return out
}

// TestBytes wants suggestions, memos and reasons to the last bit like those of a direct call.
func TestBytes(t *testing.T) {
	direct := builtIn(t, offered()...)
	for i, wired := range throughWire(t, direct...) {
		for name, p := range problems(t) {
			values, err := algorithms.Parse(wired, nil, "")
			if err != nil {
				t.Fatal(err)
			}
			a, direr := algorithms.New(direct[i], p, values)
			b, wirerr := algorithms.New(wired, p, values)
			if fmt.Sprint(direr) != fmt.Sprint(wirerr) {
				t.Errorf("%s, %s: %v directly, %v through the wire", wired.Name, name, direr, wirerr)
			}
			if direr != nil || wirerr != nil {
				continue
			}
			want := play(p, a)
			if diff := cmp.Diff(play(p, b), want); diff != "" {
				t.Errorf("%s, %s (-wire +direct):\n%s", wired.Name, name, diff)
			}
			if len(want) < 30 {
				t.Errorf("%s, %s: only %d answers to compare", wired.Name, name, len(want))
			}
		}
	}
}

// TestInsight wants what models make of trials, advice and refusals like those of a direct call.
func TestInsight(t *testing.T) {
	direct := builtIn(t, "gp", "grid", "tpe")
	compared := map[string]int{}
	for i, wired := range throughWire(t, direct...) {
		for name, p := range problems(t) {
			for _, n := range []int{0, 1, 40} {
				if wired.Insight == nil {
					continue
				}
				finished := history(p, n)
				want, wantErr := direct[i].Insight(p, algorithms.Values{}, finished)
				got, gotErr := wired.Insight(p, algorithms.Values{}, finished)
				if diff := cmp.Diff(got, want, cmpopts.EquateNaNs(), cmpopts.EquateEmpty()); diff != "" || fmt.Sprint(gotErr) != fmt.Sprint(wantErr) {
					t.Errorf("%s, %s, %d trials: %v directly, %v through the wire\n%s", wired.Name, name, n, wantErr, gotErr, diff)
				}
				compared["insights"] += len(want.Outputs)
			}
			for _, v := range []algorithms.Values{{"random_state": int64(1)}, {"n_startup_trials": int64(1000)}, {"gamma": 0.2}} {
				if _, err := algorithms.Parse(wired, raw(v), ""); err != nil {
					continue
				}
				if wired.Check != nil {
					want, got := direct[i].Check(p, v), wired.Check(p, v)
					if fmt.Sprint(got) != fmt.Sprint(want) {
						t.Errorf("%s, %s, %v: check is %v directly, %v through the wire", wired.Name, name, v, want, got)
					}
					if want != nil {
						compared["refusals"]++
					}
				}
				if wired.Advise != nil {
					want := direct[i].Advise(p, v)
					if diff := cmp.Diff(wired.Advise(p, v), want); diff != "" {
						t.Errorf("%s, %s, %v: other advice:\n%s", wired.Name, name, v, diff)
					}
					compared["advice"] += len(want)
				}
			}
		}
	}
	for _, kind := range []string{"insights", "refusals", "advice"} {
		if compared[kind] == 0 {
			t.Errorf("there were no %s to compare", kind)
		}
	}
}

func raw(v algorithms.Values) (out []algorithms.RawSetting) {
	for name, value := range v {
		out = append(out, algorithms.RawSetting{Name: name, Value: fmt.Sprint(value)})
	}
	return out
}

// BenchmarkAsk is one suggestion of random search among ten pending trials, directly and through the wire.
func BenchmarkAsk(b *testing.B) {
	p := problems(b)["mixed"]
	direct := builtIn(b, "random")
	for name, def := range map[string]algorithms.Definition{"direct": direct[0], "wire": throughWire(b, direct...)[0]} {
		b.Run(name, func(b *testing.B) {
			s, err := def.New(p, algorithms.Values{})
			if err != nil {
				b.Fatal(err)
			}
			pending := history(p, 10)
			for id := uint64(11); b.Loop(); id++ {
				if _, err := s.Ask([]uint64{id}, pending); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
