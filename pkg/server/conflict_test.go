package server_test

import (
	"context"
	"fmt"
	"testing"

	tunedv1 "github.com/tuned-hpo/tuned/api/tuned/v1"
	"github.com/tuned-hpo/tuned/pkg/experiment"
)

// TestConflictsSayWhatTheyAre: the code of a refusal is that of its cause, whatever the method.
func TestConflictsSayWhatTheyAre(t *testing.T) {
	at := func(x string) []*tunedv1.Assignment { return []*tunedv1.Assignment{{Name: "x", Value: x}} }
	point := func(x, request string, value float64) *tunedv1.TellRequest {
		return &tunedv1.TellRequest{
			Namespace: "default", Experiment: "asked", Assignments: at(x), RequestId: request, Metrics: map[string]float64{"acc": value},
		}
	}
	enqueued := func(x, request string) *tunedv1.EnqueueTrialRequest {
		return &tunedv1.EnqueueTrialRequest{Namespace: "default", Experiment: "asked", Assignments: at(x), RequestId: request}
	}
	result := func(trial string, value float64) *tunedv1.TellRequest {
		return &tunedv1.TellRequest{Namespace: "default", Experiment: "asked", Trial: trial, Metrics: map[string]float64{"acc": value}}
	}
	type call = func(ctx context.Context, c tunedv1.TuningServiceClient) error
	tell := func(r *tunedv1.TellRequest) call {
		return func(ctx context.Context, c tunedv1.TuningServiceClient) error { _, err := c.Tell(ctx, r); return err }
	}
	enqueue := func(r *tunedv1.EnqueueTrialRequest) call {
		return func(ctx context.Context, c tunedv1.TuningServiceClient) error {
			_, err := c.EnqueueTrial(ctx, r)
			return err
		}
	}
	ask := func(count int32, request string) call {
		return func(ctx context.Context, c tunedv1.TuningServiceClient) error {
			_, err := c.Ask(ctx, &tunedv1.AskRequest{Namespace: "default", Experiment: "asked", Count: count, RequestId: request})
			return err
		}
	}
	resume := func(ctx context.Context, c tunedv1.TuningServiceClient) error {
		_, err := c.ResumeExperiment(ctx, &tunedv1.ResumeExperimentRequest{Namespace: "default", Name: "asked"})
		return err
	}
	stop := func(ctx context.Context, c tunedv1.TuningServiceClient) error {
		_, err := c.StopExperiment(ctx, &tunedv1.StopExperimentRequest{Namespace: "default", Name: "asked"})
		return err
	}
	stopTrial := func(ctx context.Context, c tunedv1.TuningServiceClient) error {
		_, err := c.StopTrial(ctx, &tunedv1.StopTrialRequest{Namespace: "default", Experiment: "asked", Trial: "1"})
		return err
	}
	grid := asked(9)
	grid.Spec.Algorithm = &experiment.Algorithm{AlgorithmName: "grid"}
	grid.Spec.Parameters = []experiment.ParameterSpec{{Name: "x", ParameterType: "categorical", FeasibleSpace: experiment.FeasibleSpace{List: []string{"0.1", "0.2"}}}}
	grid.Spec.MaxTrialCount = nil // or its end would be that of the budget
	for name, tt := range map[string]struct {
		e     *experiment.Experiment // nil: asked(2)
		calls []call                 // the last one fails
		want  string
	}{
		"tell again with another value":  {nil, []call{tell(point("0.1", "a", 1)), tell(point("0.1", "a", 2))}, "REQUEST_ID_REUSED"},
		"tell again of another point":    {nil, []call{tell(point("0.1", "a", 1)), tell(point("0.2", "a", 1))}, "REQUEST_ID_REUSED"},
		"tell of what was enqueued":      {nil, []call{enqueue(enqueued("0.1", "a")), tell(point("0.1", "a", 1))}, "REQUEST_ID_REUSED"},
		"enqueue of what was told":       {nil, []call{tell(point("0.1", "a", 1)), enqueue(enqueued("0.1", "a"))}, "REQUEST_ID_REUSED"},
		"enqueue again of another point": {nil, []call{enqueue(enqueued("0.1", "a")), enqueue(enqueued("0.2", "a"))}, "REQUEST_ID_REUSED"},
		"ask again for fewer":            {nil, []call{ask(2, "a"), ask(1, "a")}, "REQUEST_ID_REUSED"},
		"ask again for more":             {nil, []call{ask(1, "a"), ask(2, "a")}, "REQUEST_ID_REUSED"},
		"ask of what was enqueued":       {nil, []call{enqueue(enqueued("0.1", "a")), ask(1, "a")}, "REQUEST_ID_REUSED"},
		"ask of what was told":           {nil, []call{tell(point("0.1", "a", 1)), ask(1, "a")}, "REQUEST_ID_REUSED"},
		"enqueue of what was asked":      {nil, []call{ask(1, "a"), enqueue(enqueued("0.1", "a"))}, "REQUEST_ID_REUSED"},
		"tell of what was asked":         {nil, []call{ask(1, "a"), tell(point("0.1", "a", 1))}, "REQUEST_ID_REUSED"},
		"ask of what was handed out": {nil, []call{
			enqueue(enqueued("0.1", "a")), ask(1, "b"), ask(2, "b"),
		}, "REQUEST_ID_REUSED"},
		"tell beyond the budget":      {nil, []call{tell(point("0.1", "a", 1)), tell(point("0.2", "b", 1)), tell(point("0.3", "c", 1))}, "BUDGET_USED_UP"},
		"enqueue beyond the budget":   {nil, []call{ask(2, "a"), enqueue(enqueued("0.1", "b"))}, "BUDGET_USED_UP"},
		"resume beyond the budget":    {nil, []call{tell(point("0.1", "a", 1)), tell(point("0.2", "b", 1)), resume}, "BUDGET_USED_UP"},
		"enqueue after the end":       {nil, []call{stop, enqueue(enqueued("0.1", "a"))}, "STATE_CONFLICT"},
		"tell after the end":          {nil, []call{stop, tell(point("0.1", "a", 1))}, "STATE_CONFLICT"},
		"resume of an exhausted grid": {grid, []call{ask(2, "a"), tell(result("1", 1)), tell(result("2", 1)), ask(1, "b"), resume}, "STATE_CONFLICT"},
		"tell of a told trial":        {nil, []call{ask(1, "a"), tell(result("1", 1)), tell(result("1", 2))}, "RESULT_DIFFERS"},
		"tell of a stopped trial":     {nil, []call{ask(1, "a"), stopTrial, tell(result("1", 1))}, "TRIAL_OVER"},
	} {
		t.Run(name, func(t *testing.T) {
			if tt.e == nil {
				tt.e = asked(2)
			}
			tt.e.Spec.ParallelTrialCount = new(int32(2))
			r := newRigOf(t, tt.e)
			last := len(tt.calls) - 1
			for i, f := range tt.calls[:last] {
				if err := f(t.Context(), r.users); err != nil {
					t.Fatalf("call %d: %v", i+1, err)
				}
			}
			if err := tt.calls[last](t.Context(), r.users); reasonOf(err) != tt.want {
				t.Errorf("got %s (%v), want %s", reasonOf(err), err, tt.want)
			}
		})
	}
}

// TestValidateOnlyRefuses: what creation refuses is no valid experiment.
func TestValidateOnlyRefuses(t *testing.T) {
	r := newRig(t, 2)
	const spec = "apiVersion: kubeflow.org/v1beta1\nkind: Experiment\nmetadata: {name: %s}\nspec:\n  maxTrialCount: 5\n" +
		"  objective: {type: minimize, objectiveMetricName: loss}\n  algorithm: {algorithmName: random}\n" +
		"  parameters:\n  - {name: x, parameterType: double, feasibleSpace: {min: \"0\", max: \"1\"}}\n"
	for name, tt := range map[string]struct{ manifest, want string }{
		"sound":      {fmt.Sprintf(spec, "new"), ""},
		"taken name": {fmt.Sprintf(spec, "asked"), "EXPERIMENT_EXISTS"},
		"warm start": {fmt.Sprintf(spec, "warm") + "  tuned: {warmStart: [nope]}\n", "MANIFEST_INVALID"},
	} {
		for _, only := range []bool{true, false} {
			_, err := r.users.CreateExperiment(t.Context(), &tunedv1.CreateExperimentRequest{Manifest: tt.manifest, Namespace: "default", ValidateOnly: only})
			if name == "sound" && !only {
				continue
			}
			if reasonOf(err) != tt.want {
				t.Errorf("%s, validate only %t: got %s (%v), want %q", name, only, reasonOf(err), err, tt.want)
			}
		}
	}
}
