package fidelity

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/tuned-hpo/tuned/bench/run"
)

// Queue is studies to be done: each entry on each task.
type Queue struct {
	Tasks    []run.Task
	Entries  []run.Entry
	Kept     string // folder of the studies that peers did earlier
	Workers  int    // studies at a time
	Progress func(done, total int, entry string)
}

// Done is what one entry did.
type Done struct {
	Entry   run.Entry
	Studies []*Study // in the order of tasks; nil where it failed
	Fault   error    // of the last study that failed
}

// work is the state of a running Queue, shared by its workers.
type work struct {
	*Queue
	mu   sync.Mutex
	next int
	done int
	out  []Done
}

// Run does all studies. The error is of the bench itself.
func (q *Queue) Run(ctx context.Context) ([]Done, error) {
	w := &work{Queue: q}
	for _, e := range q.Entries {
		w.out = append(w.out, Done{Entry: e, Studies: make([]*Study, len(q.Tasks)), Fault: e.Fault})
	}
	var group sync.WaitGroup
	errs := make([]error, q.Workers)
	for k := range q.Workers {
		group.Go(func() { errs[k] = w.worker(ctx) })
	}
	group.Wait()
	return w.out, errors.Join(errors.Join(errs...), ctx.Err())
}

// worker does one study after the other. A trainer that has failed is started anew.
func (w *work) worker(ctx context.Context) (err error) {
	open := make([]run.Trainer, len(w.Entries))
	defer func() {
		for _, t := range open {
			if t != nil {
				err = errors.Join(err, t.Close())
			}
		}
	}()
	for ctx.Err() == nil {
		w.mu.Lock()
		k := w.next
		w.next++
		w.mu.Unlock()
		if k >= len(w.Tasks)*len(w.Entries) {
			return nil
		}
		task, entry := k/len(w.Entries), k%len(w.Entries)
		s, fault := w.study(w.Entries[entry], w.Tasks[task], &open[entry])
		w.mu.Lock()
		w.done++
		if w.out[entry].Studies[task] = s; fault != nil {
			w.out[entry].Fault = fault
		}
		w.Progress(w.done, len(w.Tasks)*len(w.Entries), w.Entries[entry].Name)
		w.mu.Unlock()
	}
	return nil
}

// study finds a study among those that are kept, or does it.
func (w *work) study(e run.Entry, t run.Task, trainer *run.Trainer) (*Study, error) {
	file := w.file(e, t)
	if s, err := read(file); err == nil || !errors.Is(err, fs.ErrNotExist) {
		return s, err
	}
	if e.Fault != nil {
		return nil, e.Fault
	}
	if *trainer == nil {
		var err error
		if *trainer, err = e.Train(); err != nil {
			*trainer = nil
			return nil, err
		}
	}
	s, err := Do(*trainer, t)
	if err != nil {
		err = errors.Join(fmt.Errorf("%s, seed %d: %w", t.Problem.Name, t.Seed, err), (*trainer).Close())
		*trainer = nil
		return nil, err
	}
	return s, s.keep(file)
}

// file is where a study is kept; "" for those of ours, which change with the program.
func (w *work) file(e run.Entry, t run.Task) string {
	if e.Ours {
		return ""
	}
	key := sha256.Sum256(fmt.Appendf(nil, "%s %s %s %d %d", e.Name, e.Version, t.Hash, t.Seed, t.Workers))
	return filepath.Join(w.Kept, strings.ReplaceAll(e.Name, "/", "_"), hex.EncodeToString(key[:8])+".json")
}

func read(file string) (*Study, error) {
	if file == "" {
		return nil, fs.ErrNotExist
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	s := new(Study)
	if err := json.Unmarshal(text, s); err != nil {
		return nil, fmt.Errorf("read %s: %w", file, err)
	}
	return s, nil
}

// keep writes the study beside its file, and puts it in place whole.
func (s *Study) keep(file string) error {
	if file == "" {
		return nil
	}
	text, err := json.Marshal(s)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(file+".new", text, 0o644); err != nil {
		return err
	}
	return os.Rename(file+".new", file)
}
