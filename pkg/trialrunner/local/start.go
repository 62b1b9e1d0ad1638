package local

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tuned-hpo/tuned/internal/failpoint"
	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/trialrunner"
	"github.com/tuned-hpo/tuned/pkg/trialrunner/trialdir"
)

const (
	// DefaultGrace is the time between TERM and KILL of a trial that sets none.
	DefaultGrace = 10 * time.Second
	// agentMargin is how much longer than the grace an agent may take to end its command.
	agentMargin = 30 * time.Second
)

// Start starts an agent for a workload that was not started before. An attempt that has been
// removed is never started again; that is an error, because it can have no result any more.
func (r *Runner) Start(_ context.Context, spec trialrunner.Spec) error {
	t := target{spec.Trial, spec.Attempt}
	if err := checkNames(spec.Experiment, t); err != nil {
		return err
	}
	if r.find(spec.Experiment, t) != nil {
		return nil
	}
	process, err := Resolve(spec)
	if err != nil {
		return err
	}
	w, err := r.reserve(spec, process)
	if w == nil {
		return err
	}
	if err = r.noteFolder(spec); err == nil {
		err = r.launch(w, r.describe(spec, process, w))
	}
	if err != nil {
		r.forget(w)
		return fmt.Errorf("start attempt %d of %s: %w", t.attempt, t.trial, err)
	}
	return nil
}

// reserve takes the slots of a workload and puts it on the list. It returns nil when it is there.
// The file that measurements are read from is a slot too: of two trials that write to the same one,
// nobody can tell whose a measurement is.
func (r *Runner) reserve(spec trialrunner.Spec, p Process) (*workload, error) {
	w := newWorkload(spec.Experiment, target{spec.Trial, spec.Attempt})
	w.cpus, w.grace, w.retries = spec.Limits.CPUs, cmp.Or(spec.Limits.Grace, DefaultGrace), p.Retries
	w.file = p.Collector.Path
	if r.CPUs > 0 && w.cpus > r.CPUs {
		return nil, fmt.Errorf("spec.tuned.cpus: a trial wants %d CPU slots, this machine has %d: %w", w.cpus, r.CPUs, trialrunner.ErrUnsupported)
	}
	if spec.Limits.GPUs > r.GPUs {
		return nil, fmt.Errorf("spec.tuned.gpus: a trial wants %d GPU slots, this machine has %d: %w", spec.Limits.GPUs, r.GPUs, trialrunner.ErrUnsupported)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.work[w.key][w.target] != nil {
		return nil, nil
	}
	if other := r.user(w.file); other != nil {
		r.wait(w.key, room{}) // for the file; slots would be of no use
		return nil, fmt.Errorf("start %s: trial %s writes its metrics to %s too: %w", w.trial, other.trial, w.file, trialrunner.ErrBusy)
	}
	want := room{cpus: w.cpus, gpus: spec.Limits.GPUs}
	if !r.admits(w.key, want) {
		r.wait(w.key, want)
		return nil, fmt.Errorf("start %s: %w", w.trial, trialrunner.ErrBusy)
	}
	_, free := r.free()
	w.gpus = free[:want.gpus]
	r.insert(w)
	delete(r.waiting, w.key)
	r.wake()
	return w, nil
}

// free returns the CPU slots and the GPUs that nobody has; r.mu is held.
func (r *Runner) free() (cpus int, gpus []string) {
	cpus, gpus = r.CPUs, slices.Clone(r.GPUIDs)
	for _, of := range r.work {
		for _, w := range of {
			cpus -= w.cpus
			gpus = slices.DeleteFunc(gpus, func(id string) bool { return slices.Contains(w.gpus, id) })
		}
	}
	return cpus, gpus
}

// user returns the workload whose measurements are read from the file, nil if there is none; r.mu is
// held.
func (r *Runner) user(file string) *workload {
	for _, of := range r.work {
		for _, w := range of {
			if file != "" && w.file == file {
				return w
			}
		}
	}
	return nil
}

// describe writes down what the agent must know.
func (r *Runner) describe(spec trialrunner.Spec, p Process, w *workload) *trialdir.Spec {
	c := r.checkpoint(spec)
	p.Command = mount(spec.Checkpoint.Path).rewrite(p.Command, c.Dir)
	p.Command.Env = append(slices.Clone(r.Env), p.Command.Env...)
	if c := p.Collector.Command; c != nil {
		c.Env = append(slices.Clone(r.Env), c.Env...)
	}
	out := &trialdir.Spec{
		Namespace: spec.Experiment.Namespace, Experiment: spec.Experiment.Name, UID: spec.UID,
		Trial: spec.Trial, Attempt: spec.Attempt, Address: r.Address,
		Token:   trialrunner.Token(r.Secret, spec.Experiment, spec.UID, spec.Trial, spec.Attempt),
		Command: p.Command, Collector: p.Collector, Metrics: metrics(spec), Checkpoint: c,
		Wall: sooner(spec.Limits.Wall, p.Deadline), Progress: spec.Limits.Progress, Grace: w.grace,
		LogBytes: r.LogBytes, CPUs: w.cpus, GPUs: w.gpus, Retries: p.Retries,
	}
	for _, pair := range spec.Assignment {
		out.Parameters = append(out.Parameters, trialdir.Parameter{Name: pair.Name, Value: pair.Value})
	}
	return out
}

// metrics returns the names of the metrics, the objective first.
func metrics(spec trialrunner.Spec) []string {
	names := []string{spec.Objective}
	for _, name := range spec.Metrics {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// launch prepares the folder and starts the agent.
func (r *Runner) launch(w *workload, spec *trialdir.Spec) error {
	folder := w.folder(w.key)
	if err := r.root.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	root, err := r.root.OpenRoot(folder)
	if err != nil {
		return err
	}
	defer root.Close()
	failpoint.Hit("local.folder")
	if ended, err := trialdir.Exists(root, trialdir.ExitFile); ended || err != nil {
		return cmp.Or(err, errors.New("it was started and removed before"))
	}
	if err := trialdir.Write(root, trialdir.SpecFile, spec, false); err != nil {
		return err
	}
	if err := failpoint.Err("local.spec"); err != nil {
		return err
	}
	link := filepath.Join(active, w.link(w.key))
	if err := r.root.Symlink(filepath.Join("..", folder), link); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	failpoint.Hit("local.link")
	return r.spawn(w, root)
}

// spawn starts the agent of a folder that holds all it needs.
func (r *Runner) spawn(w *workload, root *os.Root) error {
	log, err := root.OpenFile(trialdir.AgentLog, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	//nolint:noctx // the agent outlives whatever context there is
	agent := exec.Command(r.Agent, "--dir", filepath.Join(r.Dir, w.folder(w.key)))
	agent.Dir = "/" // it holds no folder that somebody wants to unmount
	agent.Stdout, agent.Stderr = log, log
	agent.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := failpoint.Err("local.fork"); err != nil {
		return err
	}
	if err := startAgent(agent); err != nil {
		return err
	}
	failpoint.Hit("local.forked")
	r.began(w, agent)
	return nil
}

// began takes note of a running agent.
func (r *Runner) began(w *workload, agent *exec.Cmd) {
	r.mu.Lock()
	w.agent, w.exit.Started = agent.Process, r.Now().UTC()
	stopping := w.stopping
	r.mu.Unlock()
	// Not one of the runner's own goroutines: it ends with the agent, which outlives the runner.
	go r.attend(w, agent)
	if stopping {
		_ = agent.Process.Signal(unix.SIGTERM) // a process that has ended already is as good
	}
}

// Stop tells the workload's agent to end it, and ends the agent if it does not.
func (r *Runner) Stop(_ context.Context, key experiment.Key, trial string, attempt int) error {
	w := r.find(key, target{trial, attempt})
	if w == nil || w.gone() {
		return nil
	}
	r.mu.Lock()
	w.stopping = true
	if w.deadline == nil {
		w.deadline = time.AfterFunc(w.grace+agentMargin, func() { r.signalLogged(w, unix.SIGKILL) })
	}
	r.mu.Unlock()
	failpoint.Hit("local.stop")
	if err := r.signal(w, unix.SIGTERM); err != nil {
		return fmt.Errorf("stop %s: %w", trial, err)
	}
	return nil
}

func (r *Runner) signalLogged(w *workload, signal unix.Signal) {
	r.Config.Log.Warn().Str("trial", w.trial).Int("attempt", w.attempt).Msg("the agent did not stop its trial in time and is killed")
	if err := r.signal(w, signal); err != nil {
		r.Config.Log.Error().Err(err).Str("trial", w.trial).Msg("kill agent")
	}
}

// signal sends a signal to a workload's agent. One that is gone is no error.
func (r *Runner) signal(w *workload, signal unix.Signal) error {
	r.mu.Lock()
	agent, adopted := w.agent, w.adopted
	r.mu.Unlock()
	if !adopted {
		if agent == nil {
			return nil // it starts just now, and will see that it is to stop
		}
		if err := agent.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
			return err
		}
		return nil
	}
	root, err := r.root.OpenRoot(w.folder(w.key))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer root.Close()
	var p trialdir.Process
	if err := trialdir.Read(root, trialdir.AgentFile, &p); err != nil {
		return err
	}
	return p.Signal(signal)
}
