package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	tunedv1 "github.com/tuned-hpo/tuned/api/tuned/v1"
	"github.com/tuned-hpo/tuned/pkg/experiment"
)

// fewestPoints is the least number of points of a curve that the API gives.
const fewestPoints = 3

// longPage is the number of records in a page of a list, as many as the API gives.
const longPage = 1000

// list returns the experiments of a namespace, of all with "", without their specs.
func (c *client) list(ctx context.Context, namespace string) ([]*tunedv1.Experiment, error) {
	return c.find(ctx, namespace, "")
}

// find is list of the experiments that a filter of the API takes.
func (c *client) find(ctx context.Context, namespace, filter string) (out []*tunedv1.Experiment, err error) {
	request := &tunedv1.ListExperimentsRequest{Namespace: namespace, Filter: filter, PageSize: longPage}
	for {
		response, err := c.ListExperiments(ctx, request)
		if err != nil {
			return nil, rpcError(err)
		}
		out = append(out, response.GetExperiments()...)
		if request.PageToken = response.GetNextPageToken(); request.GetPageToken() == "" {
			return out, nil
		}
	}
}

// get returns one experiment. The error says where else there is one of that name.
func (c *client) get(ctx context.Context, key experiment.Key) (*tunedv1.Experiment, error) {
	m, err := c.GetExperiment(ctx, &tunedv1.GetExperimentRequest{Namespace: key.Namespace, Name: key.Name})
	if status.Code(err) == codes.NotFound {
		return nil, c.elsewhere(ctx, key, rpcError(err))
	}
	return m, rpcError(err)
}

// elsewhere adds to the error about an experiment that is not there what there is.
func (c *client) elsewhere(ctx context.Context, key experiment.Key, err error) error {
	if c.at == nil {
		return err
	}
	others, listErr := c.list(ctx, "")
	if listErr != nil {
		return err
	}
	for _, other := range others {
		if other.GetName() == key.Name && other.GetNamespace() != key.Namespace {
			return fmt.Errorf("%w; there is one in namespace %s: add -n %[2]s", err, quoteWord(other.GetNamespace()))
		}
	}
	return fmt.Errorf("%w; %s shows what there is", err, c.at.hint("get", "-A"))
}

// about makes the error of a call about an experiment or its trials, which says where else to look for what
// is not there.
func (c *client) about(ctx context.Context, key experiment.Key, err error) error {
	if c.at == nil {
		return rpcError(err)
	}
	switch reasonOf(status.Convert(err)) {
	case "TRIAL_NOT_FOUND":
		return fmt.Errorf("%w; %s shows them", rpcError(err), c.at.hintOn(key, "trials"))
	case "BUDGET_USED_UP":
		return c.largerBudget(ctx, key, rpcError(err))
	case "EXPERIMENT_NOT_FOUND":
		return c.elsewhere(ctx, key, rpcError(err))
	}
	return rpcError(err)
}

// largerBudget adds to an error the command that makes the budget that it is about larger.
func (c *client) largerBudget(ctx context.Context, key experiment.Key, err error) error {
	e, failed := c.GetExperiment(ctx, &tunedv1.GetExperimentRequest{Namespace: key.Namespace, Name: key.Name})
	if failed != nil {
		return err
	}
	b := e.GetBudget()
	flag, value := "--max-cost", exact(2*b.GetMaxCost())
	switch text := err.Error(); {
	case strings.Contains(text, "maxTrialCount"):
		flag, value = "--max-trials", "+10"
	case strings.Contains(text, "maxDuration"):
		flag, value = "--max-duration", (2 * b.GetMaxDuration().AsDuration()).String()
	}
	return fmt.Errorf("%w, such as by %s", err, c.at.hintOn(key, "extend", flag, value))
}

// reasonOf returns the stable code of an error of the API; "" when it has none.
func reasonOf(s *status.Status) string {
	for _, detail := range s.Details() {
		if info, ok := detail.(*errdetails.ErrorInfo); ok {
			return info.GetReason()
		}
	}
	return ""
}

// trials returns an experiment's trials by number.
func (c *client) trials(ctx context.Context, key experiment.Key) ([]*tunedv1.Trial, error) {
	return c.findTrials(ctx, key, "")
}

// findTrials is trials of those that a filter of the API takes.
func (c *client) findTrials(ctx context.Context, key experiment.Key, filter string) (out []*tunedv1.Trial, err error) {
	request := &tunedv1.ListTrialsRequest{Namespace: key.Namespace, Experiment: key.Name, Filter: filter, PageSize: longPage}
	for {
		response, err := c.ListTrials(ctx, request)
		if err != nil {
			return nil, rpcError(err)
		}
		out = append(out, response.GetTrials()...)
		if request.PageToken = response.GetNextPageToken(); request.GetPageToken() == "" {
			return out, nil
		}
	}
}

// trial returns one trial by its name or number.
func (c *client) trial(ctx context.Context, key experiment.Key, trial string) (*tunedv1.Trial, error) {
	t, err := c.GetTrial(ctx, &tunedv1.GetTrialRequest{Namespace: key.Namespace, Experiment: key.Name, Trial: trial})
	if err != nil {
		return nil, c.about(ctx, key, err)
	}
	return t, nil
}

// latest returns the last value of each metric of the trials that run, by number.
func (c *client) latest(ctx context.Context, key experiment.Key, trials []experiment.Trial) (map[uint64]map[string]number, error) {
	out := map[uint64]map[string]number{}
	for i := range trials {
		t := &trials[i]
		if t.State != experiment.TrialRunning {
			continue
		}
		r, err := c.GetCurves(ctx, &tunedv1.GetCurvesRequest{Namespace: key.Namespace, Experiment: key.Name, Trial: t.Name, MaxPoints: fewestPoints})
		if err != nil {
			return nil, c.about(ctx, key, err)
		}
		values := map[string]number{}
		for _, curve := range r.GetCurves() {
			if points := curve.GetPoints(); len(points) > 0 {
				values[curve.GetMetric()] = number(points[len(points)-1].GetValue())
			}
		}
		out[t.Number] = values
	}
	return out, nil
}

// events returns what happened to an experiment, oldest first.
func (c *client) events(ctx context.Context, key experiment.Key) (out []*tunedv1.Event, err error) {
	request := &tunedv1.ListEventsRequest{Namespace: key.Namespace, Experiment: key.Name, PageSize: longPage}
	for {
		response, err := c.ListEvents(ctx, request)
		if err != nil {
			return nil, rpcError(err)
		}
		out = append(out, response.GetEvents()...)
		if request.PageToken = response.GetNextPageToken(); request.GetPageToken() == "" {
			return out, nil
		}
	}
}

// whole is an experiment with its trials, as the domain has them.
type whole struct {
	driven  bool // a daemon answered
	message *tunedv1.Experiment
	*experiment.Experiment
	trials []experiment.Trial
}

// whole returns an experiment with its trials.
func (c *client) whole(ctx context.Context, key experiment.Key) (w whole, err error) {
	w.driven = c.daemon
	if w.message, err = c.get(ctx, key); err != nil {
		return w, err
	}
	if w.Experiment, err = experimentOf(w.message); err != nil {
		return w, fmt.Errorf("read the daemon's answer: %w", err)
	}
	trials, err := c.trials(ctx, key)
	for _, m := range trials {
		w.trials = append(w.trials, trialOf(m))
	}
	return w, err
}

// whole reads an experiment with its trials from wherever it is.
func (p *place) whole(ctx context.Context, name string) (w whole, err error) {
	err = p.reading(ctx, func(c *client) error {
		w, err = c.whole(ctx, p.key(name))
		return err
	})
	return w, err
}

// errEnded says that a daemon was there and is no more, or never was.
var errEnded = errors.New("the daemon does not answer")

// rpcError is the error of a call as the daemon worded it.
func rpcError(err error) error {
	s, ok := status.FromError(err)
	switch {
	case err == nil || !ok:
		return err
	case s.Code() == codes.Unavailable:
		return fmt.Errorf("%w at %s", errEnded, visible(s.Message()))
	}
	if faults := faultsOf(s); len(faults) > 0 {
		return exit{exitUsage, fmt.Errorf("%s:\n%s", plural(len(faults), "fault"), strings.Join(faults, "\n"))}
	}
	return &refusal{s}
}

// refusal is a status of the daemon, whose text is its message alone.
type refusal struct{ status *status.Status }

func (r *refusal) Error() string { return visibleLines(r.status.Message()) }

// GRPCStatus lets status.Code see the code.
func (r *refusal) GRPCStatus() *status.Status { return r.status }

// faultsOf returns the faults of a manifest that a status carries.
func faultsOf(s *status.Status) (out []string) {
	for _, detail := range s.Details() {
		bad, ok := detail.(*errdetails.BadRequest)
		if !ok {
			continue
		}
		for _, v := range bad.GetFieldViolations() {
			out = append(out, visible(strings.TrimPrefix(v.GetField()+": "+v.GetDescription(), ": ")))
		}
	}
	return out
}
