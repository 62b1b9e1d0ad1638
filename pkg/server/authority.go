package server

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"strings"
	"time"

	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"

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
	byHello          // who has the token of the trial that the first message of the stream names
)

// rule is what is allowed of a method.
type rule struct {
	access  access
	changes bool // it changes something, and is limited in how often it may
}

// rules has a row for each registered method, by its full name.
var rules = map[string]rule{
	tunedv1.AgentService_Report_FullMethodName: {byHello, false},

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

	tunedv1.TuningService_CreateExperiment_FullMethodName:   {forUsers, true},
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

// caller is what is known of who calls.
type caller struct {
	local bool   // a process of the daemon's own user, on a Unix socket
	token string // as shown; "" for none
}

type callerKey struct{}

// callerOf returns who calls: as the HTTP side has put it into ctx, else as gRPC knows it.
func callerOf(ctx context.Context) (c caller, ok bool) {
	if c, ok := ctx.Value(callerKey{}).(caller); ok {
		return c, true
	}
	if p, ok := peer.FromContext(ctx); ok {
		if info, ok := p.AuthInfo.(connInfo); ok {
			c.local = info.local
		}
	}
	shown := metadata.ValueFromIncomingContext(ctx, "authorization")
	if len(shown) == 0 {
		return c, true
	}
	c.token, ok = bearer(shown[0])
	return c, ok && len(shown) == 1
}

// bearer returns the token of an Authorization header.
func bearer(header string) (token string, ok bool) {
	scheme, token, _ := strings.Cut(header, " ")
	return token, strings.EqualFold(scheme, "Bearer") && token != ""
}

// authority decides who may do what. Nothing else does.
type authority struct {
	*Config
	calls, reports, measurements *limiter
}

func newAuthority(c *Config) *authority {
	return &authority{
		Config: c, calls: newLimiter(c.Limits.Calls, c.Now),
		reports: newLimiter(c.Limits.Reports, c.Now), measurements: newLimiter(c.Limits.Measurements, c.Now),
	}
}

// admit lets a call of a method through, or says why not.
func (a *authority) admit(ctx context.Context, method string, request any) error {
	r := rules[method]
	c, ok := callerOf(ctx)
	if !ok || r.access == nobody {
		return errUnauthenticated
	}
	switch {
	case r.access == byHello:
		return nil // what counts is the stream's first message, which hello looks at
	case a.isUser(c):
		return a.limit(r, a.calls, "user")
	case r.access == forTrials:
		return a.admitTrial(ctx, r, c, request)
	}
	return errUnauthenticated
}

// isUser reports whether a caller may do everything. A token that is shown is what counts: who shows one
// of a trial acts for the trial, also on the daemon's own socket.
func (a *authority) isUser(c caller) bool {
	if c.token == "" {
		return c.local
	}
	return a.UserToken != "" && same(c.token, a.UserToken)
}

// same compares in a time that tells nothing of what is right, not even its length.
func same(shown, right string) bool {
	x, y := sha256.Sum256([]byte(shown)), sha256.Sum256([]byte(right))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}

// admitTrial lets in who shows the token of the current attempt of the trial that the request names.
// Whether there is such a trial is nothing that others are told.
func (a *authority) admitTrial(ctx context.Context, r rule, c caller, request any) error {
	named, ok := request.(interface {
		GetNamespace() string
		GetExperiment() string
		GetTrial() string
	})
	if !ok {
		return errUnauthenticated
	}
	key := experiment.Key{Namespace: named.GetNamespace(), Name: named.GetExperiment()}
	e, t, err := a.Tuner.LookUp(ctx, key, named.GetTrial())
	if err != nil {
		return errUnauthenticated
	}
	right := a.Token(key, e.Metadata.UID, t.Name, t.Attempt)
	if !same(c.token, right) {
		return errUnauthenticated
	}
	return a.limit(r, a.reports, right)
}

// limit refuses a change by somebody who makes too many.
func (a *authority) limit(r rule, l *limiter, who string) error {
	if !r.changes {
		return nil
	}
	if wait := l.take(who, 1); wait > 0 {
		return rateLimited(wait)
	}
	return nil
}

// hello lets in the agent that shows the token of the attempt that it names.
func (a *authority) hello(h *tunedv1.Hello) (tuner.Reporter, error) {
	if h == nil {
		return tuner.Reporter{}, fail(reasonArgument, "the first request must hold hello")
	}
	if h.GetStream() != "agent" {
		return tuner.Reporter{}, fail(reasonArgument, "stream %q: want \"agent\"", h.GetStream())
	}
	r := tuner.Reporter{
		Experiment: experiment.Key{Namespace: h.GetNamespace(), Name: h.GetExperiment()},
		UID:        h.GetUid(), Trial: h.GetTrial(), Attempt: int(h.GetAttempt()), Source: h.GetStream(),
	}
	if !same(h.GetToken(), a.Token(r.Experiment, r.UID, r.Trial, r.Attempt)) {
		return tuner.Reporter{}, errUnauthenticated
	}
	return r, nil
}

// pace waits until a trial may report so many measurements more. The agent is not read from meanwhile, and
// waits in its turn.
func (a *authority) pace(ctx context.Context, r tuner.Reporter, n int) error {
	for {
		wait := a.measurements.take(r.Experiment.String()+"/"+r.Trial, float64(n))
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

// session is what a browser keeps in place of the user's token: of no use to anything but HTTP requests.
func (a *authority) session() string {
	mac := hmac.New(sha256.New, []byte(a.UserToken))
	_, _ = mac.Write([]byte("session of a browser")) // never fails, see hash.Hash
	return hex.EncodeToString(mac.Sum(nil))
}
