package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	tunedv1 "github.com/tuned-hpo/tuned/api/tuned/v1"
	"github.com/tuned-hpo/tuned/pkg/store/badger"
)

// Outcomes of a check.
const (
	checkOK   = "OK"
	checkWarn = "WARN"
	checkFail = "FAIL"
)

// finding is the outcome of one check of doctor.
type finding struct {
	Check   string `json:"check"`
	Outcome string `json:"outcome"` // OK, WARN or FAIL
	Found   string `json:"found"`
	Do      string `json:"do,omitempty"`
}

// doctor looks at a machine and a data directory.
type doctor struct {
	place
	findings []finding
}

func (d *doctor) ok(check, found string, args ...any) {
	d.findings = append(d.findings, finding{check, checkOK, fmt.Sprintf(found, args...), ""})
}

func (d *doctor) warn(check, found, do string) {
	d.findings = append(d.findings, finding{check, checkWarn, found, do})
}

func (d *doctor) fail(check, found, do string) {
	d.findings = append(d.findings, finding{check, checkFail, found, do})
}

func (a *app) doctorCommand() *cobra.Command {
	var d doctor
	var format string
	c := &cobra.Command{
		Use:   "doctor",
		Short: "Check this machine and the data directory, and say what to do",
		Long: `Check this machine and the data directory: the trial agent, disk, file system, permissions, limits,
clock, the files of the store, the daemon and its token, Python. Each check is OK, WARN or FAIL, with
what to do; the exit code is 1 when any fails. Nothing is changed, and what a daemon uses is not
disturbed. tuned fsck checks what is stored.`,
		Args: words(0, 0, "no words"),
		RunE: func(c *cobra.Command, _ []string) error {
			d.examine(c.Context())
			return a.printFindings(d.findings, format)
		},
	}
	d.connectionFlags(c, a.getenv)
	formatFlag(c, &format, printing(shapeOf[[]finding]()), "table", "json", "yaml", "csv", jsonPath)
	return c
}

func (a *app) printFindings(findings []finding, format string) error {
	failed := 0
	for _, f := range findings {
		if f.Outcome == checkFail {
			failed++
		}
	}
	var err error
	switch format {
	case "table":
		for _, f := range findings {
			fmt.Fprintf(a.stdout, "%-5s %-12s %s\n", f.Outcome, f.Check, visible(f.Found))
			if f.Do != "" {
				fmt.Fprintf(a.stdout, "%-5s %-12s -> %s\n", "", "", visible(f.Do))
			}
		}
	case "csv":
		err = tableOf(findings...).print(a.stdout, format)
	default:
		err = printAs(a.stdout, format, findings)
	}
	if err == nil && failed > 0 {
		return exit{exitError, fmt.Errorf("checks that failed: %d", failed)}
	}
	return err
}

// examine makes all checks. Each stands by itself.
func (d *doctor) examine(ctx context.Context) {
	d.checkAgent(ctx)
	d.checkLimits()
	d.checkClock()
	d.checkPython(ctx)
	if d.address() == "" {
		d.checkFolder()
	}
	d.checkDaemon(ctx)
}

// checkAgent looks for the program that wraps each trial, which must be of the same build.
func (d *doctor) checkAgent(ctx context.Context) {
	const check = "agent"
	path, err := findAgent(d.getenv)
	if err != nil {
		d.fail(check, err.Error(), "trials cannot run without it; install trial-agent beside tuned")
		return
	}
	out, err := exec.CommandContext(ctx, path, "--version").CombinedOutput()
	said := firstLine(strings.TrimSpace(string(out)))
	switch {
	case err != nil:
		d.fail(check, fmt.Sprintf("%s does not run: %v: %s", path, err, said), "install it anew")
	case said != agentName+" "+version:
		d.warn(check, fmt.Sprintf("%s is %q, this is tuned %s", path, said, version), "install both from the same release")
	default:
		d.ok(check, "%s, %s", path, version)
	}
}

// leastFiles is the number of open files that a daemon with a hundred trials needs.
const leastFiles = 1024

// checkLimits looks at what the kernel lets a process have.
func (d *doctor) checkLimits() {
	var files unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &files); err != nil {
		d.warn("files", err.Error(), "")
	} else if files.Max < leastFiles {
		d.warn("files", fmt.Sprintf("a process may open %d files", files.Max), "raise the limit: ulimit -Hn 4096, or LimitNOFILE= in the unit")
	} else {
		d.ok("files", "a process may open %d files", files.Max)
	}
	d.ok("cpus", "%d, and as many slots unless --cpus says otherwise", runtime.NumCPU())
	if gpus, _ := filepath.Glob("/dev/nvidia[0-9]*"); len(gpus) > 0 {
		d.ok("gpus", "%d; trials get those that --gpus names", len(gpus))
	}
}

// checkClock asks the kernel whether somebody keeps its clock right. Durations do not depend on it, but the
// times on record do.
func (d *doctor) checkClock() {
	const check = "clock"
	var t unix.Timex
	state, err := unix.Adjtimex(&t)
	switch {
	case time.Now().Year() < 2025:
		d.fail(check, "it is "+time.Now().Format(time.RFC3339), "set the clock")
	case err == nil && state == unix.TIME_ERROR:
		d.warn(check, "nobody keeps the clock right", "start a time service, such as systemd-timesyncd or chrony")
	default:
		d.ok(check, "%s", time.Now().Format(time.RFC3339))
	}
}

// checkPython looks for what most training programs are written in; tuned itself needs none.
func (d *doctor) checkPython(ctx context.Context) {
	const check = "python"
	path, err := exec.LookPath("python3")
	if err != nil {
		d.warn(check, "no python3 on PATH", "tuned needs none; training programs in Python do")
		return
	}
	out, err := exec.CommandContext(ctx, path, "-c", "import sys; print('%d.%d' % sys.version_info[:2], sys.version_info >= (3, 8))").Output()
	version, recent, _ := strings.Cut(strings.TrimSpace(string(out)), " ")
	switch {
	case err != nil:
		d.warn(check, fmt.Sprintf("%s does not run: %v", path, err), "install Python anew if training programs need it")
	case recent != "True":
		d.warn(check, fmt.Sprintf("%s is %s", path, version), "tuned's Python client needs 3.8")
	default:
		d.ok(check, "%s, %s", path, version)
	}
}

// checkFolder looks at the data directory, or at where it would be made.
func (d *doctor) checkFolder() {
	const check = "data"
	if d.dataDir == "" {
		d.fail(check, "there is no data directory", "give --data-dir, or set HOME or XDG_STATE_HOME")
		return
	}
	dir := absolute(d.dataDir)
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		missing := dir
		for errors.Is(err, fs.ErrNotExist) && dir != "/" {
			dir = filepath.Dir(dir)
			_, err = os.Stat(dir)
		}
		if err := unix.Access(dir, unix.W_OK|unix.X_OK); err != nil {
			d.fail(check, fmt.Sprintf("%s is not there, and cannot be made in %s: %v", missing, dir, err), "make that folder writable, or give another --data-dir")
			return
		}
		d.ok(check, "%s is not there yet; the first start makes it", missing)
	case err != nil:
		d.fail(check, err.Error(), "make it readable, or give another --data-dir")
		return
	case !info.IsDir():
		d.fail(check, dir+" is not a folder", "give another --data-dir")
		return
	default:
		d.checkOwner(dir, info)
		d.checkStore(dataDir(dir))
	}
	d.checkDisk(dir)
}

// checkOwner looks who may use the data directory.
func (d *doctor) checkOwner(dir string, info fs.FileInfo) {
	const check = "data"
	owner, _ := info.Sys().(*syscall.Stat_t)
	switch {
	case owner != nil && int(owner.Uid) != os.Getuid():
		d.fail(check, fmt.Sprintf("%s belongs to user %d, this is user %d", dir, owner.Uid, os.Getuid()), adviceOwner)
	case info.Mode().Perm()&0o077 != 0:
		d.warn(check, fmt.Sprintf("%s is open to others (mode %#o)", dir, info.Mode().Perm()), "chmod 700 "+quoteWord(dir))
	case unix.Access(dir, unix.W_OK) != nil:
		d.fail(check, dir+" cannot be written to", "mount it for writing, or give another --data-dir")
	default:
		d.ok(check, "%s", dir)
	}
	token, err := os.Stat(dataDir(dir).tokenFile())
	if err == nil && token.Mode().Perm()&0o077 != 0 {
		d.fail("token", fmt.Sprintf("%s can be read by others (mode %#o)", dataDir(dir).tokenFile(), token.Mode().Perm()),
			"remove it and start the daemon anew: it makes another")
	}
}

// Free space in bytes below which nothing is stored, and below which that is near.
const (
	leastFree  = 256 << 20
	littleFree = 2 << 30
)

// fewFiles is how many more files a disk must take for the store and a trial to go on.
const fewFiles = 100

// checkDisk looks at the disk of a folder.
func (d *doctor) checkDisk(dir string) {
	const check = "disk"
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		d.fail(check, err.Error(), "give another --data-dir")
		return
	}
	on, err := badger.FileSystemOf(dir)
	if err != nil {
		d.fail(check, err.Error(), "give another --data-dir")
		return
	}
	free := s.Bavail * uint64(s.Bsize)
	found := fmt.Sprintf("%s, %d MiB free", on.Name, free>>20)
	switch {
	case on.Remote:
		d.fail(check, dir+" is on "+on.Name+", where locks and memory maps cannot be trusted",
			"give a --data-dir on a local disk; --allow-remote of tuned serve and tuned run does without, and without any promise")
	case free < leastFree:
		d.fail(check, found+": nothing is stored that leaves less than 256 MiB", "make room, or tuned delete experiments")
	case s.Files > 0 && s.Ffree < fewFiles:
		d.fail(check, fmt.Sprintf("%s, but room for %d files only", found, s.Ffree), "remove files of this disk, such as logs of old trials")
	case free < littleFree:
		d.warn(check, found, "make room: below 256 MiB nothing is stored")
	case s.Files > 0 && s.Ffree < 10_000:
		d.warn(check, fmt.Sprintf("%s, but room for %d files only", found, s.Ffree), "remove files: each trial needs about ten")
	default:
		d.ok(check, "%s", found)
	}
}

// checkDaemon asks the daemon for its version, as any user of it would.
func (d *doctor) checkDaemon(ctx context.Context) {
	const check = "daemon"
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	at := d.address()
	if at == "" {
		if !dataDir(absolute(d.dataDir)).served() {
			d.ok(check, "none runs; tuned serve starts it, tuned run needs none")
			return
		}
		at = "its socket"
	}
	c, err := d.open(ctx)
	if err != nil {
		d.fail(check, err.Error(), "correct --server, --token-file or --ca-file")
		return
	}
	defer c.Close()
	v, err := c.GetVersion(ctx, &tunedv1.GetVersionRequest{})
	switch {
	case err != nil:
		d.fail(check, fmt.Sprintf("at %s: %v", at, rpcError(err)), "is it running, and is the token its own?")
	case v.GetVersion() != version:
		d.warn(check, fmt.Sprintf("at %s is tuned %s, this is %s", at, v.GetVersion(), version), "restart it with the same release")
	default:
		d.ok(check, "answers at %s", at)
	}
}
