package server

import (
	"context"
	"strconv"

	"google.golang.org/protobuf/proto"

	tunedv1 "github.com/tuned-hpo/tuned/api/tuned/v1"
	"github.com/tuned-hpo/tuned/internal/failpoint"
	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/tuner"
)

// Ask hands out trials.
func (u *users) Ask(ctx context.Context, r *tunedv1.AskRequest) (*tunedv1.AskResponse, error) {
	if err := checkRequestID(r.GetRequestId()); err != nil {
		return nil, err
	}
	if r.GetCount() < 0 {
		return nil, fail(reasonArgument, "count %d: want at least 1", r.GetCount())
	}
	key := experiment.Key{Namespace: r.GetNamespace(), Name: r.GetExperiment()}
	trials, done, err := u.Tuner.Ask(ctx, key, max(1, int(r.GetCount())), r.GetRequestId())
	if err != nil {
		return nil, u.failure(ctx, err, scope{key: key})
	}
	e, err := u.Tuner.Experiment(ctx, key)
	if err != nil {
		return nil, u.failure(ctx, err, scope{key: key})
	}
	failpoint.Hit("server.asked")
	response := &tunedv1.AskResponse{Done: done}
	for i := range trials {
		response.Trials = append(response.Trials, trialMessage(e, &trials[i]))
	}
	return response, nil
}

// Tell takes a trial's result.
func (u *users) Tell(ctx context.Context, r *tunedv1.TellRequest) (*tunedv1.Trial, error) {
	in := scopeOf(r)
	if err := checkTold(r); err != nil {
		return nil, err
	}
	if in.trial == "" {
		in.invalid = reasonParameters
	}
	ms := measurements(r.GetMeasurements())
	if len(r.GetMetrics()) > 0 {
		ms = sortedMetrics(r.GetMetrics(), u.Now())
	}
	t, err := u.Tuner.Tell(ctx, in.key, tuner.Result{
		Trial: r.GetTrial(), Measurements: ms, Failed: r.GetFailed(), Message: r.GetMessage(),
		Assignments: pairs(r.GetAssignments()), Request: r.GetRequestId(),
	})
	failpoint.Hit("server.told")
	return u.told(ctx, &t, err, in)
}

// checkTold refuses a result that could mean several things.
func checkTold(r *tunedv1.TellRequest) error {
	switch {
	case len(r.GetMetrics()) > 0 && len(r.GetMeasurements()) > 0:
		return fail(reasonArgument, "give metrics or measurements, not both")
	case r.GetFailed() && len(r.GetMetrics())+len(r.GetMeasurements()) > 0:
		return fail(reasonArgument, "give values or failed, not both")
	case twice(r.GetMeasurements()) != "":
		return fail(reasonArgument, "metric %q has two values and no steps: give one", twice(r.GetMeasurements()))
	case r.GetTrial() != "" && len(r.GetAssignments()) > 0:
		return fail(reasonArgument, "give a trial or assignments, not both")
	case r.GetTrial() == "" && len(r.GetAssignments()) == 0:
		return fail(reasonArgument, "give a trial, or the assignments that were evaluated")
	case r.GetTrial() == "" && r.GetRequestId() == "":
		return fail(reasonArgument, "request_id: want one with assignments, so that the call can be repeated")
	}
	return checkRequestID(r.GetRequestId())
}

// twice returns a metric of which there are two values without a step, "" when there is none.
func twice(ms []*tunedv1.Measurement) string {
	seen := map[string]bool{}
	for _, m := range ms {
		if m.GetStep() != 0 {
			continue
		}
		if seen[m.GetMetric()] {
			return m.GetMetric()
		}
		seen[m.GetMetric()] = true
	}
	return ""
}

// ReportTrial stores intermediate measurements of a trial.
func (u *users) ReportTrial(ctx context.Context, r *tunedv1.ReportTrialRequest) (*tunedv1.ReportTrialResponse, error) {
	in := scopeOf(r)
	in.conflict = reasonOver
	if err := u.guard.afford(ctx, in, len(r.GetMeasurements()), proto.Size(r)); err != nil {
		return nil, err
	}
	acked, stop, err := u.Tuner.ReportTrial(ctx, in.key, in.trial, measurements(r.GetMeasurements()))
	if err != nil {
		return nil, u.failure(ctx, err, in)
	}
	return &tunedv1.ReportTrialResponse{AckedSeq: acked, ShouldStop: stop.Stop, Reason: stop.Reason}, nil
}

// ShouldStop says whether the evaluation of a trial should stop.
func (u *users) ShouldStop(ctx context.Context, r *tunedv1.ShouldStopRequest) (*tunedv1.ShouldStopResponse, error) {
	in := scopeOf(r)
	stop, err := u.Tuner.ShouldStop(ctx, in.key, in.trial)
	if err != nil {
		return nil, u.failure(ctx, err, in)
	}
	return &tunedv1.ShouldStopResponse{ShouldStop: stop.Stop, Reason: stop.Reason}, nil
}

// formatValue is the shortest text that is read back as the same number.
func formatValue(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }
