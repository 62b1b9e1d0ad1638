package kill_test

import (
	"context"
	"errors"
	"strconv"

	"google.golang.org/protobuf/proto"

	tunedv1 "github.com/tuned-hpo/tuned/api/tuned/v1"
)

const namespace = "default"

// exchange is one call and what becomes of its answer.
type exchange struct {
	method   string
	request  proto.Message
	response proto.Message
	read     func(out *output) // of the response
}

// exchangeOf returns the call that carries an operation out.
func exchangeOf(in input) exchange {
	switch in.op {
	case opAsk, opEnqueue, opTellPoint, opTell:
		return givesTrial(in)
	case opReport, opShouldStop, opStopTrial:
		return aboutTrial(in)
	case opGet, opList:
		return looks(in)
	case opCreate:
		return exchange{"CreateExperiment", &tunedv1.CreateExperimentRequest{Namespace: namespace, Manifest: named(in.experiment, budget)}, &tunedv1.Experiment{}, nil}
	case opDelete:
		return exchange{"DeleteExperiment", &tunedv1.DeleteExperimentRequest{Namespace: namespace, Name: in.experiment}, &tunedv1.DeleteExperimentResponse{}, nil}
	case opPause:
		return exchange{"PauseExperiment", &tunedv1.PauseExperimentRequest{Namespace: namespace, Name: in.experiment}, &tunedv1.Experiment{}, nil}
	case opResume:
		return exchange{"ResumeExperiment", &tunedv1.ResumeExperimentRequest{Namespace: namespace, Name: in.experiment}, &tunedv1.Experiment{}, nil}
	case opStop:
		return exchange{"StopExperiment", &tunedv1.StopExperimentRequest{Namespace: namespace, Name: in.experiment, Drain: in.drain}, &tunedv1.Experiment{}, nil}
	case opExtend:
		most := &tunedv1.Budget{MaxTrials: new(int32(in.max))}
		return exchange{"ExtendExperiment", &tunedv1.ExtendExperimentRequest{Namespace: namespace, Name: in.experiment, Budget: most}, &tunedv1.Experiment{}, nil}
	case opAnnotate:
		return exchange{"AnnotateExperiment", &tunedv1.AnnotateExperimentRequest{Namespace: namespace, Name: in.experiment, Note: &in.text}, &tunedv1.Experiment{}, nil}
	}
	panic("no call for " + in.op)
}

// givesTrial is for what names a trial in its answer.
func givesTrial(in input) exchange {
	if in.op == opAsk {
		response := &tunedv1.AskResponse{}
		request := &tunedv1.AskRequest{Namespace: namespace, Experiment: in.experiment, Count: 1, RequestId: in.request}
		return exchange{"Ask", request, response, func(out *output) {
			for _, t := range response.GetTrials() {
				out.trial, out.number = t.GetName(), int(t.GetNumber())
			}
		}}
	}
	response := &tunedv1.Trial{}
	read := func(out *output) { out.trial, out.number = response.GetName(), int(response.GetNumber()) }
	point := []*tunedv1.Assignment{{Name: "x", Value: "0.5"}}
	if in.op == opEnqueue {
		return exchange{"EnqueueTrial", &tunedv1.EnqueueTrialRequest{
			Namespace: namespace, Experiment: in.experiment, Assignments: point, RequestId: in.request,
		}, response, read}
	}
	value := []*tunedv1.Measurement{{Seq: 1, Metric: "loss", Text: in.text}}
	tell := &tunedv1.TellRequest{Namespace: namespace, Experiment: in.experiment, Trial: in.trial, Measurements: value, RequestId: in.request}
	if in.op == opTellPoint {
		tell.Assignments = point
	}
	return exchange{"Tell", tell, response, read}
}

func aboutTrial(in input) exchange {
	switch in.op {
	case opReport:
		response := &tunedv1.ReportTrialResponse{}
		return exchange{"ReportTrial", &tunedv1.ReportTrialRequest{
			Namespace: namespace, Experiment: in.experiment, Trial: in.trial,
			Measurements: []*tunedv1.Measurement{{Seq: in.seq, Metric: "speed", Text: "1"}},
		}, response, func(out *output) { out.acked, out.stop = response.GetAckedSeq(), response.GetShouldStop() }}
	case opShouldStop:
		response := &tunedv1.ShouldStopResponse{}
		request := &tunedv1.ShouldStopRequest{Namespace: namespace, Experiment: in.experiment, Trial: in.trial}
		return exchange{"ShouldStop", request, response, func(out *output) { out.stop = response.GetShouldStop() }}
	}
	return exchange{"StopTrial", &tunedv1.StopTrialRequest{Namespace: namespace, Experiment: in.experiment, Trial: in.trial}, &tunedv1.Trial{}, nil}
}

func looks(in input) exchange {
	if in.op == opGet {
		e := &tunedv1.Experiment{}
		return exchange{"GetExperiment", &tunedv1.GetExperimentRequest{Namespace: namespace, Name: in.experiment}, e, func(out *output) {
			n := e.GetCounts()
			out.summary = summary{
				ended: e.GetCompleted(), paused: e.GetState() == "Paused", max: int(e.GetBudget().GetMaxTrials()), note: e.GetNote(), total: int(n.GetTrials()),
				pending: int(n.GetPending()), running: int(n.GetRunning()), succeeded: int(n.GetSucceeded()), out: int(n.GetKilled()),
			}
		}}
	}
	all := &tunedv1.ListTrialsResponse{}
	return exchange{"ListTrials", &tunedv1.ListTrialsRequest{Namespace: namespace, Experiment: in.experiment, PageSize: 1000}, all, func(out *output) {
		for _, t := range all.GetTrials() {
			l := listed{name: t.GetName(), state: t.GetState()}
			if t.Value != nil {
				l.value = strconv.FormatFloat(t.GetValue(), 'g', -1, 64)
			}
			out.trials = append(out.trials, l)
		}
	}}
}

// answers are the reasons of errors that are answers.
var answers = map[string]answer{
	"EXPERIMENT_NOT_FOUND": missing, "TRIAL_NOT_FOUND": missing,
	"STATE_CONFLICT": refused, "BUDGET_USED_UP": refused, "REQUEST_ID_REUSED": refused, "RESULT_DIFFERS": refused, "TRIAL_OVER": refused, "EXPERIMENT_EXISTS": refused,
	"UID_DIFFERS": refused,
}

// carryOut makes the call of an operation. The failure is of a call that has no answer, or one that none should have.
func carryOut(ctx context.Context, c caller, in input) (out output, f *failure) {
	x := exchangeOf(in)
	err := c.call(ctx, x.method, x.request, x.response)
	if errors.As(err, &f) {
		out.answer = answers[f.reason]
		if out.answer != never {
			f = nil
		}
		return out, f
	}
	if err != nil {
		return out, &failure{reason: "unreadable", cause: err}
	}
	out.answer = answered
	if x.read != nil {
		x.read(&out)
	}
	return out, nil
}
