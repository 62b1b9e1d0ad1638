package server

import (
	"context"
	"errors"
	"fmt"
	"time"

	tunedv1 "github.com/tuned-hpo/tuned/api/tuned/v1"
	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/tuner"
)

// access says who may call a method.
type access uint8

// Of a method without a rule nobody is let in.
const (
	nobody    access = iota
	forUsers         // who has the user's token, or is the daemon's own user on a Unix socket
	forTrials        // these, and who has the token of the trial that the request names
	forAgents        // who has the token of the trial that the first message of the stream names
)

// rule is what is allowed of a method.
type rule struct {
	access  access
	changes bool // it changes something, and is limited in how often it may
}

// rules has a row for each registered method, by its full name.
var rules = map[string]rule{
	tunedv1.AgentService_Report_FullMethodName: {forAgents, false},

	tunedv1.TuningService_ReportTrial_FullMethodName: {forTrials, true},
	tunedv1.TuningService_ShouldStop_FullMethodName:  {forTrials, false},
	tunedv1.TuningService_GetTrial_FullMethodName:    {forTrials, false},

	tunedv1.TuningService_GetExperiment_FullMethodName:    {forUsers, false},
	tunedv1.TuningService_ListExperiments_FullMethodName:  {forUsers, false},
	tunedv1.TuningService_Watch_FullMethodName:            {forUsers, false},
	tunedv1.TuningService_ListEvents_FullMethodName:       {forUsers, false},
	tunedv1.TuningService_GetModel_FullMethodName:         {forUsers, false},
	tunedv1.TuningService_ListTrials_FullMethodName:       {forUsers, false},
	tunedv1.TuningService_ListMeasurements_FullMethodName: {forUsers, false},
	tunedv1.TuningService_GetCurves_FullMethodName:        {forUsers, false},
	tunedv1.TuningService_GetLog_FullMethodName:           {forUsers, false},
	tunedv1.TuningService_ListAlgorithms_FullMethodName:   {forUsers, false},
	tunedv1.TuningService_GetVersion_FullMethodName:       {forUsers, false},

	tunedv1.TuningService_CreateLogin_FullMethodName:        {forUsers, true},
	tunedv1.TuningService_CreateExperiment_FullMethodName:   {forUsers, true},
	tunedv1.TuningService_ImportExperiment_FullMethodName:   {forUsers, true},
	tunedv1.TuningService_PauseExperiment_FullMethodName:    {forUsers, true},
	tunedv1.TuningService_ResumeExperiment_FullMethodName:   {forUsers, true},
	tunedv1.TuningService_StopExperiment_FullMethodName:     {forUsers, true},
	tunedv1.TuningService_ExtendExperiment_FullMethodName:   {forUsers, true},
	tunedv1.TuningService_DeleteExperiment_FullMethodName:   {forUsers, true},
	tunedv1.TuningService_AnnotateExperiment_FullMethodName: {forUsers, true},
	tunedv1.TuningService_EnqueueTrial_FullMethodName:       {forUsers, true},
	tunedv1.TuningService_StopTrial_FullMethodName:          {forUsers, true},
	tunedv1.TuningService_AnnotateTrial_FullMethodName:      {forUsers, true},
	tunedv1.TuningService_Ask_FullMethodName:                {forUsers, true},
	tunedv1.TuningService_Tell_FullMethodName:               {forUsers, true},
}

// authority decides who may do what. Nothing else does. It asks three questions, one after the other: identify,
// who calls, and permit, whether the method is for such a caller, before a byte of the request's body is
// read; then admit, whether it may about what the request names.
type authority struct {
	*Config
	calls, failures, reports, measurements, bytes *limiter
}

func newAuthority(c *Config) *authority {
	limits := func(r Rate) *limiter { return newLimiter(r, c.Now) }
	return &authority{
		Config: c, calls: limits(c.Limits.Calls), failures: limits(c.Limits.Failures),
		reports: limits(c.Limits.Reports), measurements: limits(c.Limits.Measurements), bytes: limits(c.Limits.Bytes),
	}
}

// permit says why a method is not for a caller, whatever the request names.
func (a *authority) permit(c caller, method string) error {
	switch r := rules[method]; {
	case r.access == forAgents && c.trial == nil:
		return fail(reasonForbidden, "this is for agents, which show the token of their trial")
	case r.access == forAgents, r.access == forTrials, r.access == forUsers && c.trial == nil:
		return nil
	case r.access == forUsers:
		return forbidden(c.trial, "it is for users alone")
	}
	return fail(reasonForbidden, "nobody may call %s", method)
}

// admit lets a call of a method through, or says why not. A request is there unless it comes in a stream.
func (a *authority) admit(ctx context.Context, method string, request any) error {
	c, ok := ctx.Value(callerKey{}).(caller)
	if !ok {
		return errUnauthenticated
	}
	if err := a.permit(c, method); err != nil {
		return err
	}
	r, limited, who := rules[method], a.calls, "user"
	if c.trial != nil {
		limited, who = a.reports, nameOf(c.trial)
	}
	if r.changes {
		if wait := limited.take(who, 1); wait > 0 {
			return rateLimited(wait)
		}
	}
	if c.trial != nil && r.access == forTrials {
		return a.own(ctx, c.trial, request)
	}
	return nil
}

// own lets in the trial that the request names. One that is gone meanwhile is told so by the method itself.
func (a *authority) own(ctx context.Context, t *tuner.Reporter, request any) error {
	named, ok := request.(ofTrial)
	if !ok {
		return forbidden(t, "the request names no trial")
	}
	if in := scopeOf(named); in.key != t.Experiment {
		return forbidden(t, fmt.Sprintf("the request is about experiment %s", in.key))
	}
	e, found, err := a.Tuner.LookUp(ctx, t.Experiment, t.Trial)
	switch {
	case errors.Is(err, tuner.ErrNotFound) && named.GetTrial() == t.Trial:
		return nil
	case errors.Is(err, tuner.ErrNotFound):
		return forbidden(t, fmt.Sprintf("the request is about trial %q", named.GetTrial()))
	case err != nil:
		return err
	case named.GetTrial() != t.Trial && named.GetTrial() != fmt.Sprint(found.Number):
		return forbidden(t, fmt.Sprintf("the request is about trial %q", named.GetTrial()))
	case e.Metadata.UID != t.UID:
		return forbidden(t, "the experiment is a later one of the same name")
	case found.Attempt < t.Attempt:
		return forbidden(t, fmt.Sprintf("the trial is at attempt %d", found.Attempt))
	case found.Attempt > t.Attempt:
		return fail(reasonOver, "the token is of attempt %d of trial %s, which is at attempt %d", t.Attempt, t.Trial, found.Attempt)
	}
	return nil
}

// hello lets in the agent that shows the token of the attempt that it names.
func (a *authority) hello(ctx context.Context, h *tunedv1.Hello) (tuner.Reporter, error) {
	c, _ := ctx.Value(callerKey{}).(caller)
	switch {
	case c.trial == nil:
		return tuner.Reporter{}, errUnauthenticated
	case h == nil:
		return tuner.Reporter{}, fail(reasonArgument, "the first request must hold hello")
	case h.GetStream() != "agent":
		return tuner.Reporter{}, fail(reasonArgument, "stream %q: want \"agent\"", h.GetStream())
	}
	r := tuner.Reporter{
		Experiment: experiment.Key{Namespace: h.GetNamespace(), Name: h.GetExperiment()},
		UID:        h.GetUid(), Trial: h.GetTrial(), Attempt: int(h.GetAttempt()),
	}
	if r != *c.trial {
		return r, forbidden(c.trial, fmt.Sprintf("hello names attempt %d of trial %q of %s", r.Attempt, r.Trial, r.Experiment))
	}
	r.Source = h.GetStream()
	return r, nil
}

// pace waits until a trial may report so many measurements and bytes more. The agent is not read from
// meanwhile, and waits in its turn.
func (a *authority) pace(ctx context.Context, r tuner.Reporter, measurements, bytes int) error {
	if err := await(ctx, a.measurements, nameOf(&r), measurements); err != nil {
		return err
	}
	return await(ctx, a.bytes, nameOf(&r), max(bytes, leastBytes))
}

// leastBytes is what the smallest message counts for.
const leastBytes = 256

// afford refuses what a trial reports beyond that, or what users report for it.
func (a *authority) afford(ctx context.Context, in scope, measurements, bytes int) error {
	name := in.key.String() + "/" + in.trial
	if c, _ := ctx.Value(callerKey{}).(caller); c.trial != nil {
		name = nameOf(c.trial) // also where it is named by its number
	}
	if wait := a.measurements.take(name, float64(measurements)); wait > 0 {
		return rateLimited(wait)
	}
	if wait := a.bytes.take(name, float64(max(bytes, leastBytes))); wait > 0 {
		return rateLimited(wait)
	}
	return nil
}

func await(ctx context.Context, l *limiter, name string, n int) error {
	for {
		wait := l.take(name, float64(n))
		if wait == 0 {
			return nil
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
	}
}

// nameOf is what limits know a trial by.
func nameOf(r *tuner.Reporter) string { return r.Experiment.String() + "/" + r.Trial }

// forbidden says that a trial's token is right, and not enough.
func forbidden(t *tuner.Reporter, why string) error {
	return fail(reasonForbidden, "the token is of attempt %d of trial %s of %s, and good for that alone: %s", t.Attempt, t.Trial, t.Experiment, why)
}
