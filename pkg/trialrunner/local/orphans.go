package local

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/tuned-hpo/tuned/pkg/trialrunner/trialdir"
)

// nursery is this process as the reaper of what its agents leave when they are killed. It belongs to
// the process, not to a runner, as the kernel's gift of orphans does.
var nursery struct {
	sweep sync.Mutex // held by the one who kills
	mu    sync.Mutex
	known map[int]bool // children that are agents, or that were here before the first runner
}

// becomeReaper makes this process the parent of what loses its own parent below it.
func becomeReaper() error {
	nursery.mu.Lock()
	defer nursery.mu.Unlock()
	if nursery.known != nil {
		return nil
	}
	before, err := trialdir.Children(os.Getpid())
	if err != nil {
		return err
	}
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("become the reaper of what agents leave: %w", err)
	}
	nursery.known = map[int]bool{}
	for _, pid := range before {
		nursery.known[pid] = true
	}
	return nil
}

// startAgent starts an agent such that it is never taken for an orphan.
func startAgent(agent *exec.Cmd) error {
	nursery.mu.Lock()
	defer nursery.mu.Unlock()
	if err := agent.Start(); err != nil {
		return err
	}
	nursery.known[agent.Process.Pid] = true
	return nil
}

// awaitAgent waits for the end of an agent.
func awaitAgent(agent *exec.Cmd) {
	_ = agent.Wait() // the folder says how the command ended; this is how the agent did
	nursery.mu.Lock()
	defer nursery.mu.Unlock()
	delete(nursery.known, agent.Process.Pid)
}

// killOrphans kills what agents that were killed have left below this process, whatever it has done
// to its environment.
func killOrphans() error {
	nursery.sweep.Lock()
	defer nursery.sweep.Unlock()
	for range 20 { // a round meets those whose parent died in the last one
		left, err := orphans()
		if err != nil || len(left) == 0 {
			return err
		}
		err = trialdir.KillTrees(left)
		for _, pid := range left {
			_, _ = unix.Wait4(pid, nil, unix.WNOHANG, nil) // one that has not ended is met again
		}
		if err != nil {
			return err
		}
	}
	return errors.New("kill what an agent has left: it does not end")
}

// orphans returns the children that this process did not start: those in another session. An agent
// begins a session of its own, and what descends from it can never come back into ours. The first
// process of a machine or container is everybody's reaper and cannot tell whose an orphan is.
func orphans() ([]int, error) {
	if os.Getpid() == 1 {
		return nil, nil
	}
	nursery.mu.Lock()
	defer nursery.mu.Unlock()
	own, err := unix.Getsid(0)
	if err != nil {
		return nil, fmt.Errorf("look for what an agent has left: %w", err)
	}
	children, err := trialdir.Children(os.Getpid())
	if err != nil {
		return nil, err
	}
	var found []int
	for _, pid := range children {
		if session, err := unix.Getsid(pid); err == nil && session != own && !nursery.known[pid] {
			found = append(found, pid)
		}
	}
	return found, nil
}
