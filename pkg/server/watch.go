package server

import (
	"context"
	"errors"
	"slices"
	"time"

	"google.golang.org/grpc"

	tunedv1 "github.com/tuned-hpo/tuned/api/tuned/v1"
	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/tuner"
)

// anew is an id that no change has: a feed that begins there says first that changes are missing, and
// where it stands.
const anew = "anew"

// watchAgain is when to try again where there are too many watches.
const watchAgain = 10 * time.Second

// Watch yields what changes. Without a place to go on from it begins with a reset: who lists then and goes
// on reading misses nothing. The watch of one experiment ends at a reset where there is none of that name.
func (u *users) Watch(r *tunedv1.WatchRequest, stream grpc.ServerStreamingServer[tunedv1.WatchResponse]) error {
	defer u.watches.Add(-1)
	if int(u.watches.Add(1)) > u.Limits.Watches {
		return rateLimited(watchAgain)
	}
	ctx, cancel := u.untilClosing(stream.Context())
	defer cancel()
	after := r.GetAfter()
	if after == "" {
		after = anew
	}
	changes, err := u.Tuner.Feed(ctx, after)
	if err != nil {
		return u.failure(ctx, err, scope{})
	}
	w := watcher{users: u, of: experiment.Key{Namespace: r.GetNamespace(), Name: r.GetExperiment()}, send: stream.Send, last: map[experiment.Key]uint64{}}
	err = w.follow(ctx, changes, func(c *tuner.Change) bool {
		return c.Reset || (r.GetNamespace() == "" || r.GetNamespace() == c.Key.Namespace) && (r.GetExperiment() == "" || r.GetExperiment() == c.Key.Name)
	})
	if err == nil {
		err = context.Cause(ctx) // which ends the feed
	}
	return u.ended(stream.Context(), err, scope{key: w.of})
}

// gathering is how long changes are gathered, so that a client gets many of one experiment as one.
const gathering = 50 * time.Millisecond

// watcher turns changes into messages for one client.
type watcher struct {
	*users
	of   experiment.Key // the one that is watched; zero for several
	send func(*tunedv1.WatchResponse) error
	last map[experiment.Key]uint64 // number of the last event that was sent

	gathered []*tuner.Change // at most one of an experiment, the one that changed last at the end
}

// follow sends what the wanted changes are about, until there are no more.
func (w *watcher) follow(ctx context.Context, changes <-chan tuner.Change, wanted func(*tuner.Change) bool) error {
	timer := time.NewTimer(gathering)
	defer timer.Stop()
	for {
		select {
		case c, ok := <-changes:
			if !ok {
				return nil
			}
			if !wanted(&c) {
				continue
			}
			if len(w.gathered) == 0 {
				timer.Reset(gathering)
			}
			w.gather(&c)
			if !c.Reset && !c.Deleted {
				continue
			}
		case <-timer.C:
		}
		if err := w.tell(ctx); err != nil {
			return err
		}
	}
}

// gather adds a change to what was gathered.
func (w *watcher) gather(c *tuner.Change) {
	i := slices.IndexFunc(w.gathered, func(g *tuner.Change) bool { return g.Key == c.Key })
	if i < 0 || c.Reset || c.Deleted {
		w.gathered = append(w.gathered, c)
		return
	}
	g := w.gathered[i]
	for _, number := range c.Trials {
		if !slices.Contains(g.Trials, number) {
			g.Trials = append(g.Trials[:len(g.Trials):len(g.Trials)], number)
		}
	}
	if g.Events == 0 {
		g.Event = c.Event
	}
	g.Experiment, g.Events = g.Experiment || c.Experiment, g.Events+c.Events
	w.gathered = append(slices.Delete(w.gathered, i, i+1), g) // so that the last one has the last ID
	g.ID = c.ID
}

// tell sends what was gathered. Only the last message has an id, so that a client that goes on after it
// has seen all of them.
func (w *watcher) tell(ctx context.Context) error {
	var all []*tunedv1.WatchResponse
	id := ""
	for _, c := range w.gathered {
		messages, err := w.messages(ctx, c)
		if err != nil {
			return err
		}
		all, id = append(all, messages...), c.ID
	}
	w.gathered = nil
	for i, m := range all {
		if i == len(all)-1 {
			m.Id = id
		}
		if err := w.send(m); err != nil {
			return err
		}
	}
	return nil
}

func (w *watcher) messages(ctx context.Context, c *tuner.Change) ([]*tunedv1.WatchResponse, error) {
	switch {
	case c.Reset:
		clear(w.last) // of experiments that may be gone
		if w.of.Name != "" {
			if _, err := w.Tuner.Experiment(ctx, w.of); err != nil {
				return nil, err
			}
		}
		return []*tunedv1.WatchResponse{{Change: &tunedv1.WatchResponse_Reset_{Reset_: true}}}, nil
	case c.Deleted:
		delete(w.last, c.Key)
		return []*tunedv1.WatchResponse{{Change: &tunedv1.WatchResponse_Deleted{Deleted: &tunedv1.Experiment{
			Namespace: c.Key.Namespace, Name: c.Key.Name, Uid: c.UID,
		}}}}, nil
	}
	out, err := w.standing(ctx, c)
	if errors.Is(err, tuner.ErrNotFound) {
		return nil, nil // deleted since: that comes, too
	}
	if err != nil || c.Events == 0 {
		return out, err
	}
	events, err := w.events(ctx, c)
	if errors.Is(err, tuner.ErrNotFound) {
		return nil, nil
	}
	return append(out, events...), err
}

// standing returns the experiment and the trials of a change as they are now.
func (w *watcher) standing(ctx context.Context, c *tuner.Change) ([]*tunedv1.WatchResponse, error) {
	var s tuner.Snapshot
	var trials []experiment.Trial
	err := w.Tuner.Inspect(ctx, c.Key, func(is *tuner.Snapshot) error {
		s = *is
		for _, number := range c.Trials {
			if number <= uint64(len(s.Trials)) {
				trials = append(trials, s.Trials[number-1])
			}
		}
		s.Trials = nil
		return nil
	})
	if err != nil {
		return nil, err
	}
	var out []*tunedv1.WatchResponse
	for i := range trials {
		out = append(out, &tunedv1.WatchResponse{Change: &tunedv1.WatchResponse_Trial{Trial: trialMessage(s.Experiment, &trials[i])}})
	}
	if c.Experiment || len(trials) > 0 { // its counts and its best follow from the trials
		out = append(out, &tunedv1.WatchResponse{Change: &tunedv1.WatchResponse_Experiment{Experiment: standingMessage(&s)}})
	}
	return out, nil
}

// events returns the events of a change, and those since, that were not sent yet.
func (w *watcher) events(ctx context.Context, c *tuner.Change) ([]*tunedv1.WatchResponse, error) {
	from, known := w.last[c.Key]
	if !known {
		from = c.Event - 1
	}
	events, err := w.Tuner.Events(ctx, c.Key, from)
	if err != nil {
		return nil, err
	}
	w.last[c.Key] = from + uint64(len(events))
	var out []*tunedv1.WatchResponse
	for i := range events {
		out = append(out, &tunedv1.WatchResponse{Change: &tunedv1.WatchResponse_Event{Event: eventMessage(from+uint64(i)+1, &events[i])}})
	}
	return out, nil
}
