package trace

import (
	"context"
	"encoding/hex"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	otlp "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/tuned-hpo/tuned/algorithms/builtin"
	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/observe"
	"github.com/tuned-hpo/tuned/pkg/store/storetest"
	"github.com/tuned-hpo/tuned/pkg/trialrunner"
	"github.com/tuned-hpo/tuned/pkg/tuner"
)

// sink is a collector of OpenTelemetry, made from the published protocol, over HTTP and gRPC.
type sink struct {
	collector.UnimplementedTraceServiceServer
	mu    sync.Mutex
	spans []*otlp.Span
	about map[string]string // attributes of the resource
}

func (s *sink) Export(_ context.Context, r *collector.ExportTraceServiceRequest) (*collector.ExportTraceServiceResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.about = map[string]string{}
	for _, of := range r.GetResourceSpans() {
		for _, a := range of.GetResource().GetAttributes() {
			s.about[a.GetKey()] = a.GetValue().GetStringValue()
		}
		for _, scope := range of.GetScopeSpans() {
			s.spans = append(s.spans, scope.GetSpans()...)
		}
	}
	return &collector.ExportTraceServiceResponse{}, nil
}

func (s *sink) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	var request collector.ExportTraceServiceRequest
	if err != nil || r.URL.Path != "/v1/traces" || proto.Unmarshal(body, &request) != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	response, err := s.Export(r.Context(), &request)
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	text, _ := proto.Marshal(response)
	w.Header().Set("Content-Type", "application/x-protobuf")
	_, _ = w.Write(text)
}

// httpSink and grpcSink start a sink and return its settings.
func httpSink(t *testing.T) (*sink, Settings) {
	t.Helper()
	s := &sink{}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	return s, Settings{Endpoint: server.URL + "/v1/traces", Protocol: "http/protobuf"}
}

func grpcSink(t *testing.T) (*sink, Settings) {
	t.Helper()
	s := &sink{}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	collector.RegisterTraceServiceServer(server, s)
	done := make(chan error, 1)
	go func() { done <- server.Serve(listener) }()
	t.Cleanup(func() {
		server.Stop()
		if err := <-done; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	return s, Settings{Endpoint: "http://" + listener.Addr().String(), Protocol: "grpc"}
}

// instant is a runner whose workloads end at once, the second one with exit code 1.
type instant struct {
	trialrunner.Runner // nil: what is not called here

	mu      sync.Mutex
	started int
	work    []trialrunner.Workload
	changed chan experiment.Key
}

func (r *instant) Start(_ context.Context, s trialrunner.Spec) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	w := trialrunner.Workload{
		Trial: s.Trial, Attempt: 1, Phase: trialrunner.Exited, Started: now, Finished: now.Add(time.Millisecond), LastSeq: 2,
	}
	if r.started == 1 {
		w.LastSeq, w.Exit = 0, trialrunner.Exit{Code: 1, Reason: "ExitCode", Message: "exit code 1"}
	}
	r.started++
	r.work = append(r.work, w)
	r.changed <- s.Experiment
	return nil
}

func (r *instant) List(context.Context, experiment.Key) ([]trialrunner.Workload, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]trialrunner.Workload(nil), r.work...), nil
}

func (*instant) Leftover(context.Context, experiment.Key, string, int, uint64) (out []experiment.Measurement, _ error) {
	for seq := range uint64(2) {
		out = append(out, experiment.Measurement{Seq: seq + 1, Metric: "loss", Text: "0.5", Value: 0.5})
	}
	return out, nil
}

func (*instant) Stop(context.Context, experiment.Key, string, int) error { return nil }

func (r *instant) Remove(_ context.Context, _ experiment.Key, trial string, attempt int) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.work = slices.DeleteFunc(r.work, func(w trialrunner.Workload) bool { return w.Trial == trial && w.Attempt == attempt })
	return nil
}

func (*instant) Leave(experiment.Key) {}

func (r *instant) Changed() <-chan experiment.Key { return r.changed }

func wanted(budget int32) *experiment.Experiment {
	one := int32(1)
	return &experiment.Experiment{
		Metadata: experiment.Metadata{Namespace: "team", Name: "e"},
		Spec: experiment.Spec{
			Objective: &experiment.Objective{
				Type: "minimize", ObjectiveMetricName: "loss",
				MetricStrategies: []experiment.MetricStrategy{{Name: "loss", Value: "min"}},
			},
			Algorithm: &experiment.Algorithm{AlgorithmName: "random"},
			Parameters: []experiment.ParameterSpec{{
				Name: "x", ParameterType: "double", FeasibleSpace: experiment.FeasibleSpace{Min: "0", Max: "1"},
			}},
			ParallelTrialCount: &one, MaxTrialCount: &budget, MaxFailedTrialCount: &budget,
			MetricsCollectorSpec: &experiment.MetricsCollectorSpec{Collector: &experiment.Collector{Kind: experiment.StdOut}},
		},
		Local: experiment.Local{Command: []string{"train"}},
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// traced runs an experiment of three trials and returns what the collector got.
func traced(t *testing.T, settings Settings) (*experiment.Experiment, []experiment.Trial) {
	t.Helper()
	tracer, err := New(t.Context(), settings, "v1", time.Now, zerolog.New(zerolog.NewTestWriter(t)))
	must(t, err)
	st, err := observe.New(t.Context(), storetest.NewMemory(), time.Now, tracer)
	must(t, err)
	tn, err := tuner.New(tuner.Config{
		Store: st, Runner: &instant{changed: make(chan experiment.Key, 100)}, Algorithms: builtin.Registry(),
		Now: time.Now, Log: zerolog.Nop(), Suggested: tracer.Suggested,
	})
	must(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- tn.Run(ctx) }()
	e := wanted(3)
	_, err = tn.Submit(t.Context(), e)
	must(t, err)
	changes, stop := tn.Watch(e.Key())
	defer stop()
	deadline := time.After(5 * time.Minute)
	for settled := false; !settled; {
		snapshot, err := tn.Snapshot(e.Key())
		must(t, err)
		if settled = snapshot.Settled; settled {
			break
		}
		select {
		case <-changes:
		case <-deadline:
			t.Fatalf("never settled: %+v", snapshot.Experiment.Status)
		}
	}
	cancel()
	must(t, <-done)
	must(t, tracer.Close(t.Context()))
	if len(tracer.active) > 0 {
		t.Errorf("%d experiments are remembered after their trials have ended", len(tracer.active))
	}
	stored, err := st.Get(t.Context(), e.Key())
	must(t, err)
	trials, err := st.Trials(t.Context(), e.Key())
	must(t, err)
	return stored, trials
}

// tree returns the spans of a trace, each with the name of its parent.
func tree(spans []*otlp.Span) map[string]string {
	names := map[string]string{"": ""}
	for _, s := range spans {
		names[string(s.GetSpanId())] = s.GetName()
	}
	out := map[string]string{}
	for _, s := range spans {
		parent, ok := names[string(s.GetParentSpanId())]
		if !ok {
			parent = "unknown " + hex.EncodeToString(s.GetParentSpanId())
		}
		out[s.GetName()] = parent
	}
	return out
}

func TestTraces(t *testing.T) {
	for name, start := range map[string]func(*testing.T) (*sink, Settings){"http": httpSink, "grpc": grpcSink} {
		t.Run(name, func(t *testing.T) {
			s, settings := start(t)
			e, trials := traced(t, settings)
			traces := map[string][]*otlp.Span{}
			for _, span := range s.spans {
				traces[string(span.GetTraceId())] = append(traces[string(span.GetTraceId())], span)
			}
			if len(traces) != 3 {
				t.Fatalf("got %d traces of 3 trials", len(traces))
			}
			for _, trial := range trials {
				id, _ := identities{}.NewIDs(named(e.Metadata.UID, trial.Number).in(t.Context(), "trial"))
				checkTrace(t, &trial, traces[string(id[:])])
			}
			if s.about["service.name"] != "tuned-hpo" || s.about["service.version"] != "v1" {
				t.Errorf("the resource is %v", s.about)
			}
		})
	}
}

func checkTrace(t *testing.T, trial *experiment.Trial, spans []*otlp.Span) {
	t.Helper()
	want := map[string]string{"trial": "", "suggest": "trial", "queue": "trial", "run": "trial", "first metric": "run", "done": "trial"}
	fails := trial.Number == 2
	if fails {
		delete(want, "first metric")
	}
	if diff := cmp.Diff(tree(spans), want); diff != "" || len(spans) != len(want) {
		t.Errorf("trial %d: %d spans; got, want:\n%s", trial.Number, len(spans), diff)
	}
	for _, s := range spans {
		if s.GetEndTimeUnixNano() < s.GetStartTimeUnixNano() {
			t.Errorf("trial %d: %s ends before it begins", trial.Number, s.GetName())
		}
		switch s.GetName() {
		case "run":
			if s.GetStartTimeUnixNano() != uint64(trial.Started.UnixNano()) || s.GetEndTimeUnixNano() != uint64(trial.Finished.UnixNano()) {
				t.Errorf("trial %d: the times of run are not those of the trial", trial.Number)
			}
		case "trial":
			checkRoot(t, trial, s, fails)
		}
	}
}

func checkRoot(t *testing.T, trial *experiment.Trial, s *otlp.Span, fails bool) {
	t.Helper()
	if is := s.GetStatus().GetCode() == otlp.Status_STATUS_CODE_ERROR; is != fails {
		t.Errorf("trial %d: marked as an error: %t, want %t", trial.Number, is, fails)
	}
	got := map[string]string{}
	for _, a := range s.GetAttributes() {
		got[a.GetKey()] = a.GetValue().GetStringValue()
		if a.GetKey() == "tuned.metric.loss" && a.GetValue().GetDoubleValue() != 0.5 {
			t.Errorf("trial %d: loss is %v", trial.Number, a.GetValue())
		}
	}
	if got["tuned.trial"] != trial.Name || got["tuned.parameter.x"] != trial.Assignment[0].Value || got["tuned.trial.state"] != string(trial.State) {
		t.Errorf("trial %d: got %v", trial.Number, got)
	}
}

// TestCollectorIsDown: nobody waits for a collector that does not answer.
func TestCollectorIsDown(t *testing.T) {
	hang := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-hang:
		case <-r.Context().Done():
		}
	}))
	defer server.Close()
	defer close(hang)
	tracer, err := New(t.Context(), Settings{Endpoint: server.URL, Protocol: "http/protobuf"}, "v1", time.Now, zerolog.Nop())
	must(t, err)
	e := wanted(1)
	for i := range uint64(10_000) { // more than the queue takes
		trial := &experiment.Trial{Number: i + 1, State: experiment.TrialSucceeded, Created: time.Now(), Started: time.Now(), Finished: time.Now()}
		tracer.Trial(e, nil, trial)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_ = tracer.Close(ctx) // what is left is given up
}

func TestResolve(t *testing.T) {
	tests := []struct {
		name     string
		settings Settings
		env      map[string]string
		want     Settings
		on       bool
	}{
		{"nothing", Settings{}, nil, Settings{Protocol: "http/protobuf"}, false},
		{"config", Settings{Endpoint: "http://c"}, nil, Settings{Endpoint: "http://c", Protocol: "http/protobuf"}, true},
		{"environment", Settings{}, map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c"}, Settings{Protocol: "http/protobuf"}, true},
		{
			"grpc",
			Settings{},
			map[string]string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
			Settings{Protocol: "grpc"},
			true,
		},
		{"by name", Settings{}, map[string]string{"OTEL_TRACES_EXPORTER": "otlp"}, Settings{Protocol: "http/protobuf"}, true},
		{"disabled", Settings{Endpoint: "http://c"}, map[string]string{"OTEL_SDK_DISABLED": "true"}, Settings{Endpoint: "http://c", Protocol: "http/protobuf"}, false},
		{"none", Settings{Endpoint: "http://c"}, map[string]string{"OTEL_TRACES_EXPORTER": "none"}, Settings{Endpoint: "http://c", Protocol: "http/protobuf"}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, on := tt.settings.Resolve(func(name string) string { return tt.env[name] })
			if got != tt.want || on != tt.on {
				t.Errorf("got %+v, %t, want %+v, %t", got, on, tt.want, tt.on)
			}
		})
	}
	if _, err := New(t.Context(), Settings{Protocol: "carrier-pigeon"}, "", time.Now, zerolog.Nop()); err == nil {
		t.Error("an unknown protocol is taken")
	}
}
