package server_test

import (
	"testing"

	tunedv1 "github.com/tuned-hpo/tuned/api/tuned/v1"
)

// TestNamespaceLeftOut: a request that names an experiment and no namespace means the default one, as its creation did.
func TestNamespaceLeftOut(t *testing.T) {
	r := newRig(t, 3)
	ctx := t.Context()
	for name, call := range map[string]func() error{
		"get": func() error {
			_, err := r.users.GetExperiment(ctx, &tunedv1.GetExperimentRequest{Name: "asked"})
			return err
		},
		"ask": func() error { _, err := r.users.Ask(ctx, &tunedv1.AskRequest{Experiment: "asked"}); return err },
		"trials": func() error {
			_, err := r.users.ListTrials(ctx, &tunedv1.ListTrialsRequest{Experiment: "asked"})
			return err
		},
		"pause": func() error {
			_, err := r.users.PauseExperiment(ctx, &tunedv1.PauseExperimentRequest{Name: "asked"})
			return err
		},
		"watch": func() error {
			stream, err := r.users.Watch(ctx, &tunedv1.WatchRequest{Experiment: "asked"})
			if err == nil {
				_, err = stream.Recv()
			}
			return err
		},
	} {
		if err := call(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if all, err := r.users.ListExperiments(ctx, &tunedv1.ListExperimentsRequest{}); err != nil || len(all.GetExperiments()) != 1 {
		t.Errorf("list: %v, %v: want those of all namespaces", all, err)
	}
}
