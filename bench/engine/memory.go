package main

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// memoryOf returns what the kernel says of a process's memory in bytes: RssAnon is what it has of
// its own now, VmHWM the most that it ever had, pages of files included.
func memoryOf(pid int, field string) (int64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range bytes.Lines(text) {
		if value, ok := bytes.CutPrefix(line, []byte(field+":")); ok {
			var kibibytes int64
			_, err := fmt.Sscanf(string(value), "%d kB", &kibibytes)
			return kibibytes << 10, err
		}
	}
	return 0, fmt.Errorf("process %d has no %s", pid, field)
}

// cpuOf returns the CPU time that a process has taken, to the hundredth of a second.
func cpuOf(pid int) (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	_, rest, _ := bytes.Cut(text, []byte(") ")) // the name of the program may have blanks
	fields := bytes.Fields(rest)
	if len(fields) < 13 {
		return 0, fmt.Errorf("process %d: %q tells no CPU time", pid, text)
	}
	user, err := strconv.Atoi(string(fields[11]))
	if err != nil {
		return 0, err
	}
	system, err := strconv.Atoi(string(fields[12]))
	return time.Duration(user+system) * 10 * time.Millisecond, err
}

// watch looks at all processes of the measured programs four times a second until stop is called,
// which returns the highest VmHWM of any process of each program, in bytes.
func (b *bench) watch(ctx context.Context) (stop func() map[string]int64, err error) {
	bin, err := filepath.EvalSymlinks(b.bin)
	if err != nil {
		return nil, err
	}
	if bin, err = filepath.Abs(bin); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	peaks, done := map[string]int64{}, make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(250 * time.Millisecond)
		defer tick.Stop()
		for {
			look(bin, peaks)
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
		}
	}()
	return func() map[string]int64 {
		cancel()
		<-done
		return peaks
	}, nil
}

// look raises peaks to what the processes of programs in a folder have reached. A process that is
// gone meanwhile, or is another user's, has no say.
func look(bin string, peaks map[string]int64) {
	links, _ := filepath.Glob("/proc/[0-9]*/exe")
	for _, link := range links {
		program, err := os.Readlink(link)
		if err != nil || filepath.Dir(program) != bin {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(link)))
		if err != nil {
			continue
		}
		if peak, err := memoryOf(pid, "VmHWM"); err == nil {
			name := filepath.Base(program)
			peaks[name] = max(peaks[name], peak)
		}
	}
}

// size measures the programs on disk.
func (b *bench) size(context.Context) error {
	for _, name := range []string{"tuned", "trial-agent"} {
		info, err := os.Stat(filepath.Join(b.bin, name))
		if err != nil {
			return err
		}
		b.add("size", name, mebibytes("binary", info.Size()))
	}
	return nil
}

// sizeOf returns what the files of a folder take on the disk in bytes.
func sizeOf(dir string) (total int64, err error) {
	return total, filepath.WalkDir(dir, func(_ string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		stat, ok := info.Sys().(*syscall.Stat_t)
		if !ok {
			return fmt.Errorf("size of %s is not known", info.Name())
		}
		total += stat.Blocks * 512
		return nil
	})
}
