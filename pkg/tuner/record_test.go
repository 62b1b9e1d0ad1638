package tuner

import (
	"errors"
	"testing"

	"github.com/tuned-hpo/tuned/algorithms/builtin"
	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/store"
	"github.com/tuned-hpo/tuned/pkg/trialrunner"
)

// TestRecord adds an event while an experiment goes on and after it has ended, without what is secret.
func TestRecord(t *testing.T) {
	r := newRig(t, builtin.Registry())
	e := wanted(1, 1)
	e.Local.Command = append(e.Local.Command, "--api-key=canary")
	r.submit(e)
	trial := <-r.runner.started
	if err := r.Record(t.Context(), r.key, "First", "while it runs: canary", true); err != nil {
		t.Fatal(err)
	}
	r.runner.end(trial, trialrunner.Exit{Reason: "Completed"}, 0.5)
	r.until("settled", settled)
	if err := r.Record(t.Context(), r.key, "Last", "after its end", false); err != nil {
		t.Fatal(err)
	}
	events, err := r.store.Events(t.Context(), r.key, 0)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]experiment.Event{}
	for _, e := range events {
		found[e.Reason] = e
	}
	first, last := found["First"], found["Last"]
	if !first.Warning || first.Message != "while it runs: "+experiment.Mask || last.Warning || last.Message != "after its end" || last.Time.IsZero() {
		t.Errorf("got %+v", events)
	}
	r.key.Name = "none"
	if err := r.Record(t.Context(), r.key, "None", "", false); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("no experiment: got %v, want %v", err, store.ErrNotFound)
	}
}
