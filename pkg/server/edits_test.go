package server_test

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sync"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	tunedv1 "github.com/tuned-hpo/tuned/api/tuned/v1"
)

// atOnce makes calls at the same time.
func atOnce(t *testing.T, n int, call func(ctx context.Context, i int) error) {
	t.Helper()
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			if err := call(t.Context(), i); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}

// TestEditsAtTheSameTime: none of several people who extend a budget or add tags undoes what another did.
func TestEditsAtTheSameTime(t *testing.T) {
	r := newRig(t, 5)
	trial := r.ask(t, 1, "").GetTrials()[0].GetName()
	const people = 8
	var want []string
	for i := range people {
		want = append(want, fmt.Sprint("tag", i))
	}
	gone := []string{"old"}
	if _, err := r.users.AnnotateTrial(t.Context(), &tunedv1.AnnotateTrialRequest{Namespace: "default", Experiment: "asked", Trial: trial, AddTags: gone}); err != nil {
		t.Fatal(err)
	}
	atOnce(t, people, func(ctx context.Context, _ int) error {
		_, err := r.users.ExtendExperiment(ctx, &tunedv1.ExtendExperimentRequest{Namespace: "default", Name: "asked", MoreTrials: 1})
		return err
	})
	atOnce(t, people, func(ctx context.Context, i int) error {
		_, err := r.users.AnnotateExperiment(ctx, &tunedv1.AnnotateExperimentRequest{Namespace: "default", Name: "asked", AddTags: want[i : i+1]})
		return err
	})
	atOnce(t, people, func(ctx context.Context, i int) error {
		_, err := r.users.AnnotateTrial(ctx, &tunedv1.AnnotateTrialRequest{
			Namespace: "default", Experiment: "asked", Trial: "1", AddTags: want[i : i+1], RemoveTags: gone,
		})
		return err
	})
	e, err := r.users.GetExperiment(t.Context(), &tunedv1.GetExperimentRequest{Namespace: "default", Name: "asked"})
	if err != nil || e.GetBudget().GetMaxTrials() != 5+people || !slices.Equal(e.GetTags(), want) {
		t.Errorf("experiment: got %d trials, tags %v, %v; want %d, %v", e.GetBudget().GetMaxTrials(), e.GetTags(), err, 5+people, want)
	}
	one, err := r.users.GetTrial(t.Context(), &tunedv1.GetTrialRequest{Namespace: "default", Experiment: "asked", Trial: trial})
	if err != nil || !slices.Equal(one.GetTags(), want) {
		t.Errorf("trial: got tags %v, %v; want %v", one.GetTags(), err, want)
	}
}

func TestEditsThatMakeNoSense(t *testing.T) {
	r := newRig(t, 5)
	for name, request := range map[string]*tunedv1.ExtendExperimentRequest{
		"both":     {Budget: &tunedv1.Budget{MaxTrials: new(int32(9))}, MoreTrials: 1},
		"negative": {MoreTrials: -1},
		"too many": {MoreTrials: math.MaxInt32},
	} {
		request.Namespace, request.Name = "default", "asked"
		if _, err := r.users.ExtendExperiment(t.Context(), request); status.Code(err) != codes.InvalidArgument {
			t.Errorf("%s: got %v, want INVALID_ARGUMENT", name, err)
		}
	}
	// Tags are added to those that replace others, and one that is taken away is gone even where it is added.
	e, err := r.users.AnnotateExperiment(t.Context(), &tunedv1.AnnotateExperimentRequest{
		Namespace: "default", Name: "asked", Tags: &tunedv1.Tags{Tags: []string{"b"}}, AddTags: []string{"c", "a", "a"}, RemoveTags: []string{"c", "x"},
	})
	if err != nil || !slices.Equal(e.GetTags(), []string{"a", "b"}) {
		t.Errorf("got tags %v, %v; want a, b", e.GetTags(), err)
	}
	unlimited := asked(5)
	unlimited.Spec.MaxTrialCount = nil
	r = newRigOf(t, unlimited)
	if _, err := r.users.ExtendExperiment(t.Context(), &tunedv1.ExtendExperimentRequest{Namespace: "default", Name: "asked", MoreTrials: 1}); status.Code(err) != codes.InvalidArgument {
		t.Errorf("of any number of trials: got %v, want INVALID_ARGUMENT", err)
	}
}
