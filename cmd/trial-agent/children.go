package main

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tuned-hpo/tuned/pkg/trialrunner/trialdir"
)

// helperTime is what the collector's command has to end by itself after the training has ended,
// and again after it was told to.
const helperTime = time.Second

// child is a command that the agent started.
type child struct {
	pid    int
	ended  bool
	status syscall.WaitStatus
}

// children are the agent's child processes: those it started, and, because it is their subreaper,
// every descendant whose own parent has died. Only the main goroutine may use it.
type children struct {
	died  chan os.Signal
	known []*child
}

func newChildren() (*children, error) {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return nil, fmt.Errorf("become the reaper of all descendants: %w", err)
	}
	c := &children{died: make(chan os.Signal, 1)}
	signal.Notify(c.died, syscall.SIGCHLD)
	return c, nil
}

// start starts a command in a process group of its own, its output going to out.
func (c *children) start(command *trialdir.Command, env []string, out *output) (*child, error) {
	stdin, err := os.Open(os.DevNull)
	if err != nil {
		return nil, err
	}
	defer stdin.Close()
	stdout, err := out.pipe()
	if err != nil {
		return nil, err
	}
	defer stdout.Close()
	stderr, err := out.pipe()
	if err != nil {
		return nil, err
	}
	defer stderr.Close()
	pid, err := syscall.ForkExec(command.Path, command.Argv, &syscall.ProcAttr{
		Dir: command.Dir, Env: env, Files: []uintptr{stdin.Fd(), stdout.Fd(), stderr.Fd()},
		Sys: &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL},
	})
	if err != nil {
		return nil, err
	}
	started := &child{pid: pid}
	c.known = append(c.known, started)
	return started, nil
}

// reap takes note of all children that have ended. It reports whether any is left.
func (c *children) reap() (left bool) {
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, syscall.WNOHANG, nil)
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if err != nil {
			return false
		}
		if pid == 0 {
			return true
		}
		for _, k := range c.known {
			if k.pid == pid && !k.ended {
				k.ended, k.status = true, status
			}
		}
	}
}

// none reports cheaply that no process but the helper is left: without any child there is no
// descendant either. False may be wrong.
func (c *children) none(helper *child) bool {
	left := c.reap()
	return !left && (helper == nil || helper.ended)
}

// terminate sends TERM to the command's group, and to every descendant outside of it but the helper's,
// so that none gets it twice.
func (c *children) terminate(main, helper *child) error {
	c.reap()
	found, err := below(helper)
	found = slices.DeleteFunc(found, func(pid int) bool { return group(pid) == main.pid })
	_ = syscall.Kill(-main.pid, syscall.SIGTERM) // what is gone is as good
	for _, pid := range found {
		_ = syscall.Kill(pid, syscall.SIGTERM)
	}
	return err
}

// below returns the agent's descendants but for the helper's.
func below(helper *child) ([]int, error) {
	var except []int
	if helper != nil && !helper.ended {
		except = append(except, helper.pid)
	}
	return trialdir.Descendants(os.Getpid(), except...)
}

// kill kills the command's group and every descendant but the helper's, and returns how many were
// found.
func (c *children) kill(main, helper *child) int {
	c.reap()
	found, err := below(helper)
	if err != nil || len(found) == 0 {
		return 0
	}
	if !main.ended || slices.ContainsFunc(found, func(pid int) bool { return group(pid) == main.pid }) {
		_ = syscall.Kill(-main.pid, syscall.SIGKILL)
	}
	for _, pid := range found {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	return len(found)
}

func group(pid int) int {
	id, err := syscall.Getpgid(pid)
	if err != nil {
		return 0
	}
	return id
}

// endHelper gives the collector's command a moment to read to the end, and ends it.
func (c *children) endHelper(helper *child) {
	if helper == nil {
		return
	}
	for _, signal := range []syscall.Signal{0, syscall.SIGTERM, syscall.SIGKILL} {
		if helper.ended {
			break
		}
		_ = syscall.Kill(-helper.pid, signal)
		c.await(helper, helperTime)
	}
	for range 10 {
		if c.kill(helper, nil) == 0 {
			return
		}
		c.await(nil, reapTick)
	}
}

// await reaps until the child has ended, or for the given time.
func (c *children) await(wanted *child, limit time.Duration) {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	for {
		c.reap()
		if wanted != nil && wanted.ended {
			return
		}
		select {
		case <-c.died:
		case <-timer.C:
			return
		}
	}
}
