package webhook

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tuned-hpo/tuned/internal/failpoint"
)

// positions are how far each webhook is, in a file per experiment. A file that was lost or damaged makes
// events be told once more, and never makes one be left out.
type positions struct {
	dir string

	mu    sync.Mutex
	hooks map[string]time.Time           // those of the daemon's configuration, and when each was first there
	byUID map[string]map[string]position // those that were looked up, by experiment and webhook
}

// position is how far a webhook of an experiment is.
type position struct {
	Seen    uint64 `json:"seen"`              // see stream.seen
	Refused bool   `json:"refused,omitempty"` // it is an event of the experiment that it refuses messages
}

// hooksFile holds since when each webhook of the daemon's configuration is there.
const hooksFile = "hooks.json"

// openPositions reads the folder, and notes which webhooks of the configuration are new.
func openPositions(dir string, ids []string, now time.Time) (*positions, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	p := &positions{dir: dir, byUID: map[string]map[string]position{}}
	was := map[string]time.Time{}
	intact, err := p.read(hooksFile, &was)
	if err != nil {
		return nil, err
	}
	if !intact {
		now = time.Time{} // they may have been there for ever
	}
	p.hooks = map[string]time.Time{}
	for _, id := range ids {
		p.hooks[id] = now
		if since, ok := was[id]; ok {
			p.hooks[id] = since
		}
	}
	if maps.EqualFunc(was, p.hooks, time.Time.Equal) {
		return p, nil
	}
	return p, p.write(hooksFile, p.hooks)
}

// since returns when a webhook of the configuration was first there.
func (p *positions) since(id string) time.Time { return p.hooks[id] }

// file names the file of an experiment.
func file(uid string) string { return hex.EncodeToString([]byte(uid)) + ".json" }

// get returns how far a webhook of an experiment is.
func (p *positions) get(uid, id string) (position, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	of, err := p.of(uid)
	return of[id], err
}

// of returns how far the webhooks of an experiment are; p.mu is held.
func (p *positions) of(uid string) (map[string]position, error) {
	if of := p.byUID[uid]; of != nil {
		return of, nil
	}
	of := map[string]position{}
	if _, err := p.read(file(uid), &of); err != nil {
		return nil, err
	}
	p.byUID[uid] = of
	return of, nil
}

// set makes durable how far a webhook of an experiment is.
func (p *positions) set(uid, id string, at position) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	of, err := p.of(uid)
	if err != nil {
		return err
	}
	of[id] = at
	return p.write(file(uid), of)
}

// drop forgets an experiment that is deleted. A file that cannot be removed is swept up later.
func (p *positions) drop(uid string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.byUID, uid)
	_ = os.Remove(filepath.Join(p.dir, file(uid)))
}

// sweep removes the files of experiments that are gone.
func (p *positions) sweep(stored map[string]bool) error {
	entries, err := os.ReadDir(p.dir)
	if err != nil {
		return err
	}
	var files []string
	for uid := range stored {
		files = append(files, file(uid))
	}
	slices.Sort(files)
	for _, e := range entries {
		if _, keep := slices.BinarySearch(files, e.Name()); keep || e.Name() == hooksFile || !strings.HasSuffix(e.Name(), ".json") {
			continue
		}
		if err := os.Remove(filepath.Join(p.dir, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

// read reads a file. One that is not there is intact, and empty.
func (p *positions) read(name string, into any) (intact bool, err error) {
	text, err := os.ReadFile(filepath.Join(p.dir, name))
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	return json.Unmarshal(text, into) == nil, nil
}

// write replaces a file as a whole.
func (p *positions) write(name string, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if err := failpoint.Err("webhook.write"); err != nil {
		return err
	}
	temporary := filepath.Join(p.dir, name+".new")
	f, err := os.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("write %s: %w", temporary, err)
	}
	failpoint.Hit("webhook.written")
	if err := os.Rename(temporary, filepath.Join(p.dir, name)); err != nil {
		return err
	}
	failpoint.Hit("webhook.noted")
	return nil
}
