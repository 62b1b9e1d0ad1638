package webhook

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"

	"github.com/tuned-hpo/tuned/pkg/experiment"
)

func TestMessages(t *testing.T) {
	r := newReceiver(t)
	l := newLife(t, Config{})
	key := l.create("e", experiment.Webhook{URL: r.URL + "/hook?x=1"})
	l.happen(key, isRunning, trialGood, trialBad)
	l.happen(key, isPaused, changed)
	l.happen(key, isResumed, trialLost, reached)
	got := r.untilN(t, 5)
	want := []string{
		"0 io.tuned.experiment.created", "1 io.tuned.experiment.running", "4 io.tuned.experiment.paused",
		"6 io.tuned.experiment.resumed", "8 io.tuned.experiment.succeeded",
	}
	if diff := cmp.Diff(types(t, got), want); diff != "" {
		t.Errorf("got, want:\n%s", diff)
	}
	e := got[4].event(t)
	if e.SpecVersion != "1.0" || e.ID != "uid-e.8" || e.Source != "tuned" || e.Subject != "team/e" || time.Since(e.Time) > time.Hour ||
		e.DataContentType != "application/json" || e.Data.Reason != "ExperimentGoalReached" || e.Data.Status.State != experiment.Created {
		t.Errorf("got %+v", e)
	}
	h := got[4].header
	if h.Get("Content-Type") != "application/cloudevents+json; charset=utf-8" || h.Get("Webhook-Id") != e.ID || h.Get("Webhook-Signature") != "" {
		t.Errorf("got headers %v", h)
	}
}

func TestWhichEvents(t *testing.T) {
	all := []experiment.Event{isRunning, trialBad, trialLost, hasFailed, isResumed, reached, changed}
	tests := []struct {
		name  string
		kinds []experiment.EventKind
		want  []string
	}{
		{"goal", []experiment.EventKind{"goalReached"}, []string{"6 io.tuned.experiment.succeeded"}},
		{"success", []experiment.EventKind{"succeeded"}, []string{"6 io.tuned.experiment.succeeded"}},
		{"failures", []experiment.EventKind{"failed", "trialFailed"}, []string{"2 io.tuned.trial.failed", "4 io.tuned.experiment.failed"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newReceiver(t)
			l := newLife(t, Config{})
			l.happen(l.create("e", experiment.Webhook{URL: r.URL, Events: tt.kinds}), all...)
			l.happen(l.create("last", experiment.Webhook{URL: r.URL, Events: []experiment.EventKind{"created"}}))
			got := r.until(t, "all", func(got []received, _ int) bool { return len(got) > len(tt.want) })
			var of []string
			for _, s := range types(t, got) {
				if s != "0 io.tuned.experiment.created" {
					of = append(of, s)
				}
			}
			if diff := cmp.Diff(of, tt.want); diff != "" {
				t.Errorf("got, want:\n%s", diff)
			}
		})
	}
}

func TestOutage(t *testing.T) {
	r := newReceiver(t)
	r.setDown(5)
	l := newLife(t, Config{})
	key := l.create("e", experiment.Webhook{URL: r.URL})
	l.happen(key, isRunning, reached)
	got := r.untilN(t, 3)
	want := []string{"0 io.tuned.experiment.created", "1 io.tuned.experiment.running", "2 io.tuned.experiment.succeeded"}
	if diff := cmp.Diff(types(t, got), want); diff != "" {
		t.Errorf("got, want:\n%s", diff)
	}
	l.until("counted", func() bool { return l.outcomes("delivered") == 3 })
	if n := l.outcomes("failed"); n != 5 {
		t.Errorf("attempts counted as failed: got %d, want 5", n)
	}
}

// TestRestart restarts the daemon while the receiver is down, and after each event.
func TestRestart(t *testing.T) {
	r := newReceiver(t)
	l := newLife(t, Config{Hooks: []experiment.Webhook{{URL: r.URL + "/all"}}})
	key := l.create("e")
	r.untilN(t, 1)
	r.setDown(1 << 30)
	l.happen(key, isRunning)
	r.until(t, "refused", func(_ []received, refused int) bool { return refused > 2 })
	l.stop()
	l.store = l.memory // events that were stored in the last moment
	l.happen(key, isPaused)
	l.begin()
	r.setDown(0)
	r.untilN(t, 3)
	l.restart()
	l.happen(key, isResumed)
	r.untilN(t, 4)
	l.restart()
	l.restart()
	l.happen(key, reached)
	got := types(t, r.until(t, "the last one", func(got []received, _ int) bool {
		return len(got) > 0 && got[len(got)-1].event(t).Data.Event == experiment.EventSucceeded
	}))
	got = slices.Compact(got) // at least once: the same one may come again
	want := []string{
		"0 io.tuned.experiment.created", "1 io.tuned.experiment.running", "2 io.tuned.experiment.paused",
		"3 io.tuned.experiment.resumed", "4 io.tuned.experiment.succeeded",
	}
	if diff := cmp.Diff(got, want); diff != "" {
		t.Errorf("got, want:\n%s", diff)
	}
}

// TestNewWebhookHearsNothingOld: what was before a webhook came into the configuration is not told.
func TestNewWebhookHearsNothingOld(t *testing.T) {
	r := newReceiver(t)
	l := newLife(t, Config{})
	key := l.create("old")
	l.happen(key, isRunning)
	l.config.Hooks = []experiment.Webhook{{URL: r.URL}}
	l.restart()
	l.happen(key, reached)
	l.happen(l.create("new"), isRunning)
	got := types(t, r.untilN(t, 3))
	slices.Sort(got)
	want := []string{"0 io.tuned.experiment.created", "1 io.tuned.experiment.running", "2 io.tuned.experiment.succeeded"}
	if diff := cmp.Diff(got, want); diff != "" {
		t.Errorf("got, want:\n%s", diff)
	}
}

// TestDamagedPositions: nothing is left out when what is on disk cannot be read.
func TestDamagedPositions(t *testing.T) {
	r := newReceiver(t)
	l := newLife(t, Config{Hooks: []experiment.Webhook{{URL: r.URL}}})
	key := l.create("e")
	l.happen(key, isRunning)
	r.untilN(t, 2)
	l.stop()
	files, err := filepath.Glob(filepath.Join(l.config.Dir, "*.json"))
	if err != nil || len(files) != 2 {
		t.Fatalf("got files %q, %v; want 2", files, err)
	}
	for _, f := range files {
		if err := os.WriteFile(f, []byte(`{"all-`), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	l.begin()
	l.happen(key, reached)
	got := types(t, r.until(t, "all again", func(got []received, _ int) bool { return len(got) >= 5 }))
	if got[len(got)-1] != "2 io.tuned.experiment.succeeded" {
		t.Errorf("got %q, want the last one as well", got)
	}
}

func TestDeleted(t *testing.T) {
	r := newReceiver(t)
	r.setDown(1 << 30)
	l := newLife(t, Config{Hooks: []experiment.Webhook{{URL: r.URL}}})
	key := l.create("e")
	r.until(t, "refused", func(_ []received, refused int) bool { return refused > 2 })
	if err := l.store.Delete(t.Context(), key); err != nil {
		t.Fatal(err)
	}
	r.setDown(0)
	l.create("other")
	got := r.untilN(t, 1)
	if e := got[0].event(t); e.Data.Experiment != "other" {
		t.Errorf("got %+v, want nothing of what was deleted", e)
	}
	l.stop()
	if files, _ := filepath.Glob(filepath.Join(l.config.Dir, file("uid-e"))); len(files) > 0 {
		t.Errorf("left behind: %q", files)
	}
}

// TestExpiry: an event is tried once however old it is, and a young one again and again.
func TestExpiry(t *testing.T) {
	r := newReceiver(t)
	r.setDown(1)
	l := newLife(t, Config{})
	key := l.create("e", experiment.Webhook{URL: r.URL, Events: []experiment.EventKind{"running", "succeeded"}})
	old := isRunning
	old.Time = time.Now().Add(-25 * time.Hour)
	l.happen(key, old, reached)
	got := r.untilN(t, 1)
	if diff := cmp.Diff(types(t, got), []string{"2 io.tuned.experiment.succeeded"}); diff != "" {
		t.Errorf("got, want:\n%s", diff)
	}
	if n := l.outcomes("expired"); n != 1 {
		t.Errorf("expired: got %d, want 1", n)
	}
}

func TestSlack(t *testing.T) {
	r := newReceiver(t)
	secrets := t.TempDir()
	if err := os.WriteFile(filepath.Join(secrets, "slack"), []byte(r.URL+"/T/canary\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	l := newLife(t, Config{Secrets: secrets})
	key := l.create("e", experiment.Webhook{URLFile: "slack", Format: experiment.Slack, Events: []experiment.EventKind{"trialFailed"}})
	bad := trialBad
	bad.Message = "exit <code> & more"
	l.happen(key, bad)
	want := `{"text":"*team/e*, trial e-2: exit \u0026lt;code\u0026gt; \u0026amp; more\n0 trials, 0 succeeded, 0 failed"}`
	if got := string(r.untilN(t, 1)[0].body); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestNoSecretIsLogged puts canaries where secrets are and has everything go wrong.
func TestNoSecretIsLogged(t *testing.T) {
	r := newReceiver(t)
	r.setDown(1 << 30)
	secrets := t.TempDir()
	for name, text := range map[string]string{
		"url": r.URL + "/canary", "dead": "http://127.0.0.1:1/canary", "userinfo": "http://canary:canary@127.0.0.1/",
		"nonsense": "canary", "badkey": "whsec_canary!", "key": "canary", "empty": "\n",
	} {
		if err := os.WriteFile(filepath.Join(secrets, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var log bytes.Buffer
	l := newLife(t, Config{Secrets: secrets, Getenv: func(string) string { return "whsec_canary!" }})
	l.stop()
	l.config.Log = zerolog.New(zerolog.SyncWriter(&log))
	l.begin()
	var n int
	for _, h := range []experiment.Webhook{
		{URLFile: "url", SecretFile: "key"},
		{URLFile: "dead"},
		{URLFile: "userinfo"},
		{URLFile: "nonsense"},
		{URL: r.URL + "/?t=canary"},
		{URL: r.URL, SecretFile: "badkey"},
		{URL: r.URL, SecretFile: "empty"},
		{URL: r.URL, SecretFile: "missing"},
		{URL: r.URL, SecretEnv: "TUNED_WEBHOOK_K"},
	} {
		n++
		l.create(string(rune('a'+n)), h)
	}
	l.until("failed often", func() bool { return l.outcomes("failed") >= 10*n })
	l.stop()
	text := log.String()
	if lines := strings.Count(text, "event not delivered yet"); lines < n || strings.Contains(text, "canary") {
		t.Errorf("%d lines of %d webhooks, with a secret: %t\n%s", lines, n, strings.Contains(text, "canary"), text)
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	r, other := newReceiver(t), newReceiver(t)
	asked := make(chan struct{}, 100)
	r.handle = func(w http.ResponseWriter, request *http.Request) {
		asked <- struct{}{}
		http.Redirect(w, request, other.URL, http.StatusTemporaryRedirect)
	}
	l := newLife(t, Config{})
	l.create("e", experiment.Webhook{URL: r.URL})
	<-asked
	<-asked
	l.stop()
	if got, refused := other.state(); len(got)+refused > 0 {
		t.Error("a redirect was followed")
	}
}

// TestEndlessAnswer: an answer that never ends is cut, and one that never begins too.
func TestEndlessAnswer(t *testing.T) {
	r := newReceiver(t)
	hang := make(chan struct{})
	r.handle = func(w http.ResponseWriter, request *http.Request) {
		if request.URL.Path == "/silent" {
			select {
			case <-hang:
			case <-request.Context().Done():
			}
			return
		}
		for range 1 << 20 {
			if _, err := w.Write(bytes.Repeat([]byte("x"), 1<<10)); err != nil {
				return
			}
		}
	}
	l := newLife(t, Config{Timeout: 200 * time.Millisecond})
	defer close(hang)
	l.create("silent", experiment.Webhook{URL: r.URL + "/silent"})
	l.create("endless", experiment.Webhook{URL: r.URL + "/endless"})
	l.until("the silent one fails, the endless one is cut", func() bool {
		return l.outcomes("failed") > 0 && l.outcomes("delivered") == 1
	})
	l.stop()
}

func TestPauses(t *testing.T) {
	s := &Sender{Config: Config{FirstRetry: time.Second, LastRetry: 10 * time.Minute}}
	long := time.Second
	for attempt := range 200 {
		got := s.pause("id", 1, attempt)
		if got < long/2 || got > long {
			t.Errorf("after attempt %d: got %s, want %s to %s", attempt, got, long/2, long)
		}
		long = min(2*long, 10*time.Minute)
	}
	if s.pause("id", 1, 9) == s.pause("other", 1, 9) {
		t.Error("two events wait equally long")
	}
}

// TestFlush waits for messages that are under way, and not for a server that is down.
func TestFlush(t *testing.T) {
	r, down := newReceiver(t), newReceiver(t)
	down.setDown(1 << 30)
	l := newLife(t, Config{})
	l.stop()
	l.config.FirstRetry, l.config.LastRetry = time.Hour, time.Hour
	l.begin()
	for i := range 20 {
		l.create(fmt.Sprint("e", i), experiment.Webhook{URL: r.URL}, experiment.Webhook{URL: down.URL})
	}
	l.sender.Flush(t.Context())
	got, _ := r.state()
	_, refused := down.state()
	if len(got) != 20 || refused != 20 {
		t.Errorf("after a flush: got %d messages and %d refused, want 20 each", len(got), refused)
	}
	l.sender.Flush(t.Context()) // nothing to do
}
