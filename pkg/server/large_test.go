package server_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/tuned-hpo/tuned/algorithms/builtin"
	tunedv1 "github.com/tuned-hpo/tuned/api/tuned/v1"
	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/searchspace"
	"github.com/tuned-hpo/tuned/pkg/server"
	"github.com/tuned-hpo/tuned/pkg/store"
	"github.com/tuned-hpo/tuned/pkg/store/storetest"
	"github.com/tuned-hpo/tuned/pkg/tuner"
)

// BenchmarkListTrials reads pages of 100 of an experiment with 100,000 trials: one that is driven, so that
// they are in memory, and one at rest.
func BenchmarkListTrials(b *testing.B) {
	for _, driven := range []bool{true, false} {
		r := largeRig(b, 100_000, driven)
		for _, tt := range []struct{ name, filter, order string }{
			{"by number", "", ""},
			{"by value", "", "value"},
			{"by parameter", "", "param.x desc"},
			{"filtered", "state=Succeeded AND value<0.5 AND param.x>0.1", "value"},
		} {
			b.Run(fmt.Sprintf("driven=%v/%s", driven, tt.name), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					page, err := r.users.ListTrials(b.Context(), &tunedv1.ListTrialsRequest{
						Namespace: "default", Experiment: "asked", Filter: tt.filter, OrderBy: tt.order,
					})
					if err != nil || len(page.GetTrials()) != 100 {
						b.Fatalf("%d trials, %v", len(page.GetTrials()), err)
					}
				}
			})
		}
	}
}

// largeRig serves an experiment with many trials.
func largeRig(t testing.TB, n int, driven bool) *rig {
	t.Helper()
	memory := storetest.NewMemory()
	e := asked(int32(n + 1))
	if !driven {
		e.Status = experiment.NewStatus(time.Now())
		e.Status = experiment.MarkFailed(e.Status, "Test", "", time.Now())
	}
	if err := memory.Create(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(1, 2))
	change := store.Change{Revision: 1}
	for i := range n {
		value := fmt.Sprint(random.Float64())
		change.Create = append(change.Create, experiment.Trial{
			Number: uint64(i + 1), Name: experiment.TrialName("asked", e.Metadata.UID, uint64(i+1)), Attempt: 1, State: experiment.TrialSucceeded, FinishNo: uint64(i + 1),
			Assignment:  searchspace.Assignment{{Name: "x", Value: fmt.Sprint(random.Float64())}},
			Observation: experiment.Observation{Metrics: []experiment.Metric{{Name: "acc", Min: value, Max: value, Latest: value}}},
			Created:     time.Now(), Started: time.Now(), Finished: time.Now(),
		})
	}
	if _, err := memory.Commit(t.Context(), e.Key(), change); err != nil {
		t.Fatal(err)
	}
	tn, err := tuner.New(tuner.Config{Store: memory, Runner: idle{}, Algorithms: builtin.Registry(), Now: time.Now, Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{tuner: tn}
	r.drive(t)
	if driven {
		if err := tn.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	r.serve(t, server.Config{Tuner: tn, Trial: trialOf, UserToken: userToken, Algorithms: builtin.Registry(), Now: time.Now, Log: zerolog.Nop()})
	return r
}
