package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/trialrunner/checkpoint"
	"github.com/tuned-hpo/tuned/pkg/trialrunner/trialdir"
)

// Log implements trialrunner.Runner.
func (r *Runner) Log(ctx context.Context, key experiment.Key, trial string, attempt int, tail int64, follow bool) (io.ReadCloser, error) {
	t := target{trial, attempt}
	if err := checkNames(key, t); err != nil {
		return nil, err
	}
	file, err := r.root.Open(filepath.Join(t.folder(key), trialdir.LogFile))
	if err != nil {
		return nil, fmt.Errorf("open log of %s: %w", trial, err)
	}
	l := &log{ctx: ctx, file: file, ended: func() bool { return true }}
	if w := r.find(key, t); w != nil && follow {
		l.ended = w.gone
	}
	if info, err := file.Stat(); err == nil && tail > 0 {
		l.at = max(0, info.Size()-tail)
	}
	return l, nil
}

// logPace is how often a file that another process writes is looked at for more.
const logPace = 200 * time.Millisecond

// log reads what a command prints, until it has ended.
type log struct {
	ctx   context.Context //nolint:containedctx // that of the reader, which has no other way to end a read
	file  *os.File
	at    int64
	ended func() bool
}

// Read waits for more while there is none. The file gets shorter when its middle is dropped; reading
// goes on at its end then, for what was there is elsewhere now.
func (l *log) Read(p []byte) (int, error) {
	for {
		ended := l.ended() // before the read: what was printed last is in the file then
		n, err := l.file.ReadAt(p, l.at)
		l.at += int64(n)
		if n > 0 {
			return n, nil
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return 0, err
		}
		info, err := l.file.Stat()
		if err != nil {
			return 0, err
		}
		if size := info.Size(); size < l.at {
			l.at = size
		}
		if ended {
			return 0, io.EOF
		}
		select {
		case <-time.After(logPace):
		case <-l.ctx.Done():
			return 0, l.ctx.Err()
		}
	}
}

// Close closes the file.
func (l *log) Close() error { return l.file.Close() }

// Purge implements trialrunner.Runner.
func (r *Runner) Purge(_ context.Context, key experiment.Key) error {
	r.mu.Lock()
	left := len(r.work[key])
	r.mu.Unlock()
	if left > 0 {
		return fmt.Errorf("purge %s: %d workloads are left", key, left)
	}
	if ran := checkNames(key, target{"any", 1}) == nil; !ran {
		return nil // nor can anything run under such a name
	}
	if err := r.purgeElsewhere(key); err != nil {
		return fmt.Errorf("purge %s: %w", key, err)
	}
	if err := checkpoint.Remove(r.root, filepath.Join(key.Namespace, key.Name)); err != nil {
		return fmt.Errorf("purge %s: %w", key, err)
	}
	return nil
}
