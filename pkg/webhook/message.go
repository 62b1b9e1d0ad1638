package webhook

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/tuned-hpo/tuned/pkg/experiment"
)

// message is what is sent, as often as it takes.
type message struct {
	id   string
	kind string // of content
	body []byte
}

// cloudEvent is an event in the JSON format of CloudEvents 1.0.
type cloudEvent struct {
	SpecVersion     string    `json:"specversion"`
	ID              string    `json:"id"`
	Source          string    `json:"source"`
	Type            string    `json:"type"`
	Subject         string    `json:"subject"`
	Time            time.Time `json:"time"`
	DataContentType string    `json:"datacontenttype"`
	Data            data      `json:"data"`
}

// data is what an event is about.
type data struct {
	Namespace  string               `json:"namespace"`
	Experiment string               `json:"experiment"`
	UID        string               `json:"uid"`
	Number     uint64               `json:"number"` // of the event in the experiment; its creation is 0
	Event      experiment.EventKind `json:"event"`
	Reason     string               `json:"reason"`
	Message    string               `json:"message"`
	Trial      string               `json:"trial,omitempty"`
	Status     status               `json:"status"`
	Best       *best                `json:"best,omitempty"`
}

// status is how the experiment stands when the message is composed, which may be later than the event.
type status struct {
	State     experiment.ConditionType `json:"state"`
	Trials    int32                    `json:"trials"`
	Pending   int32                    `json:"pending"`
	Running   int32                    `json:"running"`
	Succeeded int32                    `json:"succeeded"`
	Failed    int32                    `json:"failed"` // without a metric included
}

// best is the best trial so far.
type best struct {
	Trial      string              `json:"trial"`
	Metrics    []experiment.Metric `json:"metrics"`
	Parameters map[string]string   `json:"parameters"`
}

// maxText bounds what a message repeats of a text.
const maxText = 8 << 10 // bytes

// compose makes the message of an event.
func (s *Sender) compose(ctx context.Context, st *stream, o occurrence) (*message, error) {
	e, err := s.Store.Get(ctx, st.key)
	if err != nil {
		return nil, err
	}
	d := describe(e, o)
	m := &message{id: fmt.Sprintf("%s.%d", st.uid, o.number)}
	if st.hook.Format == experiment.Slack {
		m.kind = "application/json"
		m.body, err = json.Marshal(map[string]string{"text": slack(&d)})
		return m, err
	}
	subject := st.key.String()
	if o.Trial != "" {
		subject += "/" + o.Trial
	}
	m.kind = "application/cloudevents+json; charset=utf-8"
	m.body, err = json.Marshal(cloudEvent{
		SpecVersion: "1.0", ID: m.id, Source: s.Source, Type: eventType(d.Event), Subject: subject,
		Time: o.Time.UTC(), DataContentType: "application/json", Data: d,
	})
	return m, err
}

// eventType is the attribute "type" of an event.
func eventType(kind experiment.EventKind) string {
	if kind == experiment.EventTrialFailed {
		return "io.tuned.trial.failed"
	}
	return "io.tuned.experiment." + string(kind)
}

func describe(e *experiment.Experiment, o occurrence) data {
	s := &e.Status
	d := data{
		Namespace: e.Metadata.Namespace, Experiment: e.Metadata.Name, UID: e.Metadata.UID,
		Number: o.number, Event: o.Kind(), Reason: o.Reason, Message: cut(o.Message), Trial: o.Trial,
		Status: status{
			State: s.State(), Trials: s.Trials, Pending: s.TrialsPending, Running: s.TrialsRunning,
			Succeeded: s.TrialsSucceeded, Failed: s.TrialsFailed + s.TrialMetricsUnavailable,
		},
	}
	if t := s.CurrentOptimalTrial; t != nil && t.BestTrialName != "" {
		d.Best = &best{Trial: t.BestTrialName, Metrics: t.Observation.Metrics, Parameters: map[string]string{}}
		for _, p := range t.ParameterAssignments {
			d.Best.Parameters[p.Name] = p.Value
		}
	}
	return d
}

// cut shortens a text at a character.
func cut(text string) string {
	if len(text) <= maxText {
		return text
	}
	return strings.ToValidUTF8(text[:maxText], "") + " ..."
}

// slack is an event in the markup of Slack's incoming webhooks, which Mattermost and others read too.
func slack(d *data) string {
	escape := strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace
	text := fmt.Sprintf("*%s/%s*: %s", escape(d.Namespace), escape(d.Experiment), escape(d.Message))
	if d.Trial != "" {
		text = fmt.Sprintf("*%s/%s*, trial %s: %s", escape(d.Namespace), escape(d.Experiment), escape(d.Trial), escape(d.Message))
	}
	text += fmt.Sprintf("\n%d trials, %d succeeded, %d failed", d.Status.Trials, d.Status.Succeeded, d.Status.Failed)
	if d.Best != nil {
		text += "\nbest: " + escape(d.Best.Trial)
		for _, m := range d.Best.Metrics {
			text += fmt.Sprintf(", %s %s", escape(m.Name), escape(m.Latest))
		}
	}
	return text
}

// attempt sends a message once. Its error has no URL in it, which may be a secret.
func (s *Sender) attempt(ctx context.Context, st *stream, m *message) error {
	select {
	case s.attempts <- struct{}{}:
		defer func() { <-s.attempts }()
	case <-ctx.Done():
		return ctx.Err()
	}
	target, key, err := s.secrets(st)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, s.Timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, target.String(), bytes.NewReader(m.body))
	if err != nil {
		return errors.New("the URL cannot be requested")
	}
	now := s.Now().Unix()
	request.Header.Set("Content-Type", m.kind)
	request.Header.Set("User-Agent", "tuned-hpo")
	request.Header.Set("Webhook-Id", m.id)
	request.Header.Set("Webhook-Timestamp", strconv.FormatInt(now, 10))
	if key != nil {
		request.Header.Set("Webhook-Signature", sign(key, m.id, now, m.body))
	}
	response, err := s.client.Do(request)
	if err != nil {
		if outer := (*url.Error)(nil); errors.As(err, &outer) {
			err = outer.Err
		}
		return fmt.Errorf("reach %s: %w", target.Hostname(), err)
	}
	defer response.Body.Close()
	_, _ = io.CopyN(io.Discard, response.Body, maxAnswer) // so that the connection can be used again
	if response.StatusCode < 200 || response.StatusCode > 299 {
		return &answered{target.Hostname(), response.StatusCode}
	}
	return nil
}

// maxAnswer bounds what is read of an answer, which means nothing.
const maxAnswer = 64 << 10 // bytes
