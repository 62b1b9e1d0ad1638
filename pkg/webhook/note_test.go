package webhook

import (
	"net/http"
	"strings"
	"testing"

	"github.com/tuned-hpo/tuned/pkg/experiment"
)

// said returns the events of an experiment about its webhooks.
func (l *life) said(key experiment.Key) (out []experiment.Event) {
	l.t.Helper()
	events, err := l.store.Events(l.t.Context(), key, 0)
	if err != nil {
		l.t.Fatal(err)
	}
	for _, e := range events {
		if strings.HasPrefix(e.Reason, "Webhook") {
			out = append(out, e)
		}
	}
	return out
}

// TestRefusalIsAnEvent: once, however often it is tried and whatever becomes of the daemon, until messages arrive again.
func TestRefusalIsAnEvent(t *testing.T) {
	const many = 1 << 30
	for _, tt := range []struct {
		name string
		code int // of the answers
		want string
	}{
		{"out of order", http.StatusServiceUnavailable, "it answers 503 Service Unavailable"},
		{"a wrong address", http.StatusNotFound, "it answers 404 Not Found"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newReceiver(t)
			r.code = tt.code
			r.setDown(many)
			l := newLife(t, Config{})
			l.stop()
			l.config.Record = l.record
			l.begin()
			key := l.create("e", experiment.Webhook{URL: r.URL + "/a?token=canary"})
			refusedOften := func(n int) {
				t.Helper()
				r.until(t, "refused", func(_ []received, refused int) bool { return refused >= n })
			}
			refusedOften(4 * patience)
			l.restart()
			l.happen(key, isRunning)
			refusedOften(8 * patience)
			got := l.said(key)
			if len(got) != 1 || got[0].Reason != experiment.ReasonWebhookRefused || !got[0].Warning ||
				!strings.Contains(got[0].Message, tt.want) || !strings.Contains(got[0].Message, "the webhook at 127.0.0.1 (own-") || strings.Contains(got[0].Message, "canary") {
				t.Fatalf("while it refuses: got %+v, want one event with %q", got, tt.want)
			}
			r.setDown(0)
			r.untilN(t, 2)
			l.happen(key, isPaused)
			told := types(t, r.untilN(t, 3))
			for _, s := range told {
				if strings.Contains(s, "failed") {
					t.Errorf("webhooks are told of themselves: %q", told)
				}
			}
			if got := l.said(key); len(got) != 2 || got[1].Reason != experiment.ReasonWebhookRecovered || got[1].Warning {
				t.Errorf("once it takes them: got %+v, want that it does", got)
			}
			r.setDown(many)
			l.happen(key, isResumed)
			_, refused := r.state()
			refusedOften(refused + 4*patience)
			if got := l.said(key); len(got) != 3 || got[2].Reason != experiment.ReasonWebhookRefused {
				t.Errorf("when it refuses again: got %+v, want that too", got)
			}
		})
	}
}

// TestHiccupIsNoEvent: a server that is away for a moment is none.
func TestHiccupIsNoEvent(t *testing.T) {
	r := newReceiver(t)
	r.setDown(patience - 1)
	l := newLife(t, Config{Hooks: []experiment.Webhook{{URL: r.URL}}})
	l.stop()
	l.config.Record = l.record
	l.begin()
	key := l.create("e")
	r.untilN(t, 1)
	l.happen(key, isRunning)
	r.untilN(t, 2)
	if got := l.said(key); len(got) > 0 {
		t.Errorf("got %+v, want nothing", got)
	}
}

// TestWhatUsersReadOfAWebhook: no secret, and nothing of the daemon's configuration or network.
func TestWhatUsersReadOfAWebhook(t *testing.T) {
	for _, tt := range []struct {
		hook experiment.Webhook
		own  bool
		want string
	}{
		{experiment.Webhook{URL: "https://h.example/canary"}, true, "the webhook at h.example (id in the log)"},
		{experiment.Webhook{URLFile: "slack"}, true, "the webhook with urlFile slack (id in the log)"},
		{experiment.Webhook{URL: "https://h.example/canary"}, false, "a webhook of the daemon's configuration (id in the log)"},
	} {
		if got := (&stream{hook: tt.hook, own: tt.own, id: "id"}).name(); got != tt.want {
			t.Errorf("got %q, want %q", got, tt.want)
		}
	}
}
