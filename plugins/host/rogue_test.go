package host_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/tuned-hpo/tuned/algorithms"
	pluginv1 "github.com/tuned-hpo/tuned/api/tuned/plugin/v1"
	"github.com/tuned-hpo/tuned/pkg/searchspace"
	"github.com/tuned-hpo/tuned/plugins/host"
)

type (
	suggestStream = grpc.BidiStreamingServer[pluginv1.SuggestRequest, pluginv1.SuggestResponse]
	insightStream = grpc.ClientStreamingServer[pluginv1.InsightRequest, pluginv1.InsightResponse]
)

// rogue is a plugin that answers what it is told to.
type rogue struct {
	pluginv1.UnimplementedPluginServiceServer
	list    *pluginv1.ListAlgorithmsResponse
	check   func(*pluginv1.Task) error
	advise  func(*pluginv1.Task) (*pluginv1.AdviseResponse, error)
	insight func(algorithm string) (*pluginv1.InsightResponse, error)
	suggest func(algorithm string, stream suggestStream) error // after open
}

func (r *rogue) ListAlgorithms(context.Context, *pluginv1.ListAlgorithmsRequest) (*pluginv1.ListAlgorithmsResponse, error) {
	return r.list, nil
}

func (r *rogue) Check(_ context.Context, q *pluginv1.CheckRequest) (*pluginv1.CheckResponse, error) {
	return &pluginv1.CheckResponse{}, r.check(q.GetTask())
}

func (r *rogue) Advise(_ context.Context, q *pluginv1.AdviseRequest) (*pluginv1.AdviseResponse, error) {
	return r.advise(q.GetTask())
}

func (r *rogue) Insight(stream insightStream) error {
	algorithm := ""
	for {
		q, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return err
		}
		if task := q.GetOpen(); task != nil {
			algorithm = task.GetAlgorithm()
		}
	}
	out, err := r.insight(algorithm)
	if err != nil {
		return err
	}
	return stream.SendAndClose(out)
}

func (r *rogue) Suggest(stream suggestStream) error {
	q, err := stream.Recv()
	if err != nil {
		return err
	}
	return r.suggest(q.GetOpen().GetAlgorithm(), stream)
}

// offer lists algorithms by their names.
func offer(names ...string) *pluginv1.ListAlgorithmsResponse {
	out := &pluginv1.ListAlgorithmsResponse{}
	for _, name := range names {
		out.Algorithms = append(out.Algorithms, &pluginv1.Algorithm{Name: name, Summary: "as it is", Check: true, Advise: true, Insight: true})
	}
	return out
}

func (r *rogue) definitions(t *testing.T, timeout time.Duration) (map[string]algorithms.Definition, error) {
	t.Helper()
	_, conn := serve(t, func(s grpc.ServiceRegistrar) { pluginv1.RegisterPluginServiceServer(s, r) })
	defs, err := host.Definitions(t.Context(), conn, timeout)
	out := map[string]algorithms.Definition{}
	for _, d := range defs {
		out[d.Name] = d
	}
	return out, err
}

// small is a problem with an int under one of two labels.
func small(t testing.TB) algorithms.Problem {
	t.Helper()
	space, err := searchspace.New([]searchspace.Parameter{
		{Name: "lr", Kind: searchspace.Double, Max: 1, Step: 0.25},
		{Name: "model", Kind: searchspace.Categorical, Values: []string{"tree", "net"}},
		{Name: "layers", Kind: searchspace.Int, Min: 1, Max: 3, ActiveWhen: &searchspace.Condition{Parent: "model", Values: []string{"net"}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return algorithms.Problem{Space: space, Objectives: 1, Parallel: 2}
}

var nan = math.NaN()

// points are suggestions for trials 1, 2, ...
func points(list ...[]float64) *pluginv1.SuggestResponse {
	out := &pluginv1.Suggestions{}
	for i, p := range list {
		out.Suggestions = append(out.Suggestions, &pluginv1.Suggestion{Id: uint64(i + 1), Point: p})
	}
	return &pluginv1.SuggestResponse{Response: &pluginv1.SuggestResponse_Suggestions{Suggestions: out}}
}

// but changes an answer.
func but(r *pluginv1.SuggestResponse, change func(*pluginv1.Suggestions)) *pluginv1.SuggestResponse {
	change(r.GetSuggestions())
	return r
}

func reason(r pluginv1.Suggestions_Reason) func(*pluginv1.Suggestions) {
	return func(s *pluginv1.Suggestions) { s.Reason = r }
}

var (
	opened  = &pluginv1.SuggestResponse{Response: &pluginv1.SuggestResponse_Opened{Opened: &pluginv1.Opened{}}}
	tree    = []float64{0.25, 0, nan}
	network = []float64{1, 1, 3}
)

// wrongAnswers lists answers to an ask for trials 1 and 2, of which none is pending.
var wrongAnswers = []struct {
	name   string
	answer *pluginv1.SuggestResponse
	want   string // "" when nothing is wrong
}{
	{"right", points(tree, network), ""},
	{"off-by-rounding", points([]float64{0.25 - 1e-15, 1, 3 + 1e-14}, []float64{1 + 1e-15, 0, nan}), ""},
	{"off-by-a-little-more", points([]float64{0.25 - 1e-11, 1, 3}, network), "parameters[0] (lr): 0.24999999999 is off the grid"},
	{"label-off-by-rounding", points([]float64{0, 1 - 1e-16, 3}, network), "0.9999999999999999 is not in the list"},
	{"nothing", &pluginv1.SuggestResponse{}, "answered ask without suggestions"},
	{"opened-again", opened, "answered ask without suggestions"},
	{"out-of-range", points(tree, []float64{1.25, 0, nan}), "for trial 2 what is not in the space: parameters[0] (lr): 1.25 is outside [0, 1]"},
	{"infinite", points([]float64{math.Inf(1), 0, nan}, network), "parameters[0] (lr): +Inf is outside"},
	{"off-grid", points([]float64{0.3, 0, nan}, network), "0.3 is off the grid of step 0.25"},
	{"nan", points([]float64{nan, 0, nan}, network), "parameters[0] (lr): active, but has no value"},
	{"no-label", points([]float64{0, 2, nan}, network), "parameters[1] (model): 2 is not in the list"},
	{"half-label", points([]float64{0, 0.5, nan}, network), "0.5 is not in the list"},
	{"half-layer", points([]float64{0, 1, 1.5}, network), "parameters[2] (layers): 1.5 is off the grid"},
	{"not-active", points([]float64{0, 0, 1}, network), "parameters[2] (layers): not active"},
	{"without-layers", points([]float64{0, 1, nan}, network), "parameters[2] (layers): active, but has no value"},
	{"too-short", points(tree[:2], network), "point has 2 coordinates, space has 3 parameters"},
	{"too-long", points(append(tree[:3:3], 1), network), "point has 4 coordinates"},
	{"no-point", points(tree, nil), "point has 0 coordinates"},
	{"too-many", points(tree, network, tree), "answered 3 suggestions to 2 asked"},
	{"too-few", points(tree), "answered 1 suggestions to 2 asked, without a reason"},
	{"none", points(), "answered 0 suggestions to 2 asked, without a reason"},
	{"for-no-reason", but(points(tree), reason(7)), "for a reason 7 that is not known"},
	{"waits-for-nobody", but(points(), reason(pluginv1.Suggestions_REASON_WAIT)), "it waits for trials, but none is pending"},
	{"other-ids", but(points(tree, network), func(s *pluginv1.Suggestions) { s.Suggestions[1].Id = 3 }), "answered trial 2 with a suggestion for trial 3"},
	{"swapped-ids", but(points(tree, network), func(s *pluginv1.Suggestions) { s.Suggestions[0], s.Suggestions[1] = s.Suggestions[1], s.Suggestions[0] }), "answered trial 1 with a suggestion for trial 2"},
	{"no-ids", but(points(tree, network), func(s *pluginv1.Suggestions) { s.Suggestions[0].Id = 0 }), "answered trial 1 with a suggestion for trial 0"},
	{"child-of-its-own-batch", but(points(tree, network), func(s *pluginv1.Suggestions) { s.Suggestions[1].Parent = 1 }), "it lets trial 2 go on from trial 1, which is no earlier one"},
	{"long-memo", but(points(tree, network), func(s *pluginv1.Suggestions) { s.Suggestions[1].Memo = make([]byte, 65537) }), "the memo of trial 2 has 65537 bytes, more than 65536"},
}

func TestWrongAnswers(t *testing.T) {
	names := []string{}
	answers := map[string]*pluginv1.SuggestResponse{}
	for _, tt := range wrongAnswers {
		names = append(names, tt.name)
		answers[tt.name] = tt.answer
	}
	plugin := &rogue{list: offer(names...), suggest: func(algorithm string, stream suggestStream) error {
		if err := stream.Send(opened); err != nil {
			return err
		}
		answer := answers[algorithm]
		for {
			q, err := stream.Recv()
			if err != nil {
				return err
			}
			if q.GetAsk() != nil {
				if err := stream.Send(answer); err != nil {
					return err
				}
				answer = points(tree, network) // it pretends to have learned
			}
		}
	}}
	defs, err := plugin.definitions(t, patience)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range wrongAnswers {
		s, err := defs[tt.name].New(small(t), algorithms.Values{})
		if err != nil {
			t.Fatal(err)
		}
		for range 2 { // it is not believed again
			s.Tell([]algorithms.Trial{{ID: 9, State: algorithms.Succeeded, Point: tree, Losses: []float64{1}}})
			out, err := s.Ask([]uint64{1, 2}, nil)
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) || errors.Is(err, algorithms.ErrLost) {
				t.Errorf("%s: got %v, want %q", tt.name, err, tt.want)
			}
			if err != nil && out != nil {
				t.Errorf("%s: %v, and yet %v", tt.name, err, out)
			}
			for _, s := range out {
				if err := small(t).Space.Contains(s.Point); err != nil {
					t.Errorf("%s: what is not in the space gets through: %v", tt.name, err)
				}
			}
		}
	}
}

// wrongStreams lists streams that do not behave. They fail at New, or else at Ask.
var wrongStreams = []struct {
	name   string
	stream func(suggestStream) error
	lost   bool // another instance would work
	atNew  bool
	want   string
}{
	{"refuses", func(suggestStream) error {
		return status.Error(codes.InvalidArgument, "a grid needs a \x1b[31mstep\u0007\nand more")
	}, false, true, "a grid needs a \uFFFD[31mstep\uFFFD\nand more"},
	{"refuses-at-length", func(suggestStream) error { return status.Error(codes.InvalidArgument, strings.Repeat("é", 1<<14)) }, false, true, "..."},
	{"opens-with-suggestions", func(s suggestStream) error { return s.Send(points(tree, network)) }, false, true, "answered open without opened"},
	{"ends-at-once", func(suggestStream) error { return nil }, true, true, "the plugin ended the stream"},
	{"fails-at-once", func(suggestStream) error { return errors.New("no luck") }, false, true, "the plugin is at fault: Unknown: no luck"},
	{"not-there", func(suggestStream) error { return status.Error(codes.Unavailable, "going down") }, true, true, "going down"},
	{"sleeps-at-open", func(s suggestStream) error { <-s.Context().Done(); return nil }, true, true, "did not answer within 200ms"},
	{"ends", func(s suggestStream) error { return s.Send(opened) }, true, false, "the plugin ended the stream"},
	{"fails", func(s suggestStream) error { return errors.Join(s.Send(opened), errors.New("no luck")) }, false, false, "the plugin is at fault: Unknown: no luck"},
	{"refuses-late", func(s suggestStream) error {
		return errors.Join(s.Send(opened), status.Error(codes.InvalidArgument, "too late"))
	}, false, false, "the plugin is at fault: "},
	{"sleeps", func(s suggestStream) error {
		err := s.Send(opened)
		<-s.Context().Done()
		return err
	}, true, false, "did not answer within 200ms"},
	{"shouts", func(s suggestStream) error {
		for s.Context().Err() == nil {
			if err := s.Send(opened); err != nil {
				return err
			}
		}
		return nil
	}, false, false, "answered ask without suggestions"},
	{"sends-too-much", func(s suggestStream) error {
		if err := s.Send(opened); err != nil {
			return err
		}
		return s.Send(but(points(tree, network), func(a *pluginv1.Suggestions) { a.Suggestions[0].Memo = make([]byte, 65<<20) }))
	}, false, false, "larger than max"},
}

func TestWrongStreams(t *testing.T) {
	names := []string{}
	streams := map[string]func(suggestStream) error{}
	for _, tt := range wrongStreams {
		names = append(names, tt.name)
		streams[tt.name] = tt.stream
	}
	plugin := &rogue{list: offer(names...), suggest: func(algorithm string, stream suggestStream) error { return streams[algorithm](stream) }}
	_, conn := serve(t, func(s grpc.ServiceRegistrar) { pluginv1.RegisterPluginServiceServer(s, plugin) })
	for i, tt := range wrongStreams {
		timeout := patience
		if strings.HasPrefix(tt.name, "sleeps") {
			timeout = 200 * time.Millisecond
		}
		s, err := openInTime(t, conn, i, timeout)
		if (err != nil) != tt.atNew {
			t.Fatalf("%s: New says %v", tt.name, err)
		}
		if err == nil {
			s.Tell([]algorithms.Trial{{ID: 9}})
			_, err = s.Ask([]uint64{1, 2}, nil)
		}
		if err == nil || !strings.Contains(err.Error(), tt.want) || len(err.Error()) > 5000 || errors.Is(err, algorithms.ErrLost) != tt.lost {
			t.Errorf("%s: got %.200v, want %q", tt.name, err, tt.want)
		}
	}
}

// openInTime makes an instance of algorithm i. With a short timeout, which a busy machine may miss, it tries often.
func openInTime(t *testing.T, conn *grpc.ClientConn, i int, timeout time.Duration) (s algorithms.Suggester, err error) {
	t.Helper()
	for range 20 {
		defs, listErr := host.Definitions(t.Context(), conn, timeout)
		if listErr != nil {
			err = listErr
			continue
		}
		if s, err = defs[i].New(small(t), algorithms.Values{}); err == nil || timeout == patience {
			break
		}
	}
	return s, err
}

// wrongLists lists offers that are none.
var wrongLists = []struct {
	name   string
	change func(*pluginv1.Algorithm)
	want   string
}{
	{"no name", func(a *pluginv1.Algorithm) { a.Name = "" }, `"" is no name`},
	{"odd name", func(a *pluginv1.Algorithm) { a.Name = "a%sb\x1b" }, `algorithms[1] (a%sb` + "\uFFFD" + `): "a%sb`},
	{"long name", func(a *pluginv1.Algorithm) { a.Name = strings.Repeat("a", 64) }, "is no name"},
	{"name twice", func(a *pluginv1.Algorithm) { a.Name = "one" }, `share the name "one"`},
	{"alias of another", func(a *pluginv1.Algorithm) { a.Aliases = []string{"one"} }, `algorithms one and two share the name "one"`},
	{"odd alias", func(a *pluginv1.Algorithm) { a.Aliases = []string{"a b"} }, `"a b" is no name`},
	{"no summary", func(a *pluginv1.Algorithm) { a.Summary = "" }, "there is no summary"},
	{"long summary", func(a *pluginv1.Algorithm) { a.Summary = strings.Repeat("a", 5000) }, "summary is longer than 4096 bytes"},
	{"summary with controls", func(a *pluginv1.Algorithm) { a.Summary = "a\x1b[2J" }, "or has control characters"},
	{"no such kind", func(a *pluginv1.Algorithm) { a.Kinds = []pluginv1.Kind{5} }, "kind 5 of parameter is not known"},
	{"kind without number", func(a *pluginv1.Algorithm) { a.Kinds = []pluginv1.Kind{0} }, "kind 0 of parameter is not known"},
	{"setting without type", func(a *pluginv1.Algorithm) { a.Settings[0].Type = 0 }, "settings[0] (rate): type 0 is not known"},
	{"setting of no such type", func(a *pluginv1.Algorithm) { a.Settings[0].Type = 260 }, "type 260 is not known"},
	{"setting twice", func(a *pluginv1.Algorithm) { a.Settings = append(a.Settings, a.Settings[0]) }, "settings[1] (rate): the name is taken"},
	{"odd setting", func(a *pluginv1.Algorithm) { a.Settings[0].Name = "\n" }, "is no name"},
	{"odd dialect", func(a *pluginv1.Algorithm) { a.Settings[0].Dialect = " " }, `" " is no name`},
	{"default of another type", func(a *pluginv1.Algorithm) { a.Settings[0].DefaultValue = "fast" }, `default of setting rate must be a finite number, got "fast"`},
	{"default out of range", func(a *pluginv1.Algorithm) { a.Settings[0].DefaultValue = "2" }, "default of setting rate must be at least 0 and at most 1, got 2"},
	{"range that is none", func(a *pluginv1.Algorithm) { a.Settings[0].Max = nan }, "the range from 0 to NaN is none"},
	{"range upside down", func(a *pluginv1.Algorithm) { a.Settings[0].Max = -1 }, "the range from 0 to -1 is none"},
	{"infinite range", func(a *pluginv1.Algorithm) { a.Settings[0].Max = math.Inf(1) }, "the range from 0 to +Inf is none"},
	{"choices of a number", func(a *pluginv1.Algorithm) { a.Settings[0].Choices = []string{"0"} }, "only a string has choices"},
	{"help with controls", func(a *pluginv1.Algorithm) { a.Settings[0].Help = "\x00" }, "help is longer"},
}

func TestWrongLists(t *testing.T) {
	for _, tt := range wrongLists {
		list := offer("one", "two")
		list.Algorithms[1].Settings = []*pluginv1.Setting{{Name: "rate", Type: pluginv1.Setting_TYPE_FLOAT, Max: 1, Help: "h", DefaultValue: "0.5"}}
		if _, err := (&rogue{list: list}).definitions(t, patience); err != nil {
			t.Fatalf("%s: before it is made wrong: %v", tt.name, err)
		}
		tt.change(list.Algorithms[1])
		if _, err := (&rogue{list: list}).definitions(t, patience); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %q", tt.name, err, tt.want)
		}
	}
	if _, err := (&rogue{}).definitions(t, patience); err == nil || !strings.Contains(err.Error(), "there are none") {
		t.Errorf("no algorithms: got %v", err)
	}
}

func TestWrongAdvice(t *testing.T) {
	replies := map[string]struct {
		reply *pluginv1.AdviseResponse
		err   error
		want  string // in the text of the only advice
	}{
		"right":      {&pluginv1.AdviseResponse{Advice: []*pluginv1.Advice{{Text: "fine"}}}, nil, "fine"},
		"unknown":    {&pluginv1.AdviseResponse{Advice: []*pluginv1.Advice{{Setting: "speed", Text: "slow"}}}, nil, `not to be had: it is about "speed", which is no setting`},
		"wordless":   {&pluginv1.AdviseResponse{Advice: []*pluginv1.Advice{{}}}, nil, "is empty"},
		"controls":   {&pluginv1.AdviseResponse{Advice: []*pluginv1.Advice{{Text: "\x1b"}}}, nil, "has control characters"},
		"fails":      {nil, errors.New("no luck"), "the plugin is at fault: Unknown: no luck"},
		"too-length": {&pluginv1.AdviseResponse{Advice: []*pluginv1.Advice{{Text: strings.Repeat("a", 5000)}}}, nil, "longer than 4096"},
	}
	names := []string{}
	for name := range replies {
		names = append(names, name)
	}
	plugin := &rogue{list: offer(names...), advise: func(t *pluginv1.Task) (*pluginv1.AdviseResponse, error) {
		return replies[t.GetAlgorithm()].reply, replies[t.GetAlgorithm()].err
	}}
	defs, err := plugin.definitions(t, patience)
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range replies {
		got := defs[name].Advise(small(t), algorithms.Values{})
		if len(got) != 1 || got[0].Setting != "" || !strings.Contains(got[0].Text, tt.want) {
			t.Errorf("%s: got %q, want %q", name, got, tt.want)
		}
	}
}

func TestWrongChecks(t *testing.T) {
	answers := map[string]error{
		"":                                    nil,
		"one step too many":                   status.Error(codes.InvalidArgument, "one step too many"),
		"the plugin is at fault: Internal: x": status.Error(codes.Internal, "x"),
		"the plugin is at fault: Unknown: x":  errors.New("x"),
		"the plugin is at fault: FailedPrecondition: x": status.Error(codes.FailedPrecondition, "x"),
	}
	for want, err := range answers {
		defs, _ := (&rogue{list: offer("one"), check: func(*pluginv1.Task) error { return err }}).definitions(t, patience)
		if got := defs["one"].Check(small(t), algorithms.Values{}); fmt.Sprint(got) != want && !(got == nil && want == "") {
			t.Errorf("got %v, want %q", got, want)
		}
	}
	defs, _ := (&rogue{list: offer("one")}).definitions(t, patience)
	if err := defs["one"].Check(small(t), algorithms.Values{"rate": 1}); err == nil || !strings.Contains(err.Error(), "a int is no value of a setting") {
		t.Errorf("a value of no setting: got %v", err)
	}
}
