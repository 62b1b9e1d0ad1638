//go:build failpoint

package simulate

import (
	"context"
	"errors"
	"strconv"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	tunedv1 "github.com/tuned-hpo/tuned/api/tuned/v1"
	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/trialrunner"
)

// advance lets one workload go on: it measures, its agent reports, it ends.
func (s *sim) advance(w *work) {
	if w.told {
		s.say("%s stops", w)
		s.stopped(w)
		return
	}
	s.mayRun(w)
	switch n := s.random.IntN(10); {
	case n < 6:
		for range 1 + s.random.IntN(5) {
			w.measure(s)
		}
		s.report(w, w.attempt)
	case n < 8 || s.calm:
		s.say("%s ends after %d measurements", w, len(w.measured))
		s.finish(w, trialrunner.Exited, trialrunner.Exit{Reason: "Completed"})
	case s.chance(30):
		s.say("%s fails", w)
		s.finish(w, trialrunner.Exited, trialrunner.Exit{Code: 1, Reason: "ExitCode", Message: "exit code 1"})
	case s.chance(40):
		s.say("%s is lost", w)
		s.finish(w, trialrunner.Lost, trialrunner.Exit{Reason: "Lost"})
	}
}

// mayRun asserts that a workload that was never told to stop has a reason to run.
func (s *sim) mayRun(w *work) {
	snapshot, err := s.life.tuner.Snapshot(w.of.key)
	if err != nil || snapshot.Trouble != "" || time.Now().Before(s.full) {
		return
	}
	status, x := &snapshot.Experiment.Status, w.of
	failed := status.Completed() && !status.Succeeded() && status.CompletionTime != nil
	if failed && !x.drains && time.Since(*status.CompletionTime) > s.pace {
		s.broken("%s runs, though its experiment failed %s ago (I10)", w, time.Since(*status.CompletionTime))
	}
	if !x.stopped.IsZero() && time.Since(x.stopped) > s.pace {
		s.broken("%s runs, though its experiment was stopped %s ago", w, time.Since(x.stopped))
	}
	if mark, pruned := x.pruned[w.trial]; pruned && time.Since(mark.since) > s.pace {
		s.broken("%s runs, though a rule stopped it %s ago (%s)", w, time.Since(mark.since), mark.reason)
	}
	if since, halted := x.halted[w.trial]; halted && time.Since(since) > s.pace {
		s.broken("%s runs, though it was stopped %s ago", w, time.Since(since))
	}
}

// measure prints a value.
func (w *work) measure(s *sim) {
	value := loss(s)
	if s.random.IntN(30) == 0 {
		value = "nan"
	}
	seq := uint64(len(w.measured) + 1)
	w.measured = append(w.measured, experiment.Measurement{
		Seq: seq, Step: int64(seq), Metric: "loss", Time: time.Now().UTC(), Text: value, Value: experiment.ParseValue(value),
	})
}

// loss draws a value.
func loss(s *sim) string {
	return strconv.FormatFloat(float64(s.random.IntN(10_000))/10_000+0.005, 'g', -1, 64)
}

// report has the agent of an attempt of the workload's trial send what is not acknowledged.
func (s *sim) report(w *work, attempt int) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	stream, err := s.life.agents.Report(metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+token(w.of.key, w.of.uid, w.trial, attempt)))
	if err == nil {
		err = stream.Send(&tunedv1.ReportRequest{Hello: &tunedv1.Hello{
			Namespace: w.of.key.Namespace, Experiment: w.of.key.Name, Uid: w.of.uid, Trial: w.trial,
			Attempt: int32(attempt), Stream: "agent",
		}})
	}
	after := w.acked
	if err == nil {
		after, err = s.acknowledged(w, stream)
	}
	for _, part := range s.parts(after, uint64(len(w.measured))) {
		if err != nil {
			break
		}
		tight := w.of.ruled() && s.chance(15) // so that what a rule says cannot be stored
		s.life.store.tight.Store(tight)
		_ = stream.Send(&tunedv1.ReportRequest{Measurements: wire(w.measured[part[0]:part[1]])}) // Recv has its error
		if s.chance(5) {
			s.rest() // it is stored, and the answer is lost with the connection
			s.life.store.tight.Store(false)
			s.say("%s: the connection breaks", w)
			cancel()
			err = status.FromContextError(context.Canceled).Err()
			break
		}
		if _, err = s.acknowledged(w, stream); err == nil {
			s.checkSentence(w.of, w.number, w.attempt)
		}
		if tight {
			s.say("%s: there was space for measurements alone: %s", w, status.Code(err))
			s.rest()
			s.life.store.tight.Store(false)
		}
	}
	s.say("%s reports %d, %d acknowledged: %s", w, len(w.measured), w.acked, status.Code(err))
	s.refused(w, err)
}

// parts cuts what comes after a number into batches; some come twice, or before their time.
func (s *sim) parts(after, last uint64) (out [][2]uint64) {
	for at := after; at < last; {
		next := min(at+uint64(1+s.random.IntN(3)), last)
		out = append(out, [2]uint64{at, next})
		if s.chance(10) {
			out = append(out, [2]uint64{at - min(at, 2), next}) // again, and some before it
		}
		at = next
	}
	if len(out) > 1 && s.chance(8) {
		out[0], out[1] = out[1], out[0]
	}
	return out
}

// acknowledged waits for an acknowledgement, which counts if the daemon lives. There is none below
// an earlier one, nor of what was never sent.
func (s *sim) acknowledged(w *work, stream tunedv1.AgentService_ReportClient) (uint64, error) {
	response, err := stream.Recv()
	if err != nil {
		return 0, err
	}
	if !s.life.heard() {
		return 0, errDead
	}
	acked := response.GetAckedSeq()
	if acked < w.acked {
		s.broken("%s: %d was acknowledged, the daemon has %d (I3)", w, w.acked, acked)
	}
	if acked > uint64(len(w.measured)) {
		s.broken("%s: %d is acknowledged, there are %d (I8)", w, acked, len(w.measured))
	}
	w.acked = acked
	return acked, nil
}

// refused looks at why a stream ended. An agent that is told that its attempt is over stops its command.
func (s *sim) refused(w *work, err error) {
	switch status.Code(err) {
	case codes.OK, codes.InvalidArgument, codes.ResourceExhausted, codes.Canceled:
		return
	case codes.NotFound:
		if s.learn(w.of); w.of.gone {
			return
		}
	case codes.FailedPrecondition:
		s.rest() // readers see the end of a trial a moment after the store has it
		t, ok := s.stored(w)
		if ok && t.Attempt == w.attempt && !t.State.Final() {
			s.broken("%s is refused, though its trial is %s at attempt %d: %v", w, t.State, t.Attempt, err)
		}
		if w.phase == trialrunner.Running && s.life.heard() {
			s.finish(w, trialrunner.Exited, trialrunner.Exit{Code: -1, Signal: "terminated", Reason: "Superseded"})
		}
		return
	}
	if s.life.heard() && !s.dying.Load() && !errors.Is(err, errDead) && !s.life.store.broken.Load() {
		s.broken("%s: the report fails: %v", w, err)
	}
}

// stored returns a workload's trial.
func (s *sim) stored(w *work) (experiment.Trial, bool) {
	snapshot, err := s.life.tuner.Snapshot(w.of.key)
	if err != nil || w.of.gone || w.number > uint64(len(snapshot.Trials)) {
		return experiment.Trial{}, false
	}
	return snapshot.Trials[w.number-1], true
}

// stale has an agent report that does not know that its attempt is over, or whose trial is.
func (s *sim) stale() {
	var all []*work
	for _, x := range s.experiments {
		for _, w := range x.works {
			if x.stored && w.phase != trialrunner.Running && len(w.measured) > 0 {
				all = append(all, w)
			}
		}
	}
	if len(all) == 0 || !s.chance(100) {
		return
	}
	w := all[s.random.IntN(len(all))]
	if s.random.IntN(3) > 0 { // those are the interesting ones
		for _, other := range all {
			if t, ok := s.stored(other); ok && t.Attempt > other.attempt && !t.State.Final() {
				w = other
			}
		}
	}
	s.say("an agent of old reports")
	late := *w
	late.acked = 0
	late.measure(s)
	s.report(&late, late.attempt)
	if late.acked > w.acked && late.acked == uint64(len(late.measured)) {
		t, ok := s.stored(w)
		if w.of.gone || ok && (t.State.Final() || t.Attempt != w.attempt) {
			s.broken("%s: what an agent of old reports is taken (trial %s, attempt %d)", w, t.State, t.Attempt)
		}
		w.measured = late.measured
	}
	w.acked = max(w.acked, late.acked)
}

func wire(ms []experiment.Measurement) (out []*tunedv1.Measurement) {
	for _, m := range ms {
		out = append(out, &tunedv1.Measurement{Seq: m.Seq, Step: m.Step, Metric: m.Metric, Text: m.Text})
	}
	return out
}
