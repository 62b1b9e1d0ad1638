package run

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// Cache keeps runs in folders: a file per optimizer and suite, which holds one compressed line of
// JSON for each run. It may be used concurrently, by several processes too: a run is added in one
// write.
type Cache struct {
	dirs  []string // looked in; the first one is written to
	peers string   // written to for peers
	mu    sync.Mutex
	runs  map[cacheKey]*Trajectory
	read  map[string]bool // optimizers whose files were read
}

// cacheKey is all that a run is a function of. The version is the optimizer's.
type cacheKey struct {
	optimizer, version, hash, problem string
	seed                              uint64
	workers                           int
}

// NewCache returns the runs kept in the folders, of which the first takes new ones.
func NewCache(dirs ...string) *Cache {
	return &Cache{dirs: dirs, peers: dirs[0], runs: make(map[cacheKey]*Trajectory), read: make(map[string]bool)}
}

// KeepPeers sets another folder for new runs of peers. "" changes nothing.
func (c *Cache) KeepPeers(dir string) {
	if dir != "" {
		c.peers = dir
		c.dirs = append(c.dirs, dir)
	}
}

// Get returns the run of a task, if it is kept: of the entry's version, or of any where the entry
// cannot be started.
func (c *Cache) Get(e Entry, t Task) (*Trajectory, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.load(e); err != nil {
		return nil, err
	}
	version := e.Version
	if e.Fault != nil {
		version = anyVersion
	}
	tr := c.runs[cacheKey{e.Name, version, t.Hash, t.Problem.Name, t.Seed, t.Workers}]
	if tr == nil {
		return nil, nil
	}
	kept := *tr
	kept.Suite, kept.Cached = t.Suite, true // another suite may hold the same problem
	return &kept, nil
}

// anyVersion keys the newest run of any version.
const anyVersion = "*"

// load reads the files of an optimizer, once.
func (c *Cache) load(e Entry) error {
	if c.read[folder(e)] {
		return nil
	}
	c.read[folder(e)] = true
	for _, dir := range c.dirs {
		files, err := filepath.Glob(filepath.Join(dir, folder(e), "*.jsonl.gz"))
		if err != nil {
			return err
		}
		for _, name := range files {
			if err := c.loadFile(name); err != nil {
				return fmt.Errorf("read kept runs: %s: %w", name, err)
			}
		}
	}
	return nil
}

func (c *Cache) loadFile(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	runs, err := ReadTrajectories(f)
	for _, tr := range runs {
		c.note(tr)
	}
	return err
}

func (c *Cache) note(tr *Trajectory) {
	key := cacheKey{tr.Optimizer, tr.Version, tr.Hash, tr.Problem, tr.Seed, tr.Workers}
	c.runs[key] = tr
	key.version = anyVersion
	c.runs[key] = tr
}

// Put keeps a run.
func (c *Cache) Put(e Entry, tr *Trajectory) error {
	text, err := compress(tr)
	if err != nil {
		return err
	}
	dir := filepath.Join(c.peers, folder(e))
	if e.Ours {
		dir = filepath.Join(c.dirs[0], folder(e))
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.note(tr)
	name := filepath.Join(dir, strings.ReplaceAll(tr.Suite, "/", "-")+".jsonl.gz")
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	return errors.Join(err, f.Close())
}

// folder is where an optimizer's runs are. Each build of ours has its own.
func folder(e Entry) string {
	name := strings.NewReplacer("/", "_", ":", "_").Replace(e.Name)
	if e.Ours {
		return filepath.Join("ours", strings.ReplaceAll(e.Version, " ", "-"), name)
	}
	return name
}

// compress returns a run as one gzip member, of which a file may hold any number.
func compress(tr *Trajectory) ([]byte, error) {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if err := json.NewEncoder(z).Encode(tr); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// ReadTrajectories reads compressed lines of JSON, one run each.
func ReadTrajectories(r io.Reader) ([]*Trajectory, error) {
	z, err := gzip.NewReader(r)
	if errors.Is(err, io.EOF) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	var out []*Trajectory
	for d := json.NewDecoder(z); ; {
		tr := new(Trajectory)
		if err := d.Decode(tr); errors.Is(err, io.EOF) {
			return out, nil
		} else if err != nil {
			return out, err
		}
		out = append(out, tr)
	}
}

// WriteTrajectories writes what ReadTrajectories reads.
func WriteTrajectories(w io.Writer, runs []*Trajectory) error {
	z := gzip.NewWriter(w)
	e := json.NewEncoder(z)
	for _, tr := range runs {
		if err := e.Encode(tr); err != nil {
			return err
		}
	}
	return z.Close()
}

// DefaultCache is the folder for kept runs of this machine.
func DefaultCache() (string, error) {
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find the folder for kept runs: %w", err)
	}
	return filepath.Join(dir, "tuned-hpo", "bench", "runs"), nil
}

// Forget removes the kept runs of ours that other builds made, when none was added since the time
// given in seconds of Unix time.
func (c *Cache) Forget(since int64) error {
	ours := filepath.Join(c.dirs[0], "ours")
	builds, err := os.ReadDir(ours)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, b := range builds {
		info, err := b.Info()
		if err == nil && info.ModTime().Unix() < since {
			err = os.RemoveAll(filepath.Join(ours, b.Name()))
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return err
}
