package server

import (
	"errors"
	"io"
	"time"

	"google.golang.org/protobuf/proto"

	tunedv1 "github.com/tuned-hpo/tuned/api/tuned/v1"
	"github.com/tuned-hpo/tuned/internal/failpoint"
	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/tuner"
)

// agents implements AgentService.
type agents struct {
	tunedv1.UnimplementedAgentServiceServer
	*Server
}

// Report receives one agent's measurements and acknowledges what is durable.
func (a *agents) Report(stream tunedv1.AgentService_ReportServer) error {
	first, err := greeting(stream, a.Limits.Greeting)
	if err != nil {
		return err
	}
	reporter, err := a.guard.hello(stream.Context(), first.GetHello())
	if err != nil {
		return err
	}
	if name := nameOf(&reporter); !a.sessions.take(name) {
		return fail(reasonRate, "trial %s has %d streams of measurements, no more are let in", name, a.Limits.PerTrial)
	}
	defer a.sessions.give(nameOf(&reporter))
	a.agents.Add(1)
	defer a.agents.Add(-1)
	over := scope{key: reporter.Experiment, trial: reporter.Trial, conflict: reasonOver}
	if err := a.pace(stream, reporter, first); err != nil { // before the store is asked
		return a.failure(stream.Context(), err, over)
	}
	s, acked, err := a.Tuner.Stream(stream.Context(), reporter)
	if err != nil {
		return a.failure(stream.Context(), err, over)
	}
	if err := stream.Send(&tunedv1.ReportResponse{AckedSeq: acked}); err != nil {
		return err
	}
	for request := first; ; {
		if err := a.store(stream, s, request.GetMeasurements()); err != nil {
			return a.failure(stream.Context(), err, over)
		}
		request, err = stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := a.pace(stream, reporter, request); err != nil {
			return a.failure(stream.Context(), err, over)
		}
	}
}

// pace waits until the trial may send a request of that size.
func (a *agents) pace(stream tunedv1.AgentService_ReportServer, r tuner.Reporter, request *tunedv1.ReportRequest) error {
	return a.guard.pace(stream.Context(), r, len(request.GetMeasurements()), proto.Size(request))
}

// store makes a batch durable and acknowledges it.
func (a *agents) store(stream tunedv1.AgentService_ReportServer, s experiment.Stream, batch []*tunedv1.Measurement) error {
	if len(batch) == 0 {
		return nil
	}
	acked, err := a.Tuner.Append(stream.Context(), s, measurements(batch))
	if err != nil {
		return err
	}
	failpoint.Hit("server.stored")
	if err := stream.Send(&tunedv1.ReportResponse{AckedSeq: acked}); err != nil {
		return err
	}
	failpoint.Hit("server.acked")
	return nil
}

// greeting receives the first message of a stream, which must come soon: only then is it known whose it is.
func greeting(stream tunedv1.AgentService_ReportServer, within time.Duration) (*tunedv1.ReportRequest, error) {
	type received struct {
		request *tunedv1.ReportRequest
		err     error
	}
	first := make(chan received, 1)
	go func() { // ends with the stream at the latest
		request, err := stream.Recv()
		first <- received{request, err}
	}()
	timer := time.NewTimer(within)
	defer timer.Stop()
	select {
	case r := <-first:
		if errors.Is(r.err, io.EOF) {
			return nil, fail(reasonArgument, "the first request must hold hello, there is none")
		}
		return r.request, r.err
	case <-timer.C:
		return nil, fail(reasonArgument, "the first request must hold hello, and come within %v", within)
	}
}

// measurements turns the wire's text into numbers, once.
func measurements(batch []*tunedv1.Measurement) []experiment.Measurement {
	out := make([]experiment.Measurement, len(batch))
	for i, m := range batch {
		out[i] = experiment.Measurement{
			Seq: m.GetSeq(), Step: m.GetStep(), Metric: m.GetMetric(),
			Text: m.GetText(), Value: experiment.ParseValue(m.GetText()), Time: time.Time{},
		}
		if m.GetTime() != nil {
			out[i].Time = m.GetTime().AsTime()
		}
	}
	return out
}

// Agents returns how many agents are connected.
func (s *Server) Agents() int { return int(s.agents.Load()) }
