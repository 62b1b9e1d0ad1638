package host_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"google.golang.org/grpc"

	"github.com/tuned-hpo/tuned/algorithms"
	pluginv1 "github.com/tuned-hpo/tuned/api/tuned/plugin/v1"
	"github.com/tuned-hpo/tuned/pkg/searchspace"
	"github.com/tuned-hpo/tuned/plugins"
	"github.com/tuned-hpo/tuned/plugins/host"
)

// TestLostPlugin ends a plugin between Tell and Ask. An instance of another one, rebuilt from history, goes on as if
// nothing had happened.
func TestLostPlugin(t *testing.T) {
	direct := builtIn(t, "gp")
	p := problems(t)["mixed constrained"]
	server, conn := serve(t, func(s grpc.ServiceRegistrar) {
		if err := plugins.Register(s, append(direct, builtIn(t, "grid")...)...); err != nil {
			t.Fatal(err)
		}
	})
	first, err := host.Definitions(t.Context(), conn, patience)
	if err != nil {
		t.Fatal(err)
	}
	told := history(p, 20)
	lost, err := first[0].New(p, algorithms.Values{})
	if err != nil {
		t.Fatal(err)
	}
	lost.Tell(told[:10])
	server.Stop()
	lost.Tell(told[10:])
	for range 2 {
		if _, err := lost.Ask([]uint64{21}, nil); !errors.Is(err, algorithms.ErrLost) {
			t.Fatalf("got %v, want it to wrap ErrLost", err)
		}
	}
	for what, err := range map[string]error{
		"check":   first[1].Check(p, algorithms.Values{}),
		"insight": second(first[0].Insight(p, algorithms.Values{}, told)),
		"new":     second(first[0].New(p, algorithms.Values{})),
	} {
		if !errors.Is(err, algorithms.ErrLost) {
			t.Errorf("%s: got %v, want it to wrap ErrLost", what, err)
		}
	}
	var answers [][]algorithms.Suggestion
	for _, def := range append(throughWire(t, direct...), direct...) {
		s, err := def.New(p, algorithms.Values{})
		if err != nil {
			t.Fatal(err)
		}
		s.Tell(told)
		out, err := s.Ask([]uint64{21, 22}, nil)
		if err != nil {
			t.Fatal(err)
		}
		answers = append(answers, out)
	}
	if diff := cmp.Diff(answers[0], answers[1], cmpopts.EquateNaNs()); diff != "" {
		t.Errorf("rebuilt (-plugin +direct):\n%s", diff)
	}
}

func second[T any](_ T, err error) error { return err }

// TestDroppedInstance wants the stream of an instance to end by Close, also while it is asked, or by nobody knowing it
// any more.
func TestDroppedInstance(t *testing.T) {
	ended, asked := make(chan string, 3), make(chan string, 3)
	plugin := &rogue{list: offer("closed", "closed-while-asked", "forgotten"), suggest: func(algorithm string, stream suggestStream) error {
		defer func() { ended <- algorithm }()
		if err := stream.Send(opened); err != nil {
			return err
		}
		for {
			q, err := stream.Recv()
			if err != nil {
				return err
			}
			if q.GetAsk() != nil {
				asked <- algorithm
			}
		}
	}}
	defs, err := plugin.definitions(t, patience)
	if err != nil {
		t.Fatal(err)
	}
	open := func(name string) algorithms.Suggester {
		s, err := defs[name].New(small(t), algorithms.Values{})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	s := open("closed")
	shut(t, s)
	if got := <-ended; got != "closed" {
		t.Errorf("%s ended, which was not closed", got)
	}
	if _, err := s.Ask([]uint64{1}, nil); !errors.Is(err, algorithms.ErrLost) {
		t.Errorf("ask of a closed instance: got %v", err)
	}

	s = open("closed-while-asked")
	answer := make(chan error, 1)
	go func() { answer <- second(s.Ask([]uint64{1}, nil)) }()
	<-asked
	shut(t, s)
	if err := <-answer; !errors.Is(err, algorithms.ErrLost) {
		t.Errorf("ask while it is closed: got %v", err)
	}
	<-ended

	open("forgotten").Tell(nil)
	for {
		runtime.GC()
		select {
		case got := <-ended:
			if got != "forgotten" {
				t.Errorf("%s ended", got)
			}
			return
		case <-time.After(time.Millisecond):
		}
	}
}

func shut(t *testing.T, s algorithms.Suggester) {
	t.Helper()
	if err := s.(io.Closer).Close(); err != nil {
		t.Error(err)
	}
}

// TestDeafPlugin wants a plugin that takes nothing to be given up, for Tell must not wait for ever.
func TestDeafPlugin(t *testing.T) {
	plugin := &rogue{list: offer("deaf"), suggest: func(_ string, stream suggestStream) error {
		err := stream.Send(opened)
		<-stream.Context().Done()
		return err
	}}
	_, conn := serve(t, func(s grpc.ServiceRegistrar) { pluginv1.RegisterPluginServiceServer(s, plugin) })
	s, err := openInTime(t, conn, 0, 200*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	s.Tell(history(problems(t)["mixed"], 5000)) // more than is buffered on the way
	_, err = s.Ask([]uint64{1}, nil)
	if !errors.Is(err, algorithms.ErrLost) || !strings.Contains(err.Error(), "did not answer within 200ms") {
		t.Errorf("got %v", err)
	}
}

// memory is a Suggester that remembers everything it gets.
type memory struct {
	problem       algorithms.Problem
	told, pending []algorithms.Trial
}

func (m *memory) Tell(finished []algorithms.Trial) { m.told = append(m.told, finished...) }

func (m *memory) Ask(ids []uint64, pending []algorithms.Trial) ([]algorithms.Suggestion, error) {
	m.pending = slices.Clone(pending)
	if len(ids) == 0 {
		return nil, nil
	}
	return []algorithms.Suggestion{m.suggestion(ids[0])}, algorithms.ErrExhausted
}

func (m *memory) suggestion(id uint64) algorithms.Suggestion {
	point := m.problem.Space.Decode(make([]float64, m.problem.Space.Len()))
	return algorithms.Suggestion{ID: id, Point: point, Memo: []byte("m"), Parent: id - 1}
}

// TestEverythingArrives wants a server with the default limits of gRPC to get all of a problem, its settings
// and its trials, which are many times as large as a message may be.
func TestEverythingArrives(t *testing.T) {
	params := make([]searchspace.Parameter, 100)
	for i := range params {
		params[i] = searchspace.Parameter{Name: fmt.Sprint("x", i), Kind: searchspace.Double, Max: 1}
	}
	params[7] = searchspace.Parameter{Name: "x7", Kind: searchspace.Int, Distribution: searchspace.LogUniform, Min: 1, Max: 1 << 30, Step: 3, ActiveWhen: &searchspace.Condition{Parent: "x8", Values: []string{"b"}}}
	params[8] = searchspace.Parameter{Name: "x8", Kind: searchspace.Categorical, Values: []string{"a", "b"}}
	params[9] = searchspace.Parameter{Name: "x9", Kind: searchspace.Discrete, Values: []string{"1", "2e0"}, Numbers: []float64{1, 2}}
	space, err := searchspace.New(params)
	if err != nil {
		t.Fatal(err)
	}
	many := func(n int) []algorithms.Trial {
		out := make([]algorithms.Trial, n)
		for i := range out {
			out[i] = algorithms.Trial{
				ID: math.MaxUint64 - uint64(i), State: algorithms.State(i % 4), Point: slices.Repeat([]float64{float64(i)}, 100),
				Losses: []float64{math.Inf(1), math.NaN()}, Constraints: []float64{-0.5}, Memo: bytes.Repeat([]byte{byte(i)}, i%9),
				Curve: []algorithms.Measurement{{Step: int64(-i), Loss: 5e-324}, {Step: math.MaxInt64, Loss: math.NaN()}}[:i%3],
			}
		}
		return out
	}
	left := map[string]bool{}
	for _, trial := range many(9) {
		leftOut(left, trial)
	}
	for _, param := range params {
		leftOut(left, param)
	}
	var got *memory
	var values algorithms.Values
	var seen []algorithms.Trial
	def := algorithms.Definition{
		Name: "memory", Summary: "remembers", Priors: true, Curves: true,
		Settings: []algorithms.Setting{
			{Name: "i", Type: algorithms.IntSetting, Help: "h"},
			{Name: "f", Type: algorithms.FloatSetting, Help: "h"},
			{Name: "b", Type: algorithms.BoolSetting, Help: "h"},
			{Name: "s", Type: algorithms.StringSetting, Help: "h"},
		},
		New: func(p algorithms.Problem, v algorithms.Values) (algorithms.Suggester, error) {
			got, values = &memory{problem: p}, v
			return got, nil
		},
		Insight: func(p algorithms.Problem, _ algorithms.Values, finished []algorithms.Trial) (algorithms.Insight, error) {
			seen = slices.Concat(finished, p.Priors[2].Trials)
			return algorithms.Insight{}, errors.New("nothing to say")
		},
	}
	wired := throughWire(t, def)[0]
	p := algorithms.Problem{
		Space: space, Objectives: 2, Constraints: 1, Seed: math.MaxUint64, MaxTrials: 1 << 40, Parallel: 1 << 35, Maximized: true,
		Priors: []algorithms.Prior{{Name: "a", Trials: many(6_000)}, {Name: "b"}, {Name: "a", Trials: many(3)}},
	}
	leftOut(left, p)
	v := algorithms.Values{"i": int64(math.MinInt64), "f": 1e-300, "b": false, "s": ""}
	s, err := wired.New(p, v)
	if err != nil {
		t.Fatal(err)
	}
	told, pending := many(6_001), many(6_002)
	s.Tell(told)
	for _, ids := range [][]uint64{{7, 8}, nil} {
		out, err := s.Ask(ids, pending)
		if len(ids) > 0 {
			leftOut(left, got.suggestion(7))
			if diff := cmp.Diff(out, []algorithms.Suggestion{got.suggestion(7)}, cmpopts.EquateNaNs()); diff != "" {
				t.Errorf("suggestion:\n%s", diff)
			}
		}
		if (err != nil) != (len(ids) > 0) || err != nil && !errors.Is(err, algorithms.ErrExhausted) {
			t.Fatalf("ask for %v: got %v", ids, err)
		}
		if !slices.EqualFunc(got.pending, pending, sameTrial) {
			t.Errorf("%d pending trials arrive as %d, or as others", len(pending), len(got.pending))
		}
		pending = pending[:5]
	}
	if !slices.EqualFunc(got.told, told, sameTrial) {
		t.Errorf("%d trials arrive as %d, or as others", len(told), len(got.told))
	}
	samePrior := func(a, b algorithms.Prior) bool {
		return a.Name == b.Name && slices.EqualFunc(a.Trials, b.Trials, sameTrial)
	}
	if !slices.EqualFunc(got.problem.Priors, p.Priors, samePrior) {
		t.Errorf("earlier experiments arrive as others")
	}
	if diff := cmp.Diff(values, v); diff != "" {
		t.Errorf("settings:\n%s", diff)
	}
	if diff := cmp.Diff(got.problem.Space.Parameters(), space.Parameters()); diff != "" {
		t.Errorf("space:\n%s", diff)
	}
	got.problem.Space, got.problem.Priors, p.Space, p.Priors = nil, nil, nil, p.Priors[2:]
	want := p
	want.Priors = nil
	if diff := cmp.Diff(got.problem, want); diff != "" {
		t.Errorf("problem:\n%s", diff)
	}
	for field, always := range left {
		if always {
			t.Errorf("nothing shows that %s arrives", field)
		}
	}
	p.Space, p.Priors = space, []algorithms.Prior{{}, {}, p.Priors[0]}
	if _, err := wired.Insight(p, v, told); err == nil || err.Error() != "nothing to say" {
		t.Errorf("insight: got %v", err)
	}
	if !slices.EqualFunc(seen, slices.Concat(told, p.Priors[2].Trials), sameTrial) {
		t.Errorf("%d trials arrive at the model as %d, or as others", len(told)+3, len(seen))
	}
}

// leftOut notes of each field of a struct whether it was zero whenever it was looked at.
func leftOut(always map[string]bool, of any) {
	v := reflect.ValueOf(of)
	for i := range v.NumField() {
		name := v.Type().String() + "." + v.Type().Field(i).Name
		was, known := always[name]
		always[name] = v.Field(i).IsZero() && (was || !known)
	}
}

// sameTrial compares through text, in which all NaN are alike and an empty list is as none.
func sameTrial(a, b algorithms.Trial) bool { return fmt.Sprint(a) == fmt.Sprint(b) }

// bytesCodec answers messages as they are.
type bytesCodec struct{}

func (bytesCodec) Name() string                { return "bytes" }
func (bytesCodec) Unmarshal([]byte, any) error { return nil }

func (bytesCodec) Marshal(v any) ([]byte, error) { return v.([]byte), nil }

// TestUnreadable wants bytes that are no message, or too many, to be the plugin's fault.
func TestUnreadable(t *testing.T) {
	for want, payload := range map[string][]byte{"unmarshal": {0xff, 0xff, 0xff}, "larger than max": make([]byte, 5<<20)} {
		answer := func(_ any, stream grpc.ServerStream) error {
			if err := stream.RecvMsg(nil); err != nil {
				return err
			}
			return stream.SendMsg(payload)
		}
		_, conn := serve(t, func(grpc.ServiceRegistrar) {}, grpc.ForceServerCodec(bytesCodec{}), grpc.UnknownServiceHandler(answer))
		_, err := host.Definitions(t.Context(), conn, patience)
		if err == nil || !strings.Contains(err.Error(), "the plugin is at fault") || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}
