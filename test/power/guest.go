package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"

	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/store"
	"github.com/tuned-hpo/tuned/pkg/store/badger"
)

const streams = 4

var key = experiment.Key{Namespace: "default", Name: "power"}

// guest is the whole of the virtual machine. It writes until the power goes, and ends with the power
// off if it cannot.
func guest() {
	fmt.Println() // the line begun by who wrote to the console before
	err := prepare()
	if err == nil {
		line, _ := os.ReadFile("/proc/cmdline")
		if strings.Contains(string(line), "control") {
			err = unsynced()
		} else {
			err = synced()
		}
	}
	fmt.Println("error", err)
	_ = unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF)
}

// prepare loads the modules, in the order of their list, and mounts the disk. What is not on the disk
// would show nothing: a mount that fails is an error.
func prepare() error {
	for _, m := range [][2]string{{"proc", "/proc"}, {"devtmpfs", "/dev"}} {
		if err := unix.Mount(m[0], m[1], m[0], 0, ""); err != nil && !errors.Is(err, unix.EBUSY) {
			return fmt.Errorf("mount %s: %w", m[1], err)
		}
	}
	list, err := os.ReadFile("/modules/list")
	if err != nil {
		return err
	}
	for _, name := range strings.Fields(string(list)) {
		file, err := os.Open("/modules/" + name)
		if err != nil {
			return err
		}
		if err := unix.FinitModule(int(file.Fd()), "", 0); err != nil && !errors.Is(err, unix.EEXIST) {
			return fmt.Errorf("load %s: %w", name, err)
		}
		_ = file.Close()
	}
	for range 100 { // the disk turns up a moment after its driver
		if err = unix.Mount("/dev/vda", "/data", "ext4", 0, ""); err == nil || !errors.Is(err, unix.ENOENT) {
			break
		}
		<-time.After(50 * time.Millisecond)
	}
	if err != nil {
		return fmt.Errorf("mount /data: %w", err)
	}
	return nil
}

// value is what a measurement holds; most are short, some long enough to fill a memtable.
func value(seq uint64) string {
	if seq%100 == 0 {
		return strings.Repeat("0", 20_000) + fmt.Sprint(seq)
	}
	return fmt.Sprint(seq)
}

func stream(i int) experiment.Stream {
	return experiment.Stream{Experiment: key, Number: uint64(i) + 1, Attempt: 1, Source: "agent"}
}

// synced writes to a store as the daemon does.
func synced() error {
	s, err := badger.Open("/data/store", badger.Options{Log: zerolog.Nop()})
	if err != nil {
		return err
	}
	ctx := context.Background()
	if err := create(ctx, s); err != nil {
		return err
	}
	for i := range streams {
		n, err := have(ctx, s, i)
		if err != nil {
			return err
		}
		fmt.Println("have", i, n)
	}
	found, err := s.Check(ctx, nil)
	if err != nil || len(found) > 0 {
		return fmt.Errorf("check: %v %w", found, err)
	}
	fmt.Println("ready")
	var all sync.WaitGroup
	errs := make(chan error, streams)
	for i := range streams {
		all.Go(func() { errs <- write(ctx, s, i) })
	}
	all.Wait()
	return <-errs
}

// create stores an experiment with a trial for each stream, unless it is there.
func create(ctx context.Context, s store.Store) error {
	err := s.Create(ctx, &experiment.Experiment{Metadata: experiment.Metadata{Namespace: key.Namespace, Name: key.Name}})
	if err != nil && !errors.Is(err, store.ErrConflict) {
		return err
	}
	trials, err := s.Trials(ctx, key)
	if err != nil || len(trials) > 0 {
		return err
	}
	c := store.Change{Revision: 1, Status: &experiment.Status{Trials: streams, TrialsRunning: streams}}
	for i := range streams {
		c.Create = append(c.Create, experiment.Trial{Number: uint64(i) + 1, Name: fmt.Sprint("t", i), Attempt: 1, State: experiment.TrialRunning})
	}
	_, err = s.Commit(ctx, key, c)
	return err
}

// have returns how much of a stream is there, all of it as it was written.
func have(ctx context.Context, s store.Store, i int) (n int, err error) {
	ms, err := s.Measurements(ctx, stream(i), 0, 0)
	for j, m := range ms {
		if want := uint64(j + 1); m.Seq != want || m.Text != value(want) {
			return 0, fmt.Errorf("stream %d: measurement %d is another one: number %d", i, want, m.Seq)
		}
	}
	return len(ms), err
}

func write(ctx context.Context, s store.Store, i int) error {
	acked, err := s.Acked(ctx, stream(i))
	for err == nil {
		next := acked + 1
		acked, err = s.Append(ctx, stream(i), []experiment.Measurement{{Seq: next, Metric: "loss", Text: value(next), Value: experiment.ParseValue(value(next))}})
		if err == nil {
			fmt.Println("acked", i, acked)
		}
	}
	return err
}

// unsynced acknowledges what it has only written.
func unsynced() error {
	text, err := os.ReadFile("/data/plain")
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	fmt.Println("have", 0, bytes.Count(text, []byte("\n")))
	fmt.Println("ready")
	file, err := os.OpenFile("/data/plain", os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	out := bufio.NewWriterSize(file, 1)
	for n := bytes.Count(text, []byte("\n")) + 1; err == nil; n++ {
		if _, err = fmt.Fprintln(out, n); err == nil {
			err = out.Flush()
			fmt.Println("acked", 0, n)
		}
	}
	return err
}
