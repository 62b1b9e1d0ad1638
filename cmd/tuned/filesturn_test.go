package main

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/tuned-hpo/tuned/algorithms"
	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/server"
	"github.com/tuned-hpo/tuned/pkg/store"
	"github.com/tuned-hpo/tuned/pkg/store/storetest"
	"github.com/tuned-hpo/tuned/pkg/trialrunner"
	"github.com/tuned-hpo/tuned/pkg/tuner"
)

// slowly makes a registry whose algorithm takes its time over an experiment of several trials, until it is released.
func slowly(t *testing.T, begun chan<- struct{}, release <-chan struct{}) *algorithms.Registry {
	t.Helper()
	registry, err := algorithms.NewRegistry(algorithms.Definition{
		Name: "random", Summary: "for a test",
		Insight: func(_ algorithms.Problem, _ algorithms.Values, ts []algorithms.Trial) (algorithms.Insight, error) {
			if len(ts) > 1 {
				begun <- struct{}{}
				<-release
			}
			return algorithms.Insight{
				Trials: len(ts), At: ts[0].Point, Promise: [][]float64{nil},
				Outputs: []algorithms.OutputInsight{{Importance: []algorithms.Importance{{}}, Slices: [][]algorithms.Slice{nil}}},
			}, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return registry
}

// noRunner is a runner that is not used.
type noRunner struct{ trialrunner.Runner }

// TestSlowModelsDelayNobody: while models are made, more of them than there are turns, files of others are given.
func TestSlowModelsDelayNobody(t *testing.T) {
	begun, release := make(chan struct{}, 2*filesAtOnce), make(chan struct{})
	memory := storetest.NewMemory()
	tn, err := tuner.New(tuner.Config{
		Store: memory, Runner: noRunner{}, Algorithms: slowly(t, begun, release), Now: time.Now, Log: zerolog.Nop(),
	})
	if err != nil {
		t.Fatal(err)
	}
	keep(t, memory, "slow", 2)
	keep(t, memory, "slow2", 2)
	keep(t, memory, "quick", 1)
	d := &daemon{tuner: tn}
	d.server = server.New(server.Config{
		Tuner: tn, UserToken: "right", Trial: func(string) (tuner.Reporter, bool) { return tuner.Reporter{}, false }, Now: time.Now, Log: zerolog.Nop(),
	})
	d.giveFiles()
	url := serveOn(t, d.server)
	answered := make(chan int, 4)
	get := func(name, what string) int {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/api/v1/namespaces/default/experiments/"+name+"/"+what, http.NoBody)
		if err != nil {
			return -1
		}
		request.Header.Set("Authorization", "Bearer right")
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return -1
		}
		defer response.Body.Close()
		_, _ = io.Copy(io.Discard, response.Body)
		return response.StatusCode
	}
	for _, name := range []string{"slow", "slow", "slow2", "slow2"} {
		go func() { answered <- get(name, "report") }()
	}
	<-begun
	<-begun
	for _, file := range [][2]string{{"quick", "report"}, {"quick", "export"}, {"slow", "export"}} {
		if got := get(file[0], file[1]); got != http.StatusOK {
			t.Errorf("%s of %s: got %d", file[1], file[0], got)
		}
	}
	close(release)
	for range 4 {
		if got := <-answered; got != http.StatusOK {
			t.Errorf("a report whose model took long: got %d", got)
		}
	}
	if len(begun) > 0 {
		t.Error("a model was made twice")
	}
}

// serveOn serves on the loopback until the test ends, and returns the URL.
func serveOn(t *testing.T, s *server.Server) string {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(listener) }()
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		if err := errors.Join(s.Shutdown(context.WithoutCancel(t.Context())), <-served); err != nil {
			t.Error(err)
		}
	})
	return "http://" + listener.Addr().String()
}

// keep stores an experiment whose trials have ended.
func keep(t *testing.T, s store.Store, name string, trials int) {
	t.Helper()
	e := &experiment.Experiment{
		Metadata: experiment.Metadata{Name: name, Namespace: "default", UID: name},
		Spec: experiment.Spec{
			Objective:  &experiment.Objective{Type: "minimize", ObjectiveMetricName: "loss"},
			Algorithm:  &experiment.Algorithm{AlgorithmName: "random"},
			Parameters: []experiment.ParameterSpec{{Name: "x", ParameterType: "double", FeasibleSpace: experiment.FeasibleSpace{Min: "0", Max: "1"}}},
		},
	}
	experiment.SetDefaults(e)
	e.Status = experiment.NewStatus(time.Unix(1, 0))
	if err := s.Create(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	var ended []experiment.Trial
	for i := range uint64(trials) {
		ended = append(ended, experiment.Trial{
			Number: i + 1, Attempt: 1, Name: name + string(rune('a'+i)), State: experiment.TrialSucceeded, FinishNo: i + 1,
			Assignment:  []experiment.Pair{{Name: "x", Value: "0.5"}},
			Observation: experiment.Observation{Metrics: []experiment.Metric{{Name: "loss", Min: "1", Max: "1", Latest: "1"}}},
		})
	}
	if _, err := s.Commit(context.WithoutCancel(t.Context()), e.Key(), store.Change{Revision: 1, Create: ended}); err != nil {
		t.Fatal(err)
	}
}
