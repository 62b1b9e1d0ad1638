package trialdir

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Process identifies a process over time: ids are given out again, start times and boots are not.
type Process struct {
	PID   int    `json:"pid"`
	Start uint64 `json:"start"` // clock ticks after boot
	Boot  string `json:"boot"`
}

// Self identifies this process.
func Self() (Process, error) {
	s, err := stat(os.Getpid())
	if err != nil {
		return Process{}, fmt.Errorf("identify process: %w", err)
	}
	boot, err := bootID()
	return Process{PID: os.Getpid(), Start: s.start, Boot: boot}, err
}

// ThisBoot reports whether the machine has not been restarted since the process started.
func (p Process) ThisBoot() (bool, error) {
	boot, err := bootID()
	return boot == p.Boot, err
}

// Descendants returns the processes below, in the order of their ids.
func (p Process) Descendants() ([]Process, error) {
	pids, err := Descendants(p.PID)
	slices.Sort(pids)
	var found []Process
	for _, pid := range pids {
		if s, err := stat(pid); err == nil {
			found = append(found, Process{PID: pid, Start: s.start, Boot: p.Boot})
		}
	}
	return found, err
}

// Signal sends a signal to just this process. A process that is gone is no error.
func (p Process) Signal(signal unix.Signal) error {
	if same, err := p.ThisBoot(); err != nil || !same {
		return err
	}
	fd, err := unix.PidfdOpen(p.PID, 0)
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("signal process %d: %w", p.PID, err)
	}
	defer unix.Close(fd)
	// The descriptor holds the process: what has the right start time now is what the signal meets.
	if s, err := stat(p.PID); err != nil || s.start != p.Start {
		return nil
	}
	if err := unix.PidfdSendSignal(fd, signal, nil, 0); err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("signal process %d: %w", p.PID, err)
	}
	return nil
}

func bootID() (string, error) {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "", fmt.Errorf("identify boot: %w", err)
	}
	return strings.TrimSpace(string(id)), nil
}

// status is what the kernel says about a process.
type status struct {
	state  byte // 'Z' and 'X' when it has ended
	parent int
	start  uint64 // clock ticks after boot
}

func stat(pid int) (status, error) {
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return status{}, err
	}
	// The second field is the name in parentheses and may hold anything, parentheses too.
	f := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	if len(f) < 20 {
		return status{}, fmt.Errorf("process %d: %d fields of stat", pid, len(f))
	}
	s := status{state: f[0][0]}
	if s.parent, err = strconv.Atoi(f[1]); err != nil {
		return status{}, err
	}
	s.start, err = strconv.ParseUint(f[19], 10, 64)
	return s, err
}

// Descendants returns the processes below pid, save for those in and below except.
func Descendants(pid int, except ...int) ([]int, error) {
	return below([]int{pid}, except)
}

// below returns the processes below those given, save for these and those in and below except.
func below(pids, except []int) ([]int, error) {
	children, err := families()
	skip := map[int]bool{}
	for _, p := range slices.Concat(pids, except) {
		skip[p] = true
	}
	var found []int
	for queue := slices.Clone(pids); len(queue) > 0; queue = queue[1:] {
		for _, child := range children[queue[0]] {
			if !skip[child] {
				skip[child] = true
				found = append(found, child)
				queue = append(queue, child)
			}
		}
	}
	return found, err
}

// Children returns the processes whose parent is pid.
func Children(pid int) ([]int, error) {
	children, err := families()
	return children[pid], err
}

// families returns all processes by their parent.
func families() (map[int][]int, error) {
	children := map[int][]int{}
	err := eachProcess(func(p int) {
		if s, err := stat(p); err == nil {
			children[s.parent] = append(children[s.parent], p)
		}
	})
	return children, err
}

// eachProcess calls f with each process's id.
func eachProcess(f func(pid int)) error {
	proc, err := os.Open("/proc")
	if err != nil {
		return fmt.Errorf("list processes: %w", err)
	}
	defer proc.Close()
	names, err := proc.Readdirnames(-1)
	if err != nil {
		return fmt.Errorf("list processes: %w", err)
	}
	for _, name := range names {
		if pid, err := strconv.Atoi(name); err == nil {
			f(pid)
		}
	}
	return nil
}
