package kill_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	tunedv1 "github.com/tuned-hpo/tuned/api/tuned/v1"
	"github.com/tuned-hpo/tuned/internal/testenv"
)

// reserve is what must stay free of the daemon's disk, see pkg/store/badger.
const reserve = 256 << 20

// levels are how many bytes somebody else leaves of the disk, from just enough down to nothing.
var levels = []uint64{reserve + 64<<20, reserve - 1<<20, 128 << 20, 16 << 20, 1 << 20, 0}

// TestFullDisk has somebody else fill the daemon's disk while agents report: nothing acknowledged is
// lost, the daemon lives, and goes on by itself when there is space again.
func TestFullDisk(t *testing.T) {
	for name, prepare := range map[string]func(*testing.T) (mount string){"tmpfs": smallTmpfs, "ext4": smallExt4} {
		t.Run(name, func(t *testing.T) { fullDisk(t, prepare(t)) })
	}
}

// smallTmpfs mounts a file system in memory.
func smallTmpfs(t *testing.T) (mount string) {
	t.Helper()
	return mounted(t, "tmpfs", "tmpfs", "size=640m")
}

// smallExt4 mounts one that is in a file, which allocates blocks late and has a journal.
func smallExt4(t *testing.T) (mount string) {
	t.Helper()
	mkfs, losetup := testenv.Program(t, "mkfs.ext4"), testenv.Program(t, "losetup")
	image := filepath.Join(t.TempDir(), "image")
	if err := os.WriteFile(image, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(image, 700<<20); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), mkfs, "-q", "-F", "-m", "0", image).CombinedOutput(); err != nil {
		t.Fatalf("mkfs.ext4: %v\n%s", err, out)
	}
	device, err := exec.CommandContext(t.Context(), losetup, "--find", "--show", image).Output()
	if err != nil {
		testenv.Skip(t, "cannot make a block device of a file: "+err.Error())
	}
	loop := strings.TrimSpace(string(device))
	t.Cleanup(func() {
		if out, err := exec.Command(losetup, "--detach", loop).CombinedOutput(); err != nil {
			t.Errorf("losetup: %v\n%s", err, out)
		}
	})
	return mounted(t, loop, "ext4", "")
}

// mounted mounts a file system for the time of the test.
func mounted(t *testing.T, device, kind, options string) (mount string) {
	t.Helper()
	mount = t.TempDir()
	if err := unix.Mount(device, mount, kind, 0, options); err != nil {
		testenv.Skip(t, "cannot mount a small file system: "+err.Error())
	}
	t.Cleanup(func() {
		if err := unix.Unmount(mount, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return mount
}

func fullDisk(t *testing.T, mount string) {
	t.Helper()
	text := strings.Replace(spec(streams), "parallelTrialCount: 4", fmt.Sprintf("parallelTrialCount: %d", streams), 1)
	file, data, filler := filepath.Join(mount, "experiment.yaml"), filepath.Join(mount, "data"), filepath.Join(mount, "filler")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	conn, err := grpc.NewClient("unix:"+filepath.Join(data, "tuned.sock"), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	d := start(t, "--data-dir", data, file)
	reporters := newReporters(t, conn, data)
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	for _, r := range reporters {
		all.Go(func() { r.insist(ctx, t) })
	}
	for _, left := range levels {
		atLevel(t, d, conn, reporters, filler, left)
	}
	cancel()
	all.Wait()
	d.kill(0)
	d = start(t, "--data-dir", data, file)
	defer d.kill(0)
	for _, r := range reporters {
		r.compare(t)
	}
	t.Logf("%d levels, %d measurements acknowledged, none lost, one daemon", len(levels), acknowledged(reporters))
}

// insist reports until ctx ends, and again after each refusal.
func (r *reporter) insist(ctx context.Context, t *testing.T) {
	var greeted atomic.Int32
	for ctx.Err() == nil {
		r.report(ctx, t, &greeted)
		select {
		case <-ctx.Done():
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// atLevel fills the disk, looks what the daemon does, and gives the space back.
func atLevel(t *testing.T, d *daemon, conn *grpc.ClientConn, reporters []*reporter, filler string, left uint64) {
	t.Helper()
	waitFor(t, d, "progress before", progressed(reporters))
	fillUntil(t, filler, left)
	if left > reserve {
		waitFor(t, d, "progress with enough space", progressed(reporters))
	} else {
		standsStill(t, left, reporters)
	}
	users := tunedv1.NewTuningServiceClient(conn)
	if _, err := users.GetExperiment(t.Context(), &tunedv1.GetExperimentRequest{Namespace: "default", Name: "kill"}); err != nil {
		t.Errorf("%d MiB left: reading fails: %v", left>>20, err)
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	from := time.Now()
	waitFor(t, d, "progress with space again", progressed(reporters))
	t.Logf("%d MiB left: it goes on by itself %s after there is space", left>>20, time.Since(from).Round(time.Millisecond))
}

// standsStill wants a second in which nothing is acknowledged, once what was admitted before has come through.
func standsStill(t *testing.T, left uint64, reporters []*reporter) {
	t.Helper()
	var went uint64
	for range 10 {
		before := acknowledged(reporters)
		<-time.After(time.Second)
		if went = acknowledged(reporters) - before; went == 0 {
			return
		}
	}
	t.Errorf("%d MiB left: %d measurements were acknowledged within a second", left>>20, went)
}

// progressed returns a condition: measurements have been acknowledged since.
func progressed(reporters []*reporter) func() bool {
	before := acknowledged(reporters)
	return func() bool { return acknowledged(reporters) > before }
}

// waitFor ends the test when the daemon does, or when it never comes to it.
func waitFor(t *testing.T, d *daemon, what string, ok func() bool) {
	t.Helper()
	for deadline := time.After(time.Minute); !ok(); {
		select {
		case <-d.exited:
			t.Fatalf("%s: the daemon ended: %v\n%s", what, d.err, d.output.String())
		case <-deadline:
			t.Fatalf("%s: there is none", what)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// fillUntil makes a file that leaves so many bytes free, or fewer.
func fillUntil(t *testing.T, path string, left uint64) {
	t.Helper()
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	var s unix.Statfs_t
	part := make([]byte, 1<<20)
	for err == nil {
		if err = unix.Statfs(path, &s); err != nil || s.Bavail*uint64(s.Bsize) <= left && left > 0 {
			break
		}
		_, err = file.Write(part)
	}
	if left == 0 && errors.Is(err, unix.ENOSPC) {
		err = nil
	}
	if err := errors.Join(err, file.Close()); err != nil {
		t.Fatal(err)
	}
}
