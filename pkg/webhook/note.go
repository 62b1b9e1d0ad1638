package webhook

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/tuned-hpo/tuned/pkg/experiment"
)

// answered is the error of an attempt whose server took the message, and did not say that all is well.
type answered struct {
	host string
	code int // of HTTP
}

func (a *answered) Error() string { return a.host + " answered " + a.text() }

func (a *answered) text() string { return fmt.Sprint(a.code, " ", http.StatusText(a.code)) }

// lasts reports whether the same message is not likely to be taken soon, for the fault is in it or in its address.
func (a *answered) lasts() bool {
	switch a.code {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return false
	}
	return a.code >= 400 && a.code < 500
}

// refuses reports whether a webhook is to be said to refuse messages, after so many attempts to deliver one.
func refuses(attempts int, cause error) bool {
	var a *answered
	return attempts >= patience || errors.As(cause, &a) && a.lasts()
}

// noteRefusal makes it an event of the experiment that its webhook refuses messages, unless there is such an event since it
// last took one. Users read events: what may be a secret, or tells of the network that the daemon is in, is in the log alone.
func (s *Sender) noteRefusal(ctx context.Context, st *stream, cause error) {
	why := "it cannot be reached, or its secret not be read; the daemon's log says more"
	if a := (*answered)(nil); errors.As(cause, &a) {
		why = "it answers " + a.text()
	}
	message := fmt.Sprintf("%s takes no messages: %s; each is sent again for %g hours", st.name(), why, s.Expiry.Hours())
	if s.note(ctx, st, true, experiment.ReasonWebhookRefused, message) {
		if err := s.positions.set(st.uid, st.id, st.position()); err != nil {
			s.Log.Warn().Err(err).Str("experiment", st.key.String()).Str("webhook", st.id).Msg("webhook may be said again to refuse messages")
		}
	}
}

// noteRecovery makes it an event that a webhook which refused messages takes them again.
func (s *Sender) noteRecovery(ctx context.Context, st *stream) {
	s.note(ctx, st, false, experiment.ReasonWebhookRecovered, st.name()+" takes messages again")
}

// note records whether a webhook refuses messages, and reports whether that is news.
func (s *Sender) note(ctx context.Context, st *stream, refused bool, reason, message string) bool {
	if st.refused == refused || s.Record == nil {
		return false
	}
	if err := s.Record(ctx, st.key, reason, message, refused); err != nil {
		if ctx.Err() == nil {
			s.Log.Warn().Err(err).Str("experiment", st.key.String()).Str("webhook", st.id).Str("reason", reason).Msg("event not recorded")
		}
		return false
	}
	st.refused = refused
	return true
}

// name is what users know a webhook by, and those who read the log.
func (st *stream) name() string {
	whose := "a webhook of the daemon's configuration"
	if st.own {
		whose = "the webhook with urlFile " + st.hook.URLFile
		if u, err := experiment.WebhookURL(st.hook.URL); err == nil && st.hook.URL != "" {
			whose = "the webhook at " + u.Hostname()
		}
	}
	return fmt.Sprintf("%s (%s in the log)", whose, st.id)
}
