package experiment

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// Webhook is somebody who is told when an experiment changes. It holds no secret, only where the daemon
// finds them.
type Webhook struct {
	URL        string        `json:"url,omitempty"`        // of an HTTP server
	URLFile    string        `json:"urlFile,omitempty"`    // holds the URL, where that is a secret
	SecretFile string        `json:"secretFile,omitempty"` // holds the key that messages are signed with
	SecretEnv  string        `json:"secretEnv,omitempty"`  // environment variable of the daemon with that key
	Format     WebhookFormat `json:"format,omitempty"`     // default CloudEvents
	Events     []EventKind   `json:"events,omitempty"`     // default: all but those of trials
}

// WebhookFormat is how a message to a webhook is written.
type WebhookFormat string

// The formats of messages to webhooks.
const (
	CloudEvents WebhookFormat = "cloudevents"
	Slack       WebhookFormat = "slack"
)

// EventKind is what an event is about, for those who choose by it.
type EventKind string

// The kinds of event. GoalReached is a success, and is of the kind Succeeded too.
const (
	EventCreated     EventKind = "created"
	EventRunning     EventKind = "running"
	EventPaused      EventKind = "paused"
	EventResumed     EventKind = "resumed"
	EventStopped     EventKind = "stopped"
	EventSucceeded   EventKind = "succeeded"
	EventFailed      EventKind = "failed"
	EventGoalReached EventKind = "goalReached"
	EventTrialFailed EventKind = "trialFailed"
)

var eventKinds = []EventKind{
	EventCreated, EventRunning, EventPaused, EventResumed, EventStopped,
	EventSucceeded, EventFailed, EventGoalReached, EventTrialFailed,
}

// ReasonCreated is the reason of the condition that an experiment begins with. There is no event of it.
const ReasonCreated = reasonCreated

// The reasons of the events about a webhook of an experiment. No webhook is told of them.
const (
	ReasonWebhookRefused   = "WebhookRefused"   // a warning: it takes no messages
	ReasonWebhookRecovered = "WebhookRecovered" // it takes them again
)

// kinds are those of the events of an experiment that are no warnings.
var kinds = map[string]EventKind{
	reasonCreated:       EventCreated,
	reasonRunning:       EventRunning,
	"ExperimentPaused":  EventPaused,
	reasonResumed:       EventResumed,
	ReasonStopped:       EventStopped,
	reasonGoalReached:   EventSucceeded,
	reasonMaxTrials:     EventSucceeded,
	reasonMaxDuration:   EventSucceeded,
	reasonMaxCost:       EventSucceeded,
	reasonSuggestionEnd: EventSucceeded,
	ReasonConverged:     EventSucceeded,
}

// Kind returns what an event is about, "" when it is about nothing that a webhook is told of. A
// warning about an experiment is that it has failed, unless it is about a webhook; one about a trial that it has, unless the trial
// starts anew or was stopped.
func (e *Event) Kind() EventKind {
	switch {
	case e.Reason == ReasonWebhookRefused && e.Trial == "":
		return ""
	case e.Trial == "" && e.Warning:
		return EventFailed
	case e.Trial == "":
		return kinds[e.Reason]
	case e.Warning && !slices.Contains([]string{"TrialInterrupted", "TrialLost", "TrialRetried", "TrialKilled"}, e.Reason):
		return EventTrialFailed
	}
	return ""
}

// Wants reports whether a webhook is to be told of an event.
func (w *Webhook) Wants(e *Event) bool {
	kind := e.Kind()
	if len(w.Events) == 0 {
		return kind != "" && kind != EventTrialFailed
	}
	return slices.Contains(w.Events, kind) || e.Reason == reasonGoalReached && slices.Contains(w.Events, EventGoalReached)
}

// Bounds of webhooks.
const (
	maxWebhooks = 8
	maxURL      = 2048 // bytes
)

var (
	secretFile = regexp.MustCompile(`^[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}$`)
	secretEnv  = regexp.MustCompile(`^TUNED_WEBHOOK_[A-Z0-9_]{1,113}$`)
)

// webhooks checks those of a spec, which name files by the names they have in the daemon's folder of secrets.
func (v *validator) webhooks(hooks []Webhook) {
	const path = "spec.tuned.webhooks"
	if v.tooMany(path, len(hooks), maxWebhooks) {
		return
	}
	v.faults = append(v.faults, CheckWebhooks(path, hooks, true)...)
}

// CheckWebhooks returns what is wrong with webhooks that stand at a path. Those of a spec cannot name
// any file or any variable of the daemon.
func CheckWebhooks(path string, hooks []Webhook, spec bool) Faults {
	var v validator
	seen := map[string]int{}
	for i := range hooks {
		h := &hooks[i]
		at := fmt.Sprintf("%s[%d]", path, i)
		v.webhookURL(at, h)
		v.webhookSecret(at, h, spec)
		if h.Format != "" && h.Format != CloudEvents && h.Format != Slack {
			v.addValue(at+".format", "want cloudevents or slack", string(h.Format), string(CloudEvents), string(Slack))
		}
		for j, kind := range h.Events {
			if !slices.Contains(eventKinds, kind) {
				v.addValue(fmt.Sprintf("%s.events[%d]", at, j), "is no kind of event; want one of "+strings.Join(texts(eventKinds), ", "), string(kind), texts(eventKinds)...)
			}
		}
		if first, twice := seen[h.Target()]; twice {
			v.add(at+".url", Duplicate, fmt.Sprintf("is that of %s[%d] already", path, first))
		} else {
			seen[h.Target()] = i
		}
	}
	return v.faults
}

// Target tells a webhook apart from others of the same experiment: where messages go, and their form.
func (w *Webhook) Target() string {
	return strings.Join([]string{w.URL, w.URLFile, string(cmp.Or(w.Format, CloudEvents))}, "\x00")
}

// webhookURL checks where messages go. What may be a secret is not repeated.
func (v *validator) webhookURL(at string, h *Webhook) {
	switch {
	case h.URL == "" && h.URLFile == "":
		v.add(at+".url", Required, "must be specified")
	case h.URL != "" && h.URLFile != "":
		v.add(at+".urlFile", Invalid, "must not stand beside url")
	case h.URLFile != "":
	default:
		if _, err := WebhookURL(h.URL); err != nil {
			v.add(at+".url", Invalid, err.Error())
		}
	}
}

// WebhookURL reads the URL of a webhook. Its error does not repeat the text.
func WebhookURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	switch {
	case len(text) > maxURL:
		return nil, fmt.Errorf("is longer than %d bytes", maxURL)
	case err != nil || u.Hostname() == "" || u.Scheme != "http" && u.Scheme != "https":
		return nil, errors.New("want the URL of an HTTP server")
	case u.User != nil:
		return nil, errors.New("must not hold a password; put the whole URL into a file, and name that with urlFile")
	}
	return u, nil
}

// webhookSecret checks where secrets are.
func (v *validator) webhookSecret(at string, h *Webhook, spec bool) {
	if h.SecretFile != "" && h.SecretEnv != "" {
		v.add(at+".secretEnv", Invalid, "must not stand beside secretFile")
	}
	if !spec {
		return
	}
	for _, f := range []struct{ field, name string }{{"urlFile", h.URLFile}, {"secretFile", h.SecretFile}} {
		if f.name != "" && !secretFile.MatchString(f.name) {
			v.addValue(at+"."+f.field, "want the name of a file in the daemon's folder of secrets", f.name)
		}
	}
	if h.SecretEnv != "" && !secretEnv.MatchString(h.SecretEnv) {
		v.addValue(at+".secretEnv", "want a name that begins with TUNED_WEBHOOK_, in capital letters", h.SecretEnv)
	}
}

func texts(kinds []EventKind) []string {
	out := make([]string, len(kinds))
	for i, k := range kinds {
		out[i] = string(k)
	}
	return out
}
