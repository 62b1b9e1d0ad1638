package trialdir

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
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
	start, _, err := stat(os.Getpid())
	if err != nil {
		return Process{}, fmt.Errorf("identify process: %w", err)
	}
	boot, err := bootID()
	return Process{PID: os.Getpid(), Start: start, Boot: boot}, err
}

// ThisBoot reports whether the machine has not been restarted since the process started.
func (p Process) ThisBoot() (bool, error) {
	boot, err := bootID()
	return boot == p.Boot, err
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
	if start, _, err := stat(p.PID); err != nil || start != p.Start {
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

// stat returns a process's start time and its parent.
func stat(pid int) (start uint64, parent int, err error) {
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return 0, 0, err
	}
	// The second field is the name in parentheses and may hold anything, parentheses too.
	f := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	if len(f) < 20 {
		return 0, 0, fmt.Errorf("process %d: %d fields of stat", pid, len(f))
	}
	if parent, err = strconv.Atoi(f[1]); err != nil {
		return 0, 0, err
	}
	start, err = strconv.ParseUint(f[19], 10, 64)
	return start, parent, err
}

// Descendants returns the processes below pid, save for those in and below except.
func Descendants(pid int, except ...int) ([]int, error) {
	children := map[int][]int{}
	err := eachProcess(func(p int) {
		if _, parent, err := stat(p); err == nil {
			children[parent] = append(children[parent], p)
		}
	})
	skip := map[int]bool{pid: true}
	for _, p := range except {
		skip[p] = true
	}
	var found []int
	for queue := []int{pid}; len(queue) > 0; queue = queue[1:] {
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

// MarkName is the variable by which the processes of an attempt know each other, whatever their
// parents and groups have become.
const MarkName = "TUNED_TRIAL_UID"

// Mark is the value of MarkName in the environment of the attempt's processes.
func (s *Spec) Mark() string {
	return fmt.Sprintf("%s/%s/%s/%s/%d", s.Namespace, s.Experiment, s.UID, s.Trial, s.Attempt)
}

// KillMarked kills what bears the mark, and what descends from that, until nothing is left. It is
// for what a dead agent leaves behind.
func KillMarked(mark string) error {
	want := []byte(MarkName + "=" + mark)
	for range 100 { // each round kills what the last one's victims had started meanwhile
		var victims []int
		err := eachProcess(func(pid int) {
			if pid != os.Getpid() && marked(pid, want) {
				victims = append(victims, pid)
			}
		})
		if err != nil || len(victims) == 0 {
			return err
		}
		for _, pid := range victims {
			below, err := Descendants(pid)
			if err != nil {
				return err
			}
			for _, p := range append(below, pid) {
				killAndWait(p)
			}
		}
	}
	return fmt.Errorf("kill what is left of %s: new processes appear faster than they can be killed", mark)
}

func marked(pid int, want []byte) bool {
	environ, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "environ"))
	if err != nil {
		return false // gone, or of another user
	}
	for entry := range bytes.SplitSeq(environ, []byte{0}) {
		if bytes.Equal(entry, want) {
			return true
		}
	}
	return false
}

// killAndWait kills a process and waits until the kernel has let go of it, at most 5 s: one that
// sleeps in the kernel dies when it wakes.
func killAndWait(pid int) {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return
	}
	defer unix.Close(fd)
	if unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0) != nil {
		return
	}
	poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	for range 3 {
		if _, err := unix.Poll(poll, 5000); !errors.Is(err, unix.EINTR) {
			return
		}
	}
}

// Exists reports whether the folder has the file.
func Exists(root *os.Root, name string) (bool, error) {
	_, err := root.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}
