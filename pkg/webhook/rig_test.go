package webhook

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/observe"
	"github.com/tuned-hpo/tuned/pkg/store"
	"github.com/tuned-hpo/tuned/pkg/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// receiver is an HTTP server that takes messages when it is up.
type receiver struct {
	*httptest.Server
	mu      sync.Mutex
	down    int // answers so often that it does not take messages
	code    int // that it does so with; 0 is 503
	got     []received
	refused int
	arrived chan struct{}    // capacity 1
	handle  http.HandlerFunc // nil: as above
}

type received struct {
	header http.Header
	body   []byte
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{arrived: make(chan struct{}, 1)}
	r.Server = httptest.NewServer(r)
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	body, _ := io.ReadAll(request.Body)
	if r.handle != nil {
		r.handle(w, request)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	defer func() {
		select {
		case r.arrived <- struct{}{}:
		default:
		}
	}()
	if r.down > 0 {
		r.down--
		r.refused++
		w.WriteHeader(cmp.Or(r.code, http.StatusServiceUnavailable))
		return
	}
	r.got = append(r.got, received{request.Header.Clone(), body})
}

func (r *receiver) setDown(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.down = n
}

func (r *receiver) state() (got []received, refused int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.got), r.refused
}

// until waits until ok holds.
func (r *receiver) until(t *testing.T, what string, ok func(got []received, refused int) bool) []received {
	t.Helper()
	deadline := time.After(5 * time.Minute)
	for {
		got, refused := r.state()
		if ok(got, refused) {
			return got
		}
		select {
		case <-r.arrived:
		case <-deadline:
			t.Fatalf("%s: never so; got %d messages, refused %d", what, len(got), refused)
		}
	}
}

func (r *receiver) untilN(t *testing.T, n int) []received {
	t.Helper()
	return r.until(t, fmt.Sprint(n, " messages"), func(got []received, _ int) bool { return len(got) >= n })
}

func (m received) event(t *testing.T) (e cloudEvent) {
	t.Helper()
	if err := json.Unmarshal(m.body, &e); err != nil {
		t.Fatalf("%v in %s", err, m.body)
	}
	return e
}

// types are those of messages, with the number of each event in its experiment.
func types(t *testing.T, got []received) (out []string) {
	t.Helper()
	for _, m := range got {
		e := m.event(t)
		out = append(out, fmt.Sprint(e.Data.Number, " ", e.Type))
	}
	return out
}

// life is a daemon with a store and a sender.
type life struct {
	t      *testing.T
	memory *storetest.Memory
	config Config
	store  store.Store
	sender *Sender
	stop   func()

	committing sync.Mutex

	mu      sync.Mutex
	outcome map[string]int
	counted chan struct{} // capacity 1
}

func newLife(t *testing.T, c Config) *life {
	t.Helper()
	if c.Dir == "" {
		c.Dir = t.TempDir()
	}
	c.Now, c.Log = time.Now, zerolog.New(zerolog.NewTestWriter(t))
	if c.Allow == nil {
		c.Allow = []string{"127.0.0.0/8"}
	}
	c.FirstRetry, c.LastRetry = time.Millisecond, 20*time.Millisecond
	l := &life{t: t, memory: storetest.NewMemory(), config: c, outcome: map[string]int{}, counted: make(chan struct{}, 1)}
	l.begin()
	t.Cleanup(func() { l.stop() })
	return l
}

func (l *life) begin() {
	l.t.Helper()
	c := l.config
	c.Store = l.memory
	c.Delivered = func(outcome string) {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.outcome[outcome]++
		select {
		case l.counted <- struct{}{}:
		default:
		}
	}
	var err error
	if l.sender, err = New(c); err != nil {
		l.t.Fatal(err)
	}
	if l.store, err = observe.New(l.t.Context(), l.memory, time.Now, l.sender); err != nil {
		l.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- l.sender.Run(ctx) }()
	l.stop = func() {
		cancel()
		if err := <-done; err != nil {
			l.t.Errorf("run: %v", err)
		}
		l.sender.client.CloseIdleConnections()
		l.stop = func() {}
	}
}

// restart is another life of the daemon.
func (l *life) restart() {
	l.t.Helper()
	l.stop()
	l.begin()
}

func (l *life) outcomes(of string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.outcome[of]
}

// until waits until ok holds after attempts.
func (l *life) until(what string, ok func() bool) {
	l.t.Helper()
	deadline := time.After(5 * time.Minute)
	for !ok() {
		select {
		case <-l.counted:
		case <-deadline:
			l.t.Fatalf("%s: never so; %v", what, l.outcome)
		}
	}
}

// create stores an experiment.
func (l *life) create(name string, hooks ...experiment.Webhook) experiment.Key {
	l.t.Helper()
	now := time.Now()
	e := &experiment.Experiment{Metadata: experiment.Metadata{Namespace: "team", Name: name, UID: "uid-" + name, Created: &now}}
	e.Spec.Tuned = &experiment.Extension{Webhooks: hooks}
	e.Status = experiment.NewStatus(now)
	if err := l.store.Create(l.t.Context(), e); err != nil {
		l.t.Fatal(err)
	}
	return e.Key()
}

// record stores an event as the tuner does.
func (l *life) record(_ context.Context, key experiment.Key, reason, message string, warning bool) error {
	l.happen(key, experiment.Event{Reason: reason, Message: message, Warning: warning}) //nolint:contextcheck // stored for as long as the test runs
	return nil
}

// happen stores events in one commit.
func (l *life) happen(key experiment.Key, events ...experiment.Event) {
	l.t.Helper()
	l.committing.Lock()
	defer l.committing.Unlock()
	e, err := l.store.Get(l.t.Context(), key)
	if err != nil {
		l.t.Fatal(err)
	}
	for i := range events {
		if events[i].Time.IsZero() {
			events[i].Time = time.Now()
		}
	}
	if _, err := l.store.Commit(l.t.Context(), key, store.Change{Revision: e.Revision, Events: events}); err != nil {
		l.t.Fatal(err)
	}
}

// The events of a life.
var (
	isRunning = experiment.Event{Reason: "ExperimentRunning", Message: "Experiment is running"}
	isPaused  = experiment.Event{Reason: "ExperimentPaused", Message: "no trial starts"}
	isResumed = experiment.Event{Reason: "ExperimentResumed", Message: "trials start again"}
	trialGood = experiment.Event{Trial: "e-1", Reason: "TrialSucceeded", Message: "Trial has succeeded"}
	trialBad  = experiment.Event{Trial: "e-2", Reason: "ExitCode", Message: "exit code 1", Warning: true}
	trialLost = experiment.Event{Trial: "e-3", Reason: "TrialLost", Message: "it starts anew", Warning: true}
	hasFailed = experiment.Event{Reason: "SuggestionFailed", Message: "the algorithm panicked", Warning: true}
	reached   = experiment.Event{Reason: "ExperimentGoalReached", Message: "Objective goal has reached"}
	changed   = experiment.Event{Reason: "BudgetChanged", Message: "spec.maxTrialCount was 1, now 2"}
)
