package plugins_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/tuned-hpo/tuned/algorithms"
	pluginv1 "github.com/tuned-hpo/tuned/api/tuned/plugin/v1"
	"github.com/tuned-hpo/tuned/plugins"
)

func TestMain(m *testing.M) {
	if os.Getenv("TUNED_TEST_PANIC") != "" {
		os.Exit(m.Run()) // a process of TestStack
	}
	goleak.VerifyTestMain(m)
}

// middle always suggests 0.5, or panics where it is told to by the setting "panics".
type middle struct{ where string }

func (m middle) Tell([]algorithms.Trial) { m.panicAt("tell") }

func (m middle) panicAt(place string) {
	if m.where == place {
		panic("boom in " + place)
	}
}

func (m middle) Ask(ids []uint64, _ []algorithms.Trial) (out []algorithms.Suggestion, err error) {
	m.panicAt("ask")
	if m.where == "fault" {
		return nil, errors.New("no luck")
	}
	for _, id := range ids {
		out = append(out, algorithms.Suggestion{ID: id, Point: []float64{0.5}})
	}
	return out, nil
}

func definition() algorithms.Definition {
	at := func(v algorithms.Values) middle { return middle{v.Text("panics", "")} }
	return algorithms.Definition{
		Name: "middle", Summary: "always the middle", Priors: true,
		Settings: []algorithms.Setting{
			{Name: "panics", Type: algorithms.StringSetting, Help: "where"},
			{Name: "rate", Type: algorithms.FloatSetting, Help: "h"},
		},
		Check: func(p algorithms.Problem, v algorithms.Values) error {
			at(v).panicAt("check")
			if p.MaxTrials == 13 {
				return errors.New("13 trials bring bad luck")
			}
			return nil
		},
		Advise: func(_ algorithms.Problem, v algorithms.Values) []algorithms.Advice {
			at(v).panicAt("advise")
			return nil
		},
		Insight: func(_ algorithms.Problem, v algorithms.Values, finished []algorithms.Trial) (algorithms.Insight, error) {
			at(v).panicAt("insight")
			return algorithms.Insight{Trials: len(finished)}, nil
		},
		New: func(_ algorithms.Problem, v algorithms.Values) (algorithms.Suggester, error) {
			at(v).panicAt("new")
			return at(v), nil
		},
	}
}

// plain has no function but New.
func plain() algorithms.Definition {
	d := definition()
	d.Name, d.Check, d.Advise, d.Insight = "plain", nil, nil, nil
	return d
}

func serve(t *testing.T, defs ...algorithms.Definition) pluginv1.PluginServiceClient {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "s")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	if err := plugins.Register(server, defs...); err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	conn, err := grpc.NewClient("unix:"+socket, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		conn.Close()
		server.Stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return pluginv1.NewPluginServiceClient(conn)
}

func TestRegister(t *testing.T) {
	broken := definition()
	broken.Settings = []algorithms.Setting{{Name: "rate", Type: algorithms.FloatSetting, Default: "fast"}}
	for want, defs := range map[string][]algorithms.Definition{
		"a plugin without algorithms":                      nil,
		`share the name "middle"`:                          {definition(), definition()},
		"algorithm a has no New":                           {definition(), {Name: "a"}},
		"default of setting rate must be a finite number,": {broken},
	} {
		if err := plugins.Register(grpc.NewServer(), defs...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

// task is a right one.
func task() *pluginv1.Task {
	return &pluginv1.Task{Algorithm: "middle", Problem: &pluginv1.Problem{
		Parameters: []*pluginv1.Parameter{{Name: "x", Kind: pluginv1.Kind_KIND_DOUBLE, Distribution: pluginv1.Distribution_DISTRIBUTION_UNIFORM, Max: 1}},
		Objectives: 1, Parallel: 1,
	}}
}

func text(s string) *pluginv1.Value {
	return &pluginv1.Value{Value: &pluginv1.Value_StringValue{StringValue: s}}
}

// wrongTasks changes a right one.
var wrongTasks = []struct {
	name   string
	change func(*pluginv1.Task)
	code   codes.Code
	want   []string
}{
	{"another algorithm", func(t *pluginv1.Task) { t.Algorithm = "midle" }, codes.NotFound, []string{`unknown algorithm "midle", did you mean "middle"?`}},
	{"no problem", func(t *pluginv1.Task) { t.Problem = nil }, codes.InvalidArgument, []string{"problem.objectives must be at least 1, got 0", "problem.parallel must be at least 1, got 0"}},
	{"negative numbers", func(t *pluginv1.Task) {
		t.Problem.Objectives, t.Problem.Constraints, t.Problem.MaxTrials, t.Problem.Parallel = -1, -1, -1, -1
	}, codes.InvalidArgument, []string{"problem.objectives", "problem.constraints must be at least 0, got -1", "problem.max_trials", "problem.parallel"}},
	{"no kind", func(t *pluginv1.Task) { t.Problem.Parameters[0].Kind = 0 }, codes.InvalidArgument, []string{"parameters[0] (x): kind 0 is not one of"}},
	{"a kind like another in 8 bits", func(t *pluginv1.Task) { t.Problem.Parameters[0].Kind = 257 }, codes.InvalidArgument, []string{"parameters[0] (x): kind 255 is not one of"}},
	{"a distribution like another in 8 bits", func(t *pluginv1.Task) { t.Problem.Parameters[0].Distribution = 257 }, codes.InvalidArgument, []string{"parameters[0] (x): distribution 255 is not one of"}},
	{"an empty range", func(t *pluginv1.Task) { t.Problem.Parameters[0].Max = 0 }, codes.InvalidArgument, []string{"there is nothing to search"}},
	{"no such parent", func(t *pluginv1.Task) {
		t.Problem.Parameters[0].ActiveWhen = &pluginv1.Condition{Parent: "y", Values: []string{"1"}}
	}, codes.InvalidArgument, []string{`activeWhen names "y"`}},
	{"no such setting", func(t *pluginv1.Task) { t.Settings = map[string]*pluginv1.Value{"speed": text("1")} }, codes.InvalidArgument, []string{"settings[speed]: no setting takes"}},
	{"text for a number", func(t *pluginv1.Task) { t.Settings = map[string]*pluginv1.Value{"rate": text("1")} }, codes.InvalidArgument, []string{"settings[rate]: no setting takes"}},
	{"no value", func(t *pluginv1.Task) { t.Settings = map[string]*pluginv1.Value{"rate": nil} }, codes.InvalidArgument, []string{"settings[rate]: no setting takes"}},
	{"several faults", func(t *pluginv1.Task) {
		t.Problem.Parallel, t.Problem.Parameters[0].Name = 0, ""
		t.Settings = map[string]*pluginv1.Value{"a": text(""), "b": text("")}
	}, codes.InvalidArgument, []string{"problem.parallel", "name is empty", "settings[a]", "settings[b]"}},
	{"refused", func(t *pluginv1.Task) { t.Problem.MaxTrials = 13 }, codes.InvalidArgument, []string{"13 trials bring bad luck"}},
}

// TestWrongTasks wants each call to refuse what it cannot work on, and to accept what it can.
func TestWrongTasks(t *testing.T) {
	client := serve(t, definition())
	for name, call := range calls(client) {
		if err := call(t.Context(), task()); err != nil {
			t.Errorf("%s: a right task: %v", name, err)
		}
		if err := call(t.Context(), &pluginv1.Task{}); status.Code(err) != codes.NotFound {
			t.Errorf("%s: an empty task: %v", name, err)
		}
		for _, tt := range wrongTasks {
			if tt.name == "refused" && name != "check" && name != "suggest" {
				continue
			}
			q := task()
			tt.change(q)
			err := call(t.Context(), q)
			if status.Code(err) != tt.code {
				t.Errorf("%s, %s: got %v", name, tt.name, err)
			}
			for _, want := range tt.want {
				if !strings.Contains(strings.ReplaceAll(err.Error(), "\u00a0", " "), want) {
					t.Errorf("%s, %s: got %v, want %q", name, tt.name, err, want)
				}
			}
		}
	}
}

// calls returns each call of an algorithm with a task; suggest asks for one suggestion after a Tell.
func calls(client pluginv1.PluginServiceClient) map[string]func(context.Context, *pluginv1.Task) error {
	return map[string]func(context.Context, *pluginv1.Task) error{
		"check": func(ctx context.Context, q *pluginv1.Task) error {
			_, err := client.Check(ctx, &pluginv1.CheckRequest{Task: q})
			return err
		},
		"advise": func(ctx context.Context, q *pluginv1.Task) error {
			_, err := client.Advise(ctx, &pluginv1.AdviseRequest{Task: q})
			return err
		},
		"insight": func(ctx context.Context, q *pluginv1.Task) error {
			return insight(ctx, client, []*pluginv1.InsightRequest{
				{Request: &pluginv1.InsightRequest_Open{Open: q}}, {Request: &pluginv1.InsightRequest_Tell{Tell: &pluginv1.Trials{}}},
			})
		},
		"suggest": func(ctx context.Context, q *pluginv1.Task) error {
			return suggest(ctx, client, []*pluginv1.SuggestRequest{open(q), tell, asks})
		},
	}
}

func open(q *pluginv1.Task) *pluginv1.SuggestRequest {
	return &pluginv1.SuggestRequest{Request: &pluginv1.SuggestRequest_Open{Open: q}}
}

func prior(index int32) *pluginv1.SuggestRequest {
	return &pluginv1.SuggestRequest{Request: &pluginv1.SuggestRequest_Prior{Prior: &pluginv1.Prior{Index: index}}}
}

var (
	tell = &pluginv1.SuggestRequest{Request: &pluginv1.SuggestRequest_Tell{Tell: &pluginv1.Trials{Trials: []*pluginv1.Trial{{Id: 1, State: 99}, {}}}}}
	asks = &pluginv1.SuggestRequest{Request: &pluginv1.SuggestRequest_Ask{Ask: &pluginv1.Ask{Ids: []uint64{1}}}}
)

// suggest sends requests and returns the error that the stream ends with.
func suggest(ctx context.Context, client pluginv1.PluginServiceClient, requests []*pluginv1.SuggestRequest) error {
	stream, err := client.Suggest(ctx)
	if err != nil {
		return err
	}
	for _, r := range requests {
		if stream.Send(proto.CloneOf(r)) != nil {
			break // Recv says why
		}
	}
	if err := stream.CloseSend(); err != nil {
		return err
	}
	for {
		if _, err := stream.Recv(); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

func insight(ctx context.Context, client pluginv1.PluginServiceClient, requests []*pluginv1.InsightRequest) error {
	stream, err := client.Insight(ctx)
	if err != nil {
		return err
	}
	for _, r := range requests {
		if stream.Send(r) != nil {
			break // CloseAndRecv says why
		}
	}
	_, err = stream.CloseAndRecv()
	return err
}

func TestWrongStreams(t *testing.T) {
	client := serve(t, definition(), plain())
	for name, tt := range map[string]struct {
		requests []*pluginv1.SuggestRequest
		want     string // "" when nothing is wrong
	}{
		"priors":            {[]*pluginv1.SuggestRequest{prior(0), prior(0), prior(1), open(task()), asks}, ""},
		"nothing":           {nil, "EOF"},
		"ask first":         {[]*pluginv1.SuggestRequest{asks}, "there is no task"},
		"no request":        {[]*pluginv1.SuggestRequest{{}}, "there is no task"},
		"open twice":        {[]*pluginv1.SuggestRequest{open(task()), open(task())}, "must be tell, pending or ask"},
		"prior after open":  {[]*pluginv1.SuggestRequest{open(task()), prior(0)}, "must be tell, pending or ask"},
		"prior left out":    {[]*pluginv1.SuggestRequest{prior(1)}, "prior 1 comes after 0 others"},
		"prior below all":   {[]*pluginv1.SuggestRequest{prior(-1)}, "prior -1 comes after 0 others"},
		"prior that was":    {[]*pluginv1.SuggestRequest{prior(0), prior(1), prior(0)}, "prior 0 comes after 2 others"},
		"fault of an asked": {[]*pluginv1.SuggestRequest{open(panicking("fault")), asks}, "no luck"},
	} {
		err := suggest(t.Context(), client, tt.requests)
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %q", name, err, tt.want)
		}
	}
	q := &pluginv1.InsightRequest{Request: &pluginv1.InsightRequest_Open{Open: task()}}
	if err := insight(t.Context(), client, []*pluginv1.InsightRequest{q, q}); status.Code(err) != codes.InvalidArgument {
		t.Errorf("insight opened twice: %v", err)
	}
	for name, call := range calls(client) {
		q := task()
		q.Algorithm = "plain"
		if err := call(t.Context(), q); status.Code(err) != codes.Unimplemented && (name != "suggest" || err != nil) {
			t.Errorf("%s of an algorithm without: %v", name, err)
		}
	}
}

func panicking(where string) *pluginv1.Task {
	q := task()
	q.Settings = map[string]*pluginv1.Value{"panics": text(where)}
	return q
}

// TestPanics wants a panic to end the call that it happens in, and no other.
func TestPanics(t *testing.T) {
	client := serve(t, definition())
	bystander, err := client.Suggest(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := bystander.Send(open(task())); err != nil {
		t.Fatal(err)
	}
	for _, where := range []string{"check", "advise", "insight", "new", "tell", "ask"} {
		call := calls(client)[where]
		if call == nil {
			call = calls(client)["suggest"]
		}
		err := call(t.Context(), panicking(where))
		if status.Code(err) != codes.Internal || !strings.Contains(err.Error(), "panic: boom in "+where) {
			t.Errorf("%s: got %v", where, err)
		}
	}
	if err := bystander.Send(asks); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"opened", "suggestions"} {
		reply, err := bystander.Recv()
		if err != nil || (want == "opened") != (reply.GetOpened() != nil) {
			t.Errorf("an instance beside those that panic: got %v, %v, want %s", reply, err, want)
		}
	}
	if err := bystander.CloseSend(); err != nil {
		t.Error(err)
	}
	if _, err := bystander.Recv(); !errors.Is(err, io.EOF) {
		t.Errorf("a stream that is closed ends with %v", err)
	}
}

// TestStack looks at the standard error of a process that runs TestPanics.
func TestStack(t *testing.T) {
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), program, "-test.run=^TestPanics$")
	c.Env = append(os.Environ(), "TUNED_TEST_PANIC=1")
	var out bytes.Buffer
	c.Stderr = &out
	if err := c.Run(); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	for _, want := range []string{"panic: boom in tell", "middle.panicAt", "plugins_test.go"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("standard error has no %q:\n%s", want, out.String())
		}
	}
}
