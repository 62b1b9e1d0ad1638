// Package local runs trials as processes of this machine, each under a trial agent that lives on
// when the daemon dies and is adopted by the next one.
package local

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/tuned-hpo/tuned/internal/failpoint"
	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/trialrunner"
	"github.com/tuned-hpo/tuned/pkg/trialrunner/trialdir"
)

// Config says where and how trials run.
type Config struct {
	// Dir holds a folder for each attempt: <namespace>/<experiment>/<trial>/<attempt>, and beside these
	// the trial's checkpoint directory. It is made if need be. One runner at a time may use it.
	Dir string
	// Agent is the path of the trial-agent program.
	Agent string
	// Address is where agents reach the daemon: host:port, or unix:PATH with an absolute path, which
	// may be longer than what the kernel takes for a socket.
	Address string
	// Secret is the key of the tokens that prove an agent's right to report.
	Secret []byte
	// CPUs is the number of CPU slots; 0 means that there is no limit.
	CPUs int
	// GPUs is the number of GPU slots.
	GPUs int
	// GPUIDs are what CUDA_VISIBLE_DEVICES calls the GPUs; nil means 0, 1, ...
	GPUIDs []string
	// Env is the environment of the commands, NAME=VALUE; nil means that of this process.
	Env []string
	// LogBytes is how much is kept of the beginning and of the end of what a command prints, each;
	// 0 means 1 MiB.
	LogBytes int64
	// Now reads the clock. It is required.
	Now func() time.Time
	Log zerolog.Logger
}

// active is the folder of links to the attempts that were not removed. No namespace has its name.
const active = ".active"

// Runner implements trialrunner.Runner.
type Runner struct {
	Config
	root    *os.Root
	changes *changes
	done    chan struct{} // closed by Close; it ends nothing but the runner's own goroutines
	group   sync.WaitGroup

	mu       sync.Mutex
	work     map[experiment.Key]map[target]*workload // all that were started and not removed
	waiting  map[experiment.Key]turn                 // those that met ErrBusy
	turns    uint64                                  // how many ever waited
	watching bool                                    // the goroutine for adopted workloads runs
}

// New opens the folder and adopts the workloads that it finds there.
func New(c Config) (*Runner, error) {
	if c.Env == nil {
		c.Env = os.Environ()
	}
	if c.GPUIDs == nil {
		for i := range c.GPUs {
			c.GPUIDs = append(c.GPUIDs, strconv.Itoa(i))
		}
	}
	if len(c.GPUIDs) != c.GPUs {
		return nil, fmt.Errorf("open local runner: %d GPUs, but %d ids", c.GPUs, len(c.GPUIDs))
	}
	var err error
	if c.Dir, err = filepath.Abs(c.Dir); err != nil {
		return nil, fmt.Errorf("open local runner: %w", err)
	}
	if err := os.MkdirAll(filepath.Join(c.Dir, active), 0o700); err != nil {
		return nil, fmt.Errorf("open local runner: %w", err)
	}
	r := &Runner{
		Config: c, changes: newChanges(), work: map[experiment.Key]map[target]*workload{},
		waiting: map[experiment.Key]turn{}, done: make(chan struct{}),
	}
	if err := becomeReaper(); err != nil {
		return nil, fmt.Errorf("open local runner: %w", err)
	}
	if r.root, err = os.OpenRoot(c.Dir); err != nil {
		return nil, fmt.Errorf("open local runner: %w", err)
	}
	if err := r.adoptAll(); err != nil {
		return nil, errors.Join(fmt.Errorf("open local runner: %w", err), r.Close())
	}
	r.group.Go(func() { r.changes.announce(r.done) })
	return r, nil
}

// Close ends the runner's own goroutines. Workloads go on, and their agents too.
func (r *Runner) Close() error {
	r.mu.Lock() // nothing joins the group once done is closed
	if !r.closed() {
		close(r.done)
	}
	r.mu.Unlock()
	r.group.Wait()
	return r.root.Close()
}

func (r *Runner) closed() bool {
	select {
	case <-r.done:
		return true
	default:
		return false
	}
}

// Changed yields the key of an experiment to look at.
func (r *Runner) Changed() <-chan experiment.Key { return r.changes.out }

// LogPath returns the path of what a trial's command has printed.
func (r *Runner) LogPath(key experiment.Key, trial string, attempt int) string {
	return filepath.Join(r.Dir, target{trial, attempt}.folder(key), trialdir.LogFile)
}

// List returns the workloads of an experiment, in the order of their names.
func (r *Runner) List(_ context.Context, key experiment.Key) ([]trialrunner.Workload, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := make([]trialrunner.Workload, 0, len(r.work[key]))
	for t, w := range r.work[key] {
		e := w.exit
		list = append(list, trialrunner.Workload{
			Trial: t.trial, Attempt: t.attempt, Phase: w.phase,
			Started: e.Started, Finished: e.Finished, LastSeq: e.LastSeq, Retries: w.retries,
			Exit: trialrunner.Exit{Code: e.Code, Signal: e.Signal, Reason: e.Reason, Message: e.Message, Near: e.Near},
		})
	}
	slices.SortFunc(list, func(a, b trialrunner.Workload) int {
		if c := strings.Compare(a.Trial, b.Trial); c != 0 {
			return c
		}
		return a.Attempt - b.Attempt
	})
	return list, nil
}

// Leftover returns what lies in the workload's spool after a number. A damaged spool is read up to the
// damage; that is logged, and is no error, for it would never pass. What is missing then shows in
// comparison with Workload.LastSeq.
func (r *Runner) Leftover(_ context.Context, key experiment.Key, trial string, attempt int, after uint64) ([]experiment.Measurement, error) {
	w := r.find(key, target{trial, attempt})
	if w == nil {
		return nil, nil
	}
	root, err := r.root.OpenRoot(w.folder(key))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil // deleted with all that was collected
	}
	if err != nil {
		return nil, fmt.Errorf("collect leftover of %s: %w", trial, err)
	}
	defer root.Close()
	left, err := trialdir.ReadSpool(root, after)
	if errors.Is(err, trialdir.ErrDamaged) {
		r.Config.Log.Warn().Err(err).Str("path", filepath.Join(root.Name(), trialdir.SpoolFile)).Msg("measurements of a trial are damaged")
	} else if err != nil {
		return nil, fmt.Errorf("collect leftover of %s: %w", trial, err)
	}
	out := make([]experiment.Measurement, len(left))
	for i, m := range left {
		out[i] = experiment.Measurement{
			Seq: m.Seq, Time: m.Time, Step: m.Step, Metric: m.Metric,
			Text: m.Text, Value: experiment.ParseValue(m.Text),
		}
	}
	return out, nil
}

// Remove deletes what is known of an ended workload but for what it printed, its parameters and
// how it ended, and a checkpoint directory that has something in it. A workload that runs is not
// removed: that is an error.
func (r *Runner) Remove(_ context.Context, key experiment.Key, trial string, attempt int) error {
	t := target{trial, attempt}
	w := r.find(key, t)
	if w == nil {
		return nil
	}
	if !w.gone() {
		return fmt.Errorf("remove %s: attempt %d still runs", trial, attempt)
	}
	for _, name := range []string{trialdir.SpecFile, trialdir.SpoolFile, trialdir.ReportFile, trialdir.AgentFile, trialdir.ProcessesFile, trialdir.LockFile} {
		if err := r.root.Remove(filepath.Join(t.folder(key), name)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("remove %s: %w", trial, err)
		}
	}
	failpoint.Hit("local.removed")
	if err := r.removeEmpty(key, trial); err != nil {
		return fmt.Errorf("remove %s: %w", trial, err)
	}
	if err := r.root.Remove(filepath.Join(active, t.link(key))); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove %s: %w", trial, err)
	}
	r.forget(w)
	return nil
}

func (r *Runner) find(key experiment.Key, t target) *workload {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.work[key][t]
}

// forget takes a workload off the list. Its slots become free.
func (r *Runner) forget(w *workload) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.work[w.key], w.target)
	if len(r.work[w.key]) == 0 {
		delete(r.work, w.key)
	}
	r.wake()
}

// target names one attempt of one trial.
type target struct {
	trial   string
	attempt int
}

// folder is the attempt's folder below Dir.
func (t target) folder(key experiment.Key) string {
	return filepath.Join(key.Namespace, key.Name, t.trial, strconv.Itoa(t.attempt))
}

// link is the name of the attempt's link in the folder of active ones.
func (t target) link(key experiment.Key) string {
	return fmt.Sprintf("%s,%s,%d", key.Namespace, t.trial, t.attempt)
}

// parseFolder undoes folder.
func parseFolder(path string) (key experiment.Key, t target, err error) {
	part := strings.Split(path, "/")
	if len(part) != 4 {
		return key, t, fmt.Errorf("%q is not the folder of an attempt", path)
	}
	key = experiment.Key{Namespace: part[0], Name: part[1]}
	t.trial = part[2]
	if t.attempt, err = strconv.Atoi(part[3]); err != nil {
		return key, t, fmt.Errorf("%q is not the folder of an attempt", path)
	}
	return key, t, checkNames(key, t)
}

// goodName matches names that are safe in a path, and leave the comma to links.
var goodName = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._-]{0,251}[A-Za-z0-9])?$`)

func checkNames(key experiment.Key, t target) error {
	for _, name := range []struct{ of, is string }{
		{"namespace", key.Namespace}, {"experiment", key.Name}, {"trial", t.trial},
	} {
		if !goodName.MatchString(name.is) {
			return fmt.Errorf("%s name %q: want letters, digits, \"-\", \"_\" and \".\", a letter or digit at both ends: %w",
				name.of, name.is, trialrunner.ErrUnsupported)
		}
	}
	if len(t.link(key)) > 255 { // NAME_MAX of Linux
		return fmt.Errorf("trial name %q: too long: %w", t.trial, trialrunner.ErrUnsupported)
	}
	if t.attempt < 1 {
		return fmt.Errorf("attempt %d: want 1 or more: %w", t.attempt, trialrunner.ErrUnsupported)
	}
	return nil
}

// sleep waits, and reports false when the runner was closed meanwhile.
func (r *Runner) sleep(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-r.done:
		return false
	}
}
