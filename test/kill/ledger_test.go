package kill_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	tunedv1 "github.com/tuned-hpo/tuned/api/tuned/v1"
)

// ledger has what clients have seen of the experiments of one service, through all of its lives: all of it must
// stay.
type ledger struct {
	t   *testing.T
	way caller // for the ledger's own calls

	mu       sync.Mutex
	trials   map[string]*seen // by experiment and name
	requests []question
	calls    int // that were answered
	repeats  int // of calls whose answer was lost
}

// seen is what is known of one trial.
type seen struct {
	number      uint64
	assignments string
	attempt     int32
	final       bool
	value       string // that was told, or of a final trial; "" while neither
	kept        int    // measurements that were acknowledged, or seen
}

// question is a call with the id of a request, and its answer.
type question struct {
	ask   *tunedv1.AskRequest
	names []string
}

func newLedger(t *testing.T, way caller) *ledger {
	return &ledger{t: t, way: way, trials: map[string]*seen{}}
}

// String says how much there is.
func (l *ledger) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	kept := 0
	for _, s := range l.trials {
		kept += s.kept
	}
	return fmt.Sprintf("%d trials with %d measurements seen, %d requests, %d calls, %d of them repeated over a kill", len(l.trials), kept, len(l.requests), l.calls, l.repeats)
}

// insist makes a call until it is answered. An answer that is an error is a fault.
func (l *ledger) insist(ctx context.Context, way caller, method string, in, out proto.Message) {
	for ctx.Err() == nil {
		limited, cancel := context.WithTimeout(ctx, 2*time.Minute)
		err := way.call(limited, method, in, out)
		over := limited.Err() != nil && ctx.Err() == nil
		cancel()
		var f *failure
		lost := errors.As(err, &f) && f.reason == "" && !over
		l.mu.Lock()
		if err == nil {
			l.calls++
		} else if lost && !f.unsent {
			l.repeats++
		}
		l.mu.Unlock()
		if err == nil {
			return
		}
		if !lost {
			l.t.Errorf("%s %v: %v", method, in, err)
			return
		}
		pause(ctx, 5*time.Millisecond)
	}
}

// of returns what is known of a trial; l.mu is held.
func (l *ledger) of(experiment, trial string) *seen {
	key := experiment + "/" + trial
	if l.trials[key] == nil {
		l.trials[key] = &seen{}
	}
	return l.trials[key]
}

// asked keeps the answer to a request: no two requests have the same trial.
func (l *ledger) asked(ask *tunedv1.AskRequest, answer *tunedv1.AskResponse) {
	l.mu.Lock()
	defer l.mu.Unlock()
	q := question{ask: ask}
	for _, t := range answer.GetTrials() {
		for _, other := range l.requests {
			if other.ask.GetExperiment() == ask.GetExperiment() && slices.Contains(other.names, t.GetName()) {
				l.t.Errorf("%s of %s was handed out for %s and for %s", t.GetName(), ask.GetExperiment(), other.ask.GetRequestId(), ask.GetRequestId())
			}
		}
		q.names = append(q.names, t.GetName())
		l.note(ask.GetExperiment(), t)
	}
	l.requests = append(l.requests, q)
}

// kept notes how many measurements of a trial are durable.
func (l *ledger) kept(experiment, trial string, n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.of(experiment, trial)
	s.kept = max(s.kept, n)
}

// told notes a result that was acknowledged.
func (l *ledger) told(experiment, trial, value string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.of(experiment, trial)
	s.final, s.value = true, value
}

// note keeps what a trial shows; l.mu is held.
func (l *ledger) note(experiment string, t *tunedv1.Trial) {
	s := l.of(experiment, t.GetName())
	if t.GetAttempt() > s.attempt && s.attempt > 0 {
		s.kept = 0 // those were of the attempt before
	}
	s.number, s.assignments, s.attempt = t.GetNumber(), fmt.Sprint(t.GetAssignments()), max(s.attempt, t.GetAttempt())
	if t.GetFinishNumber() > 0 {
		s.final, s.value = true, valueOf(t)
	}
}

func valueOf(t *tunedv1.Trial) string {
	if t.Value == nil {
		return ""
	}
	return strconv.FormatFloat(t.GetValue(), 'g', -1, 64)
}

// known returns what is known of an experiment's trials now, by name.
func (l *ledger) known(experiment string) map[string]seen {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := map[string]seen{}
	for key, s := range l.trials {
		if name, found := strings.CutPrefix(key, experiment+"/"); found {
			out[name] = *s
		}
	}
	return out
}

// look compares what the daemon shows with what was known before, and keeps it. The measurements of a trial that
// had ended before are looked at once more only if all are.
func (l *ledger) look(ctx context.Context, experiments []one, all bool) {
	for _, e := range experiments {
		before, points := l.known(e.name), map[string]string{}
		now := l.list(ctx, e.name)
		for _, t := range now {
			was, point := before[t.GetName()], fmt.Sprint(t.GetAssignments())
			if other := points[point]; other != "" {
				l.t.Errorf("%s: %s and %s have the same parameters %s", e.name, other, t.GetName(), point)
			}
			points[point] = t.GetName()
			l.compare(e.name, was, t)
			delete(before, t.GetName())
			if int(t.GetAttempt()) == e.attempts && (all || !was.final) { // the attempt is not followed by another
				l.measured(ctx, e.name, was, t)
			}
		}
		for name := range before {
			l.t.Errorf("%s: trial %s is gone", e.name, name)
		}
		if len(now) > e.budget {
			l.t.Errorf("%s: got %d trials, its budget is %d", e.name, len(now), e.budget)
		}
	}
}

// list returns all trials of an experiment.
func (l *ledger) list(ctx context.Context, experiment string) (all []*tunedv1.Trial) {
	request := &tunedv1.ListTrialsRequest{Namespace: namespace, Experiment: experiment, PageSize: 1000}
	for {
		page := &tunedv1.ListTrialsResponse{}
		l.insist(ctx, l.way, "ListTrials", request, page)
		all = append(all, page.GetTrials()...)
		if request.PageToken = page.GetNextPageToken(); request.PageToken == "" {
			return all
		}
	}
}

// compare wants a trial to be what it was.
func (l *ledger) compare(experiment string, was seen, t *tunedv1.Trial) {
	switch assignments := fmt.Sprint(t.GetAssignments()); {
	case was.number > 0 && (was.number != t.GetNumber() || was.assignments != assignments):
		l.t.Errorf("%s of %s: got number %d, %s; before %d, %s", t.GetName(), experiment, t.GetNumber(), assignments, was.number, was.assignments)
	case t.GetAttempt() < was.attempt:
		l.t.Errorf("%s of %s: got attempt %d after %d", t.GetName(), experiment, t.GetAttempt(), was.attempt)
	case was.final && (t.GetFinishNumber() == 0 || valueOf(t) != was.value):
		l.t.Errorf("%s of %s ended with %s, now it is %s with %q", t.GetName(), experiment, was.value, t.GetState(), valueOf(t))
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.note(experiment, t)
}

// measured wants the measurements of a trial to be there that were.
func (l *ledger) measured(ctx context.Context, experiment string, was seen, t *tunedv1.Trial) {
	list := &tunedv1.ListMeasurementsResponse{}
	l.insist(ctx, l.way, "ListMeasurements", &tunedv1.ListMeasurementsRequest{Namespace: namespace, Experiment: experiment, Trial: t.GetName(), PageSize: 10000}, list)
	got := len(list.GetMeasurements())
	if was.attempt == t.GetAttempt() && got < was.kept {
		l.t.Errorf("%s of %s: got %d measurements after %d", t.GetName(), experiment, got, was.kept)
	}
	l.kept(experiment, t.GetName(), got)
}

// repeat asks again what was asked last, at most so many times: the answers must be the same.
func (l *ledger) repeat(ctx context.Context, most int) {
	l.mu.Lock()
	requests := slices.Clone(l.requests)
	l.mu.Unlock()
	for _, q := range requests[max(0, len(requests)-most):] {
		answer := &tunedv1.AskResponse{}
		l.insist(ctx, l.way, "Ask", q.ask, answer)
		var names []string
		for _, t := range answer.GetTrials() {
			names = append(names, t.GetName())
		}
		if !slices.Equal(names, q.names) {
			l.t.Errorf("%s: request %s got %q, before %q", q.ask.GetExperiment(), q.ask.GetRequestId(), names, q.names)
		}
	}
}

// awaitEnds waits until all experiments have succeeded, with their whole budgets spent.
func (l *ledger) awaitEnds(ctx context.Context, experiments []one) {
	for _, e := range experiments {
		got := &tunedv1.Experiment{}
		for deadline := time.After(10 * time.Minute); !got.GetCompleted(); pause(ctx, 50*time.Millisecond) {
			select {
			case <-deadline:
				l.t.Fatalf("%s does not end: %v", e.name, got)
			default:
			}
			l.insist(ctx, l.way, "GetExperiment", &tunedv1.GetExperimentRequest{Namespace: namespace, Name: e.name}, got)
		}
		n := got.GetCounts()
		if got.GetState() != "Succeeded" || int(n.GetTrials()) != e.budget || int(n.GetSucceeded()) != e.budget {
			l.t.Errorf("%s: %s with %d of %d trials succeeded, want all of %d", e.name, got.GetState(), n.GetSucceeded(), n.GetTrials(), e.budget)
		}
	}
}
