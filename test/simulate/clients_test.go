//go:build failpoint

package simulate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	tunedv1 "github.com/tuned-hpo/tuned/api/tuned/v1"
	"github.com/tuned-hpo/tuned/pkg/experiment"
)

// request is a trial that a client asked for.
type request struct {
	id    string
	trial string // "" until the answer came
	value string // that was told; "" before
	known bool   // the daemon has accepted the value
	gone  bool   // the client is, and will never tell

	reported []string // values on the way there
	acked    uint64   // how many of them the daemon has
}

// client lets somebody ask or tell.
func (s *sim) client(x *trialled) {
	switch n := s.random.IntN(10); {
	case n < 5:
		s.ask(x)
	case n < 9 && !(x.ruled() && n > 6): // rules need something to look at
		s.tell(x)
	default:
		s.consult(x)
	}
}

// ask asks for a new trial, or again for one that was asked for.
func (s *sim) ask(x *trialled) {
	r := &request{id: fmt.Sprintf("r%d", len(x.requests))}
	again := len(x.requests) > 0 && (x.requests[len(x.requests)-1].trial == "" || s.chance(15))
	if again {
		r = x.requests[len(x.requests)-1]
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	waiting := s.waiting(x)
	answer, err := s.life.users.Ask(ctx, &tunedv1.AskRequest{Namespace: x.key.Namespace, Experiment: x.key.Name, Count: 1, RequestId: r.id})
	s.say("%s ask %s: %d trials, %s", x.key.Name, r.id, len(answer.GetTrials()), status.Code(err))
	if !again {
		x.requests = append(x.requests, r)
	}
	if err != nil || !s.life.heard() {
		s.failed("ask", err)
		return
	}
	if len(answer.GetTrials()) == 0 {
		if r.trial != "" {
			s.broken("%s: request %s had trial %s and has none now", x.key, r.id, r.trial)
		}
		return
	}
	if name := answer.GetTrials()[0].GetName(); !again && (x.paused.is || len(waiting) > 0 && !slices.Contains(waiting, name)) {
		s.broken("%s: %s is handed out, though it is paused (%t) or %v were enqueued", x.key, name, x.paused.is, waiting)
	}
	s.given(x, r, answer.GetTrials()[0].GetName())
}

// waiting returns the names of the enqueued trials that nobody has.
func (s *sim) waiting(x *trialled) (names []string) {
	trials, _ := s.life.store.Trials(context.Background(), x.key)
	for i := range trials {
		if t := &trials[i]; t.Origin == experiment.Enqueued && t.State == experiment.TrialPending {
			names = append(names, t.Name)
		}
	}
	return names
}

// given notes which trial a request got.
func (s *sim) given(x *trialled, r *request, name string) {
	if r.trial != "" && r.trial != name {
		s.broken("%s: request %s had trial %s and has %s now", x.key, r.id, r.trial, name)
	}
	for _, other := range x.requests {
		if other != r && other.trial == name {
			s.broken("%s: trial %s is given to requests %s and %s", x.key, name, other.id, r.id)
		}
	}
	if r.trial == "" {
		r.trial, r.gone = name, s.chance(8)
	}
	trials, err := s.life.store.Trials(context.Background(), x.key)
	t, ok := experiment.FindTrial(trials, name)
	if err != nil || !ok {
		s.broken("%s: trial %s is given, and is not stored (%v)", x.key, name, err)
	}
	if err := inSpace(t.Assignment); err != nil {
		s.broken("%s: trial %d: %v (I9)", x.key, t.Number, err)
	}
}

// tell tells a result: the first time, again after no answer came, or another one.
func (s *sim) tell(x *trialled) {
	var open []*request
	again := s.chance(10) // one that was told
	for _, r := range x.requests {
		if r.trial != "" && !r.gone && r.known == again {
			open = append(open, r)
		}
	}
	if len(open) == 0 {
		return
	}
	r := open[s.random.IntN(len(open))]
	value, other := r.value, false
	switch {
	case value == "":
		r.value = loss(s)
		value = r.value
	case r.known && s.chance(50):
		value, other = "7", true
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	_, err := s.life.users.Tell(ctx, &tunedv1.TellRequest{
		Namespace: x.key.Namespace, Experiment: x.key.Name, Trial: r.trial,
		Measurements: []*tunedv1.Measurement{{Seq: 1, Metric: "loss", Text: value}},
	})
	s.say("%s tell %s %s: %s", x.key.Name, r.id, value, status.Code(err))
	switch {
	case !s.life.heard():
	case err == nil && other:
		s.broken("%s: trial of %s was told %s, and is told %s", x.key, r.id, r.value, value)
	case err == nil:
		r.known = true
	case status.Code(err) == codes.FailedPrecondition && !other:
		s.late(x, r, err)
	case !other:
		s.failed("tell", err)
	}
}

// consult reports on the way to a result, and asks whether to go on.
func (s *sim) consult(x *trialled) {
	var open []*request
	for _, r := range x.requests {
		if r.trial != "" && !r.gone && r.value == "" {
			open = append(open, r)
		}
	}
	if len(open) == 0 {
		return
	}
	r := open[s.random.IntN(len(open))]
	r.reported = append(r.reported, loss(s))
	var ms []*tunedv1.Measurement
	for i, text := range r.reported {
		ms = append(ms, &tunedv1.Measurement{Seq: uint64(i + 1), Metric: "loss", Text: text})
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	answer, err := s.life.users.ReportTrial(ctx, &tunedv1.ReportTrialRequest{
		Namespace: x.key.Namespace, Experiment: x.key.Name, Trial: r.trial, Measurements: ms,
	})
	s.say("%s report %s: %d, stop %t, %s", x.key.Name, r.id, answer.GetAckedSeq(), answer.GetShouldStop(), status.Code(err))
	if err != nil || !s.life.heard() {
		s.failed("report", err)
		return
	}
	e, errE := s.life.store.Get(ctx, x.key)
	t, errT := s.life.tuner.Trial(ctx, x.key, r.trial)
	if err := errors.Join(errE, errT); err != nil || answer.GetShouldStop() != (t.State.Final() || t.Stopping || e.Status.Completed()) {
		s.broken("%s: client of %s is told to stop: %t, its trial is %s (%v)", x.key, r.id, answer.GetShouldStop(), t.State, err)
	}
	if acked := answer.GetAckedSeq(); acked < r.acked || acked > uint64(len(ms)) || acked < uint64(len(ms)) && !t.State.Final() {
		s.broken("%s: %d of %d measurements of %s are acknowledged, were %d before (I3)", x.key, acked, len(ms), r.id, r.acked)
	}
	r.acked = answer.GetAckedSeq()
	s.checkSentence(x, t.Number, t.Attempt)
}

// late looks whether a refused result came too late.
func (s *sim) late(x *trialled, r *request, err error) {
	trials, _ := s.life.store.Trials(context.Background(), x.key)
	t, _ := experiment.FindTrial(trials, r.trial)
	stopped := t.State == experiment.TrialKilled || t.State == experiment.TrialEarlyStopped && (t.Pruned != "" || x.haltedPerhaps[t.Name])
	if r.known || t.Reason != "TimedOut" && t.State.Final() && !stopped {
		s.broken("%s: the result of %s is refused, its trial is %s (%s): %v", x.key, r.id, t.State, t.Reason, err)
	}
	if t.State.Final() {
		r.gone = true
	}
}

// failed looks at an error that a client got.
func (s *sim) failed(what string, err error) {
	if !s.life.heard() || s.dying.Load() || s.life.store.broken.Load() || status.Code(err) == codes.ResourceExhausted {
		return
	}
	s.broken("%s fails: %v", what, err)
}
