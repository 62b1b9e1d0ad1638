package server

import (
	"crypto/subtle"
	"errors"
	"io"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	tunedv1 "github.com/tuned-hpo/tuned/api/tuned/v1"
	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/tuner"
)

// agents implements AgentService.
type agents struct {
	tunedv1.UnimplementedAgentServiceServer
	Config
}

// Report receives one agent's measurements and acknowledges what is durable.
func (a *agents) Report(stream tunedv1.AgentService_ReportServer) error {
	first, err := stream.Recv()
	if err != nil {
		return err
	}
	reporter, err := a.authenticate(first.GetHello())
	if err != nil {
		return err
	}
	s, acked, err := a.Tuner.Stream(stream.Context(), reporter)
	if err != nil {
		return a.code(err)
	}
	if err := stream.Send(&tunedv1.ReportResponse{AckedSeq: acked}); err != nil {
		return err
	}
	for batch := first.GetMeasurements(); ; {
		if len(batch) > 0 {
			acked, err := a.Tuner.Append(stream.Context(), s, measurements(batch))
			if err != nil {
				return a.code(err)
			}
			if err := stream.Send(&tunedv1.ReportResponse{AckedSeq: acked}); err != nil {
				return err
			}
		}
		request, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		batch = request.GetMeasurements()
	}
}

// authenticate checks that the caller may report for the trial it names.
func (a *agents) authenticate(h *tunedv1.Hello) (tuner.Reporter, error) {
	if h == nil {
		return tuner.Reporter{}, status.Error(codes.InvalidArgument, "the first request must hold hello")
	}
	if h.GetStream() != "agent" {
		return tuner.Reporter{}, status.Errorf(codes.InvalidArgument, "stream %q: want \"agent\"", h.GetStream())
	}
	r := tuner.Reporter{
		Experiment: experiment.Key{Namespace: h.GetNamespace(), Name: h.GetExperiment()},
		UID:        h.GetUid(), Trial: h.GetTrial(), Attempt: int(h.GetAttempt()), Source: h.GetStream(),
	}
	want := a.Token(r.Experiment, r.UID, r.Trial, r.Attempt)
	if subtle.ConstantTimeCompare([]byte(want), []byte(h.GetToken())) != 1 {
		return tuner.Reporter{}, status.Errorf(codes.Unauthenticated, "wrong token for attempt %d of trial %q", r.Attempt, r.Trial)
	}
	return r, nil
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
