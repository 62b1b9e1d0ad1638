// Command trial-agent runs the training command of one attempt of one trial: it keeps what the
// command prints, collects measurements from it, reports them to the daemon, enforces limits, and
// leaves no process behind. It lives on when the daemon dies.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/tuned-hpo/tuned/internal/failpoint"
	"github.com/tuned-hpo/tuned/pkg/trialrunner/trialdir"
)

func init() {
	// The kernel ends a command that has a death signal when the thread that started it ends. Only
	// the main thread lives as long as the process, and only the main goroutine starts commands.
	runtime.LockOSThread()
}

// version is the release; the linker sets it.
var version = "devel"

func main() {
	versionWanted := flag.Bool("version", false, "print the version and end")
	dir := flag.String("dir", "", "`folder` of the attempt; holds "+trialdir.SpecFile)
	flag.Parse()
	if *versionWanted {
		fmt.Println("trial-agent", version)
		return
	}
	if *dir == "" || flag.NArg() > 0 {
		fmt.Fprintln(os.Stderr, "usage: trial-agent --dir FOLDER")
		os.Exit(2)
	}
	closeInherited()
	// Caught and dropped, not ignored: the command would inherit that.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP, syscall.SIGINT, syscall.SIGPIPE, syscall.SIGXFSZ)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM)
	err := serve(*dir, signals)
	if errors.Is(err, trialdir.ErrLocked) {
		os.Exit(trialdir.ExitLocked)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "trial-agent:", err)
		os.Exit(1)
	}
}

// closeInherited closes the files that came with the process beyond the standard ones: somebody may
// wait for their end, and the agent lives long. Files of its own are closed by exec and marked so.
func closeInherited() {
	names, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return // without /proc there is no telling what came
	}
	for _, name := range names {
		fd, err := strconv.Atoi(name.Name())
		if err != nil || fd <= 2 {
			continue
		}
		if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err == nil && flags&unix.FD_CLOEXEC == 0 {
			_ = unix.Close(fd) // Linux has closed it, whatever it says
		}
	}
}

// serve runs the attempt's command unless it was started before.
func serve(dir string, term <-chan os.Signal) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("open trial folder: %w", err)
	}
	defer root.Close()
	lock, err := trialdir.Lock(root)
	if err != nil {
		return err
	}
	defer lock.Close()
	failpoint.Hit("agent.locked")
	if ended, err := trialdir.Exists(root, trialdir.ExitFile); ended || err != nil {
		return err
	}
	var spec trialdir.Spec
	if err := trialdir.Read(root, trialdir.SpecFile, &spec); err != nil {
		return err
	}
	started, err := trialdir.Exists(root, trialdir.AgentFile)
	if err != nil {
		return err
	}
	if started {
		return succeed(root, &spec)
	}
	self, err := trialdir.Self()
	if err != nil {
		return err
	}
	failpoint.Hit("agent.record")
	// From here on the command counts as started, whatever happens: it never runs twice.
	if err := trialdir.Write(root, trialdir.AgentFile, self, true); err != nil {
		return err
	}
	failpoint.Hit("agent.recorded")
	a, err := newAttempt(root, dir, &spec, self, term)
	if err != nil {
		return errors.Join(err, unprepared(root, err))
	}
	return a.run()
}

// unprepared ends an attempt whose command was not started because of an error.
func unprepared(root *os.Root, err error) error {
	return trialdir.Write(root, trialdir.ExitFile, trialdir.Exit{
		Code: -1, Reason: "CannotStart",
		Message: printable("prepare the trial: " + err.Error()), Finished: now(),
	}, true)
}

// succeed ends what an agent that died has left.
func succeed(root *os.Root, spec *trialdir.Spec) error {
	if err := trialdir.KillLeft(root, spec); err != nil {
		return err
	}
	last, err := trialdir.LastNumber(root)
	if err != nil {
		return err
	}
	return trialdir.Write(root, trialdir.ExitFile, trialdir.Exit{
		Code: -1, Reason: trialdir.ReasonLost, LastSeq: last, Finished: now(),
		Message: "the trial-agent died while the command ran; the command was not started again",
	}, true)
}
