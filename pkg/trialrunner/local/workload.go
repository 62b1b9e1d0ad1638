package local

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tuned-hpo/tuned/internal/failpoint"
	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/trialrunner"
	"github.com/tuned-hpo/tuned/pkg/trialrunner/trialdir"
)

// adoptedTick is how often adopted agents are looked at, which are not our children.
const adoptedTick = 200 * time.Millisecond

// workload is one attempt that was started and not removed. Runner.mu guards what changes.
type workload struct {
	key experiment.Key
	target
	cpus  int
	gpus  []string
	file  string // that measurements are read from; "" without
	grace time.Duration

	retries int // see trialrunner.Workload

	phase    trialrunner.Phase
	exit     trialdir.Exit // once it has ended; before, Started alone
	agent    *os.Process   // the agent, when it is our child; nil while it starts, and when adopted
	adopted  bool
	stopping bool
	deadline *time.Timer   // of an agent that was told to stop
	ended    chan struct{} // closed when it is known how it ended
}

func newWorkload(key experiment.Key, t target) *workload {
	return &workload{key: key, target: t, phase: trialrunner.Running, ended: make(chan struct{})}
}

// gone reports whether the workload has ended.
func (w *workload) gone() bool {
	select {
	case <-w.ended:
		return true
	default:
		return false
	}
}

// adoptAll finds the workloads of an earlier life of the daemon.
func (r *Runner) adoptAll() error {
	folder, err := r.root.Open(active)
	if err != nil {
		return err
	}
	defer folder.Close()
	names, err := folder.Readdirnames(-1)
	if err != nil {
		return err
	}
	for _, name := range names {
		failpoint.Hit("local.adopt")
		if err := r.adopt(filepath.Join(active, name)); err != nil {
			r.Config.Log.Warn().Err(err).Str("link", name).Msg("workload left alone")
		}
	}
	return nil
}

// adopt takes over the workload that a link points to. When its agent has not come up, one is
// started again: the first may never have been, or may be about to come up, and only one of them
// runs the command.
func (r *Runner) adopt(link string) error {
	path, err := r.root.Readlink(link)
	if err != nil {
		return err
	}
	key, t, err := parseFolder(strings.TrimPrefix(path, "../"))
	if err != nil {
		return err
	}
	root, err := r.root.OpenRoot(t.folder(key))
	if err != nil {
		return err
	}
	defer root.Close()
	w := newWorkload(key, t)
	phase, exit, err := r.examine(root, false)
	if err != nil {
		return err
	}
	if err := w.restore(root, phase == trialrunner.Exited || phase == trialrunner.Lost); err != nil {
		return err
	}
	r.mu.Lock()
	r.insert(w)
	r.mu.Unlock()
	switch phase {
	case 0:
		if err := r.spawn(w, root); err != nil {
			r.forget(w)
			return fmt.Errorf("start agent of %s again: %w", t.trial, err)
		}
	case trialrunner.Running:
		r.watchAdopted(w)
	default:
		r.end(w, phase, exit)
	}
	return nil
}

// restore takes from its folder what is known of a workload beside its state. One that has ended takes no slots,
// and what it was told may have been removed.
func (w *workload) restore(root *os.Root, ended bool) error {
	var spec trialdir.Spec
	if err := trialdir.Read(root, trialdir.SpecFile, &spec); err != nil && !ended {
		return err
	}
	w.grace, w.retries = spec.Grace, spec.Retries
	if !ended {
		w.cpus, w.gpus, w.file = spec.CPUs, spec.GPUs, spec.Collector.Path
	}
	return nil
}

// insert puts a workload on the list; r.mu is held.
func (r *Runner) insert(w *workload) {
	if r.work[w.key] == nil {
		r.work[w.key] = map[target]*workload{}
	}
	r.work[w.key][w.target] = w
}

// examine says from its folder where a workload stands. The phase is 0 when the command was never
// about to be started. What a dead agent left running is killed; when that was told to stop, its
// death is how it stopped.
func (r *Runner) examine(root *os.Root, stopping bool) (trialrunner.Phase, trialdir.Exit, error) {
	// The order matters: an agent that dies between the first look and the second one may have left
	// its result meanwhile.
	locked, err := trialdir.Locked(root)
	if err != nil {
		return 0, trialdir.Exit{}, err
	}
	if locked {
		return trialrunner.Running, trialdir.Exit{}, nil
	}
	var exit trialdir.Exit
	err = trialdir.Read(root, trialdir.ExitFile, &exit)
	if err == nil {
		if exit.Reason == trialdir.ReasonLost {
			return trialrunner.Lost, exit, nil
		}
		return trialrunner.Exited, exit, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return 0, exit, err
	}
	begun, err := trialdir.Exists(root, trialdir.AgentFile)
	if err != nil || !begun {
		return 0, exit, err
	}
	return r.bury(root, stopping)
}

// bury ends what an agent that died has left.
func (r *Runner) bury(root *os.Root, stopping bool) (trialrunner.Phase, trialdir.Exit, error) {
	exit := trialdir.Exit{
		Code: -1, Reason: trialdir.ReasonLost, Finished: r.Now().UTC(),
		Message: "the trial-agent died while the command ran: it was killed, or the machine was restarted",
	}
	if err := killLeft(root); err != nil {
		return 0, exit, err
	}
	var err error
	if exit.LastSeq, err = trialdir.LastNumber(root); err != nil {
		return 0, exit, err
	}
	phase := trialrunner.Lost
	if stopping {
		phase = trialrunner.Exited
		exit.Reason, exit.Signal = trialdir.ReasonStopped, unix.SIGKILL.String()
		exit.Message = "the command and its agent did not stop in time and were killed"
	}
	return phase, exit, trialdir.Write(root, trialdir.ExitFile, exit, true)
}

// killLeft kills the processes that a dead agent has left; after a restart of the machine there
// can be none.
func killLeft(root *os.Root) error {
	var agent trialdir.Process
	if err := trialdir.Read(root, trialdir.AgentFile, &agent); err != nil {
		return err
	}
	if same, err := agent.ThisBoot(); err != nil || !same {
		return err
	}
	var spec trialdir.Spec
	if err := trialdir.Read(root, trialdir.SpecFile, &spec); err != nil {
		return err
	}
	return trialdir.KillLeft(root, &spec)
}

// end records how a workload ended.
func (r *Runner) end(w *workload, phase trialrunner.Phase, exit trialdir.Exit) {
	r.mu.Lock()
	w.phase, w.exit, w.agent = phase, exit, nil
	w.cpus, w.gpus, w.file = 0, nil, ""
	if w.deadline != nil {
		w.deadline.Stop()
	}
	close(w.ended)
	r.wake()
	r.mu.Unlock()
	r.changes.add(w.key)
}

// attend waits for the agent of a workload, our child, and finds out how the workload ended.
func (r *Runner) attend(w *workload, agent *exec.Cmd) {
	awaitAgent(agent)
	if agent.ProcessState.ExitCode() == trialdir.ExitLocked {
		r.mu.Lock()
		w.agent = nil
		r.mu.Unlock()
		r.watchAdopted(w)
		return
	}
	if !agent.ProcessState.Success() && !r.closed() {
		if err := killOrphans(); err != nil {
			r.Config.Log.Error().Err(err).Str("trial", w.trial).Int("attempt", w.attempt).Msg("processes of a trial are left")
		}
	}
	r.conclude(w, agent.ProcessState)
}

// conclude finds out how a workload ended whose agent is gone. It does not return before that is
// known, or the runner is closed. The agent's own end is nil when it is not our child.
func (r *Runner) conclude(w *workload, agent *os.ProcessState) {
	for !r.closed() {
		phase, exit, err := r.result(w, agent)
		if err == nil && phase == trialrunner.Running {
			r.watchAdopted(w) // another agent took over
			return
		}
		if err == nil {
			r.end(w, phase, exit)
			return
		}
		r.Config.Log.Error().Err(err).Str("trial", w.trial).Int("attempt", w.attempt).Msg("the result of a trial cannot be read; trying again")
		r.sleep(time.Second)
	}
}

func (r *Runner) result(w *workload, agent *os.ProcessState) (trialrunner.Phase, trialdir.Exit, error) {
	root, err := r.root.OpenRoot(w.folder(w.key))
	if errors.Is(err, fs.ErrNotExist) {
		return trialrunner.Lost, trialdir.Exit{
			Code: -1, Reason: trialdir.ReasonLost, Finished: r.Now().UTC(),
			Message: "the folder of the trial was deleted while it ran",
		}, nil
	}
	if err != nil {
		return 0, trialdir.Exit{}, err
	}
	defer root.Close()
	r.mu.Lock()
	stopping := w.stopping
	r.mu.Unlock()
	phase, exit, err := r.examine(root, stopping)
	if err != nil || phase != 0 {
		return phase, exit, err
	}
	phase, exit = trialrunner.Exited, trialdir.Exit{Code: -1, Finished: r.Now().UTC()}
	switch {
	case stopping:
		exit.Reason, exit.Message = trialdir.ReasonStopped, "stopped before the command was started"
	case agent == nil || !agent.Exited(): // by a signal
		phase, exit.Reason = trialrunner.Lost, trialdir.ReasonLost
		exit.Message = "the trial-agent was killed before it started the command"
	default:
		exit.Reason = "CannotStart"
		exit.Message = fmt.Sprintf("the trial-agent ended before it started the command (%s): %s", agent, lastWords(root))
	}
	return phase, exit, trialdir.Write(root, trialdir.ExitFile, exit, true)
}

// lastWords returns the end of the agent's own log.
func lastWords(root *os.Root) string {
	const enough = 1000
	file, err := root.Open(trialdir.AgentLog)
	if err != nil {
		return err.Error()
	}
	defer file.Close()
	text, err := io.ReadAll(file)
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(string(text[max(0, len(text)-enough):]))
}

// watchAdopted sees to it that the end of an agent is noticed that is not our child.
func (r *Runner) watchAdopted(w *workload) {
	r.mu.Lock()
	defer r.mu.Unlock()
	w.adopted = true
	if !r.watching && !r.closed() {
		r.watching = true
		r.group.Go(r.watchAll)
	}
}

// watchAll looks at adopted workloads as long as there are any.
func (r *Runner) watchAll() {
	for r.sleep(adoptedTick) {
		var left []*workload
		r.mu.Lock()
		for _, of := range r.work {
			for _, w := range of {
				if w.adopted && !w.gone() {
					left = append(left, w)
				}
			}
		}
		if len(left) == 0 {
			r.watching = false
			r.mu.Unlock()
			return
		}
		r.mu.Unlock()
		for _, w := range left {
			if !r.agentLives(w) {
				r.conclude(w, nil)
			}
		}
	}
}

func (r *Runner) agentLives(w *workload) bool {
	root, err := r.root.OpenRoot(w.folder(w.key))
	if err != nil {
		return false
	}
	defer root.Close()
	locked, err := trialdir.Locked(root)
	return err != nil || locked // what cannot be seen is not dead
}
