package trialdir

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"
)

// MarkName is the variable by which the processes of an attempt know each other, whatever their
// parents and groups have become.
const MarkName = "TUNED_TRIAL_UID"

// rounds bounds how often what is left is looked for again: a round finds what the last one's
// victims had started before they were met.
const rounds = 20

// Mark is the value of MarkName in the environment of the attempt's processes.
func (s *Spec) Mark() string {
	return fmt.Sprintf("%s/%s/%s/%s/%d", s.Namespace, s.Experiment, s.UID, s.Trial, s.Attempt)
}

// KillLeft kills what a dead agent has left, until nothing is found: the processes that bear the
// attempt's mark, those that the agent wrote down, and whatever descends from them.
func KillLeft(root *os.Root, spec *Spec) error {
	var recorded []Process
	if err := Read(root, ProcessesFile, &recorded); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	boot, err := bootID()
	if err != nil {
		return err
	}
	known := map[Process]bool{}
	for _, p := range recorded {
		known[p] = true
	}
	mark := []byte(MarkName + "=" + spec.Mark())
	for range rounds {
		var victims []int
		err := eachProcess(func(pid int) {
			s, err := stat(pid)
			if err != nil || s.state == 'Z' || s.state == 'X' || pid == os.Getpid() {
				return
			}
			if known[Process{PID: pid, Start: s.start, Boot: boot}] || marked(pid, mark) {
				victims = append(victims, pid)
			}
		})
		if err != nil || len(victims) == 0 {
			return err
		}
		if err := KillTrees(victims); err != nil {
			return err
		}
	}
	return fmt.Errorf("kill what is left of %s: it does not end, or starts anew faster than it can be killed", spec.Mark())
}

// KillTrees kills processes with all that descends from them, and waits until the kernel has let go
// of them, at most 5 s for each: one that sleeps in the kernel dies when it wakes.
func KillTrees(pids []int) error {
	all, err := freeze(pids)
	// Children first: the kernel wakes a stopped group when the last parent outside of it dies.
	for _, pid := range slices.Backward(all) {
		_ = unix.Kill(pid, unix.SIGKILL) // what is gone is as good
	}
	for _, pid := range all {
		awaitEnd(pid)
	}
	return err
}

// freeze stops processes and all that descends from them, and returns them. What is stopped starts
// no child, and has not lost one to another parent by dying.
func freeze(pids []int) ([]int, error) {
	var all []int
	for range rounds {
		for _, pid := range pids {
			_ = unix.Kill(pid, unix.SIGSTOP)
		}
		all = append(all, pids...)
		var err error
		if pids, err = below(all, nil); err != nil || len(pids) == 0 {
			return all, err
		}
	}
	return append(all, pids...), nil
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

// awaitEnd waits until a process that was killed has ended, at most 5 s.
func awaitEnd(pid int) {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return
	}
	defer unix.Close(fd)
	poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	for range 3 { // a signal may cut the wait short
		if _, err := unix.Poll(poll, 5000); !errors.Is(err, unix.EINTR) {
			return
		}
	}
}
