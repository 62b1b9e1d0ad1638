package tuner

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"

	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/store"
)

// logPace is how often a trial that runs is asked for its first line.
const logPace = 200 * time.Millisecond

// Log returns what the command of one attempt of a trial printed, the current one for 0; see trialrunner.Runner. With
// follow it waits for a trial that has not begun. The caller closes it. store.ErrNotFound: no such trial, or nothing was printed; a
// client evaluates it.
func (t *Tuner) Log(ctx context.Context, key experiment.Key, trial string, attempt int, tail int64, follow bool) (io.ReadCloser, error) {
	changes, cancel := t.Watch(key)
	defer cancel()
	for {
		log, found, err := t.openLog(ctx, key, trial, attempt, tail, follow)
		if !errors.Is(err, fs.ErrNotExist) {
			return log, err
		}
		if attempt > 0 {
			return nil, fmt.Errorf("attempt %d of trial %s has printed nothing: %w", attempt, found.Name, store.ErrNotFound)
		}
		if !follow || found.State.Final() || t.driver(key) == nil { // nobody starts it
			return nil, noLog(&found)
		}
		var soon <-chan time.Time
		if found.State == experiment.TrialRunning { // what it prints changes nothing that is watched
			soon = time.After(logPace)
		}
		select {
		case <-changes:
		case <-soon:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// noLog says why there is no log of a trial: one that has run had one, if only an empty one.
func noLog(t *experiment.Trial) error {
	if t.State.Final() && !t.Started.IsZero() {
		return fmt.Errorf("the log of trial %s is not in this data directory, for a backup has none: look in the one where the trial ran: %w", t.Name, store.ErrNotFound)
	}
	return fmt.Errorf("trial %s has printed nothing (%s): %w", t.Name, t.State, store.ErrNotFound)
}

// openLog is Log as it stands; fs.ErrNotExist where nothing was printed.
func (t *Tuner) openLog(ctx context.Context, key experiment.Key, trial string, attempt int, tail int64, follow bool) (io.ReadCloser, experiment.Trial, error) {
	e, found, err := t.LookUp(ctx, key, trial)
	if err != nil {
		return nil, found, err
	}
	if e.External() || found.Origin == experiment.Told {
		return nil, found, fmt.Errorf("trial %s was evaluated by a client; no command ran here: %w", found.Name, store.ErrNotFound)
	}
	log, err := t.Runner.Log(ctx, key, found.Name, cmp.Or(attempt, found.Attempt), tail, follow)
	return log, found, err
}
