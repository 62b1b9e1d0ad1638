package faults_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"sync"
	"syscall"

	tunedv1 "github.com/tuned-hpo/tuned/api/tuned/v1"
	"github.com/tuned-hpo/tuned/pkg/experiment"
)

var toldKey = experiment.Key{Namespace: "default", Name: "told"}

// control does to an experiment all that a person may, each until it is done. Doing it again must be harmless.
func (w *world) control() {
	c, done := w.client("told", fmt.Sprintf(toldSpec, 3, "1m"))
	defer done()
	first := c.ask("told", "r1")
	c.tell("told", first, "1")
	w.leave(c)
	w.flags = []string{"--max-trials", "4"} // an edit
	c.daemon = c.begin()
	enqueued := c.enqueue("e1", "0.25")
	w.leave(c)
	c.begin = w.serve
	c.daemon = c.begin()
	c.amend(first)
	second := c.ask("told", "r2")
	c.tell("told", second, "2")
	w.leave(c)
	w.checkControlled(first, enqueued, second)
}

// amend changes an experiment in each way but those that make trials, and annotates one.
func (c *client) amend(trial string) {
	c.t.Helper()
	const namespace, name = "default", "told"
	for _, step := range []struct {
		what string
		call func(ctx context.Context) (*tunedv1.Experiment, error)
	}{
		{"annotate", func(ctx context.Context) (*tunedv1.Experiment, error) {
			return c.users.AnnotateExperiment(ctx, &tunedv1.AnnotateExperimentRequest{Namespace: namespace, Name: name, Note: new("mine")})
		}},
		{"annotate a trial", func(ctx context.Context) (*tunedv1.Experiment, error) {
			_, err := c.users.AnnotateTrial(ctx, &tunedv1.AnnotateTrialRequest{Namespace: namespace, Experiment: name, Trial: trial, Note: new("good")})
			return nil, err
		}},
		{"pause", func(ctx context.Context) (*tunedv1.Experiment, error) {
			return c.users.PauseExperiment(ctx, &tunedv1.PauseExperimentRequest{Namespace: namespace, Name: name})
		}},
		{"resume", func(ctx context.Context) (*tunedv1.Experiment, error) {
			return c.users.ResumeExperiment(ctx, &tunedv1.ResumeExperimentRequest{Namespace: namespace, Name: name})
		}},
		{"extend", func(ctx context.Context) (*tunedv1.Experiment, error) {
			return c.users.ExtendExperiment(ctx, &tunedv1.ExtendExperimentRequest{Namespace: namespace, Name: name, Budget: &tunedv1.Budget{MaxTrials: new(int32(6))}})
		}},
		{"stop", func(ctx context.Context) (*tunedv1.Experiment, error) {
			return c.users.StopExperiment(ctx, &tunedv1.StopExperimentRequest{Namespace: namespace, Name: name})
		}},
		{"resume after the stop", func(ctx context.Context) (*tunedv1.Experiment, error) {
			return c.users.ResumeExperiment(ctx, &tunedv1.ResumeExperimentRequest{Namespace: namespace, Name: name})
		}},
	} {
		c.must(step.what, func(ctx context.Context) error { _, err := step.call(ctx); return err })
	}
}

// must calls until it is done.
func (c *client) must(what string, call func(context.Context) error) {
	c.t.Helper()
	if err := c.try(call); err != nil {
		c.t.Fatalf("%s: %v", what, err)
	}
}

// enqueue wants a point to be tried, twice with the same request.
func (c *client) enqueue(request, x string) (trial string) {
	c.t.Helper()
	var names []string
	for range 2 {
		c.must("enqueue", func(ctx context.Context) error {
			created, err := c.users.EnqueueTrial(ctx, &tunedv1.EnqueueTrialRequest{
				Namespace: "default", Experiment: "told", RequestId: request, Assignments: []*tunedv1.Assignment{{Name: "x", Value: x}},
			})
			if err == nil {
				names = append(names, created.GetName())
			}
			return err
		})
	}
	if names[0] != names[1] {
		c.t.Errorf("request %s: got trials %q, want the same one twice", request, names)
	}
	return names[0]
}

// leave ends the daemon of a client, as its user would.
func (w *world) leave(c *client) {
	w.t.Helper()
	_ = c.daemon.Process.Signal(syscall.SIGINT) // it may be dead
	w.end(c.daemon)
}

// checkControlled asserts that all was done, and nothing twice.
func (w *world) checkControlled(first, enqueued, second string) {
	w.t.Helper()
	s := w.open()
	defer s.Close()
	e, err := s.Get(w.t.Context(), toldKey)
	if err != nil {
		w.t.Fatal(err)
	}
	if *e.Spec.MaxTrialCount != 6 || e.Control.Paused || e.Note.Text != "mine" || e.Status.Completed() {
		w.t.Errorf("got budget %d, control %+v, note %+v, state %s; want 6, not paused, mine, and not ended",
			*e.Spec.MaxTrialCount, e.Control, e.Note, e.Status.State())
	}
	trials, err := s.Trials(w.t.Context(), toldKey)
	if err != nil {
		w.t.Fatal(err)
	}
	states := map[string]experiment.TrialState{}
	for i := range trials {
		states[trials[i].Name] = trials[i].State
	}
	want := map[string]experiment.TrialState{first: experiment.TrialSucceeded, enqueued: experiment.TrialKilled, second: experiment.TrialSucceeded}
	if len(trials) != len(want) || !reflect.DeepEqual(states, want) || trials[0].Note.Text != "good" {
		w.t.Errorf("got %v, note %+v; want %v, and good", states, trials[0].Note, want)
	}
}

// longCurve is how many measurements a trial has that are too many for the commit with which an import announces it.
const longCurve = 5000

// imports imports what was exported, with a longer curve.
func (w *world) imports() {
	w.evaluate("told")
	file := filepath.Join(w.dir, "told.json")
	w.call("export", "told", "--data-dir", w.data(), "-o", "json", "-f", file)
	w.lengthen(file)
	w.call("import", file, "--name", "again", "--data-dir", w.data())
	s := w.open()
	defer s.Close()
	for name, first := range map[string]int{"told": 1, "again": longCurve} {
		key := experiment.Key{Namespace: "default", Name: name}
		e, err := s.Get(w.t.Context(), key)
		if err != nil {
			w.t.Fatal(err)
		}
		trials, err := s.Trials(w.t.Context(), key)
		if err != nil || len(trials) != 2 || e.Status.State() != experiment.Succeeded {
			w.t.Fatalf("%s: got %d trials, %s (%v), want 2, and succeeded", key, len(trials), e.Status.State(), err)
		}
		for i, want := range []int{first, 1} {
			ms, err := s.Measurements(w.t.Context(), experiment.Stream{Experiment: key, Number: trials[i].Number, Attempt: 1, Source: "tell"}, 0, 0)
			if err != nil || len(ms) != want || ms[0].Text != "1" {
				w.t.Errorf("%s, trial %d: got %d measurements, %v, want %d", key, i+1, len(ms), err, want)
			}
		}
	}
}

// lengthen repeats the measurement of an exported experiment's first trial.
func (w *world) lengthen(file string) {
	w.t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		w.t.Fatal(err)
	}
	var document map[string]any
	if err := json.Unmarshal(text, &document); err != nil {
		w.t.Fatal(err)
	}
	trial := document["trials"].([]any)[0].(map[string]any)
	one := trial["measurements"].([]any)[0].(map[string]any)
	var many []any
	for seq := range longCurve {
		next := maps.Clone(one)
		next["seq"] = seq + 1
		many = append(many, next)
	}
	trial["measurements"] = many
	if text, err = json.Marshal(document); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(file, text, 0o600); err != nil {
		w.t.Fatal(err)
	}
}

// receiver takes webhooks and notes the numbers of their events as they come.
type receiver struct {
	*httptest.Server
	mu      sync.Mutex
	numbers []int
}

func newReceiver(w *world) *receiver {
	r := &receiver{}
	r.Server = httptest.NewServer(http.HandlerFunc(func(answer http.ResponseWriter, request *http.Request) {
		var event struct{ Data struct{ Number int } }
		text, err := io.ReadAll(request.Body)
		if err != nil || json.Unmarshal(text, &event) != nil {
			answer.WriteHeader(http.StatusBadRequest)
			return
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.numbers = append(r.numbers, event.Data.Number)
	}))
	w.t.Cleanup(r.Close)
	return r
}

const webhookSpec = `  maxTrialCount: 2
  algorithm: {algorithmName: random}
  tuned: {webhooks: [{url: %s}]}
  parameters:
    - {name: x, parameterType: double, feasibleSpace: {min: "0", max: "1"}}
`

// webhook has somebody told of an experiment: of each event, in order, and again only after a fault.
func (w *world) webhook() {
	r := newReceiver(w)
	w.flags = []string{"--config", w.write("config", "webhooks: {allow: [127.0.0.1]}\n")}
	w.evaluateAs("told", fmt.Sprintf(webhookSpec, r.URL))
	w.end(w.start(filepath.Join(w.dir, "told.yaml"))) // of what it was not told yet
	s := w.open()
	defer s.Close()
	e, err := s.Get(w.t.Context(), toldKey)
	if err != nil {
		w.t.Fatal(err)
	}
	events, err := s.Events(w.t.Context(), toldKey, 0)
	if err != nil {
		w.t.Fatal(err)
	}
	want := []int{0} // its creation
	for i := range events {
		if e.Spec.Tuned.Webhooks[0].Wants(&events[i]) {
			want = append(want, i+1)
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	again := len(r.numbers) - len(want)
	if got := slices.Compact(slices.Clone(r.numbers)); !slices.Equal(got, want) || again > 1 || len(want) < 3 {
		w.t.Errorf("told of events %d, want %d, one of them twice at most", r.numbers, want)
	}
}
