// Package webhook tells HTTP servers what happens to experiments: each event that was stored, in order
// per experiment, at least once, and again for a day where a server does not answer. How far each
// webhook is lies on disk, so that a restart loses nothing; events themselves are read from the store
// when they are sent, so that nothing piles up in memory and nobody waits for a server.
// docs/webhooks.md is for those who receive.
package webhook

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/tuned-hpo/tuned/pkg/experiment"
)

// Store is what is read of a store.Store.
type Store interface {
	Get(ctx context.Context, key experiment.Key) (*experiment.Experiment, error)
	Events(ctx context.Context, key experiment.Key, after uint64) ([]experiment.Event, error)
}

// Config is what a Sender works with. Store, Dir and Now are required.
type Config struct {
	Store Store
	Dir   string // holds how far each webhook is; made if need be
	Now   func() time.Time
	Log   zerolog.Logger

	// Hooks are told of all experiments. They may name any file and any variable.
	Hooks []experiment.Webhook
	// Secrets is the folder of the files that webhooks of experiments name; "" for none.
	Secrets string
	// Getenv looks up the variables that webhooks name; nil for none.
	Getenv func(string) string
	// Allow lists hosts, addresses and networks (10.0.0.0/8) that may be reached although they are not
	// of the public internet: by the host of the URL, or by the address that it leads to.
	Allow []string
	// Source is the attribute of that name of each message; "" for "tuned".
	Source string
	// Delivered is called after each attempt: "delivered", "failed" or "expired". Nil: nobody is told.
	Delivered func(outcome string)
	// Record makes it an event of an experiment that a webhook refuses messages, and that it takes them again, each
	// once. Nil: the log alone says so.
	Record func(ctx context.Context, key experiment.Key, reason, message string, warning bool) error

	Resolver   Resolver      // of host names; nil for the system's
	FirstRetry time.Duration // after an attempt that failed, doubled with each; 0 for 1 s
	LastRetry  time.Duration // the longest time between attempts; 0 for 10 min
	Expiry     time.Duration // age of an event from which on it is not tried again; 0 for 24 h
	Timeout    time.Duration // of an attempt; 0 for 10 s
}

// Bounds of what is done at a time.
const (
	maxAttempts = 16   // at the same time
	batch       = 1000 // events that a stream keeps of those it has read
	patience    = 5    // attempts to deliver an event after which its webhook is said to refuse it, if not before
)

// Sender is an observe.Observer that sends what was stored. Between New and Run it only takes note.
type Sender struct {
	Config
	positions *positions
	client    *http.Client
	attempts  chan struct{} // capacity maxAttempts
	reading   sync.Mutex    // held while events are read, which may be many
	fresh     chan struct{} // capacity 1: a stream has become ready

	mu      sync.Mutex
	follows map[experiment.Key]*follow
	ready   []*stream     // that want a goroutine
	busy    int           // streams that want one or have one, and do not wait for their next attempt
	calm    chan struct{} // closed and made anew when busy falls to 0
}

// follow is an experiment that somebody is told of.
type follow struct {
	key     experiment.Key
	uid     string
	created time.Time
	ctx     context.Context //nolint:containedctx // it ends when the experiment is deleted
	cancel  context.CancelFunc
	streams []*stream
}

// New reads how far each webhook is.
func New(c Config) (*Sender, error) {
	c.FirstRetry, c.LastRetry = cmp.Or(c.FirstRetry, time.Second), cmp.Or(c.LastRetry, 10*time.Minute)
	c.Expiry, c.Timeout = cmp.Or(c.Expiry, 24*time.Hour), cmp.Or(c.Timeout, 10*time.Second)
	c.Source = cmp.Or(c.Source, "tuned")
	if c.Store == nil || c.Now == nil || c.Dir == "" {
		return nil, errors.New("new sender of webhooks: store, folder and clock are required")
	}
	if faults := experiment.CheckWebhooks("hooks", c.Hooks, false); len(faults) > 0 {
		return nil, fmt.Errorf("webhooks: %w", faults)
	}
	guard, err := newGuard(c.Allow, c.Resolver)
	if err != nil {
		return nil, fmt.Errorf("webhooks: %w", err)
	}
	s := &Sender{
		Config: c, client: guard.client(), attempts: make(chan struct{}, maxAttempts), fresh: make(chan struct{}, 1),
		follows: map[experiment.Key]*follow{}, calm: make(chan struct{}),
	}
	if s.positions, err = openPositions(c.Dir, identities(c.Hooks), c.Now()); err != nil {
		return nil, fmt.Errorf("webhooks: %w", err)
	}
	return s, nil
}

// Run sends until ctx ends. Attempts under way are given up, to be repeated by the next Run.
func (s *Sender) Run(ctx context.Context) error {
	if err := s.positions.sweep(s.uids()); err != nil {
		return fmt.Errorf("webhooks: %w", err)
	}
	var working sync.WaitGroup
	defer working.Wait()
	for {
		for _, st := range s.take() {
			working.Go(func() { s.work(ctx, st) })
		}
		select {
		case <-ctx.Done():
			return nil
		case <-s.fresh:
		}
	}
}

// uids returns those of the experiments that somebody is told of.
func (s *Sender) uids() map[string]bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := map[string]bool{}
	for _, f := range s.follows {
		out[f.uid] = true
	}
	return out
}

// Found goes on where an earlier life of the daemon ended.
func (s *Sender) Found(e *experiment.Experiment) { s.follow(e) }

// Experiment begins to tell of a new experiment, and ends with one that is deleted: what was not
// delivered by then is given up.
func (s *Sender) Experiment(before, after *experiment.Experiment) {
	switch {
	case before == nil:
		s.follow(after)
	case after == nil:
		s.unfollow(before)
	}
}

// Trial tells nobody: trials have events.
func (s *Sender) Trial(*experiment.Experiment, *experiment.Trial, *experiment.Trial) {}

// Measured tells nobody.
func (s *Sender) Measured(experiment.Stream, uint64, int) {}

// Wrote tells nobody.
func (s *Sender) Wrote(string, time.Duration) {}

// Events has those who are told of the experiment look for what is new.
func (s *Sender) Events(key experiment.Key, _ int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f := s.follows[key]; f != nil {
		for _, st := range f.streams {
			s.wake(st)
		}
	}
}

// follow makes the streams of an experiment.
func (s *Sender) follow(e *experiment.Experiment) {
	var own []experiment.Webhook
	if e.Spec.Tuned != nil {
		own = e.Spec.Tuned.Webhooks
	}
	if len(own)+len(s.Hooks) == 0 {
		return
	}
	f := &follow{key: e.Key(), uid: e.Metadata.UID}
	if e.Metadata.Created != nil {
		f.created = *e.Metadata.Created
	}
	f.ctx, f.cancel = context.WithCancel(context.Background())
	for i := range s.Hooks {
		id := identity("all", &s.Hooks[i])
		f.streams = append(f.streams, &stream{follow: f, hook: s.Hooks[i], id: id, since: s.positions.since(id)})
	}
	for i := range own {
		f.streams = append(f.streams, &stream{follow: f, hook: own[i], id: identity("own", &own[i]), own: true})
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.follows[f.key] = f
	for _, st := range f.streams {
		s.wake(st)
	}
}

func (s *Sender) unfollow(e *experiment.Experiment) {
	s.mu.Lock()
	f := s.follows[e.Key()]
	delete(s.follows, e.Key())
	s.mu.Unlock()
	if f != nil {
		f.cancel()
		s.positions.drop(f.uid)
	}
}

// wake gives a stream a goroutine, or has its goroutine look again; s.mu is held.
func (s *Sender) wake(st *stream) {
	st.again = true
	if st.working {
		return
	}
	st.working = true
	s.busy++
	s.ready = append(s.ready, st)
	select {
	case s.fresh <- struct{}{}:
	default:
	}
}

// take returns the streams that want a goroutine.
func (s *Sender) take() []*stream {
	s.mu.Lock()
	defer s.mu.Unlock()
	ready := s.ready
	s.ready = nil
	return ready
}

// rest reports whether a stream has nothing to look for; it then has no goroutine any more.
func (s *Sender) rest(st *stream) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	st.working, st.again = st.again, false
	if !st.working {
		s.settle()
	}
	return !st.working
}

// settle notes that a stream is busy no more; s.mu is held.
func (s *Sender) settle() {
	if s.busy--; s.busy == 0 {
		close(s.calm)
		s.calm = make(chan struct{})
	}
}

// Flush returns when what is stored was told of, or waits for a server that did not answer, or ctx ends.
func (s *Sender) Flush(ctx context.Context) {
	s.mu.Lock()
	calm := s.calm
	if s.busy == 0 {
		calm = nil
	}
	s.mu.Unlock()
	if calm == nil {
		return
	}
	select {
	case <-calm:
	case <-ctx.Done():
	}
}

// identity names a webhook on disk, without what may be a secret.
func identity(whose string, h *experiment.Webhook) string {
	sum := sha256.Sum256([]byte(h.Target()))
	return whose + "-" + hex.EncodeToString(sum[:8])
}

func identities(hooks []experiment.Webhook) []string {
	out := make([]string, len(hooks))
	for i := range hooks {
		out[i] = identity("all", &hooks[i])
	}
	slices.Sort(out)
	return out
}
