package server

import (
	"context"
	"encoding/json"

	tunedv1 "github.com/tuned-hpo/tuned/api/tuned/v1"
	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/tuner"
)

// users implements TuningService.
type users struct {
	tunedv1.UnimplementedTuningServiceServer
	Config
}

// GetExperiment returns an experiment as JSON.
func (u *users) GetExperiment(ctx context.Context, r *tunedv1.GetExperimentRequest) (*tunedv1.GetExperimentResponse, error) {
	s, err := u.Tuner.Load(ctx, experiment.Key{Namespace: r.GetNamespace(), Name: r.GetName()})
	if err != nil {
		return nil, u.code(err)
	}
	text, err := json.Marshal(s.Experiment)
	if err != nil {
		return nil, u.code(err)
	}
	return &tunedv1.GetExperimentResponse{ExperimentJson: text, Front: s.Front}, nil
}

// ListExperiments returns the experiments of one namespace, or of all, as JSON.
func (u *users) ListExperiments(ctx context.Context, r *tunedv1.ListExperimentsRequest) (*tunedv1.ListExperimentsResponse, error) {
	list, err := u.Tuner.List(ctx)
	if err != nil {
		return nil, u.code(err)
	}
	response := &tunedv1.ListExperimentsResponse{}
	for _, e := range list {
		if r.GetNamespace() != "" && r.GetNamespace() != e.Metadata.Namespace {
			continue
		}
		e.Priors = nil // large, and GetExperiment has it
		text, err := json.Marshal(e)
		if err != nil {
			return nil, u.code(err)
		}
		response.ExperimentsJson = append(response.ExperimentsJson, text)
	}
	return response, nil
}

// ListTrials returns an experiment's trials as JSON, by number.
func (u *users) ListTrials(ctx context.Context, r *tunedv1.ListTrialsRequest) (*tunedv1.ListTrialsResponse, error) {
	s, err := u.Tuner.Load(ctx, experiment.Key{Namespace: r.GetNamespace(), Name: r.GetExperiment()})
	if err != nil {
		return nil, u.code(err)
	}
	response := &tunedv1.ListTrialsResponse{}
	for i := range s.Trials {
		text, err := json.Marshal(&s.Trials[i])
		if err != nil {
			return nil, u.code(err)
		}
		response.TrialsJson = append(response.TrialsJson, text)
	}
	return response, nil
}

// GetModel returns what an experiment's algorithm has learned, as JSON.
func (u *users) GetModel(ctx context.Context, r *tunedv1.GetModelRequest) (*tunedv1.GetModelResponse, error) {
	model, err := u.Tuner.Model(ctx, experiment.Key{Namespace: r.GetNamespace(), Name: r.GetExperiment()})
	if err != nil {
		return nil, u.code(err)
	}
	text, err := json.Marshal(model)
	if err != nil {
		return nil, u.code(err)
	}
	return &tunedv1.GetModelResponse{ModelJson: text}, nil
}

// Ask hands out trials.
func (u *users) Ask(ctx context.Context, r *tunedv1.AskRequest) (*tunedv1.AskResponse, error) {
	key := experiment.Key{Namespace: r.GetNamespace(), Name: r.GetExperiment()}
	trials, done, err := u.Tuner.Ask(ctx, key, int(r.GetCount()), r.GetRequestId())
	if err != nil {
		return nil, u.code(err)
	}
	response := &tunedv1.AskResponse{Done: done}
	for i := range trials {
		asked := &tunedv1.AskedTrial{Name: trials[i].Name}
		for _, p := range trials[i].Assignment {
			asked.Assignments = append(asked.Assignments, &tunedv1.Assignment{Name: p.Name, Value: p.Value})
		}
		response.Trials = append(response.Trials, asked)
	}
	return response, nil
}

// Tell takes a trial's result.
func (u *users) Tell(ctx context.Context, r *tunedv1.TellRequest) (*tunedv1.TellResponse, error) {
	key := experiment.Key{Namespace: r.GetNamespace(), Name: r.GetExperiment()}
	trial, err := u.Tuner.Tell(ctx, key, tuner.Result{
		Trial:        r.GetTrial(),
		Measurements: measurements(r.GetMeasurements()), Failed: r.GetFailed(), Message: r.GetMessage(),
	})
	if err != nil {
		return nil, u.code(err)
	}
	return &tunedv1.TellResponse{Trial: trial.Name, State: string(trial.State), Reason: trial.Reason, Message: trial.Message}, nil
}
