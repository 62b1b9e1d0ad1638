package webhook

import (
	"context"
	"encoding/binary"
	"hash/fnv"
	"slices"
	"time"

	"github.com/tuned-hpo/tuned/internal/failpoint"
	"github.com/tuned-hpo/tuned/pkg/experiment"
)

// stream tells one webhook of one experiment. One goroutine at a time works on it.
type stream struct {
	*follow
	hook  experiment.Webhook
	id    string    // of the webhook, on disk
	own   bool      // the experiment's spec has it
	since time.Time // what happened earlier is not told

	working, again bool // guarded by Sender.mu: it has a goroutine; that has to look once more

	opened bool
	// seen counts what was told of or passed over: the creation of the experiment is the first, and
	// event n is n+1.
	seen    uint64
	refused bool // it is an event of the experiment that the webhook refuses messages
}

func (st *stream) position() position { return position{Seen: st.seen, Refused: st.refused} }

// occurrence is an event, and its place among those of its experiment: the creation is 0.
type occurrence struct {
	number uint64
	experiment.Event
}

// work tells of all there is.
func (s *Sender) work(ctx context.Context, st *stream) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(st.ctx, cancel)() //nolint:contextcheck // it ends with either of the two
	for failures := 0; !s.rest(st); {
		err := s.tell(ctx, st)
		if err == nil {
			failures = 0
			continue
		}
		if ctx.Err() != nil {
			s.leave()
			return
		}
		s.Log.Warn().Err(err).Str("experiment", st.key.String()).Str("webhook", st.id).Msg("webhook put off")
		s.lookAgain(st)
		if !s.wait(ctx, s.pause(st.uid, 0, failures)) {
			s.leave()
			return
		}
		failures++
	}
}

// leave notes that a stream is busy no more.
func (s *Sender) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settle()
}

// lookAgain has the goroutine of a stream look once more.
func (s *Sender) lookAgain(st *stream) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st.again = true
}

// tell tells of what was not told yet. An error is of the store or of the disk.
func (s *Sender) tell(ctx context.Context, st *stream) error {
	if !st.opened {
		at, err := s.positions.get(st.uid, st.id)
		if err != nil {
			return err
		}
		st.seen, st.refused, st.opened = at.Seen, at.Refused, true
	}
	if st.seen == 0 {
		created := experiment.Event{Time: st.created, Reason: experiment.ReasonCreated, Message: "Experiment is created"}
		if err := s.pass(ctx, st, occurrence{0, created}); err != nil {
			return err
		}
	}
	for {
		events, err := s.read(ctx, st)
		if err != nil || len(events) == 0 {
			return err
		}
		for _, e := range events {
			if err := s.pass(ctx, st, occurrence{st.seen, e}); err != nil {
				return err
			}
		}
	}
}

// read returns the next events, and not too many, for they are kept while a server does not answer.
func (s *Sender) read(ctx context.Context, st *stream) ([]experiment.Event, error) {
	s.reading.Lock()
	defer s.reading.Unlock()
	events, err := s.Store.Events(ctx, st.key, st.seen-1)
	if len(events) > batch {
		events = slices.Clone(events[:batch])
	}
	return events, err
}

// pass tells of the next event if the webhook wants to hear of it.
func (s *Sender) pass(ctx context.Context, st *stream, o occurrence) error {
	if !st.hook.Wants(&o.Event) || o.Time.Before(st.since) {
		st.seen++
		return nil
	}
	failpoint.Hit("webhook.send")
	if err := s.deliver(ctx, st, o); err != nil {
		return err
	}
	failpoint.Hit("webhook.sent")
	if st.ctx.Err() != nil {
		return st.ctx.Err() // its file is gone
	}
	st.seen++
	return s.positions.set(st.uid, st.id, st.position())
}

// deliver tries until the server has taken the event or the event is too old. It is tried once however
// old it is, for the daemon may have been down.
func (s *Sender) deliver(ctx context.Context, st *stream, o occurrence) error {
	m, err := s.compose(ctx, st, o)
	if err != nil {
		return err
	}
	for attempt := 0; ; attempt++ {
		err := s.attempt(ctx, st, m)
		switch {
		case err == nil:
			s.outcome("delivered")
			s.noteRecovery(ctx, st)
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		}
		log := s.Log.Debug()
		expired := s.Now().Sub(o.Time) >= s.Expiry
		if expired || refuses(attempt+1, err) {
			s.noteRefusal(ctx, st, err)
		}
		if attempt == 0 || expired {
			log = s.Log.Warn()
		}
		log = log.Err(err).Str("experiment", st.key.String()).Str("webhook", st.id).Str("event", m.id)
		if expired {
			s.outcome("expired")
			log.Msg("event given up, it is too old to be delivered")
			return nil
		}
		s.outcome("failed")
		log.Msg("event not delivered yet")
		if !s.wait(ctx, s.pause(m.id, o.number, attempt)) {
			return ctx.Err()
		}
	}
}

func (s *Sender) outcome(outcome string) {
	if s.Delivered != nil {
		s.Delivered(outcome)
	}
}

// pause returns how long to wait after an attempt: twice as long as after the one before, of which
// between a half and the whole is taken, so that many that failed together do not come back together.
func (s *Sender) pause(id string, number uint64, attempt int) time.Duration {
	long := s.LastRetry
	if attempt < 30 {
		long = min(long, s.FirstRetry<<attempt)
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(id)) // never fails
	_, _ = h.Write(binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, number), uint64(attempt)))
	share := float64(h.Sum64()>>11) / (1 << 53) // 0 included, 1 not
	return long/2 + time.Duration(share*float64(long-long/2))
}

// wait reports whether the time has passed before ctx ended. Meanwhile the stream is not busy.
func (s *Sender) wait(ctx context.Context, d time.Duration) bool {
	s.leave()
	defer func() {
		s.mu.Lock()
		s.busy++
		s.mu.Unlock()
	}()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
