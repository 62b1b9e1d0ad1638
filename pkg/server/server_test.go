package server_test

import (
	"context"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	tunedv1 "github.com/tuned-hpo/tuned/api/tuned/v1"
	"github.com/tuned-hpo/tuned/pkg/experiment"
)

// asked is an experiment without a command: its trials are asked for.
func asked(budget int32) *experiment.Experiment {
	parallel := int32(2)
	return &experiment.Experiment{
		Metadata: experiment.Metadata{Namespace: "default", Name: "asked"},
		Spec: experiment.Spec{
			ParallelTrialCount: &parallel, MaxTrialCount: &budget,
			Objective: &experiment.Objective{
				Type: "maximize", ObjectiveMetricName: "acc",
				MetricStrategies: []experiment.MetricStrategy{{Name: "acc", Value: "max"}},
			},
			Algorithm: &experiment.Algorithm{AlgorithmName: "random"},
			Parameters: []experiment.ParameterSpec{{
				Name: "x", ParameterType: "double",
				FeasibleSpace: experiment.FeasibleSpace{Min: "0", Max: "1"},
			}},
		},
	}
}

func (r *rig) ask(t *testing.T, n int32, id string) *tunedv1.AskResponse {
	t.Helper()
	out, err := r.users.Ask(t.Context(), &tunedv1.AskRequest{Namespace: "default", Experiment: "asked", Count: n, RequestId: id})
	if err != nil {
		t.Fatalf("ask: %v", err)
	}
	return out
}

func (r *rig) tell(ctx context.Context, trial, value string) error {
	_, err := r.tellValue(ctx, trial, value)
	return err
}

func (r *rig) tellValue(ctx context.Context, trial, value string) (*tunedv1.Trial, error) {
	return r.users.Tell(ctx, &tunedv1.TellRequest{
		Namespace: "default", Experiment: "asked", Trial: trial,
		Measurements: []*tunedv1.Measurement{{Seq: 1, Metric: "acc", Text: value}},
	})
}

func TestAskAndTellToTheEnd(t *testing.T) {
	r := newRig(t, 3)
	first := r.ask(t, 5, "one")
	if got := len(first.GetTrials()); got != 2 {
		t.Fatalf("asked for 5: got %d trials, want 2, as many as may be under way", got)
	}
	if again := r.ask(t, 5, "one"); again.GetTrials()[1].GetName() != first.GetTrials()[1].GetName() {
		t.Error("the same request got other trials")
	}
	if more := r.ask(t, 1, "two"); len(more.GetTrials()) != 0 || more.GetDone() {
		t.Errorf("with all under way: got %v, want none and not done", more)
	}
	for i, trial := range first.GetTrials() {
		if err := r.tell(t.Context(), trial.GetName(), fmt.Sprintf("0.%d", i+1)); err != nil {
			t.Fatal(err)
		}
	}
	last := r.ask(t, 2, "three")
	if got := len(last.GetTrials()); got != 1 {
		t.Fatalf("at the end of the budget: got %d trials, want 1", got)
	}
	told, err := r.tellValue(t.Context(), last.GetTrials()[0].GetName(), "-Infinity")
	if err != nil || told.GetName() != last.GetTrials()[0].GetName() || told.GetState() != "Succeeded" || told.GetReason() != "Diverged" ||
		!strings.Contains(told.GetMessage(), "acc is -Inf") {
		t.Errorf("told -Infinity: got %v, %v; want a trial that diverged", told, err)
	}
	if end := r.ask(t, 1, "four"); !end.GetDone() {
		t.Error("after the budget: not done")
	}
	list, err := r.users.ListTrials(t.Context(), &tunedv1.ListTrialsRequest{Namespace: "default", Experiment: "asked"})
	if err != nil || len(list.GetTrials()) != 3 {
		t.Errorf("list: got %d trials, %v; want 3", len(list.GetTrials()), err)
	}
}

func TestTellRefuses(t *testing.T) {
	r := newRig(t, 3)
	trial := r.ask(t, 1, "").GetTrials()[0].GetName()
	tests := []struct {
		name, trial, metric, value string
		want                       codes.Code
	}{
		{"unknown trial", "asked-bbbbbbbb", "acc", "1", codes.NotFound},
		{"another metric", trial, "loss", "1", codes.InvalidArgument},
		{"first result", trial, "acc", "0.5", codes.OK},
		{"same result again", trial, "acc", "0.5", codes.OK},
		{"another result", trial, "acc", "0.6", codes.FailedPrecondition},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := r.users.Tell(t.Context(), &tunedv1.TellRequest{
				Namespace: "default", Experiment: "asked", Trial: tt.trial,
				Measurements: []*tunedv1.Measurement{{Seq: 1, Metric: tt.metric, Text: tt.value}},
			})
			if got := status.Code(err); got != tt.want {
				t.Errorf("got %v (%v), want %v", got, err, tt.want)
			}
		})
	}
}

// TestTellRefusesContradictions: nothing is stored of a result that says two things.
func TestTellRefusesContradictions(t *testing.T) {
	r := newRig(t, 3)
	trial := r.ask(t, 1, "").GetTrials()[0].GetName()
	value := func(seq uint64, step int64, text string) *tunedv1.Measurement {
		return &tunedv1.Measurement{Seq: seq, Step: step, Metric: "acc", Text: text}
	}
	for _, tt := range []struct {
		name   string
		failed bool
		ms     []*tunedv1.Measurement
		want   codes.Code
	}{
		{"a value and a failure", true, []*tunedv1.Measurement{value(1, 0, "1")}, codes.InvalidArgument},
		{"two values", false, []*tunedv1.Measurement{value(1, 0, "1"), value(2, 0, "2")}, codes.InvalidArgument},
		{"a curve", false, []*tunedv1.Measurement{value(1, 1, "1"), value(2, 2, "2")}, codes.OK},
	} {
		_, err := r.users.Tell(t.Context(), &tunedv1.TellRequest{
			Namespace: "default", Experiment: "asked", Trial: trial, Failed: tt.failed, Measurements: tt.ms,
		})
		if status.Code(err) != tt.want {
			t.Errorf("%s: got %v, want %v", tt.name, err, tt.want)
		}
	}
}

// TestSeveralMetrics: a client tells all metrics of a trial, and the front is answered.
func TestSeveralMetrics(t *testing.T) {
	e := asked(4)
	e.Spec.Tuned = &experiment.Extension{
		Objectives:  []experiment.FurtherObjective{{MetricName: "size", Type: "minimize"}},
		Constraints: []experiment.Constraint{{MetricName: "latency", Max: new(10.0)}},
	}
	experiment.SetDefaults(e)
	r := newRigOf(t, e)
	tell := func(acc, size, latency string) error {
		request := &tunedv1.TellRequest{Namespace: "default", Experiment: "asked", Trial: r.ask(t, 1, "").GetTrials()[0].GetName()}
		for _, m := range [][2]string{{"acc", acc}, {"size", size}, {"latency", latency}} {
			if m[1] != "" {
				request.Measurements = append(request.Measurements, &tunedv1.Measurement{
					Seq: uint64(len(request.Measurements) + 1), Metric: m[0], Text: m[1],
				})
			}
		}
		_, err := r.users.Tell(t.Context(), request)
		return err
	}
	for _, values := range [][3]string{{"0.9", "5", "9"}, {"0.95", "7", "9"}, {"0.99", "1", "11"}} {
		if err := tell(values[0], values[1], values[2]); err != nil {
			t.Fatal(err)
		}
	}
	if err := tell("0.9", "5", ""); status.Code(err) != codes.InvalidArgument {
		t.Errorf("without latency: got %v, want InvalidArgument", err)
	}
	got, err := r.users.GetExperiment(t.Context(), &tunedv1.GetExperimentRequest{Namespace: "default", Name: "asked"})
	if want := []uint64{2, 1}; err != nil || !cmp.Equal(got.GetFront(), want) {
		t.Errorf("front: got %v, %v; want %v", got.GetFront(), err, want)
	}
}

func TestModelOfAnAlgorithmWithoutOne(t *testing.T) {
	r := newRig(t, 3)
	for name, want := range map[string]codes.Code{"asked": codes.FailedPrecondition, "other": codes.NotFound} {
		_, err := r.users.GetModel(t.Context(), &tunedv1.GetModelRequest{Namespace: "default", Experiment: name})
		if status.Code(err) != want {
			t.Errorf("%s: got %v, want %v", name, err, want)
		}
	}
}

// hello is the first request of a reporter.
func (r *rig) hello(trial string, attempt int32) *tunedv1.Hello {
	key := experiment.Key{Namespace: "default", Name: "asked"}
	return &tunedv1.Hello{
		Namespace: key.Namespace, Experiment: key.Name, Uid: r.uid, Trial: trial, Attempt: attempt,
		Stream: "agent",
	}
}

// report opens a stream for which the right token is shown, and sends a first request.
func (r *rig) report(t *testing.T, first *tunedv1.ReportRequest) tunedv1.AgentService_ReportClient {
	t.Helper()
	h := first.GetHello()
	key := experiment.Key{Namespace: h.GetNamespace(), Name: h.GetExperiment()}
	stream, err := r.agents.Report(showing(t.Context(), token(key, h.GetUid(), h.GetTrial(), int(h.GetAttempt()))))
	if err != nil {
		t.Fatal(err)
	}
	_ = stream.Send(first) // Recv has the error
	return stream
}

// showing shows a token with calls over gRPC.
func showing(ctx context.Context, token string) context.Context {
	return metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+token)
}

func TestReportAcknowledgesWhatIsDurable(t *testing.T) {
	r := newRig(t, 3)
	trial := r.ask(t, 1, "").GetTrials()[0].GetName()
	for round, want := range []uint64{0, 2, 3} { // what each new connection is greeted with
		stream := r.report(t, &tunedv1.ReportRequest{Hello: r.hello(trial, 1)})
		if ack, err := stream.Recv(); err != nil || ack.GetAckedSeq() != want {
			t.Fatalf("connection %d: got ack %v, %v; want %d", round, ack, err, want)
		}
		// The second and third connection send again what is known, as after a lost answer.
		batch := []*tunedv1.Measurement{{Seq: 1, Metric: "acc", Text: "0.1"}, {Seq: 2, Metric: "acc", Text: "nan"}, {Seq: 3, Metric: "acc", Text: "0.3"}}[:min(2+round, 3)]
		if err := stream.Send(&tunedv1.ReportRequest{Measurements: batch}); err != nil {
			t.Fatal(err)
		}
		if ack, err := stream.Recv(); err != nil || ack.GetAckedSeq() != uint64(len(batch)) {
			t.Fatalf("connection %d: got ack %v, %v; want %d", round, ack, err, len(batch))
		}
		_ = stream.CloseSend()
		_, _ = stream.Recv()
	}
	got, err := r.store.Measurements(t.Context(), experiment.Stream{
		Experiment: experiment.Key{Namespace: "default", Name: "asked"},
		Number:     1, Attempt: 1, Source: "agent",
	}, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	want := []experiment.Measurement{
		{Seq: 1, Metric: "acc", Text: "0.1", Value: 0.1},
		{Seq: 2, Metric: "acc", Text: "nan", Value: math.NaN()},
		{Seq: 3, Metric: "acc", Text: "0.3", Value: 0.3},
	}
	if diff := cmp.Diff(got, want, cmpopts.EquateNaNs()); diff != "" {
		t.Errorf("stored: got (-), want (+):\n%s", diff)
	}
}

func TestReportRefuses(t *testing.T) {
	r := newRig(t, 3)
	trial := r.ask(t, 1, "").GetTrials()[0].GetName()
	over := r.ask(t, 1, "").GetTrials()[0].GetName()
	if err := r.tell(t.Context(), over, "1"); err != nil {
		t.Fatal(err)
	}
	stale := r.hello(trial, 1)
	stale.Uid = "other"
	unread := r.hello(trial, 1)
	unread.Stream = "x"
	tests := []struct {
		name    string
		request *tunedv1.ReportRequest
		want    codes.Code
	}{
		{"another stream", &tunedv1.ReportRequest{Hello: unread}, codes.InvalidArgument},
		{"an earlier experiment of the same name", &tunedv1.ReportRequest{Hello: stale}, codes.FailedPrecondition},
		{"another attempt", &tunedv1.ReportRequest{Hello: r.hello(trial, 2)}, codes.FailedPrecondition},
		{"a trial that is over", &tunedv1.ReportRequest{Hello: r.hello(over, 1)}, codes.FailedPrecondition},
		{"an unknown trial", &tunedv1.ReportRequest{Hello: r.hello("asked-bbbbbbbb", 1)}, codes.NotFound},
		{"a gap", &tunedv1.ReportRequest{Hello: r.hello(trial, 1), Measurements: []*tunedv1.Measurement{{Seq: 7, Metric: "acc", Text: "1"}}}, codes.InvalidArgument},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			stream := r.report(t, tt.request)
			_, err := stream.Recv()
			for err == nil {
				_, err = stream.Recv()
			}
			if got := status.Code(err); got != tt.want {
				t.Errorf("got %v (%v), want %v", got, err, tt.want)
			}
		})
	}
}
