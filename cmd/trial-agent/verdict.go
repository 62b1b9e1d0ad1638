package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/tuned-hpo/tuned/pkg/trialrunner/trialdir"
)

// verdict says how the command ended and why.
func (a *attempt) verdict() trialdir.Exit {
	status := a.main.status
	exit := trialdir.Exit{Code: status.ExitStatus(), Near: a.metrics.near()}
	if status.Signaled() {
		exit.Signal = status.Signal().String()
	}
	switch kills := a.oom.count(); {
	case a.cause.reason != "":
		exit.Reason = a.cause.reason
		exit.Message = a.withEvidence("the command was stopped: " + a.cause.message)
		if !status.Signaled() && exit.Code == 0 {
			exit.Code = -1 // it caught the signal; it was not done all the same
		}
	case !a.main.ended:
		exit.Code, exit.Reason, exit.Message = -1, "Signal", "the command does not end, not even by KILL"
	case exit.Signal == "" && exit.Code == 0:
		exit.Reason = "Completed"
	case exit.Signal == "":
		exit.Reason = "ExitCode"
		exit.Message = a.withEvidence(fmt.Sprintf("the command ended with exit code %d", exit.Code))
	case status.Signal() == syscall.SIGKILL && kills > 0:
		exit.Reason = "OutOfMemory"
		exit.Message = a.withEvidence(fmt.Sprintf("the kernel killed the command; in its cgroup %d processes were killed for lack of memory while it ran", kills))
	default:
		exit.Reason = "Signal"
		exit.Message = a.withEvidence(fmt.Sprintf("the command was ended by signal %d (%s)", int(status.Signal()), exit.Signal))
	}
	return exit
}

func (a *attempt) withEvidence(what string) string {
	if lines := a.metrics.evidence(); lines != "" {
		return what + "; the last that it printed: " + lines
	}
	return what + "; it printed nothing"
}

// cannotStart says why the command did not start.
func (a *attempt) cannotStart(err error) string {
	c := a.spec.Command
	why := err.Error()
	switch {
	case errors.Is(err, syscall.ENOEXEC):
		why = "it is no program: a script needs a first line such as #!/usr/bin/env python3"
	case errors.Is(err, syscall.ENOENT):
		why = "the program, its interpreter or the folder does not exist"
	}
	return printable(fmt.Sprintf("start %q in folder %s: %s", c.Argv[0], c.Dir, why))
}

// oomCounter counts the processes that the kernel killed for lack of memory in this cgroup.
type oomCounter struct {
	file  string // "" when there is none to read
	begin int
}

func newOOMCounter() oomCounter {
	cgroups, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return oomCounter{}
	}
	for line := range strings.Lines(string(cgroups)) {
		if path, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "0::"); ok {
			c := oomCounter{file: filepath.Join("/sys/fs/cgroup", path, "memory.events")}
			c.begin = c.total()
			return c
		}
	}
	return oomCounter{}
}

// count returns how many were killed since the counter was made.
func (c oomCounter) count() int { return c.total() - c.begin }

func (c oomCounter) total() int {
	if c.file == "" {
		return 0
	}
	events, err := os.ReadFile(c.file)
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(events)) {
		if text, ok := strings.CutPrefix(line, "oom_kill "); ok {
			n, _ := strconv.Atoi(strings.TrimSpace(text)) // 0 says that nothing is known, as no file does
			return n
		}
	}
	return 0
}
