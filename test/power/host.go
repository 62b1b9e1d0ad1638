package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// host cuts the power.
type host struct {
	cycles, control int
	seed            uint64
	kernel, initrd  string
	dir             string
}

func (h *host) run() error {
	kept := &machine{host: h, disk: filepath.Join(h.dir, "disk.img"), acked: map[int]int{}}
	random := rand.New(rand.NewPCG(h.seed, 0))
	for n := range h.cycles + 1 { // the last start only compares
		if err := kept.cycle(random, n < h.cycles); err != nil {
			return fmt.Errorf("cycle %d: %w", n, err)
		}
	}
	fmt.Printf("%d power losses, %d measurements acknowledged, %d lost\n", h.cycles, kept.total(), kept.lost)
	careless := &machine{host: h, disk: filepath.Join(h.dir, "control.img"), acked: map[int]int{}, args: "control"}
	for n := range h.control + 1 {
		if err := careless.cycle(random, n < h.control); err != nil {
			return fmt.Errorf("control %d: %w", n, err)
		}
	}
	fmt.Printf("control, which acknowledges what is not synced: %d power losses, %d lost\n", h.control, careless.lost)
	if kept.total() == 0 || h.control > 0 && careless.lost == 0 {
		return errors.New("this shows nothing: a machine that does not sync must lose something")
	}
	if kept.lost > 0 {
		return fmt.Errorf("%d acknowledged measurements are lost", kept.lost)
	}
	return nil
}

// machine is a disk, and what was acknowledged of it.
type machine struct {
	*host
	disk  string
	args  string
	acked map[int]int // by stream
	lost  int
}

func (m *machine) total() (n int) {
	for _, acked := range m.acked {
		n += acked
	}
	return n
}

// bootLimit is when a machine that has not come up is given up.
const bootLimit = 2 * time.Minute

// cycle starts the machine, compares what it has with what it had acknowledged, lets it write for a
// while if cut is set, and cuts its power.
func (m *machine) cycle(random *rand.Rand, cut bool) error {
	if _, err := os.Stat(m.disk); errors.Is(err, os.ErrNotExist) {
		if err := m.format(context.Background()); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), bootLimit)
	defer cancel()
	qemu := exec.CommandContext(ctx, "qemu-system-x86_64", "-m", "512", "-nographic", "-no-reboot", "-monitor", "none", "-serial", "stdio",
		"-kernel", m.kernel, "-initrd", m.initrd, "-append", "console=ttyS0 quiet loglevel=1 panic=-1 "+m.args,
		"-drive", "file="+m.disk+",format=raw,if=virtio,cache=writeback")
	out, err := qemu.StdoutPipe()
	if err != nil {
		return err
	}
	if err := qemu.Start(); err != nil {
		return err
	}
	ready, complaint := make(chan struct{}), make(chan error, 1)
	go m.listen(bufio.NewScanner(out), ready, complaint)
	select {
	case <-ready:
		if cut {
			<-time.After(200*time.Millisecond + time.Duration(random.Int64N(int64(2*time.Second))))
		}
	case err = <-complaint:
		complaint <- nil
	case <-ctx.Done():
		err = errors.New("the machine does not come up")
	}
	_ = qemu.Process.Kill() // it may have ended by itself, with a complaint
	err = errors.Join(err, <-complaint)
	_ = qemu.Wait() // it was killed
	return err
}

// listen takes in what the machine says until it says no more.
func (m *machine) listen(lines *bufio.Scanner, ready chan<- struct{}, complaint chan<- error) {
	var err error
	compared := 0
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		var i, n int
		switch {
		case says(line, "have %d %d", &i, &n):
			compared++
			m.lost += max(0, m.acked[i]-n)
			m.acked[i] = n // what is there without an acknowledgement counts from now on
		case says(line, "acked %d %d", &i, &n):
			m.acked[i] = max(m.acked[i], n)
		case line == "ready":
			if compared < max(1, len(m.acked)) {
				err = fmt.Errorf("%d of %d streams were compared", compared, len(m.acked))
			}
			close(ready)
		case strings.HasPrefix(line, "error"):
			err = errors.New(line)
		}
	}
	complaint <- err
}

func says(line, format string, args ...any) bool {
	n, err := fmt.Sscanf(line, format, args...)
	// A line that the cut has torn must not count for less, or more, than was said.
	return err == nil && n == len(args) && line == fmt.Sprintf(format, *args[0].(*int), *args[1].(*int))
}

// format makes a disk.
func (m *machine) format(ctx context.Context) error {
	file, err := os.Create(m.disk)
	if err == nil {
		err = errors.Join(file.Truncate(1<<30), file.Close())
	}
	if err != nil {
		return err
	}
	if out, err := exec.CommandContext(ctx, "mkfs.ext4", "-q", "-F", m.disk).CombinedOutput(); err != nil {
		return fmt.Errorf("mkfs.ext4: %w: %s", err, out)
	}
	return nil
}
