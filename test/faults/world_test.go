package faults_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// longest is when a process that should have ended is given up. Nothing is measured by it.
const longest = time.Minute

// world is a data directory, and who works on it.
type world struct {
	t     *testing.T
	fault fault
	dir   string
	pace  string   // of the long trials
	flags []string // more of "tuned run"
}

func newWorld(t *testing.T, f fault, pace string) *world {
	t.Helper()
	dir, err := os.MkdirTemp("", "fault") //nolint:usetesting // a folder of the test's name is too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) }) // one that stays is not worth a failure
	return &world{t: t, fault: f, dir: dir, pace: pace}
}

func (w *world) data() string { return filepath.Join(w.dir, "data") }
func (w *world) mark() string { return filepath.Join(w.dir, "mark") }
func (w *world) runs() string { return filepath.Join(w.dir, "runs") }

// happened reports whether the fault did.
func (w *world) happened() bool {
	_, err := os.Stat(w.mark())
	return err == nil
}

// program is the real program, with the fault.
func (w *world) program(args ...string) *exec.Cmd {
	c := exec.Command(filepath.Join(bin, "tuned"), args...)
	c.Env = append(os.Environ(), "TUNED_FAILPOINT="+w.fault.String(), "TUNED_FAILPOINT_MARK="+w.mark())
	return c
}

// call runs the program to its end, and again after a death or an error that the fault explains.
func (w *world) call(args ...string) {
	w.t.Helper()
	for range 3 {
		out, err := w.program(args...).CombinedOutput()
		if err == nil {
			return
		}
		w.t.Logf("tuned %s: %v: %s", args[0], err, out)
		if strings.Contains(string(out), "not found") || strings.Contains(string(out), "exists already") { // done before the death
			return
		}
	}
	w.t.Errorf("tuned %s never succeeds", args[0])
}

// life is one process of "tuned run" or "tuned serve".
type life struct {
	*exec.Cmd
	running chan struct{} // closed once a trial runs
	exited  chan struct{}
	stderr  bytes.Buffer
}

func (w *world) start(file string, command ...string) *life {
	w.t.Helper()
	args := append([]string{"run", "--data-dir", w.data(), "--progress", "json", "--seed", fmt.Sprint(w.fault.seed)}, w.flags...)
	return w.launch(append(append(args, file), command...)...)
}

func (w *world) serve() *life { return w.launch("serve", "--data-dir", w.data(), "--listen", "none") }

func (w *world) launch(args ...string) *life {
	w.t.Helper()
	l := &life{Cmd: w.program(args...), running: make(chan struct{}), exited: make(chan struct{})}
	l.Stderr = &l.stderr
	out, err := l.StdoutPipe()
	if err == nil {
		err = l.Start()
	}
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = l.Process.Kill() })
	go l.follow(bufio.NewScanner(out))
	return l
}

func (l *life) follow(lines *bufio.Scanner) {
	seen := false
	for lines.Scan() {
		var e struct{ Running int }
		if json.Unmarshal(lines.Bytes(), &e) == nil && e.Running > 0 && !seen {
			seen = true
			close(l.running)
		}
	}
	_ = l.Wait() // the exit code says it
	close(l.exited)
}

// wait returns once the process has ended or a trial runs, and reports the latter.
func (l *life) wait() (running bool) {
	select {
	case <-l.running:
		return true
	case <-l.exited:
	case <-time.After(longest):
	}
	return false
}

// end waits for the process and returns its exit code.
func (w *world) end(l *life) int {
	w.t.Helper()
	select {
	case <-l.exited:
	case <-time.After(longest):
		_ = l.Process.Kill()
		w.t.Fatalf("it does not end\n%s", l.stderr.String())
	}
	return l.ProcessState.ExitCode()
}

func (w *world) write(name, text string) (path string) {
	w.t.Helper()
	path = filepath.Join(w.dir, name+".yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
	return path
}
