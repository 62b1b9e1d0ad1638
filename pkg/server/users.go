package server

import (
	"context"
	"fmt"
	"strconv"

	tunedv1 "github.com/tuned-hpo/tuned/api/tuned/v1"
	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/tuner"
)

// users implements TuningService.
type users struct {
	tunedv1.UnimplementedTuningServiceServer
	*Server
}

// GetExperiment returns an experiment as it stands.
func (u *users) GetExperiment(ctx context.Context, r *tunedv1.GetExperimentRequest) (*tunedv1.Experiment, error) {
	s, err := u.Tuner.Load(ctx, experiment.Key{Namespace: r.GetNamespace(), Name: r.GetName()})
	if err != nil {
		return nil, u.failure(ctx, err, scope{})
	}
	m, err := wholeMessage(&s)
	return m, u.failure(ctx, err, scope{})
}

// ListExperiments returns a page of the experiments of one namespace, or of all.
func (u *users) ListExperiments(ctx context.Context, r *tunedv1.ListExperimentsRequest) (*tunedv1.ListExperimentsResponse, error) {
	all, err := u.Tuner.List(ctx)
	if err != nil {
		return nil, u.failure(ctx, err, scope{})
	}
	var list []*tunedv1.Experiment
	for _, e := range all {
		if r.GetNamespace() == "" || r.GetNamespace() == e.Metadata.Namespace {
			list = append(list, experimentMessage(e))
		}
	}
	page, next, err := page(list, r.GetPageSize(), r.GetPageToken())
	return &tunedv1.ListExperimentsResponse{Experiments: page, NextPageToken: next}, err
}

// ListTrials returns a page of an experiment's trials, by number.
func (u *users) ListTrials(ctx context.Context, r *tunedv1.ListTrialsRequest) (*tunedv1.ListTrialsResponse, error) {
	s, err := u.Tuner.Load(ctx, experiment.Key{Namespace: r.GetNamespace(), Name: r.GetExperiment()})
	if err != nil {
		return nil, u.failure(ctx, err, scope{})
	}
	trials, next, err := page(s.Trials, r.GetPageSize(), r.GetPageToken())
	response := &tunedv1.ListTrialsResponse{NextPageToken: next, Total: uint32(len(s.Trials))}
	for i := range trials {
		response.Trials = append(response.Trials, trialMessage(s.Experiment, &trials[i]))
	}
	return response, err
}

// Sizes of a page of a list.
const (
	defaultPage = 100
	largestPage = 1000
)

// page returns what a page has of a list. Its token is the number of what comes before it.
func page[T any](list []T, size int32, token string) (part []T, next string, err error) {
	from := 0
	if token != "" {
		if from, err = strconv.Atoi(token); err != nil || from < 0 {
			return nil, "", fail(reasonPage, "page_token %q: want one that a page before gave", token)
		}
	}
	if size < 0 || size > largestPage {
		return nil, "", fail(reasonPage, "page_size %d: want 0 to %d", size, largestPage)
	}
	if size == 0 {
		size = defaultPage
	}
	from = min(from, len(list))
	end := min(from+int(size), len(list))
	if end < len(list) {
		next = fmt.Sprint(end)
	}
	return list[from:end], next, nil
}

// GetModel returns what an experiment's algorithm has learned.
func (u *users) GetModel(ctx context.Context, r *tunedv1.GetModelRequest) (*tunedv1.GetModelResponse, error) {
	model, err := u.Tuner.Model(ctx, experiment.Key{Namespace: r.GetNamespace(), Name: r.GetExperiment()})
	if err != nil {
		return nil, u.failure(ctx, err, scope{})
	}
	fields, err := structOf(model)
	return &tunedv1.GetModelResponse{Model: fields}, u.failure(ctx, err, scope{})
}

// Ask hands out trials.
func (u *users) Ask(ctx context.Context, r *tunedv1.AskRequest) (*tunedv1.AskResponse, error) {
	key := experiment.Key{Namespace: r.GetNamespace(), Name: r.GetExperiment()}
	trials, done, err := u.Tuner.Ask(ctx, key, max(1, int(r.GetCount())), r.GetRequestId())
	if err != nil {
		return nil, u.failure(ctx, err, scope{})
	}
	s, err := u.Tuner.Load(ctx, key)
	if err != nil {
		return nil, u.failure(ctx, err, scope{})
	}
	response := &tunedv1.AskResponse{Done: done}
	for i := range trials {
		response.Trials = append(response.Trials, trialMessage(s.Experiment, &trials[i]))
	}
	return response, nil
}

// Tell takes a trial's result.
func (u *users) Tell(ctx context.Context, r *tunedv1.TellRequest) (*tunedv1.Trial, error) {
	key := experiment.Key{Namespace: r.GetNamespace(), Name: r.GetExperiment()}
	trial, err := u.Tuner.Tell(ctx, key, tuner.Result{
		Trial:        r.GetTrial(),
		Measurements: measurements(r.GetMeasurements()), Failed: r.GetFailed(), Message: r.GetMessage(),
	})
	if err != nil {
		return nil, u.failure(ctx, err, scope{})
	}
	s, err := u.Tuner.Load(ctx, key)
	if err != nil {
		return nil, u.failure(ctx, err, scope{})
	}
	return trialMessage(s.Experiment, &trial), nil
}
