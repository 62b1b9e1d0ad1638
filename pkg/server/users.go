package server

import (
	"cmp"
	"context"
	"errors"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	tunedv1 "github.com/tuned-hpo/tuned/api/tuned/v1"
	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/tuner"
)

// users implements TuningService.
type users struct {
	tunedv1.UnimplementedTuningServiceServer
	*Server
}

// named is a request about an experiment.
type named interface {
	GetNamespace() string
	GetName() string
}

func keyOf(r named) experiment.Key {
	return experiment.Key{Namespace: r.GetNamespace(), Name: r.GetName()}
}

// GetExperiment returns an experiment as it stands.
func (u *users) GetExperiment(ctx context.Context, r *tunedv1.GetExperimentRequest) (*tunedv1.Experiment, error) {
	return u.whole(ctx, keyOf(r))
}

// mostListed is how many trials the status of an experiment lists by name: more are for ListTrials.
const mostListed = 1000

// whole is an experiment with all that is known of it.
func (u *users) whole(ctx context.Context, key experiment.Key) (m *tunedv1.Experiment, err error) {
	var s tuner.Snapshot
	err = u.Tuner.Inspect(ctx, key, func(is *tuner.Snapshot) error {
		s = *is
		if len(s.Trials) <= mostListed {
			s.Experiment.Status = s.Experiment.Status.WithLists(s.Trials)
		}
		s.Trials = nil
		return nil
	})
	if err == nil {
		m, err = wholeMessage(&s)
	}
	return m, u.failure(ctx, err, scope{key: key})
}

// ListExperiments returns a page of the experiments of one namespace, or of all.
func (u *users) ListExperiments(ctx context.Context, r *tunedv1.ListExperimentsRequest) (*tunedv1.ListExperimentsResponse, error) {
	list := listHash("experiments", r.GetNamespace(), r.GetFilter())
	after, some, err := begin(r.GetPageToken(), list)
	if err != nil {
		return nil, err
	}
	size, err := pageSize(r.GetPageSize(), defaultPage, largestPage)
	if err != nil {
		return nil, err
	}
	f, err := parseFilter(r.GetFilter(), experimentFields, experimentStates)
	if err != nil {
		return nil, err
	}
	all, err := u.Tuner.List(ctx)
	if err != nil {
		return nil, u.failure(ctx, err, scope{})
	}
	response := &tunedv1.ListExperimentsResponse{}
	for _, e := range all { // by key
		other := r.GetNamespace() != "" && r.GetNamespace() != e.Metadata.Namespace
		if other || some && !behind(e.Key(), after) || !f.experiment(e) {
			continue
		}
		if len(response.Experiments) == size {
			last := response.Experiments[size-1]
			response.NextPageToken = place{List: list, Text: keyOf(last).String()}.token()
			break
		}
		m, err := u.listed(ctx, e)
		if errors.Is(err, tuner.ErrNotFound) {
			continue // deleted meanwhile
		}
		if err != nil {
			return nil, u.failure(ctx, err, scope{})
		}
		response.Experiments = append(response.Experiments, m)
	}
	return response, nil
}

// behind reports whether an experiment comes behind a place of the list, which is by namespace, then by name: their
// text with the slash between is in another order.
func behind(k experiment.Key, p place) bool {
	namespace, name, _ := strings.Cut(p.Text, "/") // no namespace has one
	return cmp.Or(cmp.Compare(k.Namespace, namespace), cmp.Compare(k.Name, name)) > 0
}

// listed is an experiment as lists have it. What it has cost is known from its trials alone.
func (u *users) listed(ctx context.Context, e *experiment.Experiment) (m *tunedv1.Experiment, err error) {
	if e.Spec.Tuned == nil || e.Spec.Tuned.Cost == nil {
		return experimentMessage(e), nil
	}
	err = u.Tuner.Inspect(ctx, e.Key(), func(s *tuner.Snapshot) error {
		m = standingMessage(s)
		return nil
	})
	return m, err
}

// PauseExperiment starts no further trial of an experiment.
func (u *users) PauseExperiment(ctx context.Context, r *tunedv1.PauseExperimentRequest) (*tunedv1.Experiment, error) {
	key := keyOf(r)
	return u.after(ctx, u.Tuner.Pause(ctx, key), scope{key: key})
}

// ResumeExperiment goes on with an experiment.
func (u *users) ResumeExperiment(ctx context.Context, r *tunedv1.ResumeExperimentRequest) (*tunedv1.Experiment, error) {
	key := keyOf(r)
	return u.after(ctx, u.Tuner.Resume(ctx, key), scope{key: key})
}

// StopExperiment ends an experiment.
func (u *users) StopExperiment(ctx context.Context, r *tunedv1.StopExperimentRequest) (*tunedv1.Experiment, error) {
	key := keyOf(r)
	return u.after(ctx, u.Tuner.Stop(ctx, key, r.GetDrain()), scope{key: key})
}

// after answers a change of an experiment with what came of it.
func (u *users) after(ctx context.Context, err error, in scope) (*tunedv1.Experiment, error) {
	if err != nil {
		return nil, u.failure(ctx, err, in)
	}
	return u.whole(ctx, in.key)
}

// ExtendExperiment changes the budget of an experiment.
func (u *users) ExtendExperiment(ctx context.Context, r *tunedv1.ExtendExperimentRequest) (*tunedv1.Experiment, error) {
	key, b := keyOf(r), r.GetBudget()
	budget := tuner.Budget{MoreTrials: r.GetMoreTrials()}
	switch {
	case r.GetMoreTrials() < 0:
		return nil, fail(reasonArgument, "more_trials %d: want at least 0", r.GetMoreTrials())
	case r.GetMoreTrials() > 0 && b != nil && b.MaxTrials != nil:
		return nil, fail(reasonArgument, "give budget.max_trials or more_trials, not both")
	}
	if b != nil {
		budget.MaxTrials, budget.MaxFailed, budget.Parallel, budget.Cost = b.MaxTrials, b.MaxFailedTrials, b.ParallelTrials, b.MaxCost
		if d := b.GetMaxDuration(); d != nil {
			if err := d.CheckValid(); err != nil {
				return nil, fail(reasonArgument, "max_duration: %v", err)
			}
			budget.Duration = new(d.AsDuration())
		}
	}
	return u.after(ctx, u.Tuner.Extend(ctx, key, budget), scope{key: key})
}

// DeleteExperiment removes an experiment with all that belongs to it.
func (u *users) DeleteExperiment(ctx context.Context, r *tunedv1.DeleteExperimentRequest) (*tunedv1.DeleteExperimentResponse, error) {
	key := keyOf(r)
	err := u.Tuner.Delete(ctx, key, r.GetUid())
	return &tunedv1.DeleteExperimentResponse{}, u.failure(ctx, err, scope{key: key, conflict: reasonUID})
}

// AnnotateExperiment sets the note and the tags of an experiment.
func (u *users) AnnotateExperiment(ctx context.Context, r *tunedv1.AnnotateExperimentRequest) (*tunedv1.Experiment, error) {
	key := keyOf(r)
	return u.after(ctx, u.Tuner.Annotate(ctx, key, "", noteOf(r.Note, r)), scope{key: key})
}

// tagged is a request that changes tags.
type tagged interface {
	GetTags() *tunedv1.Tags
	GetAddTags() []string
	GetRemoveTags() []string
}

func noteOf(text *string, r tagged) tuner.Note {
	n := tuner.Note{Text: text, Add: r.GetAddTags(), Remove: r.GetRemoveTags()}
	if tags := r.GetTags(); tags != nil {
		list := append([]string{}, tags.GetTags()...)
		n.Tags = &list
	}
	return n
}

// ListEvents returns a page of what happened to an experiment, oldest first.
func (u *users) ListEvents(ctx context.Context, r *tunedv1.ListEventsRequest) (*tunedv1.ListEventsResponse, error) {
	key := experiment.Key{Namespace: r.GetNamespace(), Name: r.GetExperiment()}
	list := listHash("events", key.Namespace, key.Name)
	after, _, err := begin(r.GetPageToken(), list)
	if err != nil {
		return nil, err
	}
	size, err := pageSize(r.GetPageSize(), defaultPage, largestPage)
	if err != nil {
		return nil, err
	}
	events, err := u.Tuner.Events(ctx, key, after.At)
	if err != nil {
		return nil, u.failure(ctx, err, scope{key: key})
	}
	response := &tunedv1.ListEventsResponse{}
	for i := range events[:min(size, len(events))] {
		response.Events = append(response.Events, eventMessage(after.At+uint64(i)+1, &events[i]))
	}
	if len(events) > size {
		response.NextPageToken = place{List: list, At: after.At + uint64(size)}.token()
	}
	return response, nil
}

// GetModel returns what an experiment's algorithm has learned.
func (u *users) GetModel(ctx context.Context, r *tunedv1.GetModelRequest) (*tunedv1.GetModelResponse, error) {
	key := experiment.Key{Namespace: r.GetNamespace(), Name: r.GetExperiment()}
	model, err := u.Tuner.Model(ctx, key)
	if err != nil {
		return nil, u.failure(ctx, err, scope{key: key, conflict: reasonNoModel, invalid: reasonNoModel})
	}
	fields, err := structOf(model)
	return &tunedv1.GetModelResponse{Model: fields}, u.failure(ctx, err, scope{})
}

// lasting is a duration as messages have it; nil for none.
func lasting(d *experiment.Duration) *durationpb.Duration {
	if d == nil {
		return nil
	}
	return durationpb.New(time.Duration(*d))
}
